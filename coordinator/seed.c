#include "coordinator/seed.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/sql_file.h"
#include "coordinator/fleet_judge.h"
#include "coordinator/shared.h"
#include <stdlib.h>
#include <string.h>

/* One run in progress. */
typedef struct SeedRun {
    const SeedRequest *request;
    SeedReport *report;
    Fleet *fleet;
    bool shared; /* of the shared schema */
    const char *file;
    Bundle bundle; /* the file, or nothing for a callback */
    int64_t started_ms;
    bool listed, judged;
} SeedRun;

static bool load(SeedRun *run, Error *error)
{
    const SeedRequest *request = run->request;
    if (run->shared && !shared_is_configured(request->fleet.config, error))
        return false;
    if (run->file == NULL && request->once)
        return error_set(error, ERROR_USAGE, "only a seed file can be run once");
    if (run->file == NULL)
        return bundle_digest(&run->bundle, error);
    if (!bundle_load_seed(run->file, &run->bundle, error))
        return false;
    run->report->name = strdup(run->bundle.items[0].name);
    return run->report->name != NULL || error_memory(error);
}

static bool list_tenants(SeedRun *run, Error *error)
{
    SeedReport *report = run->report;
    if (run->listed)
        return true;
    fleet_say_step(&run->request->fleet, run->shared ? STEP_SHARED : STEP_DISCOVER, 0);
    report->several_databases = fleet_databases(run->fleet)->count > 1;
    if (!fleet_list(run->fleet, &report->tenants, error))
        return false;
    report->entries = calloc(report->tenants.count + 1, sizeof *report->entries);
    if (report->entries == NULL)
        return error_memory(error);
    report->count = report->tenants.count;
    for (size_t i = 0; i < report->count; i++)
        report->entries[i].tenant = &report->tenants.items[i];
    run->listed = true;
    return true;
}

static bool judge(SeedRun *run, Error *error)
{
    SeedReport *report = run->report;
    const SeedRequest *request = run->request;
    if (!request->judge_file || run->file == NULL || run->judged)
        return true;
    run->judged = true;
    fleet_say_step(&request->fleet, STEP_PARSE, 0);
    if (!fleet_judge_files(run->fleet, "seed file", &report->refused_files, error))
        return false;
    return report->refused_files.count == 0 ||
           error_set(error, ERROR_MIGRATIONS,
                     "the seed file was refused by the server; no tenant was touched");
}

/* Names, error and outcome of an entry whose state is final. */
static bool finish_entry(const SeedReport *report, SeedEntry *entry, Outcome outcome, uint32_t attempts)
{
    TenantSeedResult *result = &entry->result;
    if (entry->state == TENANT_PENDING)
        entry->state = TENANT_SKIPPED;
    if (entry->state == TENANT_SKIPPED)
        record_clear(&TENANT_SEED_RESULT, result); /* an attempt may have been busy before the abort */
    result->success = entry->state == TENANT_SUCCEEDED;
    result->attempts = attempts;
    free(result->outcome);
    result->outcome = NULL;
    return text_fill(&result->tenant_id, entry->tenant->id) &&
           text_fill(&result->schema_name, entry->tenant->schema) &&
           text_fill(&result->outcome, outcome_name(outcome)) &&
           text_fill(&result->error, fleet_outcome_text(entry->state, outcome)) &&
           (!report->several_databases || text_fill(&result->database, entry->tenant->database));
}

static bool take_results(SeedRun *run, FleetResults *results)
{
    const PhaseOutcome *outcome = &results->outcome;
    bool heard = results->records != NULL && outcome->states != NULL;
    bool enough = true;
    for (size_t i = 0; i < run->report->count; i++) {
        SeedEntry *entry = &run->report->entries[i];
        entry->state = heard ? outcome->states[i] : TENANT_SKIPPED;
        if (heard) {
            TenantSeedResult *result = fleet_result(results, i);
            entry->result = *result;
            *result = (TenantSeedResult){0};
        }
        enough &= finish_entry(run->report, entry, heard ? outcome->outcomes[i] : OUTCOME_NOT_STARTED,
                               heard ? outcome->attempts[i] : 0);
    }
    return enough;
}

static bool tenant_failed(void *host, size_t index, const void *record)
{
    SeedRun *run = host;
    const SeedRequest *request = run->request;
    const TenantSeedResult *result = record;
    const Tenant *tenant = run->report->entries[index].tenant;
    const TenantSeedResult unheard = {.tenant_id = tenant->id, .schema_name = tenant->schema};
    if (result->tenant_id == NULL)
        result = &unheard;
    bool abort = request->on_failed != NULL && request->on_failed(request->fleet.host, result);
    return abort || fleet_aborts_on_error(&request->fleet, result->sqlstate);
}

/* Of the SQLSTATE: what one tenant's data alone has caused mostly differs. */
static uint64_t failure_key(const void *record)
{
    const TenantSeedResult *result = record;
    return result->sqlstate != NULL ? fnv_add_text(FNV_START, result->sqlstate) | 1 : 0;
}

static bool act(SeedRun *run, Error *error)
{
    const SeedRequest *request = run->request;
    const FleetRequest *fleet = &request->fleet;
    SeedReport *report = run->report;
    RunOptions options = run->fleet->options;
    options.once = request->once;
    options.dry_run = request->dry_run;
    options.by_callback = run->file == NULL;
    FleetWork work = {.operation = OPERATION_SEED,
                      .options = &options,
                      .tenants = &report->tenants,
                      .concurrency = fleet_concurrency(fleet),
                      .schedule = fleet_schedule(fleet),
                      .max_failures = run->shared ? -1 : fleet_max_failures(fleet, report->count),
                      .equal_failures = run->shared || run->file == NULL ? 0 : fleet_equal_failures(fleet),
                      .failure_key = failure_key,
                      .on_failed = run->shared ? NULL : tenant_failed,
                      .host = run};
    bool idle = report->count == 0 || run->fleet->aborted;
    if (!idle)
        fleet_say_step(fleet, STEP_APPLY, run->shared ? 0 : report->count);
    FleetResults results = {.type = &TENANT_SEED_RESULT};
    report->seeding = true;
    bool ok = idle || fleet_operate(run->fleet, &work, &results, error);
    bool enough = take_results(run, &results);
    fleet_results_clear(&results);
    return ok && !enough ? error_memory(error) : ok;
}

/* With a fleet that is open. */
static bool run_steps(SeedRun *run, Error *error)
{
    if (!list_tenants(run, error) || (run->report->count > 0 && !judge(run, error)) || !act(run, error))
        return false;
    fleet_say_step(&run->request->fleet, STEP_DONE, 0);
    return true;
}

static void count_entries(SeedReport *report)
{
    size_t *const counter[] = {
        [TENANT_PENDING] = &report->totals.pending,
        [TENANT_SKIPPED] = &report->totals.skipped,
        [TENANT_FAILED] = &report->totals.failed,
        [TENANT_SUCCEEDED] = &report->totals.succeeded,
    };
    report->totals.total = report->count;
    for (size_t i = 0; i < report->count; i++)
        ++*counter[report->entries[i].state];
}

static void finish(SeedRun *run)
{
    SeedReport *report = run->report;
    count_entries(report);
    report->aborted = run->fleet->aborted;
    report->cancelled = run->fleet->cancelled;
    report->aborted_by_policy = run->fleet->aborted_by_policy;
    report->past_deadline = run->fleet->past_deadline;
    report->duration_ms = clock_now_ms(&SYSTEM_CLOCK) - run->started_ms;
    bundle_clear(&run->bundle);
}

/* Everybody who is listed, as skipped for this reason. */
static bool skip(SeedRun *run, const char *reason, Error *error)
{
    for (size_t i = 0; i < run->report->count; i++) {
        SeedEntry *entry = &run->report->entries[i];
        entry->state = TENANT_SKIPPED;
        if (!finish_entry(run->report, entry, OUTCOME_NOT_STARTED, 0))
            return error_memory(error);
        char *text = strdup(reason);
        if (text == NULL)
            return error_memory(error);
        free(entry->result.error);
        entry->result.error = text;
    }
    return true;
}

/* What becomes of the tenants after the shared schema, of which not all may be well. */
static bool go_on(SeedRun *tenants, const SeedReport *shared, Error *error)
{
    const Fleet *fleet = tenants->fleet;
    if (fleet->aborted || fleet->cancelled)
        return skip(tenants, fleet_outcome_text(TENANT_SKIPPED, OUTCOME_NOT_STARTED), error);
    if (shared->totals.succeeded == shared->totals.total)
        return run_steps(tenants, error);
    ERROR_CLEANUP Error unlisted = {0};
    if (list_tenants(tenants, &unlisted))
        return skip(tenants, SHARED_HAS_FAILED, error);
    BUFFER_CLEANUP Buffer warning = {0};
    buffer_appendf(&warning, "the tenants, who are skipped, cannot be listed: %s", unlisted.message);
    fleet_warn(&tenants->request->fleet, buffer_text(&warning));
    tenant_list_clear(&tenants->report->tenants);
    return true;
}

static bool run_shared(SeedRun *shared, SeedRun *tenants, Error *error)
{
    fleet_use(shared->fleet, true, &shared->bundle);
    shared->started_ms = clock_now_ms(&SYSTEM_CLOCK);
    bool ok = run_steps(shared, error);
    fleet_use(tenants->fleet, false, &tenants->bundle); /* the other one will not last */
    if (ok)
        return true;
    tenants->report->refused_files = shared->report->refused_files;
    shared->report->refused_files = (RecordList){0};
    error_prefix(error, "shared schema");
    return false;
}

/* What is wrong with the tenants' file and with a list that the caller gave is learned before the shared
 * schema is touched. */
static bool prepare_both(SeedRun *shared, SeedRun *tenants, Error *error)
{
    const FleetRequest *request = &tenants->request->fleet;
    return load(tenants, error) && load(shared, error) &&
           fleet_open(tenants->fleet, request, &tenants->bundle, error) &&
           (fleet_discovers(request) || list_tenants(tenants, error)) && judge(tenants, error);
}

static bool run_both(SeedRun *tenants, Error *error)
{
    const SeedRequest *request = tenants->request;
    SeedReport *report = calloc(1, sizeof *report);
    if (report == NULL)
        return error_memory(error);
    report->once = request->once;
    report->dry_run = request->dry_run;
    tenants->report->shared = report;
    SeedRun shared = {.request = request,
                      .report = report,
                      .fleet = tenants->fleet,
                      .shared = true,
                      .file = request->shared_file};
    bool ok = prepare_both(&shared, tenants, error) && run_shared(&shared, tenants, error);
    finish(&shared);
    if (ok && go_on(tenants, report, error))
        return true;
    ERROR_CLEANUP Error unfilled = {0};
    const char *reason = fleet_outcome_text(TENANT_SKIPPED, OUTCOME_NOT_STARTED);
    if (!tenants->report->seeding && !skip(tenants, reason, &unfilled))
        error_set_detail(error, "%s", unfilled.message);
    return false;
}

bool seed_run(const SeedRequest *request, SeedReport *ret_report, Error *error)
{
    Fleet fleet = {0};
    SeedRun run = {.request = request,
                   .report = ret_report,
                   .fleet = &fleet,
                   .shared = request->fleet.shared,
                   .file = request->file,
                   .started_ms = clock_now_ms(&SYSTEM_CLOCK)};
    *ret_report = (SeedReport){.once = request->once, .dry_run = request->dry_run};
    bool ok = request->with_shared
                  ? run_both(&run, error)
                  : load(&run, error) && fleet_open(&fleet, &request->fleet, &run.bundle, error) &&
                        run_steps(&run, error);
    fleet_close(&fleet);
    if (!ok && fleet.past_deadline && error->code == ERROR_CANCELLED)
        error->code = ERROR_ABORTED;
    finish(&run);
    return ok;
}

bool seed_report_has_begun(const SeedReport *report)
{
    return report->seeding || (report->shared != NULL && report->shared->seeding);
}

void seed_report_clear(SeedReport *report)
{
    for (size_t i = 0; i < report->count; i++)
        record_clear(&TENANT_SEED_RESULT, &report->entries[i].result);
    for (size_t i = 0; i < report->refused_files.count; i++)
        record_clear(&PARSE_FAILURE, (ParseFailure *)report->refused_files.items + i);
    free(report->refused_files.items);
    free(report->entries);
    free(report->name);
    tenant_list_clear(&report->tenants);
    if (report->shared != NULL)
        seed_report_clear(report->shared);
    free(report->shared);
    *report = (SeedReport){0};
}

/* True when every failed tenant was only busy. */
static bool only_busy(const SeedReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const char *outcome = report->entries[i].result.outcome;
        if (report->entries[i].state == TENANT_FAILED &&
            (outcome == NULL || strcmp(outcome, outcome_name(OUTCOME_BUSY)) != 0))
            return false;
    }
    return true;
}

int seed_exit_code(const SeedReport *report)
{
    if (report->shared != NULL && seed_exit_code(report->shared) != EXIT_DONE)
        return seed_exit_code(report->shared);
    if (report->aborted || report->cancelled)
        return report->past_deadline || report->aborted_by_policy ? EXIT_ABORTED : EXIT_INTERRUPTED;
    if (report->totals.failed > 0)
        return only_busy(report) ? EXIT_UNAVAILABLE : EXIT_FAILED;
    return EXIT_DONE;
}
