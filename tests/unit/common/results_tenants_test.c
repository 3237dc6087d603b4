#include "common/json.h"
#include "common/results_tenants.h"
#include "tests/support/test.h"

static void assert_json(const RecordType *type, void *record, const char *expected)
{
    json_t *json = record_to_json(type, record);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
    record_clear(type, record);
}

static void an_absent_tenant_is_no_error(void **state)
{
    (void)state;
    TenantExistsResult result = {.tenant_id = strdup("a"), .schema_name = strdup("s")};
    assert_json(&TENANT_EXISTS_RESULT, &result, "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"exists\":false}");
}

static void a_creation_has_what_a_migration_has(void **state)
{
    (void)state;
    TenantCreateResult result = {.created = true};
    TenantMigrationResult *migration = &result.migration;
    migration->tenant_id = strdup("a");
    migration->schema_name = strdup("s");
    migration->error = strdup("no");
    migration->outcome = strdup("error");
    migration->migration = strdup("0002_x");
    migration->duration_ms = 7;
    migration->attempts = 1;
    assert_true(text_list_add(&migration->applied_migrations, "0001_x"));
    assert_true(text_list_add(&migration->already, "0000_x"));
    assert_json(&TENANT_CREATE_RESULT, &result,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"success\":false,\"created\":true,"
                "\"appliedMigrations\":[\"0001_x\"],\"error\":\"no\",\"durationMs\":7,\"outcome\":\"error\","
                "\"migration\":\"0002_x\",\"attempts\":1}");
}

/* A field that migrate's result gains and this one lacks would be lost on the way. */
static void a_creation_lacks_no_field_of_a_migration(void **state)
{
    (void)state;
    for (size_t i = 0; i < TENANT_MIGRATION_RESULT.field_count; i++) {
        const RecordField *field = &TENANT_MIGRATION_RESULT.fields[i];
        size_t found = 0;
        for (size_t k = 0; k < TENANT_CREATE_RESULT.field_count; k++) {
            const RecordField *own = &TENANT_CREATE_RESULT.fields[k];
            found += strcmp(own->name, field->name) == 0 && own->kind == field->kind &&
                     own->rule == field->rule && own->offset == field->offset;
        }
        if (found != 1)
            fail_msg("%s", field->name);
    }
    assert_int_equal(TENANT_CREATE_RESULT.field_count, TENANT_MIGRATION_RESULT.field_count + 1);
}

static void a_refused_drop_names_who_depends(void **state)
{
    (void)state;
    TenantDropResult result = {.tenant_id = strdup("a"),
                               .schema_name = strdup("s"),
                               .error = strdup("held"),
                               .sqlstate = strdup("2BP01"),
                               .hint = strdup("h"),
                               .outcome = strdup("error"),
                               .duration_ms = 3,
                               .attempts = 1};
    assert_true(text_list_add(&result.dependents, "view public.v"));
    assert_json(&TENANT_DROP_RESULT, &result,
                "{\"tenantId\":\"a\",\"schemaName\":\"s\",\"success\":false,\"dropped\":false,"
                "\"dependents\":[\"view public.v\"],\"error\":\"held\",\"sqlstate\":\"2BP01\",\"hint\":\"h\","
                "\"durationMs\":3,\"outcome\":\"error\",\"attempts\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_tenant_is_no_error),
        cmocka_unit_test(a_creation_has_what_a_migration_has),
        cmocka_unit_test(a_creation_lacks_no_field_of_a_migration),
        cmocka_unit_test(a_refused_drop_names_who_depends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
