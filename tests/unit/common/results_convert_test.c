/* convert-format's result in both views: without a tracking table, and after a failure. */
#include "common/json.h"
#include "common/results_convert.h"
#include "tests/support/test.h"

static void assert_json(const RecordType *type, const void *record, const char *expected)
{
    json_t *json = record_to_json(type, record);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void a_success_tells_both_formats(void **state)
{
    (void)state;
    ConvertResult result = {.tenant_id = strdup("a"),
                            .schema_name = strdup("s"),
                            .success = true,
                            .from = strdup("name"),
                            .to = strdup("hash"),
                            .converted = 3,
                            .duration_ms = 5,
                            .outcome = strdup("applied"),
                            .attempts = 1};
    assert_json(&CONVERT_RESULT, &result,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"success\":true,\"from\":\"name\",\"to\":\"hash\","
                "\"converted\":3,\"durationMs\":5,\"outcome\":\"applied\",\"attempts\":1}");
    assert_json(&CONVERT_RESULT_CLI, &result,
                "{\"tenantId\":\"a\",\"schema\":\"s\",\"success\":true,\"from\":\"name\",\"to\":\"hash\","
                "\"converted\":3,\"durationMs\":5,\"outcome\":\"applied\",\"attempts\":1}");
    record_clear(&CONVERT_RESULT, &result);
}

static void what_is_not_known_is_absent(void **state)
{
    (void)state;
    ConvertResult result = {.tenant_id = strdup("a"),
                            .schema_name = strdup("s"),
                            .to = strdup("hash"),
                            .error = strdup("no"),
                            .outcome = strdup("error"),
                            .sqlstate = strdup("42501"),
                            .hint = strdup("ask")};
    assert_json(&CONVERT_RESULT_CLI, &result,
                "{\"tenantId\":\"a\",\"schema\":\"s\",\"success\":false,\"to\":\"hash\",\"converted\":0,"
                "\"durationMs\":0,\"error\":\"no\",\"outcome\":\"error\",\"sqlstate\":\"42501\",\"hint\":"
                "\"ask\",\"attempts\":0}");
    record_clear(&CONVERT_RESULT, &result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_tells_both_formats),
        cmocka_unit_test(what_is_not_known_is_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
