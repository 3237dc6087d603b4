/* Seeds by callback. */
#include "coordinator/seed.h"
#include "common/results_lists.h"
#include "coordinator/library/call.h"
#include "coordinator/shared.h"

static bool ask_on_error(void *host, const TenantSeedResult *result)
{
    return call_says_abort(host, result->tenant_id, result->error);
}

static bool run(Call *call, bool with_shared, SeedReport *ret_report)
{
    SeedRequest request = {.fleet = call->fleet, .with_shared = with_shared, .on_failed = ask_on_error};
    if (call->options.dry_run)
        return error_set(call->error, ERROR_USAGE, "a seed has no dry run");
    return call_needs_host(call, false) && seed_run(&request, ret_report, call->error);
}

static bool take_results(SeedReport *report, pgconvoy_seed_results *results, Error *error)
{
    *results = (pgconvoy_seed_results){.total = (int64_t)report->totals.total,
                                       .succeeded = (int64_t)report->totals.succeeded,
                                       .failed = (int64_t)report->totals.failed,
                                       .skipped = (int64_t)report->totals.skipped};
    for (size_t i = 0; i < report->count; i++) {
        TenantSeedResult *detail = record_list_add(&TENANT_SEED_RESULT, &results->details);
        if (detail == NULL)
            return error_memory(error);
        *detail = report->entries[i].result;
        report->entries[i].result = (TenantSeedResult){0};
    }
    return true;
}

static bool seed_many(Call *call, pgconvoy_seed_results *ret_results)
{
    SeedReport report = {0};
    pgconvoy_seed_results results = {0};
    ERROR_CLEANUP Error second = {0};
    bool ok = run(call, false, &report);
    bool known = (ok || report.seeding) && take_results(&report, &results, ok ? call->error : &second);
    if (known && ret_results != NULL)
        *ret_results = results;
    else
        record_clear(&SEED_RESULTS, &results);
    seed_report_clear(&report);
    return ok && known;
}

bool pgconvoy_seed_all(pgconvoy_migrator *migrator, pgconvoy_seed *seed, void *context,
                       const pgconvoy_run_options *options, pgconvoy_seed_results *ret_results,
                       pgconvoy_error *error)
{
    Call call;
    return call_end(&call, call_begin(&call, migrator, options, error) &&
                               call_seed(&call, seed, NULL, context) && seed_many(&call, ret_results));
}

bool pgconvoy_seed_tenants(pgconvoy_migrator *migrator, const char *const *tenant_ids, size_t count,
                           pgconvoy_seed *seed, void *context, const pgconvoy_run_options *options,
                           pgconvoy_seed_results *ret_results, pgconvoy_error *error)
{
    Call call;
    return call_end(&call, call_begin(&call, migrator, options, error) &&
                               call_name(&call, tenant_ids, count) && call_seed(&call, seed, NULL, context) &&
                               seed_many(&call, ret_results));
}

bool pgconvoy_seed_tenant(pgconvoy_migrator *migrator, const char *tenant_id, pgconvoy_seed *seed,
                          void *context, pgconvoy_tenant_seed_result *ret_result, pgconvoy_error *error)
{
    Call call;
    SeedReport report = {0};
    bool ok = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id) &&
              call_seed(&call, seed, NULL, context) && run(&call, false, &report);
    if ((ok || report.seeding) && ret_result != NULL) {
        *ret_result = report.entries[0].result;
        report.entries[0].result = (TenantSeedResult){0};
    }
    seed_report_clear(&report);
    return call_end(&call, ok);
}

/* The first that failed, of several databases; else the first. */
static SeedEntry *speaker(SeedReport *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->entries[i].state != TENANT_SUCCEEDED)
            return &report->entries[i];
    return &report->entries[0];
}

/* A caller that takes no result gets the error instead. */
static bool result_without_shared(Call *call, SharedSeedResult *ret_result)
{
    ERROR_CLEANUP Error reason = {0};
    SharedSeedResult result = {0};
    bool ok = !shared_is_configured(call->migrator->config, &reason) &&
              text_fill(&result.schema_name, SHARED_SCHEMA) && text_fill(&result.error, reason.message) &&
              text_fill(&result.hint, reason.hint) && text_fill(&result.outcome, "error");
    if (ok)
        *ret_result = result;
    else
        record_clear(&SHARED_SEED_RESULT, &result);
    return ok || error_memory(call->error);
}

bool pgconvoy_seed_shared(pgconvoy_migrator *migrator, pgconvoy_seed *seed, void *context,
                          pgconvoy_shared_seed_result *ret_result, pgconvoy_error *error)
{
    Call call;
    SeedReport report = {0};
    bool ok = call_begin(&call, migrator, NULL, error) && call_seed(&call, NULL, seed, context);
    if (ok && ret_result != NULL && !pgconvoy_has_shared_migrations(migrator))
        return call_end(&call, result_without_shared(&call, ret_result));
    call.fleet.shared = true;
    ok = ok && run(&call, false, &report);
    if ((ok || report.seeding) && ret_result != NULL)
        *ret_result = shared_seed_result_take(speaker(&report));
    seed_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_seed_all_with_shared(pgconvoy_migrator *migrator, pgconvoy_seed *shared_seed,
                                   pgconvoy_seed *seed, void *context, const pgconvoy_run_options *options,
                                   pgconvoy_seed_with_shared *ret_results, pgconvoy_error *error)
{
    Call call;
    SeedReport report = {0};
    pgconvoy_seed_with_shared results = {0};
    ERROR_CLEANUP Error second = {0};
    bool ok = call_begin(&call, migrator, options, error);
    if (ok && (seed == NULL || shared_seed == NULL))
        ok = error_set(call.error, ERROR_USAGE, "there is no seed");
    ok = ok && call_seed(&call, seed, shared_seed, context) && run(&call, true, &report);
    bool known = ok || seed_report_has_begun(&report);
    if (known && report.shared != NULL && report.shared->count > 0)
        results.shared = shared_seed_result_take(speaker(report.shared));
    known = known && take_results(&report, &results.tenants, ok ? call.error : &second);
    if (known && ret_results != NULL)
        *ret_results = results;
    else
        pgconvoy_seed_with_shared_clear(&results);
    seed_report_clear(&report);
    return call_end(&call, ok && known);
}
