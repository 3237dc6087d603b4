/* A tenant's life: create, drop, exists. */
#include "coordinator/library/single.h"

static void set_create(const void *wishes, RunOptions *options)
{
    const pgconvoy_create_options *create = wishes;
    options->create_only = create->no_migrations;
}

bool pgconvoy_create_tenant(pgconvoy_migrator *migrator, const char *tenant_id,
                            const pgconvoy_create_options *options, pgconvoy_tenant_create_result *ret_result,
                            pgconvoy_error *error)
{
    static const pgconvoy_create_options DEFAULTS = {0};
    const pgconvoy_create_options *wishes = options != NULL ? options : &DEFAULTS;
    Single single = {OPERATION_CREATE, !wishes->no_migrations, set_create, wishes};
    TenantCreateResult result = {0};
    Outcome outcome = OUTCOME_NOT_STARTED;
    Call call;
    bool ok = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id);
    call.fleet.allow_no_files = true;
    bool known = ok && (wishes->no_migrations || call_needs_host(&call, true)) &&
                 single_run(&call, &single, &result, &outcome);
    ok = known && outcome_state(outcome) == TENANT_SUCCEEDED;
    if (known && !ok) {
        single_failed(&TENANT_CREATE_RESULT, &result, outcome, call.error);
        call.error->line = result.migration.line;
        call.error->column = result.migration.column;
    }
    if (known && ret_result != NULL)
        *ret_result = result;
    else
        record_clear(&TENANT_CREATE_RESULT, &result);
    return call_end(&call, ok);
}

static void set_drop(const void *wishes, RunOptions *options)
{
    const pgconvoy_drop_options *drop = wishes;
    options->no_cascade = drop->no_cascade;
    options->cascade_foreign = drop->cascade_foreign;
}

bool pgconvoy_drop_tenant(pgconvoy_migrator *migrator, const char *tenant_id,
                          const pgconvoy_drop_options *options, pgconvoy_tenant_drop_result *ret_result,
                          pgconvoy_error *error)
{
    static const pgconvoy_drop_options DEFAULTS = {0};
    Single single = {OPERATION_DROP, false, set_drop, options != NULL ? options : &DEFAULTS};
    TenantDropResult result = {0};
    Outcome outcome = OUTCOME_NOT_STARTED;
    Call call;
    bool known = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id) &&
                 single_run(&call, &single, &result, &outcome);
    bool ok = known && (outcome_state(outcome) == TENANT_SUCCEEDED ||
                        single_failed(&TENANT_DROP_RESULT, &result, outcome, call.error));
    if (known && ret_result != NULL)
        *ret_result = result;
    else
        record_clear(&TENANT_DROP_RESULT, &result);
    return call_end(&call, ok);
}

bool pgconvoy_tenant_exists(pgconvoy_migrator *migrator, const char *tenant_id, bool *ret_exists,
                            pgconvoy_error *error)
{
    Single single = {OPERATION_EXISTS, false, NULL, NULL};
    TenantExistsResult result = {0};
    Outcome outcome = OUTCOME_NOT_STARTED;
    Call call;
    bool ok = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id) &&
              single_run(&call, &single, &result, &outcome) &&
              (outcome_state(outcome) == TENANT_SUCCEEDED ||
               single_failed(&TENANT_EXISTS_RESULT, &result, outcome, call.error));
    if (ok && ret_exists != NULL)
        *ret_exists = result.exists;
    record_clear(&TENANT_EXISTS_RESULT, &result);
    return call_end(&call, ok);
}
