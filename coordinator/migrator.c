#include "coordinator/migrator.h"
#include "common/clock.h"
#include "coordinator/fleet_tenants.h"
#include "coordinator/plan_warnings.h"
#include "coordinator/run_record.h"
#include "coordinator/run_table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAN_CONCURRENCY = 4, /* set reads in flight: more connections cost more than they bring */
    EQUAL_FAILURES = 20,
};

/* One run in progress. */
typedef struct MigratorRun {
    const RunRequest *request;
    RunReport *report;
    Bundle bundle;
    Fleet fleet;
    RunRecord *record; /* NULL = none is kept */
    uint32_t *work;    /* apply phase: phase index -> entry index */
    Error *error;      /* what a callback could not return */
    uint32_t failed;   /* phase index that *error is about, in the check of the files */
} MigratorRun;

static bool load_bundle(MigratorRun *run, Error *error)
{
    const FleetRequest *request = &run->request->fleet;
    TextList warnings = {0};
    bool ok = bundle_load(config_text(request->config, SETTING_MIGRATIONS_FOLDER), false, &run->bundle,
                          &warnings, error);
    for (size_t i = 0; ok && i < warnings.count; i++)
        fleet_warn(request, warnings.items[i]);
    text_list_clear(&warnings);
    run->report->migration_count = run->bundle.count;
    return ok;
}

/* Runs a phase over entries chosen by `work` (NULL = all). */
static bool run_phase(MigratorRun *run, Phase *phase, const uint32_t *work, size_t count,
                      PhaseOutcome *ret_outcome, Error *error)
{
    const Tenant **tenants = calloc(count + 1, sizeof *tenants);
    if (tenants == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++)
        tenants[i] = run->report->entries[work != NULL ? work[i] : i].tenant;
    phase->tenants = tenants;
    phase->tenant_count = count;
    phase->host = run;
    bool ok = fleet_run_phase(&run->fleet, phase, ret_outcome, error);
    free(tenants);
    return ok;
}

static uint64_t keep_parse(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    (void)attempt;
    MigratorRun *run = host;
    ParseResult *result = record;
    if (outcome_state(outcome) != TENANT_SUCCEEDED) {
        if (outcome == OUTCOME_NOT_STARTED)
            return 0;
        run->failed = index;
        error_set(run->error, ERROR_CONNECT, "%s",
                  result->error != NULL ? result->error : outcome_name(outcome));
        if (result->sqlstate != NULL)
            strncpy(run->error->sqlstate, result->sqlstate, sizeof run->error->sqlstate - 1);
        if (result->detail != NULL)
            error_set_detail(run->error, "%s", result->detail);
        if (result->hint != NULL)
            error_set_hint(run->error, "%s", result->hint);
        return 0;
    }
    /* One server's word is enough, and several databases mostly say the same. */
    if (run->report->refused_files.count == 0) {
        run->report->refused_files = result->failures;
        result->failures = (RecordList){0};
    }
    return 0;
}

/* Lets every database's server judge every file, before any tenant is touched. */
static bool judge_files(MigratorRun *run, Error *error)
{
    Error refused = {0};
    run->error = &refused;
    Phase phase = {.operation = OPERATION_PARSE, .max_failures = -1, .on_result = keep_parse, .host = run};
    PhaseOutcome outcome = {0};
    bool ok = fleet_run_databases(&run->fleet, &phase, &outcome, error);
    bool all = ok && outcome.totals.succeeded == outcome.totals.total;
    if (ok && !all && outcome.aborted)
        error_set(error, ERROR_CANCELLED,
                  "stopped while the migration files were checked; nothing was changed");
    else if (ok && !all && refused.code != ERROR_NONE && outcome.states[run->failed] != TENANT_SUCCEEDED)
        error_move(error, &refused);
    else if (ok && !all)
        error_set(error, ERROR_CONNECT, "the migration files could not be checked on every database");
    phase_outcome_clear(&outcome);
    error_clear(&refused);
    return all;
}

static uint64_t keep_status(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    (void)attempt;
    MigratorRun *run = host;
    run_entry_plan(&run->report->entries[index], outcome, record);
    return 0;
}

static OperationId operation_of(const MigratorRun *run)
{
    return run->request->action == RUN_MARK_APPLIED ? OPERATION_MARK_APPLIED : OPERATION_MIGRATE;
}

/* Whoever is up to date goes to a worker as well: its hooks want to hear of it. */
static bool wants_all(const MigratorRun *run)
{
    return run->request->action != RUN_STATUS && !run->request->dry_run &&
           fleet_wants_every_tenant(&run->fleet, operation_of(run));
}

static bool plan(MigratorRun *run, Error *error)
{
    Phase phase = {
        .operation = OPERATION_STATUS,
        .concurrency = PLAN_CONCURRENCY,
        .schedule = ENGINE_ROLLING,
        .max_failures = -1,
        .on_result = keep_status,
    };
    PhaseOutcome outcome = {0};
    bool ok = run_phase(run, &phase, NULL, run->report->count, &outcome, error);
    for (size_t i = 0; run->request->action == RUN_STATUS && i < run->report->count; i++) {
        bool known = outcome.outcomes != NULL;
        Error ignored = {0};
        if (!run_entry_fill_status(&run->report->entries[i],
                                   known ? outcome.outcomes[i] : OUTCOME_NOT_STARTED,
                                   run->report->several_databases, ok ? error : &ignored))
            ok = false;
        error_clear(&ignored);
    }
    bool all = wants_all(run);
    for (size_t i = 0; ok && i < run->report->count; i++)
        if (all || run_entry_needs_work(&run->report->entries[i], run->fleet.options.strict))
            run->report->entries[i].state = TENANT_PENDING;
        else
            run->report->entries[i].state = TENANT_SUCCEEDED;
    if (ok && run->request->action != RUN_STATUS)
        plan_warn(&run->request->fleet, run->report, &run->bundle);
    phase_outcome_clear(&outcome);
    return ok;
}

static uint64_t keep_result(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    MigratorRun *run = host;
    uint64_t key = 0;
    RunEntry *entry = &run->report->entries[run->work[index]];
    if (!run_entry_merge(entry, outcome, attempt, record, &key) && run->error->code == ERROR_NONE)
        error_memory(run->error);
    if (entry->state == TENANT_SUCCEEDED)
        run_record_tenant(run->record, run->work[index]);
    return key;
}

/* The default policy is the configured one; the caller's callback may add to it. */
static bool tenant_failed(void *host, uint32_t index)
{
    MigratorRun *run = host;
    const RunRequest *request = run->request;
    bool abort = fleet_aborts_on_error(&request->fleet);
    RunEntry *entry = &run->report->entries[run->work[index]];
    if (entry->result.tenant_id == NULL)
        entry->result.tenant_id = strdup(entry->tenant->id);
    run_record_tenant(run->record, run->work[index]);
    if (request->on_failed != NULL && request->on_failed(request->fleet.host, &entry->result))
        abort = true;
    return abort;
}

/* A broken file must not be tried on a whole fleet, unless the operator said how failures are to be taken. */
static int64_t equal_failures(const Config *config)
{
    bool says_how = config_source(config, SETTING_RUN_ON_ERROR) != SOURCE_DEFAULT ||
                    config_source(config, SETTING_RUN_MAX_FAILURES) != SOURCE_DEFAULT;
    return says_how ? 0 : EQUAL_FAILURES;
}

/* Phase indices of the entries that need work, and their predecessors among each other. */
static bool choose_work(MigratorRun *run, uint32_t **ret_predecessors, size_t *ret_count, Error *error)
{
    size_t count = run->report->count;
    uint32_t *in_list = fleet_tenants_predecessors(&run->report->tenants, error);
    uint32_t *position = calloc(count + 1, sizeof *position);
    uint32_t *predecessors = calloc(count + 1, sizeof *predecessors);
    run->work = calloc(count + 1, sizeof *run->work);
    bool ok = in_list != NULL && position != NULL && predecessors != NULL && run->work != NULL;
    size_t chosen = 0;
    for (size_t i = 0; ok && i < count; i++) {
        position[i] = ENGINE_NONE; /* the plan may differ between two occurrences */
        if (run->report->entries[i].state != TENANT_PENDING)
            continue;
        predecessors[chosen] = in_list[i] == ENGINE_NONE ? ENGINE_NONE : position[in_list[i]];
        position[i] = (uint32_t)chosen;
        run->work[chosen++] = (uint32_t)i;
    }
    free(in_list);
    free(position);
    if (!ok) {
        free(predecessors);
        return error_memory(error);
    }
    *ret_predecessors = predecessors;
    *ret_count = chosen;
    return true;
}

/* Everybody whose plan says "nothing to do", and everybody else in a dry run. */
static bool finish_without_work(MigratorRun *run, Error *error)
{
    RunReport *report = run->report;
    for (size_t i = 0; i < report->count; i++) {
        RunEntry *entry = &report->entries[i];
        bool readable = entry->status.status != NULL && strcmp(entry->status.status, "error") != 0;
        if (entry->state == TENANT_PENDING && !run->request->dry_run)
            continue;
        bool stopped = entry->status.status == NULL;
        TenantState state = readable ? TENANT_SUCCEEDED : stopped ? TENANT_SKIPPED : TENANT_FAILED;
        Outcome outcome = readable ? OUTCOME_ALREADY : stopped ? OUTCOME_NOT_STARTED : OUTCOME_ERROR;
        if (entry->status.outcome != NULL && !readable)
            outcome_from_name(entry->status.outcome, &outcome);
        for (size_t p = 0; readable && p < entry->status.pending_migrations.count; p++)
            if (!text_list_add(&entry->result.applied_migrations, entry->status.pending_migrations.items[p]))
                return error_memory(error);
        if (entry->status.sqlstate != NULL && entry->result.sqlstate == NULL)
            entry->result.sqlstate = strdup(entry->status.sqlstate);
        if (!run_entry_finish(entry, state, outcome, 0, report->several_databases, error))
            return false;
    }
    return true;
}

static bool apply(MigratorRun *run, Error *error)
{
    const Config *config = run->request->fleet.config;
    uint32_t *predecessors = NULL;
    size_t count = 0;
    if (!choose_work(run, &predecessors, &count, error))
        return false;
    Error callback_error = {0};
    run->error = &callback_error;
    Phase phase = {
        .operation = operation_of(run),
        .predecessors = predecessors,
        .concurrency = fleet_concurrency(&run->request->fleet),
        .schedule = fleet_schedule(&run->request->fleet),
        .lock_wait_ms = run->fleet.options.lock_wait_ms,
        .max_failures = fleet_max_failures(&run->request->fleet, run->report->count),
        .equal_failures = equal_failures(config),
        .on_result = keep_result,
        .on_failed = tenant_failed,
    };
    PhaseOutcome outcome = {0};
    run->report->applying = true;
    if (count > 0)
        fleet_say_step(&run->request->fleet, STEP_APPLY, count);
    bool ok = run->fleet.aborted || run_phase(run, &phase, run->work, count, &outcome, error);
    for (size_t i = 0; i < count; i++) {
        bool known = outcome.states != NULL;
        Error ignored = {0};
        if (!run_entry_finish(&run->report->entries[run->work[i]], known ? outcome.states[i] : TENANT_SKIPPED,
                              known ? outcome.outcomes[i] : OUTCOME_NOT_STARTED,
                              known ? outcome.attempts[i] : 0, run->report->several_databases,
                              ok ? error : &ignored))
            ok = false;
        run_record_tenant(run->record, run->work[i]);
        error_clear(&ignored);
    }
    run->report->abort_reason = outcome.abort_reason;
    if (ok && callback_error.code != ERROR_NONE) {
        error_move(error, &callback_error);
        ok = false;
    }
    error_clear(&callback_error);
    phase_outcome_clear(&outcome);
    free(predecessors);
    return ok;
}

/* A journal is for runs that have something to do, and for those that go on. */
static bool open_record(MigratorRun *run, Error *error)
{
    const RunRequest *request = run->request;
    if (request->recording == NULL || request->action == RUN_STATUS || request->dry_run)
        return true;
    bool work = request->recording->resumed != NULL;
    for (size_t i = 0; !work && i < run->report->count; i++)
        work = run->report->entries[i].state == TENANT_PENDING;
    return !work || run_record_open(request, run->report, dispatcher_run_id(run->fleet.dispatcher),
                                    &run->bundle, &run->fleet.options, &run->record, error);
}

static bool run_steps(MigratorRun *run, Error *error)
{
    const RunRequest *request = run->request;
    const FleetRequest *fleet = &request->fleet;
    RunReport *report = run->report;
    if (!load_bundle(run, error))
        return false;
    if (!fleet_open(&run->fleet, fleet, &run->bundle, error))
        return false;
    run->fleet.options.dry_run = request->dry_run;
    report->several_databases = fleet_databases(&run->fleet)->count > 1;
    fleet_say_step(fleet, STEP_DISCOVER, 0);
    if (!fleet_list(&run->fleet, &report->tenants, error) || !run_table_new(report, error))
        return false;
    if (request->judge_files && report->count > 0) {
        fleet_say_step(fleet, STEP_PARSE, 0);
        if (!judge_files(run, error))
            return false;
        if (report->refused_files.count > 0)
            return error_set(error, ERROR_MIGRATIONS,
                             "%zu migration files were refused by the server; nothing was applied",
                             report->refused_files.count);
    }
    fleet_say_step(fleet, STEP_PLAN, report->count);
    if (report->count > 0 && !plan(run, error))
        return false;
    if (!open_record(run, error) || (request->action != RUN_STATUS && !finish_without_work(run, error)))
        return false;
    if (request->action != RUN_STATUS && !request->dry_run) {
        if (!apply(run, error))
            return false;
    }
    fleet_say_step(fleet, STEP_DONE, 0);
    return true;
}

bool migrator_run(const RunRequest *request, RunReport *ret_report, Error *error)
{
    MigratorRun run = {.request = request, .report = ret_report};
    *ret_report = (RunReport){0};
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    bool ok = run_steps(&run, error);
    fleet_close(&run.fleet);
    bundle_clear(&run.bundle);
    free(run.work);
    if (!ok && run.fleet.past_deadline && error->code == ERROR_CANCELLED)
        error->code = ERROR_ABORTED;
    ret_report->totals = run_table_totals(ret_report);
    ret_report->aborted = run.fleet.aborted;
    ret_report->cancelled = run.fleet.cancelled;
    ret_report->aborted_by_policy = run.fleet.aborted_by_policy;
    ret_report->past_deadline = run.fleet.past_deadline;
    ret_report->duration_ms = clock_now_ms(&SYSTEM_CLOCK) - started_ms;
    run_record_close(run.record, ok ? run_report_exit_code(ret_report) : error_class(error->code)->exit_code,
                     ret_report->duration_ms);
    return ok;
}

/* True when every failed tenant was only busy. */
static bool only_busy(const RunReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const RunEntry *entry = &report->entries[i];
        if (entry->state == TENANT_FAILED && strcmp(entry->result.outcome, outcome_name(OUTCOME_BUSY)) != 0)
            return false;
    }
    return true;
}

int run_report_exit_code(const RunReport *report)
{
    bool by_policy = report->past_deadline || report->aborted_by_policy;
    if ((report->aborted || report->cancelled) && !by_policy)
        return EXIT_INTERRUPTED;
    if (report->aborted || report->cancelled)
        return EXIT_ABORTED;
    if (report->totals.failed > 0)
        return only_busy(report) ? EXIT_UNAVAILABLE : EXIT_FAILED;
    return EXIT_DONE;
}
