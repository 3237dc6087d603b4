#include "coordinator/convert.h"
#include "common/clock.h"
#include <stdlib.h>
#include <string.h>

/* One run in progress. */
typedef struct ConvertRun {
    const ConvertRequest *request;
    ConvertReport *report;
    FleetFiles files;
    Fleet fleet;
} ConvertRun;

bool convert_check_format(const char *format, Error *error)
{
    static const char *const KNOWN[] = {"name", "hash", "drizzle-kit"};
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (strcmp(format, KNOWN[i]) == 0)
            return true;
    error_set(error, ERROR_USAGE, "unknown tracking format \"%s\"", format);
    error_set_hint(error, "use name, hash or drizzle-kit");
    return false;
}

static bool list_tenants(ConvertRun *run, Error *error)
{
    ConvertReport *report = run->report;
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

/* Names, error and outcome of an entry's result, whose state is final. */
static bool finish_result(const ConvertReport *report, ConvertEntry *entry, Outcome outcome,
                          uint32_t attempts)
{
    ConvertResult *result = &entry->result;
    const char *reason = NULL;
    if (entry->state == TENANT_PENDING)
        entry->state = TENANT_SKIPPED;
    if (entry->state == TENANT_SKIPPED)
        record_clear(&CONVERT_RESULT, result); /* an attempt may have been busy before the abort */
    if (entry->state != TENANT_SUCCEEDED)
        reason = fleet_outcome_text(entry->state, outcome);
    result->success = entry->state == TENANT_SUCCEEDED;
    result->attempts = attempts;
    free(result->outcome);
    result->outcome = NULL;
    return text_fill(&result->tenant_id, entry->tenant->id) &&
           text_fill(&result->schema_name, entry->tenant->schema) && text_fill(&result->to, report->to) &&
           text_fill(&result->outcome, outcome_name(outcome)) && text_fill(&result->error, reason) &&
           (!report->several_databases || text_fill(&result->database, entry->tenant->database));
}

static bool tenant_failed(void *host, size_t index, const void *record)
{
    ConvertRun *run = host;
    const ConvertRequest *request = run->request;
    const ConvertResult *result = record;
    const Tenant *tenant = run->report->entries[index].tenant;
    const ConvertResult unheard = {.tenant_id = tenant->id, .schema_name = tenant->schema};
    if (result->tenant_id == NULL)
        result = &unheard;
    bool abort = request->on_failed != NULL && request->on_failed(request->fleet.host, result);
    return abort || fleet_aborts_on_error(&request->fleet, result->sqlstate);
}

static bool take_results(ConvertRun *run, FleetResults *results)
{
    const PhaseOutcome *outcome = &results->outcome;
    bool heard = results->records != NULL && outcome->states != NULL;
    bool enough = true;
    for (size_t i = 0; i < run->report->count; i++) {
        ConvertEntry *entry = &run->report->entries[i];
        entry->state = heard ? outcome->states[i] : TENANT_SKIPPED;
        if (heard) {
            ConvertResult *result = fleet_result(results, i);
            entry->result = *result;
            *result = (ConvertResult){0};
        }
        enough &= finish_result(run->report, entry, heard ? outcome->outcomes[i] : OUTCOME_NOT_STARTED,
                                heard ? outcome->attempts[i] : 0);
    }
    return enough;
}

static bool act(ConvertRun *run, Error *error)
{
    const ConvertRequest *request = run->request;
    ConvertReport *report = run->report;
    RunOptions options = run->fleet.options;
    options.to_format = (char *)request->to;
    options.dry_run = request->dry_run;
    report->acting = true;
    bool idle = report->count == 0 || run->fleet.aborted;
    if (!idle)
        fleet_say_step(&request->fleet, STEP_APPLY, report->count);
    FleetWork work = {.operation = OPERATION_CONVERT,
                      .options = &options,
                      .tenants = &report->tenants,
                      .concurrency = fleet_concurrency(&request->fleet),
                      .schedule = fleet_schedule(&request->fleet),
                      .max_failures = fleet_max_failures(&request->fleet, report->count),
                      .on_failed = tenant_failed,
                      .host = run};
    FleetResults results = {0};
    bool ok = idle || fleet_operate(&run->fleet, &work, &results, error);
    bool enough = take_results(run, &results);
    fleet_results_clear(&results);
    return ok && !enough ? error_memory(error) : ok;
}

static bool run_steps(ConvertRun *run, Error *error)
{
    const FleetRequest *request = &run->request->fleet;
    ConvertReport *report = run->report;
    if (!convert_check_format(run->request->to, error) ||
        !fleet_load_files(request, false, &run->files, error) ||
        !fleet_open(&run->fleet, request, run->files.bundle, error))
        return false;
    report->several_databases = fleet_databases(&run->fleet)->count > 1;
    fleet_say_step(request, STEP_DISCOVER, 0);
    if (!list_tenants(run, error) || !act(run, error))
        return false;
    fleet_say_step(request, STEP_DONE, 0);
    return true;
}

static void count_entries(ConvertReport *report)
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

/* A converted fleet whose configuration stays behind fails at the next migrate, or grows in two formats. */
static const char *configuration_note(const Config *config, const char *to)
{
    const char *format = config_text(config, SETTING_MIGRATIONS_FORMAT);
    if (strcmp(format, "auto") != 0)
        return strcmp(format, to) == 0
                   ? NULL
                   : "migrations.format in the configuration names another format: set it "
                     "to the new one, or to auto, before the next migrate";
    return strcmp(config_text(config, SETTING_MIGRATIONS_DEFAULT_FORMAT), to) == 0
               ? NULL
               : "new tenants still get the format of migrations.default_format: set it to the new one";
}

bool convert_run(const ConvertRequest *request, ConvertReport *ret_report, Error *error)
{
    ConvertRun run = {.request = request, .report = ret_report};
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    *ret_report =
        (ConvertReport){.to = request->to, .note = configuration_note(request->fleet.config, request->to)};
    bool ok = run_steps(&run, error);
    fleet_close(&run.fleet);
    fleet_files_clear(&run.files);
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

void convert_report_clear(ConvertReport *report)
{
    for (size_t i = 0; i < report->count; i++)
        record_clear(&CONVERT_RESULT, &report->entries[i].result);
    free(report->entries);
    tenant_list_clear(&report->tenants);
    *report = (ConvertReport){0};
}

/* True when every failed tenant was only busy. */
static bool only_busy(const ConvertReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const char *outcome = report->entries[i].result.outcome;
        if (report->entries[i].state == TENANT_FAILED &&
            (outcome == NULL || strcmp(outcome, outcome_name(OUTCOME_BUSY)) != 0))
            return false;
    }
    return true;
}

int convert_exit_code(const ConvertReport *report)
{
    if (report->aborted || report->cancelled)
        return report->past_deadline || report->aborted_by_policy ? EXIT_ABORTED : EXIT_INTERRUPTED;
    if (report->totals.failed > 0)
        return only_busy(report) ? EXIT_UNAVAILABLE : EXIT_FAILED;
    return EXIT_DONE;
}
