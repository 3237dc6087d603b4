#include "coordinator/sync.h"
#include "common/clock.h"
#include <stdlib.h>
#include <string.h>

enum { READ_CONCURRENCY = 4 /* set reads in flight: more connections cost more than they bring */ };

static const struct {
    const char *name;
    OperationId operation;
    size_t todo; /* member of TenantSyncStatus: what there is to do */
    size_t done; /* member of TenantSyncResult */
} ACTIONS[] = {
    [SYNC_STATUS] = {.name = "status", .operation = OPERATION_SYNC_STATUS},
    [SYNC_MARK_MISSING] = {"mark-missing", OPERATION_MARK_MISSING, offsetof(TenantSyncStatus, missing),
                           offsetof(TenantSyncResult, marked_migrations)},
    [SYNC_CLEAN_ORPHANS] = {"clean-orphans", OPERATION_CLEAN_ORPHANS, offsetof(TenantSyncStatus, orphans),
                            offsetof(TenantSyncResult, removed_orphans)},
};

/* One run in progress. */
typedef struct SyncRun {
    const SyncRequest *request;
    SyncReport *report;
    FleetFiles files;
    Fleet fleet;
    size_t *work; /* place in the action's list -> entry index */
} SyncRun;

const char *sync_action_name(SyncAction action)
{
    return ACTIONS[action].name;
}

static TextList *todo_of(const SyncReport *report, SyncEntry *entry)
{
    return (TextList *)((char *)&entry->status + ACTIONS[report->action].todo);
}

static TextList *done_of(const SyncReport *report, SyncEntry *entry)
{
    return (TextList *)((char *)&entry->result + ACTIONS[report->action].done);
}

const TextList *sync_entry_done(const SyncReport *report, size_t index)
{
    return done_of(report, &report->entries[index]);
}

static bool list_tenants(SyncRun *run, Error *error)
{
    SyncReport *report = run->report;
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

static bool finish_status(const SyncReport *report, SyncEntry *entry, TenantState state, Outcome outcome)
{
    TenantSyncStatus *status = &entry->status;
    bool heard = status->tenant_id != NULL;
    if (!heard && state == TENANT_SUCCEEDED)
        state = TENANT_FAILED;
    entry->state = state == TENANT_PENDING ? TENANT_SKIPPED : state;
    return text_fill(&status->tenant_id, entry->tenant->id) &&
           text_fill(&status->schema_name, entry->tenant->schema) &&
           (!report->several_databases || text_fill(&status->database, entry->tenant->database)) &&
           (heard || text_fill(&status->error, fleet_outcome_text(entry->state, outcome)));
}

static bool read_status(SyncRun *run, Error *error)
{
    SyncReport *report = run->report;
    FleetWork work = {.operation = OPERATION_SYNC_STATUS,
                      .tenants = &report->tenants,
                      .concurrency = READ_CONCURRENCY,
                      .schedule = ENGINE_ROLLING,
                      .max_failures = -1};
    FleetResults results;
    bool ok = fleet_operate(&run->fleet, &work, &results, error);
    const PhaseOutcome *outcome = &results.outcome;
    bool enough = true;
    for (size_t i = 0; results.records != NULL && i < report->count; i++) {
        SyncEntry *entry = &report->entries[i];
        TenantSyncStatus *status = fleet_result(&results, i);
        entry->status = *status;
        *status = (TenantSyncStatus){0};
        enough &= finish_status(report, entry, outcome->states != NULL ? outcome->states[i] : TENANT_SKIPPED,
                                outcome->outcomes != NULL ? outcome->outcomes[i] : OUTCOME_NOT_STARTED);
    }
    fleet_results_clear(&results);
    return ok && !enough ? error_memory(error) : ok;
}

/* Nothing to do that anybody wants to hear of, or not more than was read in a dry run. */
static bool is_settled(const SyncRun *run, SyncEntry *entry)
{
    bool idle = entry->state == TENANT_SUCCEEDED && todo_of(run->report, entry)->count == 0;
    return run->request->dry_run ||
           (idle && !fleet_wants_every_tenant(&run->fleet, ACTIONS[run->report->action].operation));
}

/* Everything there was to do is done, and an attempt that was lost with its worker may have done it. */
static bool credit_lost_attempt(const SyncReport *report, SyncEntry *entry)
{
    TextList *todo = todo_of(report, entry), *done = done_of(report, entry);
    TextList reported = *done;
    bool ok = true;
    *done = (TextList){0};
    for (size_t i = 0; ok && i < todo->count; i++)
        ok = text_list_add(done, todo->items[i]) && (text_list_has(&reported, todo->items[i]) ||
                                                     text_list_add(&entry->result.recovered, todo->items[i]));
    for (size_t i = 0; ok && i < reported.count; i++)
        ok = text_list_has(todo, reported.items[i]) || text_list_add(done, reported.items[i]);
    text_list_clear(&reported);
    return ok;
}

/* Names, error and outcome of an entry's result, whose state is final. */
static bool finish_result(const SyncReport *report, SyncEntry *entry, Outcome outcome, uint32_t attempts)
{
    TenantSyncResult *result = &entry->result;
    const char *reason = NULL;
    bool ok = !(entry->state == TENANT_SUCCEEDED && result->after_loss) || credit_lost_attempt(report, entry);
    if (entry->state == TENANT_PENDING)
        entry->state = TENANT_SKIPPED;
    if (entry->state == TENANT_SKIPPED)
        record_clear(&TENANT_SYNC_RESULT, result); /* an attempt may have been busy before the abort */
    if (entry->state != TENANT_SUCCEEDED)
        reason = fleet_outcome_text(entry->state, outcome);
    if (outcome == OUTCOME_ALREADY && result->recovered.count > 0)
        outcome = OUTCOME_APPLIED;
    result->success = entry->state == TENANT_SUCCEEDED;
    result->attempts = attempts;
    free(result->outcome);
    result->outcome = NULL;
    return ok && text_fill(&result->tenant_id, entry->tenant->id) &&
           text_fill(&result->schema_name, entry->tenant->schema) &&
           text_fill(&result->outcome, outcome_name(outcome)) && text_fill(&result->error, reason) &&
           (!report->several_databases || text_fill(&result->database, entry->tenant->database));
}

/* What the status alone says about an entry that is not worked on. */
static bool settle(const SyncReport *report, SyncEntry *entry)
{
    TenantSyncResult *result = &entry->result;
    const TenantSyncStatus *status = &entry->status;
    Outcome outcome = entry->state == TENANT_SUCCEEDED ? OUTCOME_ALREADY
                      : entry->state == TENANT_FAILED  ? OUTCOME_ERROR
                                                       : OUTCOME_NOT_STARTED;
    if (status->outcome != NULL)
        outcome_from_name(status->outcome, &outcome);
    const TextList *todo = todo_of(report, entry);
    for (size_t i = 0; i < todo->count; i++)
        if (!text_list_add(done_of(report, entry), todo->items[i]))
            return false;
    return text_fill(&result->error, status->error) && text_fill(&result->sqlstate, status->sqlstate) &&
           finish_result(report, entry, outcome, 0);
}

/* A shallow list of the entries that need the action; their indices go to run->work. */
static bool choose(SyncRun *run, TenantList *ret_list, Error *error)
{
    SyncReport *report = run->report;
    ret_list->items = calloc(report->count + 1, sizeof *ret_list->items);
    run->work = calloc(report->count + 1, sizeof *run->work);
    if (ret_list->items == NULL || run->work == NULL)
        return error_memory(error);
    for (size_t i = 0; i < report->count; i++) {
        SyncEntry *entry = &report->entries[i];
        if (is_settled(run, entry)) {
            if (!settle(report, entry))
                return error_memory(error);
            continue;
        }
        entry->state = TENANT_PENDING;
        run->work[ret_list->count] = i;
        ret_list->items[ret_list->count++] = *entry->tenant;
    }
    return true;
}

static bool tenant_failed(void *host, size_t index, const void *record)
{
    SyncRun *run = host;
    const SyncRequest *request = run->request;
    const TenantSyncResult *result = record;
    const Tenant *tenant = run->report->entries[run->work[index]].tenant;
    const TenantSyncResult unheard = {.tenant_id = tenant->id, .schema_name = tenant->schema};
    if (result->tenant_id == NULL)
        result = &unheard;
    bool abort = request->on_failed != NULL && request->on_failed(request->fleet.host, result);
    return abort || fleet_aborts_on_error(&request->fleet, result->sqlstate);
}

static bool take_results(SyncRun *run, FleetResults *results)
{
    const PhaseOutcome *outcome = &results->outcome;
    bool heard = results->records != NULL && outcome->states != NULL;
    bool enough = true;
    for (size_t i = 0; i < results->count; i++) {
        SyncEntry *entry = &run->report->entries[run->work[i]];
        entry->state = heard ? outcome->states[i] : TENANT_SKIPPED;
        if (heard) {
            TenantSyncResult *result = fleet_result(results, i);
            entry->result = *result;
            *result = (TenantSyncResult){0};
        }
        enough &= finish_result(run->report, entry, heard ? outcome->outcomes[i] : OUTCOME_NOT_STARTED,
                                heard ? outcome->attempts[i] : 0);
    }
    return enough;
}

static bool act(SyncRun *run, Error *error)
{
    const FleetRequest *request = &run->request->fleet;
    TenantList list = {0};
    if (!choose(run, &list, error)) {
        free(list.items);
        return false;
    }
    run->report->acting = true;
    bool idle = list.count == 0 || run->fleet.aborted;
    if (!idle)
        fleet_say_step(request, STEP_APPLY, list.count);
    FleetWork work = {.operation = ACTIONS[run->report->action].operation,
                      .tenants = &list,
                      .concurrency = fleet_concurrency(request),
                      .schedule = fleet_schedule(request),
                      .max_failures = fleet_max_failures(request, run->report->count),
                      .on_failed = tenant_failed,
                      .host = run};
    FleetResults results = {.count = list.count};
    bool ok = idle || fleet_operate(&run->fleet, &work, &results, error);
    bool enough = take_results(run, &results);
    fleet_results_clear(&results);
    free(list.items);
    return ok && !enough ? error_memory(error) : ok;
}

static bool run_steps(SyncRun *run, Error *error)
{
    const FleetRequest *request = &run->request->fleet;
    SyncReport *report = run->report;
    /* Without files every row is an orphan: unless told otherwise, a wrong folder must not clean anything. */
    if (!fleet_load_files(request, false, &run->files, error) ||
        !fleet_open(&run->fleet, request, run->files.bundle, error))
        return false;
    run->fleet.refusal = run->files.refusal;
    report->several_databases = fleet_databases(&run->fleet)->count > 1;
    fleet_say_step(request, STEP_DISCOVER, 0);
    if (!list_tenants(run, error))
        return false;
    fleet_say_step(request, STEP_PLAN, report->count);
    if (report->count > 0 && !read_status(run, error))
        return false;
    if (report->action != SYNC_STATUS && !act(run, error))
        return false;
    fleet_say_step(request, STEP_DONE, 0);
    return true;
}

static void count_entries(SyncReport *report)
{
    size_t *const counter[] = {
        [TENANT_PENDING] = &report->totals.pending,
        [TENANT_SKIPPED] = &report->totals.skipped,
        [TENANT_FAILED] = &report->totals.failed,
        [TENANT_SUCCEEDED] = &report->totals.succeeded,
    };
    report->totals.total = report->count;
    for (size_t i = 0; i < report->count; i++) {
        const SyncEntry *entry = &report->entries[i];
        ++*counter[entry->state];
        report->errors += entry->status.error != NULL;
        report->in_sync += entry->status.in_sync;
    }
    report->out_of_sync = report->count - report->errors - report->in_sync;
}

bool sync_run(const SyncRequest *request, SyncReport *ret_report, Error *error)
{
    SyncRun run = {.request = request, .report = ret_report};
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    *ret_report = (SyncReport){.action = request->action};
    bool ok = run_steps(&run, error);
    fleet_close(&run.fleet);
    fleet_files_clear(&run.files);
    free(run.work);
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

void sync_report_clear(SyncReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        record_clear(&TENANT_SYNC_STATUS, &report->entries[i].status);
        record_clear(&TENANT_SYNC_RESULT, &report->entries[i].result);
    }
    free(report->entries);
    tenant_list_clear(&report->tenants);
    *report = (SyncReport){0};
}

/* True when every failed tenant was only busy. */
static bool only_busy(const SyncReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const char *outcome = report->entries[i].result.outcome;
        if (report->entries[i].state == TENANT_FAILED &&
            (outcome == NULL || strcmp(outcome, outcome_name(OUTCOME_BUSY)) != 0))
            return false;
    }
    return true;
}

int sync_exit_code(const SyncReport *report, bool out_of_sync_matters)
{
    if (report->aborted || report->cancelled)
        return report->past_deadline || report->aborted_by_policy ? EXIT_ABORTED : EXIT_INTERRUPTED;
    if (report->totals.failed > 0)
        return only_busy(report) ? EXIT_UNAVAILABLE : EXIT_FAILED;
    return out_of_sync_matters && report->out_of_sync > 0 ? EXIT_PENDING : EXIT_DONE;
}
