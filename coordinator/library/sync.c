/* Tracking tables compared with files, and repaired. */
#include "coordinator/sync.h"
#include "common/results_lists.h"
#include "coordinator/library/call.h"

static bool ask_on_error(void *host, const TenantSyncResult *result)
{
    return call_says_abort(host, result->tenant_id, result->error);
}

static bool run(Call *call, SyncAction action, SyncReport *ret_report)
{
    call->fleet.allow_no_files = true; /* the contract's orphans: a program knows its folder */
    SyncRequest request = {
        .fleet = call->fleet, .action = action, .dry_run = call->options.dry_run, .on_failed = ask_on_error};
    if (action != SYNC_STATUS && !request.dry_run && !call_needs_host(call, false))
        return false;
    return sync_run(&request, ret_report, call->error);
}

static bool take_status(SyncReport *report, pgconvoy_sync_status *status, Error *error)
{
    *status = (pgconvoy_sync_status){.total = (int64_t)report->count,
                                     .in_sync = (int64_t)report->in_sync,
                                     .out_of_sync = (int64_t)report->out_of_sync,
                                     .error = (int64_t)report->errors};
    for (size_t i = 0; i < report->count; i++) {
        TenantSyncStatus *detail = record_list_add(&TENANT_SYNC_STATUS, &status->details);
        if (detail == NULL)
            return error_memory(error);
        *detail = report->entries[i].status;
        report->entries[i].status = (TenantSyncStatus){0};
    }
    return true;
}

bool pgconvoy_get_sync_status(pgconvoy_migrator *migrator, pgconvoy_sync_status *ret_status,
                              pgconvoy_error *error)
{
    Call call;
    SyncReport report = {0};
    pgconvoy_sync_status status = {0};
    bool ok = call_begin(&call, migrator, NULL, error) && run(&call, SYNC_STATUS, &report) &&
              take_status(&report, &status, call.error);
    if (ok && ret_status != NULL)
        *ret_status = status;
    else
        record_clear(&SYNC_STATUSES, &status);
    sync_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_get_tenant_sync_status(pgconvoy_migrator *migrator, const char *tenant_id,
                                     const pgconvoy_migrations *migrations,
                                     pgconvoy_tenant_sync_status *ret_status, pgconvoy_error *error)
{
    Call call;
    SyncReport report = {0};
    bool ok = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id) &&
              call_give_files(&call, migrations);
    call.fleet.folder_per_tenant = true;
    ok = ok && run(&call, SYNC_STATUS, &report);
    if (ok && ret_status != NULL) {
        *ret_status = report.entries[0].status;
        report.entries[0].status = (TenantSyncStatus){0};
    }
    sync_report_clear(&report);
    return call_end(&call, ok);
}

static bool repair_one(pgconvoy_migrator *migrator, SyncAction action, const char *tenant_id,
                       pgconvoy_tenant_sync_result *ret_result, Error *error)
{
    Call call;
    SyncReport report = {0};
    bool ok = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id);
    call.fleet.folder_per_tenant = true;
    ok = ok && run(&call, action, &report);
    if ((ok || report.acting) && ret_result != NULL) {
        *ret_result = report.entries[0].result;
        report.entries[0].result = (TenantSyncResult){0};
    }
    sync_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_mark_missing(pgconvoy_migrator *migrator, const char *tenant_id,
                           pgconvoy_tenant_sync_result *ret_result, pgconvoy_error *error)
{
    return repair_one(migrator, SYNC_MARK_MISSING, tenant_id, ret_result, error);
}

bool pgconvoy_clean_orphans(pgconvoy_migrator *migrator, const char *tenant_id,
                            pgconvoy_tenant_sync_result *ret_result, pgconvoy_error *error)
{
    return repair_one(migrator, SYNC_CLEAN_ORPHANS, tenant_id, ret_result, error);
}

static bool take_results(SyncReport *report, pgconvoy_sync_results *results, Error *error)
{
    *results = (pgconvoy_sync_results){.total = (int64_t)report->totals.total,
                                       .succeeded = (int64_t)report->totals.succeeded,
                                       .failed = (int64_t)report->totals.failed,
                                       .skipped = (int64_t)report->totals.skipped};
    for (size_t i = 0; i < report->count; i++) {
        TenantSyncResult *detail = record_list_add(&TENANT_SYNC_RESULT, &results->details);
        if (detail == NULL)
            return error_memory(error);
        *detail = report->entries[i].result;
        report->entries[i].result = (TenantSyncResult){0};
    }
    return true;
}

static bool repair_all(pgconvoy_migrator *migrator, SyncAction action, const pgconvoy_run_options *options,
                       pgconvoy_sync_results *ret_results, Error *error)
{
    Call call;
    SyncReport report = {0};
    pgconvoy_sync_results results = {0};
    bool ok = call_begin(&call, migrator, options, error) && run(&call, action, &report);
    bool known = ok || report.acting; /* what became of everybody */
    ERROR_CLEANUP Error second = {0};
    known = known && take_results(&report, &results, ok ? call.error : &second);
    ok = ok && known;
    if (known && ret_results != NULL)
        *ret_results = results;
    else
        record_clear(&SYNC_RESULTS, &results);
    sync_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_mark_all_missing(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                               pgconvoy_sync_results *ret_results, pgconvoy_error *error)
{
    return repair_all(migrator, SYNC_MARK_MISSING, options, ret_results, error);
}

bool pgconvoy_clean_all_orphans(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                                pgconvoy_sync_results *ret_results, pgconvoy_error *error)
{
    return repair_all(migrator, SYNC_CLEAN_ORPHANS, options, ret_results, error);
}
