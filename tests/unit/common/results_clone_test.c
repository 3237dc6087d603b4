#include "common/json.h"
#include "common/results.h"
#include "tests/support/test.h"

static void expect_json(const CloneResult *result, const char *expected)
{
    json_t *document = record_to_json(&CLONE_RESULT, result);
    char *text = json_dumps(document, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(document);
}

static void a_success_has_the_contract_s_fields_first(void **state)
{
    (void)state;
    CloneResult result = {.source_tenant = "a",
                          .target_tenant = "b",
                          .target_schema = "tenant_b",
                          .success = true,
                          .tables = {(char *[]){"t"}, 1},
                          .duration_ms = 5,
                          .outcome = "applied"};
    expect_json(&result, "{\"sourceTenant\":\"a\",\"targetTenant\":\"b\",\"targetSchema\":\"tenant_b\","
                         "\"success\":true,\"tables\":[\"t\"],\"durationMs\":5,\"rowsCopied\":0,"
                         "\"outcome\":\"applied\"}");
}

static void rows_that_nobody_asked_for_are_not_counted(void **state)
{
    (void)state;
    CloneResult result = {.source_tenant = "a",
                          .target_tenant = "b",
                          .target_schema = "tenant_b",
                          .error = "no",
                          .rows_copied = -1,
                          .outcome = "error"};
    expect_json(&result, "{\"sourceTenant\":\"a\",\"targetTenant\":\"b\",\"targetSchema\":\"tenant_b\","
                         "\"success\":false,\"error\":\"no\",\"tables\":[],\"durationMs\":0,"
                         "\"outcome\":\"error\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_has_the_contract_s_fields_first),
        cmocka_unit_test(rows_that_nobody_asked_for_are_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
