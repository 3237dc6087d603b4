#include "common/json.h"
#include "common/results.h"
#include "common/tenant.h"
#include "tests/support/test.h"
#include <stdio.h>

static void assert_json(const RecordType *type, const void *record, const char *expected)
{
    json_t *json = record_to_json(type, record);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void success_has_the_contract_s_fields_then_ours(void **state)
{
    (void)state;
    TenantMigrationResult result = {.tenant_id = strdup("a"),
                                    .schema_name = strdup("tenant_a"),
                                    .success = true,
                                    .duration_ms = 12,
                                    .format = strdup("name"),
                                    .outcome = strdup("applied"),
                                    .attempts = 1};
    assert_true(text_list_add(&result.applied_migrations, "0001_x"));
    assert_true(text_list_add(&result.already, "0002_y"));
    assert_json(&TENANT_MIGRATION_RESULT, &result,
                "{\"tenantId\":\"a\",\"schemaName\":\"tenant_a\",\"success\":true,"
                "\"appliedMigrations\":[\"0001_x\"],\"durationMs\":12,\"format\":\"name\","
                "\"outcome\":\"applied\",\"attempts\":1}");
    assert_json(&TENANT_MIGRATION_RESULT_CLI, &result,
                "{\"tenantId\":\"a\",\"schema\":\"tenant_a\",\"success\":true,"
                "\"appliedMigrations\":[\"0001_x\"],\"durationMs\":12,\"format\":\"name\","
                "\"outcome\":\"applied\",\"attempts\":1}");
    record_clear(&TENANT_MIGRATION_RESULT, &result);
}

static void failure_says_where(void **state)
{
    (void)state;
    TenantMigrationResult result = {.tenant_id = strdup("a"),
                                    .schema_name = strdup("s"),
                                    .error = strdup("boom"),
                                    .duration_ms = 3,
                                    .database = strdup("eu"),
                                    .outcome = strdup("error"),
                                    .sqlstate = strdup("42601"),
                                    .detail = strdup("d"),
                                    .hint = strdup("h"),
                                    .migration = strdup("0001_x"),
                                    .line = 2,
                                    .column = 5,
                                    .attempts = 2};
    assert_true(text_list_add(&result.recovered, "0000_w"));
    static const char OURS[] = "\"database\":\"eu\",\"outcome\":\"error\",\"sqlstate\":\"42601\","
                               "\"detail\":\"d\",\"hint\":\"h\",\"migration\":\"0001_x\",\"line\":2,"
                               "\"column\":5,\"attempts\":2,\"recovered\":[\"0000_w\"]}";
    char expected[512];
    snprintf(expected, sizeof(expected), "%s%s",
             "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"success\":false,\"appliedMigrations\":[],"
             "\"error\":\"boom\",\"durationMs\":3,",
             OURS);
    assert_json(&TENANT_MIGRATION_RESULT, &result, expected);
    snprintf(expected, sizeof(expected), "%s%s",
             "{\"tenantId\":\"a\",\"schema\":\"s\",\"success\":false,\"appliedMigrations\":[],"
             "\"durationMs\":3,\"error\":\"boom\",",
             OURS);
    assert_json(&TENANT_MIGRATION_RESULT_CLI, &result, expected);
    record_clear(&TENANT_MIGRATION_RESULT, &result);
}

static void status_without_a_table_has_a_null_format(void **state)
{
    (void)state;
    TenantMigrationStatus status = {
        .tenant_id = strdup("a"), .schema_name = strdup("s"), .pending_count = 1, .status = strdup("behind")};
    assert_true(text_list_add(&status.pending_migrations, "0001_x"));
    assert_json(&TENANT_MIGRATION_STATUS, &status,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"appliedCount\":0,\"pendingCount\":1,"
                "\"pendingMigrations\":[\"0001_x\"],\"status\":\"behind\",\"format\":null}");
    assert_json(&TENANT_MIGRATION_STATUS_CLI, &status,
                "{\"id\":\"a\",\"schema\":\"s\",\"format\":null,\"applied\":0,\"pending\":1,"
                "\"status\":\"behind\",\"pendingMigrations\":[\"0001_x\"]}");
    record_clear(&TENANT_MIGRATION_STATUS, &status);
}

static void status_of_an_error_names_it(void **state)
{
    (void)state;
    TenantMigrationStatus status = {.tenant_id = strdup("a"),
                                    .schema_name = strdup("s"),
                                    .status = strdup("error"),
                                    .error = strdup("no"),
                                    .database = strdup("eu"),
                                    .sqlstate = strdup("3F000"),
                                    .outcome = strdup("no_schema"),
                                    .unexplained = 2};
    assert_true(text_list_add(&status.changed, "0001_x"));
    assert_json(&TENANT_MIGRATION_STATUS, &status,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"appliedCount\":0,\"pendingCount\":0,"
                "\"pendingMigrations\":[],\"status\":\"error\",\"error\":\"no\",\"format\":null,"
                "\"database\":\"eu\",\"outcome\":\"no_schema\",\"sqlstate\":\"3F000\","
                "\"changed\":[\"0001_x\"],\"unexplained\":2}");
    assert_json(&TENANT_MIGRATION_STATUS_CLI, &status,
                "{\"id\":\"a\",\"schema\":\"s\",\"format\":null,\"applied\":0,\"pending\":0,"
                "\"status\":\"error\",\"pendingMigrations\":[],\"error\":\"no\",\"database\":\"eu\","
                "\"outcome\":\"no_schema\",\"sqlstate\":\"3F000\",\"changed\":[\"0001_x\"],"
                "\"unexplained\":2}");
    record_clear(&TENANT_MIGRATION_STATUS, &status);
}

static void discover_and_parse_hold_lists(void **state)
{
    (void)state;
    DiscoverResult found = {0};
    assert_true(text_list_add(&found.ids, "a"));
    assert_json(&DISCOVER_RESULT, &found, "{\"ids\":[\"a\"]}");
    record_clear(&DISCOVER_RESULT, &found);

    ParseResult parsed = {.server_version = strdup("15.18")};
    ParseFailure *failure = record_list_add(&PARSE_FAILURE, &parsed.failures);
    *failure = (ParseFailure){.migration = strdup("0001_x"), .error = strdup("e"), .line = 4};
    assert_json(&PARSE_RESULT, &parsed,
                "{\"failures\":[{\"migration\":\"0001_x\",\"error\":\"e\",\"line\":4}],"
                "\"serverVersion\":\"15.18\"}");
    record_clear(&PARSE_RESULT, &parsed);
}

/* Two views of one struct that disagree on what it owns would leak or free twice. */
static void views_describe_the_same_members(void **state)
{
    (void)state;
    const RecordType *views[][2] = {{&TENANT_MIGRATION_RESULT, &TENANT_MIGRATION_RESULT_CLI},
                                    {&TENANT_MIGRATION_STATUS, &TENANT_MIGRATION_STATUS_CLI}};
    for (size_t v = 0; v < 2; v++) {
        size_t sums[2] = {0};
        for (size_t side = 0; side < 2; side++)
            for (size_t i = 0; i < views[v][side]->field_count; i++)
                sums[side] += views[v][side]->fields[i].offset * (1 + views[v][side]->fields[i].kind);
        assert_int_equal(views[v][0]->field_count, views[v][1]->field_count);
        assert_int_equal(sums[0], sums[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_has_the_contract_s_fields_then_ours),
        cmocka_unit_test(failure_says_where),
        cmocka_unit_test(status_without_a_table_has_a_null_format),
        cmocka_unit_test(status_of_an_error_names_it),
        cmocka_unit_test(discover_and_parse_hold_lists),
        cmocka_unit_test(views_describe_the_same_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
