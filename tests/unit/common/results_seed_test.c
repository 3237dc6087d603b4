/* The package's fields of a seed's result in its order, ours behind them, for the library and the CLI. */
#include "common/json.h"
#include "common/results_seed.h"
#include "tests/support/test.h"

static void assert_json(const RecordType *type, const void *record, const char *expected)
{
    json_t *json = record_to_json(type, record);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void a_success_has_no_empty_fields(void **state)
{
    (void)state;
    TenantSeedResult result = {.tenant_id = strdup("a"),
                               .schema_name = strdup("s"),
                               .success = true,
                               .duration_ms = 7,
                               .outcome = strdup("applied"),
                               .attempts = 1};
    assert_json(&TENANT_SEED_RESULT, &result,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"success\":true,\"durationMs\":7,"
                "\"outcome\":\"applied\",\"attempts\":1}");
    assert_json(&TENANT_SEED_RESULT_CLI, &result,
                "{\"tenantId\":\"a\",\"schema\":\"s\",\"success\":true,\"durationMs\":7,"
                "\"outcome\":\"applied\",\"attempts\":1}");
    record_clear(&TENANT_SEED_RESULT, &result);
}

static void a_failure_says_where_and_why(void **state)
{
    (void)state;
    TenantSeedResult result = {.tenant_id = strdup("a"),
                               .schema_name = strdup("s"),
                               .error = strdup("no"),
                               .duration_ms = 7,
                               .database = strdup("eu"),
                               .outcome = strdup("error"),
                               .sqlstate = strdup("22012"),
                               .detail = strdup("d"),
                               .hint = strdup("h"),
                               .line = 3,
                               .column = 4,
                               .attempts = 2};
#define OURS                                                                                             \
    ",\"database\":\"eu\",\"outcome\":\"error\",\"sqlstate\":\"22012\",\"detail\":\"d\",\"hint\":\"h\"," \
    "\"line\":3,\"column\":4,\"attempts\":2}"
    assert_json(
        &TENANT_SEED_RESULT, &result,
        "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"success\":false,\"error\":\"no\",\"durationMs\":7" OURS);
    assert_json(
        &TENANT_SEED_RESULT_CLI, &result,
        "{\"tenantId\":\"a\",\"schema\":\"s\",\"success\":false,\"durationMs\":7,\"error\":\"no\"" OURS);
    record_clear(&TENANT_SEED_RESULT, &result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_has_no_empty_fields),
        cmocka_unit_test(a_failure_says_where_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
