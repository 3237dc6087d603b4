/* The results of tenants that are refused, for every operation that there is. */
#include "common/operation.h"
#include "coordinator/refusal.h"
#include "tests/support/test.h"

static void every_operation_s_result_says_who_and_why(void **state)
{
    (void)state;
    const Tenant tenant = {.database = (char *)"main",
                           .id = (char *)"x",
                           .schema = (char *)"pg_x",
                           .refusal = (char *)"schema name \"pg_x\" is reserved"};
    Error error ERROR_CLEANUP = {0};
    for (OperationId id = OPERATION_NULL; id < OPERATION_COUNT; id++) {
        const Operation *operation = operation_get(id);
        if (operation->shape == OPERATION_DATABASE)
            continue;
        void *record = refusal_result(operation->result, &tenant, &error);
        assert_non_null(record);
        char **why = record_text(operation->result, record, "error");
        char **who = record_text(operation->result, record, "tenantId");
        if (who == NULL)
            who = record_text(operation->result, record, "targetTenant");
        assert_non_null(why);
        assert_non_null(who);
        assert_string_equal(*why, tenant.refusal);
        assert_string_equal(*who, "x");
        record_clear(operation->result, record);
        free(record);
    }
}

static void a_status_is_an_error(void **state)
{
    (void)state;
    const Tenant tenant = {.database = (char *)"main",
                           .id = (char *)"",
                           .schema = (char *)"",
                           .refusal = (char *)"tenant id is empty"};
    Error error ERROR_CLEANUP = {0};
    TenantMigrationStatus *status = refusal_result(&TENANT_MIGRATION_STATUS, &tenant, &error);
    assert_string_equal(status->status, "error");
    assert_string_equal(status->error, "tenant id is empty");
    assert_null(status->outcome);
    record_clear(&TENANT_MIGRATION_STATUS, status);
    free(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_s_result_says_who_and_why),
        cmocka_unit_test(a_status_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
