/* Migrations and their status, over many tenants and for one. */
#include "common/results_lists.h"
#include "coordinator/library/runs.h"

static bool ask_on_error(void *host, const TenantMigrationResult *result)
{
    return call_says_abort(host, result->tenant_id, result->error);
}

bool library_run(Call *call, RunAction action, bool with_shared, RunReport *ret_report)
{
    call->fleet.allow_no_files = true;
    RunRequest request = {.fleet = call->fleet,
                          .action = action,
                          .with_shared = with_shared,
                          .dry_run = call->options.dry_run,
                          .on_failed = ask_on_error};
    if (action != RUN_STATUS && !request.dry_run && !call_needs_host(call, true))
        return false;
    return migrator_run(&request, ret_report, call->error);
}

bool library_list_results(const RunReport *report, pgconvoy_migration_results *results, Error *error)
{
    *results = (pgconvoy_migration_results){.total = (int64_t)report->totals.total,
                                            .succeeded = (int64_t)report->totals.succeeded,
                                            .failed = (int64_t)report->totals.failed,
                                            .skipped = (int64_t)report->totals.skipped};
    for (size_t i = 0; i < report->count; i++) {
        TenantMigrationResult *detail = record_list_add(&TENANT_MIGRATION_RESULT, &results->details);
        if (detail == NULL)
            return error_memory(error);
        const TenantMigrationResult result = run_report_result(report, i);
        if (!record_copy(&TENANT_MIGRATION_RESULT, detail, &result, error))
            return false;
    }
    return true;
}

/* Everybody who is named, or found. */
static bool run_many(Call *call, RunAction action, pgconvoy_migration_results *ret_results)
{
    RunReport report = {0};
    pgconvoy_migration_results results = {0};
    bool ok = library_run(call, action, false, &report);
    bool known = ok || report.applying; /* what became of everybody */
    ERROR_CLEANUP Error second = {0};
    known = known && library_list_results(&report, &results, ok ? call->error : &second);
    ok = ok && known;
    if (known && ret_results != NULL)
        *ret_results = results;
    else
        record_clear(&MIGRATION_RESULTS, &results);
    run_report_clear(&report);
    return ok;
}

static bool run_one(Call *call, RunAction action, pgconvoy_tenant_migration_result *ret_result)
{
    RunReport report = {0};
    call->fleet.folder_per_tenant = true;
    bool ok = library_run(call, action, false, &report);
    if ((ok || report.applying) && ret_result != NULL) {
        ERROR_CLEANUP Error second = {0};
        const TenantMigrationResult result = run_report_result(&report, 0);
        ok &= record_copy(&TENANT_MIGRATION_RESULT, ret_result, &result, ok ? call->error : &second);
    }
    run_report_clear(&report);
    return ok;
}

bool pgconvoy_migrate_all(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                          pgconvoy_migration_results *ret_results, pgconvoy_error *error)
{
    Call call;
    return call_end(&call,
                    call_begin(&call, migrator, options, error) && run_many(&call, RUN_MIGRATE, ret_results));
}

bool pgconvoy_migrate_tenants(pgconvoy_migrator *migrator, const char *const *tenant_ids, size_t count,
                              const pgconvoy_run_options *options, pgconvoy_migration_results *ret_results,
                              pgconvoy_error *error)
{
    Call call;
    return call_end(&call, call_begin(&call, migrator, options, error) &&
                               call_name(&call, tenant_ids, count) &&
                               run_many(&call, RUN_MIGRATE, ret_results));
}

bool pgconvoy_migrate_tenant(pgconvoy_migrator *migrator, const char *tenant_id,
                             const pgconvoy_migrations *migrations, const pgconvoy_run_options *options,
                             pgconvoy_tenant_migration_result *ret_result, pgconvoy_error *error)
{
    Call call;
    return call_end(&call, call_begin(&call, migrator, options, error) && call_name_one(&call, tenant_id) &&
                               call_give_files(&call, migrations) && run_one(&call, RUN_MIGRATE, ret_result));
}

bool pgconvoy_mark_as_applied(pgconvoy_migrator *migrator, const char *tenant_id,
                              const pgconvoy_run_options *options,
                              pgconvoy_tenant_migration_result *ret_result, pgconvoy_error *error)
{
    Call call;
    bool ok = call_begin(&call, migrator, options, error) && call_name_one(&call, tenant_id);
    call.tells_migrations = true;
    return call_end(&call, ok && run_one(&call, RUN_MARK_APPLIED, ret_result));
}

bool pgconvoy_mark_all_as_applied(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                                  pgconvoy_migration_results *ret_results, pgconvoy_error *error)
{
    Call call;
    bool ok = call_begin(&call, migrator, options, error);
    call.fleet.folder_per_tenant = true;
    return call_end(&call, ok && run_many(&call, RUN_MARK_APPLIED, ret_results));
}

static bool list_statuses(const RunReport *report, pgconvoy_migration_statuses *statuses, Error *error)
{
    for (size_t i = 0; i < report->count; i++) {
        TenantMigrationStatus *detail = record_list_add(&TENANT_MIGRATION_STATUS, &statuses->details);
        if (detail == NULL)
            return error_memory(error);
        const TenantMigrationStatus status = run_report_status(report, i);
        if (!record_copy(&TENANT_MIGRATION_STATUS, detail, &status, error))
            return false;
    }
    return true;
}

bool pgconvoy_get_status(pgconvoy_migrator *migrator, pgconvoy_migration_statuses *ret_statuses,
                         pgconvoy_error *error)
{
    Call call;
    RunReport report = {0};
    pgconvoy_migration_statuses statuses = {0};
    bool ok = call_begin(&call, migrator, NULL, error) && library_run(&call, RUN_STATUS, false, &report) &&
              list_statuses(&report, &statuses, call.error);
    if (ok && ret_statuses != NULL)
        *ret_statuses = statuses;
    else
        record_clear(&MIGRATION_STATUSES, &statuses);
    run_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_get_tenant_status(pgconvoy_migrator *migrator, const char *tenant_id,
                                const pgconvoy_migrations *migrations,
                                pgconvoy_tenant_migration_status *ret_status, pgconvoy_error *error)
{
    Call call;
    RunReport report = {0};
    bool ok = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id) &&
              call_give_files(&call, migrations);
    call.fleet.folder_per_tenant = true;
    ok = ok && library_run(&call, RUN_STATUS, false, &report);
    if (ok && ret_status != NULL) {
        const TenantMigrationStatus status = run_report_status(&report, 0);
        ok = record_copy(&TENANT_MIGRATION_STATUS, ret_status, &status, call.error);
    }
    run_report_clear(&report);
    return call_end(&call, ok);
}
