#include "coordinator/seed.h"
#include "common/clock.h"
#include "common/sql_file.h"
#include "coordinator/fleet_judge.h"
#include <stdlib.h>
#include <string.h>

/* One run in progress. */
typedef struct SeedRun {
    const SeedRequest *request;
    SeedReport *report;
    Bundle bundle; /* the file, or nothing for a callback */
    Fleet fleet;
} SeedRun;

static bool load(SeedRun *run, Error *error)
{
    const SeedRequest *request = run->request;
    if (request->file == NULL && request->once)
        return error_set(error, ERROR_USAGE, "only a seed file can be run once");
    if (request->file == NULL)
        return bundle_digest(&run->bundle, error);
    if (!bundle_load_seed(request->file, &run->bundle, error))
        return false;
    run->report->name = strdup(run->bundle.items[0].name);
    return run->report->name != NULL || error_memory(error);
}

static bool list_tenants(SeedRun *run, Error *error)
{
    SeedReport *report = run->report;
    if (!fleet_list(&run->fleet, &report->tenants, error))
        return false;
    report->entries = calloc(report->tenants.count + 1, sizeof *report->entries);
    if (report->entries == NULL)
        return error_memory(error);
    report->count = report->tenants.count;
    for (size_t i = 0; i < report->count; i++)
        report->entries[i].tenant = &report->tenants.items[i];
    return true;
}

static bool judge(SeedRun *run, Error *error)
{
    SeedReport *report = run->report;
    const SeedRequest *request = run->request;
    if (!request->judge_file || request->file == NULL || report->count == 0)
        return true;
    fleet_say_step(&request->fleet, STEP_PARSE, 0);
    if (!fleet_judge_files(&run->fleet, "seed file", &report->refused_files, error))
        return false;
    return report->refused_files.count == 0 ||
           error_set(error, ERROR_MIGRATIONS,
                     "the seed file was refused by the server; no tenant was touched");
}

/* Sets *field to a copy of text unless it has one. */
static bool fill_text(char **field, const char *text)
{
    if (*field == NULL && text != NULL)
        *field = strdup(text);
    return *field != NULL || text == NULL;
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
    return fill_text(&result->tenant_id, entry->tenant->id) &&
           fill_text(&result->schema_name, entry->tenant->schema) &&
           fill_text(&result->outcome, outcome_name(outcome)) &&
           fill_text(&result->error, fleet_outcome_text(entry->state, outcome)) &&
           (!report->several_databases || fill_text(&result->database, entry->tenant->database));
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
    return abort || fleet_aborts_on_error(&request->fleet);
}

/* FNV-1a of the SQLSTATE: what one tenant's data alone has caused mostly differs. */
static uint64_t failure_key(const void *record)
{
    const TenantSeedResult *result = record;
    uint64_t key = 14695981039346656037u;
    if (result->sqlstate == NULL)
        return 0;
    for (const char *c = result->sqlstate; *c != '\0'; c++)
        key = (key ^ (unsigned char)*c) * 1099511628211u;
    return key | 1;
}

static bool act(SeedRun *run, Error *error)
{
    const SeedRequest *request = run->request;
    const FleetRequest *fleet = &request->fleet;
    SeedReport *report = run->report;
    RunOptions options = run->fleet.options;
    options.once = request->once;
    options.dry_run = request->dry_run;
    options.by_callback = request->file == NULL;
    FleetWork work = {.operation = OPERATION_SEED,
                      .options = &options,
                      .tenants = &report->tenants,
                      .concurrency = fleet_concurrency(fleet),
                      .schedule = fleet_schedule(fleet),
                      .max_failures = fleet_max_failures(fleet, report->count),
                      .equal_failures = request->file != NULL ? fleet_equal_failures(fleet) : 0,
                      .failure_key = failure_key,
                      .on_failed = tenant_failed,
                      .host = run};
    bool idle = report->count == 0 || run->fleet.aborted;
    if (!idle)
        fleet_say_step(fleet, STEP_APPLY, report->count);
    FleetResults results = {.type = &TENANT_SEED_RESULT};
    report->seeding = true;
    bool ok = idle || fleet_operate(&run->fleet, &work, &results, error);
    bool enough = take_results(run, &results);
    fleet_results_clear(&results);
    return ok && !enough ? error_memory(error) : ok;
}

static bool run_steps(SeedRun *run, Error *error)
{
    const FleetRequest *request = &run->request->fleet;
    if (!load(run, error) || !fleet_open(&run->fleet, request, &run->bundle, error))
        return false;
    run->report->several_databases = fleet_databases(&run->fleet)->count > 1;
    fleet_say_step(request, STEP_DISCOVER, 0);
    if (!list_tenants(run, error) || !judge(run, error) || !act(run, error))
        return false;
    fleet_say_step(request, STEP_DONE, 0);
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

bool seed_run(const SeedRequest *request, SeedReport *ret_report, Error *error)
{
    SeedRun run = {.request = request, .report = ret_report};
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    *ret_report = (SeedReport){.once = request->once, .dry_run = request->dry_run};
    bool ok = run_steps(&run, error);
    fleet_close(&run.fleet);
    bundle_clear(&run.bundle);
    if (!ok && run.fleet.past_deadline && error->code == ERROR_CANCELLED)
        error->code = ERROR_ABORTED;
    count_entries(ret_report);
    ret_report->aborted = run.fleet.aborted;
    ret_report->cancelled = run.fleet.cancelled;
    ret_report->aborted_by_policy = run.fleet.aborted_by_policy;
    ret_report->past_deadline = run.fleet.past_deadline;
    ret_report->duration_ms = clock_now_ms(&SYSTEM_CLOCK) - started_ms;
    return ok;
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
    if (report->aborted || report->cancelled)
        return report->past_deadline || report->aborted_by_policy ? EXIT_ABORTED : EXIT_INTERRUPTED;
    if (report->totals.failed > 0)
        return only_busy(report) ? EXIT_UNAVAILABLE : EXIT_FAILED;
    return EXIT_DONE;
}
