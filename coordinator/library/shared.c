/* The shared schema, public. */
#include "coordinator/shared.h"
#include "coordinator/library/runs.h"

bool pgconvoy_has_shared_migrations(const pgconvoy_migrator *migrator)
{
    return migrator != NULL && config_text(migrator->config, SETTING_SHARED_FOLDER)[0] != '\0';
}

/* The first that failed, of several databases; else the first. */
static size_t speaker(const RunReport *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->entries[i].state != TENANT_SUCCEEDED)
            return i;
    return 0;
}

static bool copy_result(const RunReport *report, pgconvoy_shared_migration_result *ret_result, Error *error)
{
    const SharedMigrationResult result = shared_result(report, speaker(report));
    return record_copy(&SHARED_MIGRATION_RESULT, ret_result, &result, error);
}

/* A caller that takes no result gets the error instead. */
static bool result_without_shared(Call *call, SharedMigrationResult *ret_result)
{
    ERROR_CLEANUP Error reason = {0};
    SharedMigrationResult result = {0};
    bool ok = !shared_is_configured(call->migrator->config, &reason) &&
              text_fill(&result.schema_name, SHARED_SCHEMA) && text_fill(&result.error, reason.message) &&
              text_fill(&result.hint, reason.hint) && text_fill(&result.outcome, "error");
    if (ok)
        *ret_result = result;
    else
        record_clear(&SHARED_MIGRATION_RESULT, &result);
    return ok || error_memory(call->error);
}

static bool status_without_shared(Call *call, SharedMigrationStatus *ret_status)
{
    ERROR_CLEANUP Error reason = {0};
    SharedMigrationStatus status = {0};
    bool ok = !shared_is_configured(call->migrator->config, &reason) &&
              text_fill(&status.schema_name, SHARED_SCHEMA) && text_fill(&status.error, reason.message) &&
              text_fill(&status.status, "error");
    if (ok)
        *ret_status = status;
    else
        record_clear(&SHARED_MIGRATION_STATUS, &status);
    return ok || error_memory(call->error);
}

static bool run_shared(pgconvoy_migrator *migrator, RunAction action, const pgconvoy_run_options *options,
                       pgconvoy_shared_migration_result *ret_result, Error *error)
{
    Call call;
    RunReport report = {0};
    ERROR_CLEANUP Error second = {0};
    bool ok = call_begin(&call, migrator, options, error);
    if (ok && ret_result != NULL && !pgconvoy_has_shared_migrations(migrator))
        return call_end(&call, result_without_shared(&call, ret_result));
    call.fleet.shared = true;
    call.fleet.folder_per_tenant = true;
    ok = ok && library_run(&call, action, false, &report);
    if ((ok || report.applying) && ret_result != NULL)
        ok &= copy_result(&report, ret_result, ok ? call.error : &second);
    run_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_migrate_shared(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                             pgconvoy_shared_migration_result *ret_result, pgconvoy_error *error)
{
    return run_shared(migrator, RUN_MIGRATE, options, ret_result, error);
}

bool pgconvoy_mark_shared_as_applied(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                                     pgconvoy_shared_migration_result *ret_result, pgconvoy_error *error)
{
    return run_shared(migrator, RUN_MARK_APPLIED, options, ret_result, error);
}

bool pgconvoy_get_shared_status(pgconvoy_migrator *migrator, pgconvoy_shared_migration_status *ret_status,
                                pgconvoy_error *error)
{
    Call call;
    RunReport report = {0};
    bool ok = call_begin(&call, migrator, NULL, error);
    if (ok && ret_status != NULL && !pgconvoy_has_shared_migrations(migrator))
        return call_end(&call, status_without_shared(&call, ret_status));
    call.fleet.shared = true;
    call.fleet.folder_per_tenant = true;
    ok = ok && library_run(&call, RUN_STATUS, false, &report);
    if (ok && ret_status != NULL) {
        const SharedMigrationStatus status = shared_status(&report, speaker(&report));
        ok = record_copy(&SHARED_MIGRATION_STATUS, ret_status, &status, call.error);
    }
    run_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_migrate_all_with_shared(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                                      pgconvoy_migration_with_shared *ret_results, pgconvoy_error *error)
{
    Call call;
    RunReport report = {0};
    pgconvoy_migration_with_shared results = {0};
    ERROR_CLEANUP Error second = {0};
    bool ok = call_begin(&call, migrator, options, error) && library_run(&call, RUN_MIGRATE, true, &report);
    bool known = ok || run_report_has_begun(&report);
    if (known && report.shared != NULL && report.shared->count > 0)
        known = copy_result(report.shared, &results.shared, ok ? call.error : &second);
    known = known && library_list_results(&report, &results.tenants, ok ? call.error : &second);
    if (known && ret_results != NULL)
        *ret_results = results;
    else
        pgconvoy_migration_with_shared_clear(&results);
    run_report_clear(&report);
    return call_end(&call, ok && known);
}
