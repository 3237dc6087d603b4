#include "coordinator/migrator.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "coordinator/fleet_judge.h"
#include "coordinator/fleet_tenants.h"
#include "coordinator/migrator_internal.h"
#include "coordinator/plan_warnings.h"
#include "coordinator/run_record.h"
#include "coordinator/run_table.h"
#include "coordinator/shared.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAN_CONCURRENCY = 4, /* set reads in flight: more connections cost more than they bring */
    PLAN_FRESH_MS = 5 * 60 * 1000,
};

bool migrator_load(MigratorRun *run, Error *error)
{
    const FleetRequest *request = &run->request->fleet;
    if (run->request->action == RUN_REHEARSE)
        return fleet_no_files(&run->files, error);
    if ((run->shared && !shared_is_configured(request->config, error)) ||
        !fleet_load_files(request, run->shared, &run->files, error))
        return false;
    run->report->migration_count = run->files.bundle->count;
    return true;
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
    ERROR_CLEANUP Error unreturned = {0};
    run->error = &unreturned;
    phase->tenants = tenants;
    phase->tenant_count = count;
    phase->host = run;
    bool ok = fleet_run_phase(run->fleet, phase, ret_outcome, error);
    free(tenants);
    run->error = NULL;
    if (!ok || unreturned.code == ERROR_NONE)
        return ok;
    error_move(error, &unreturned);
    return false;
}

/* Of what a callback could not return, the first counts. */
static void remember(MigratorRun *run, Error *failed)
{
    if (run->error->code == ERROR_NONE)
        error_move(run->error, failed);
}

static uint64_t keep_status(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    (void)attempt;
    MigratorRun *run = host;
    ERROR_CLEANUP Error failed = {0};
    if (!run_entry_plan(run->report, index, outcome, record, &failed))
        remember(run, &failed);
    return 0;
}

/* What is done to tenants that need it. */
static OperationId operation_of(const MigratorRun *run)
{
    static const OperationId OPERATIONS[] = {
        [RUN_MIGRATE] = OPERATION_MIGRATE,
        [RUN_MARK_APPLIED] = OPERATION_MARK_APPLIED,
        [RUN_STATUS] = OPERATION_STATUS,
        [RUN_REHEARSE] = OPERATION_NULL,
    };
    return OPERATIONS[run->request->action];
}

/* Whoever is up to date goes to a worker as well: its hooks want to hear of it. */
static bool wants_all(const MigratorRun *run)
{
    return run->request->action != RUN_STATUS && !run->request->dry_run &&
           fleet_wants_every_tenant(run->fleet, operation_of(run));
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
    run->planned_ms = clock_now_ms(&SYSTEM_CLOCK);
    bool ok = run_phase(run, &phase, NULL, run->report->count, &outcome, error);
    for (size_t i = 0; run->request->action == RUN_STATUS && i < run->report->count; i++) {
        bool known = outcome.outcomes != NULL;
        Error ignored = {0};
        if (!run_entry_fill_status(run->report, i, known ? outcome.outcomes[i] : OUTCOME_NOT_STARTED,
                                   ok ? error : &ignored))
            ok = false;
        error_clear(&ignored);
    }
    bool all = wants_all(run);
    for (size_t i = 0; ok && i < run->report->count; i++)
        if (all || run_entry_needs_work(&run->report->entries[i], run->fleet->options.strict))
            run->report->entries[i].state = TENANT_PENDING;
        else
            run->report->entries[i].state = TENANT_SUCCEEDED;
    if (ok && run->request->action != RUN_STATUS)
        plan_warn(&run->request->fleet, run->report, run->files.bundle);
    phase_outcome_clear(&outcome);
    return ok;
}

static uint64_t keep_result(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    MigratorRun *run = host;
    ERROR_CLEANUP Error failed = {0};
    uint64_t key = 0;
    if (run->report->first_result_ms == 0)
        run->report->first_result_ms = clock_now_ms(&SYSTEM_CLOCK) - run->started_ms;
    size_t entry = run->work[index];
    if (!run_entry_merge(run->report, entry, outcome, attempt, record, &key, &failed))
        remember(run, &failed);
    if (run->report->entries[entry].state == TENANT_SUCCEEDED)
        run_record_tenant(run->record, entry);
    return key;
}

/* Whoever marks or migrates goes on from what the plan has found. The block looks again at the migration that
 * it applies, but not at those before it: of a tenant that somebody has restored meanwhile the plan says too
 * much, so after a while the worker looks for itself. */
static const char *plan_of(void *host, uint32_t index)
{
    const MigratorRun *run = host;
    if (clock_now_ms(&SYSTEM_CLOCK) - run->planned_ms > PLAN_FRESH_MS)
        return NULL;
    const TenantMigrationStatus *plan = run->report->entries[run->work[index]].plan;
    return plan != NULL ? plan->plan : NULL;
}

/* The default policy is the configured one; the caller's callback may add to it. */
static bool tenant_failed(void *host, uint32_t index)
{
    MigratorRun *run = host;
    const RunRequest *request = run->request;
    const TenantMigrationResult result = run_report_result(run->report, run->work[index]);
    bool abort = fleet_aborts_on_error(&request->fleet, result.sqlstate);
    run_record_tenant(run->record, run->work[index]);
    if (request->on_failed != NULL && request->on_failed(request->fleet.host, &result))
        abort = true;
    return abort;
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
        bool due = report->entries[i].state != TENANT_PENDING || run->request->dry_run;
        if (due && !run_entry_finish_planned(report, i, error))
            return false;
    }
    return true;
}

static bool apply(MigratorRun *run, Error *error)
{
    uint32_t *predecessors = NULL;
    size_t count = 0;
    if (!choose_work(run, &predecessors, &count, error))
        return false;
    /* How failures of tenants are to be taken says nothing of the shared schema: every database's has its
     * turn. */
    Phase phase = {
        .operation = operation_of(run),
        .predecessors = predecessors,
        .concurrency = fleet_concurrency(&run->request->fleet),
        .schedule = fleet_schedule(&run->request->fleet),
        .lock_wait_ms = run->fleet->options.lock_wait_ms,
        .max_failures = run->shared ? -1 : fleet_max_failures(&run->request->fleet, run->report->count),
        .equal_failures = run->shared ? 0 : fleet_equal_failures(&run->request->fleet),
        .plan_of = plan_of,
        .on_result = keep_result,
        .on_failed = run->shared ? NULL : tenant_failed,
    };
    PhaseOutcome outcome = {0};
    run->report->applying = true;
    if (count > 0)
        fleet_say_step(&run->request->fleet, STEP_APPLY, run->shared ? 0 : count);
    bool ok = run->fleet->aborted || run_phase(run, &phase, run->work, count, &outcome, error);
    for (size_t i = 0; i < count; i++) {
        bool known = outcome.states != NULL;
        Error ignored = {0};
        if (!run_entry_finish(run->report, run->work[i], known ? outcome.states[i] : TENANT_SKIPPED,
                              known ? outcome.outcomes[i] : OUTCOME_NOT_STARTED,
                              known ? outcome.attempts[i] : 0, ok ? error : &ignored))
            ok = false;
        run_record_tenant(run->record, run->work[i]);
        error_clear(&ignored);
    }
    run->report->abort_reason = outcome.abort_reason;
    run->report->starts = outcome.starts;
    phase_outcome_clear(&outcome);
    free(predecessors);
    return ok;
}

bool migrator_judge(MigratorRun *run, Error *error)
{
    run->judged = true;
    fleet_say_step(&run->request->fleet, STEP_PARSE, 0);
    RecordList *refused = &run->report->refused_files;
    if (!fleet_judge_files(run->fleet, "migration files", refused, error))
        return false;
    return refused->count == 0 ||
           error_set(error, ERROR_MIGRATIONS,
                     "%zu migration files were refused by the server; nothing was applied", refused->count);
}

bool migrator_list(MigratorRun *run, Error *error)
{
    RunReport *report = run->report;
    if (run->listed)
        return true;
    report->of_shared = run->shared;
    report->several_databases = fleet_databases(run->fleet)->count > 1;
    fleet_say_step(&run->request->fleet, run->shared ? STEP_SHARED : STEP_DISCOVER, 0);
    run->fleet->refusal = run->files.refusal;
    run->listed = fleet_list(run->fleet, &report->tenants, error) && run_table_new(report, error);
    return run->listed;
}

/* A journal is for runs of tenants that have something to do, and for those that go on. */
static bool open_record(MigratorRun *run, Error *error)
{
    const RunRequest *request = run->request;
    if (request->recording == NULL || run->shared || request->action == RUN_STATUS || request->dry_run)
        return true;
    bool work = request->recording->resumed != NULL;
    for (size_t i = 0; !work && i < run->report->count; i++)
        work = run->report->entries[i].state == TENANT_PENDING;
    return !work || run_record_open(request, run->report, dispatcher_run_id(run->fleet->dispatcher),
                                    run->files.bundle, &run->fleet->options, &run->record, error);
}

/* Who has work; a rehearsal is for everybody. */
static bool look(MigratorRun *run, Error *error)
{
    if (run->request->action == RUN_REHEARSE)
        return true;
    fleet_say_step(&run->request->fleet, STEP_PLAN, run->shared ? 0 : run->report->count);
    return run->report->count == 0 || plan(run, error);
}

bool migrator_steps(MigratorRun *run, Error *error)
{
    const RunRequest *request = run->request;
    RunReport *report = run->report;
    run->fleet->options.dry_run = request->dry_run;
    if (!migrator_list(run, error))
        return false;
    if (request->judge_files && !run->judged && report->count > 0 && !migrator_judge(run, error))
        return false;
    if (!look(run, error))
        return false;
    if (!open_record(run, error) || (request->action != RUN_STATUS && !finish_without_work(run, error)))
        return false;
    if (request->action != RUN_STATUS && !request->dry_run) {
        if (!apply(run, error))
            return false;
    }
    fleet_say_step(&request->fleet, STEP_DONE, 0);
    return true;
}

bool migrator_withhold(MigratorRun *run, const char *reason, Error *error)
{
    ERROR_CLEANUP Error unlisted = {0};
    if (migrator_list(run, &unlisted))
        return run_table_skip(run->report, reason, error);
    BUFFER_CLEANUP Buffer warning = {0};
    buffer_appendf(&warning, "the tenants, who are skipped, cannot be listed: %s", unlisted.message);
    fleet_warn(&run->request->fleet, buffer_text(&warning));
    tenant_list_clear(&run->report->tenants);
    return true;
}

void migrator_finish(MigratorRun *run)
{
    const Fleet *fleet = run->fleet;
    RunReport *report = run->report;
    report->totals = run_table_totals(report);
    report->aborted = fleet->aborted;
    report->cancelled = fleet->cancelled;
    report->aborted_by_policy = fleet->aborted_by_policy;
    report->past_deadline = fleet->past_deadline;
    report->duration_ms = clock_now_ms(&SYSTEM_CLOCK) - run->started_ms;
    fleet_files_clear(&run->files);
    free(run->work);
}

bool migrator_run(const RunRequest *request, RunReport *ret_report, Error *error)
{
    Fleet fleet = {0};
    MigratorRun run = {.request = request,
                       .fleet = &fleet,
                       .report = ret_report,
                       .shared = request->fleet.shared,
                       .started_ms = clock_now_ms(&SYSTEM_CLOCK)};
    *ret_report = (RunReport){0};
    bool ok = request->with_shared ? shared_and_tenants(&run, error)
                                   : migrator_load(&run, error) &&
                                         fleet_open(&fleet, &request->fleet, run.files.bundle, error) &&
                                         migrator_steps(&run, error);
    fleet_close(&fleet);
    if (!ok && fleet.past_deadline && error->code == ERROR_CANCELLED)
        error->code = ERROR_ABORTED;
    migrator_finish(&run);
    run_record_close(run.record, ok ? run_report_exit_code(ret_report) : error_class(error->code)->exit_code,
                     ret_report->duration_ms);
    return ok;
}

bool run_report_has_begun(const RunReport *report)
{
    return report->applying || (report->shared != NULL && report->shared->applying);
}

/* True when every failed tenant was only busy. */
static bool only_busy(const RunReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const RunEntry *entry = &report->entries[i];
        if (entry->state == TENANT_FAILED && strcmp(entry->result->outcome, outcome_name(OUTCOME_BUSY)) != 0)
            return false;
    }
    return true;
}

int run_report_exit_code(const RunReport *report)
{
    if (report->shared != NULL && run_report_exit_code(report->shared) != EXIT_DONE)
        return run_report_exit_code(report->shared);
    bool by_policy = report->past_deadline || report->aborted_by_policy;
    if ((report->aborted || report->cancelled) && !by_policy)
        return EXIT_INTERRUPTED;
    if (report->aborted || report->cancelled)
        return EXIT_ABORTED;
    if (report->totals.failed > 0)
        return only_busy(report) ? EXIT_UNAVAILABLE : EXIT_FAILED;
    return EXIT_DONE;
}
