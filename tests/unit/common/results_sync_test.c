/* The contract's fields of sync in its order, ours behind them, in each of the four views. */
#include "common/json.h"
#include "common/results_sync.h"
#include "tests/support/test.h"

static void assert_json(const RecordType *type, const void *record, const char *expected)
{
    json_t *json = record_to_json(type, record);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void status_has_the_contract_s_fields_then_ours(void **state)
{
    (void)state;
    TenantSyncStatus status = {
        .tenant_id = strdup("a"), .schema_name = strdup("s"), .format = strdup("hash")};
    assert_true(text_list_add(&status.missing, "0001_x"));
    assert_true(text_list_add(&status.orphans, "NULL"));
    assert_true(text_list_add(&status.changed, "0001_x"));
    assert_json(&TENANT_SYNC_STATUS, &status,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"missing\":[\"0001_x\"],\"orphans\":[\"NULL\"],"
                "\"inSync\":false,\"format\":\"hash\",\"changed\":[\"0001_x\"]}");
    assert_json(
        &TENANT_SYNC_STATUS_CLI, &status,
        "{\"id\":\"a\",\"schema\":\"s\",\"format\":\"hash\",\"inSync\":false,\"missing\":[\"0001_x\"],"
        "\"orphans\":[\"NULL\"],\"changed\":[\"0001_x\"]}");
    record_clear(&TENANT_SYNC_STATUS, &status);
}

static void an_unreadable_tenant_has_its_error_behind_the_format(void **state)
{
    (void)state;
    TenantSyncStatus status = {.tenant_id = strdup("a"),
                               .schema_name = strdup("s"),
                               .error = strdup("gone"),
                               .outcome = strdup("no_schema"),
                               .sqlstate = strdup("3F000"),
                               .database = strdup("eu")};
    assert_json(&TENANT_SYNC_STATUS, &status,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"missing\":[],\"orphans\":[],\"inSync\":false,"
                "\"format\":null,\"error\":\"gone\",\"database\":\"eu\",\"outcome\":\"no_schema\","
                "\"sqlstate\":\"3F000\"}");
    record_clear(&TENANT_SYNC_STATUS, &status);
}

static void results_show_what_each_command_did(void **state)
{
    (void)state;
    TenantSyncResult result = {.tenant_id = strdup("a"),
                               .schema_name = strdup("s"),
                               .error = strdup("no"),
                               .duration_ms = 7,
                               .outcome = strdup("error"),
                               .hint = strdup("h"),
                               .attempts = 2,
                               .after_loss = true};
    assert_true(text_list_add(&result.marked_migrations, "0001_x"));
    assert_true(text_list_add(&result.removed_orphans, "old"));
    assert_true(text_list_add(&result.recovered, "old"));
#define OURS ",\"outcome\":\"error\",\"hint\":\"h\",\"attempts\":2,\"recovered\":[\"old\"]}"
    assert_json(
        &TENANT_SYNC_RESULT, &result,
        "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"success\":false,\"markedMigrations\":[\"0001_x\"],"
        "\"removedOrphans\":[\"old\"],\"error\":\"no\",\"durationMs\":7" OURS);
    assert_json(&TENANT_SYNC_MARKED_CLI, &result,
                "{\"tenantId\":\"a\",\"schema\":\"s\",\"success\":false,\"markedMigrations\":[\"0001_x\"],"
                "\"durationMs\":7,\"error\":\"no\"" OURS);
    assert_json(&TENANT_SYNC_CLEANED_CLI, &result,
                "{\"tenantId\":\"a\",\"schema\":\"s\",\"success\":false,\"removedOrphans\":[\"old\"],"
                "\"durationMs\":7,\"error\":\"no\"" OURS);
    record_clear(&TENANT_SYNC_RESULT, &result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_has_the_contract_s_fields_then_ours),
        cmocka_unit_test(an_unreadable_tenant_has_its_error_behind_the_format),
        cmocka_unit_test(results_show_what_each_command_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
