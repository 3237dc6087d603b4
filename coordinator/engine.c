#include "coordinator/engine.h"
#include "coordinator/engine_internal.h"
#include <stdlib.h>

static bool tenant_check(const EngineSpec *spec, size_t index, Error *error)
{
    const EngineTenant *tenant = &spec->tenants[index];
    if (tenant->database >= spec->database_count)
        return error_set(error, ERROR_TENANTS, "tenant %zu is in database %u of %zu", index, tenant->database,
                         spec->database_count);
    if (tenant->predecessor == ENGINE_NONE)
        return true;
    if (tenant->predecessor >= index || spec->tenants[tenant->predecessor].database != tenant->database)
        return error_set(error, ERROR_TENANTS,
                         "tenant %zu cannot follow tenant %u: not an earlier one of its database", index,
                         tenant->predecessor);
    return true;
}

static bool spec_check(const EngineSpec *spec, Error *error)
{
    if (spec->tenant_count >= ENGINE_NONE || spec->database_count >= ENGINE_NONE)
        return error_set(error, ERROR_TENANTS, "%zu tenants in %zu databases are too many",
                         spec->tenant_count, spec->database_count);
    if (spec->concurrency < 0 || spec->tenants_per_job < 1 || spec->lock_wait_ms < 0)
        return error_set(
            error, ERROR_CONFIG, "concurrency %lld, tenants per job %lld, lock wait %lld ms: out of range",
            (long long)spec->concurrency, (long long)spec->tenants_per_job, (long long)spec->lock_wait_ms);
    for (size_t d = 0; d < spec->database_count; d++) {
        if (spec->budgets[d] < 1 || spec->budgets[d] > INT32_MAX)
            return error_set(error, ERROR_CONFIG, "database %zu has a budget of %lld connections", d,
                             (long long)spec->budgets[d]);
    }
    for (size_t i = 0; i < spec->tenant_count; i++) {
        if (!tenant_check(spec, i, error))
            return false;
    }
    return true;
}

static void fill_tables(Engine *engine, const EngineSpec *spec)
{
    for (size_t d = 0; d < spec->database_count; d++) {
        engine->databases[d].budget = spec->budgets[d];
        queue_init(&engine->databases[d].backlog);
        queue_init(&engine->databases[d].ready);
        queue_init(&engine->databases[d].solo);
    }
    for (uint32_t i = 0; i < spec->tenant_count; i++) {
        engine->rows[i] = (TenantRow){
            .database = spec->tenants[i].database,
            .predecessor = spec->tenants[i].predecessor,
            .waiters = ENGINE_NONE,
            .worker = ENGINE_NONE,
            .job = ENGINE_NONE,
        };
        Database *database = &engine->databases[spec->tenants[i].database];
        database->pending++;
        queue_push(engine, &database->backlog, i);
    }
    engine->counts[TENANT_PENDING] = spec->tenant_count;
}

Engine *engine_new(const EngineSpec *spec, Error *error)
{
    if (!spec_check(spec, error))
        return NULL;
    Engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        error_memory(error);
        return NULL;
    }
    bool single = (uint64_t)spec->tenants_per_job > spec->tenant_count;
    size_t most_leases = single ? spec->tenant_count : (size_t)spec->tenants_per_job;
    engine->spec = *spec;
    engine->spec.tenants = NULL;
    engine->spec.budgets = NULL;
    engine->random = spec->seed;
    engine->free_job = ENGINE_NONE;
    queue_init(&engine->failures);
    engine->rows = calloc(spec->tenant_count + 1, sizeof(*engine->rows));
    engine->databases = calloc(spec->database_count + 1, sizeof(*engine->databases));
    engine->leases = calloc(most_leases + 1, sizeof(*engine->leases));
    if (engine->rows == NULL || engine->databases == NULL || engine->leases == NULL) {
        engine_free(engine);
        error_memory(error);
        return NULL;
    }
    fill_tables(engine, spec);
    return engine;
}

void engine_free(Engine *engine)
{
    if (engine == NULL)
        return;
    workers_free(engine);
    free(engine->retries.items);
    free(engine->leases);
    free(engine->databases);
    free(engine->rows);
    free(engine);
}

/* NULL with an error when it never joined. */
static Worker *known_worker(const Engine *engine, const EngineEvent *event, Error *error)
{
    Worker *worker = worker_find(engine, event->worker);
    if (worker == NULL)
        error_set(error, ERROR_PROTOCOL, "worker %u is unknown", event->worker);
    return worker;
}

static bool lease_check(const Engine *engine, const EngineEvent *event, Error *error)
{
    if (event->tenant >= engine->spec.tenant_count)
        return error_set(error, ERROR_PROTOCOL, "worker %u speaks of tenant %u of %zu", event->worker,
                         event->tenant, engine->spec.tenant_count);
    const TenantRow *row = &engine->rows[event->tenant];
    if (event->attempt < 1 || event->attempt > row->attempt)
        return error_set(error, ERROR_PROTOCOL, "worker %u speaks of attempt %u at tenant %u of %u",
                         event->worker, event->attempt, event->tenant, row->attempt);
    if (row->leased && event->attempt == row->attempt && row->worker != event->worker)
        return error_set(error, ERROR_PROTOCOL, "worker %u speaks of a lease that worker %u holds",
                         event->worker, row->worker);
    return true;
}

/* The sender of an event about a lease, NULL with an error. `ret_current` = it holds the lease now. The
 * result of another attempt may come from anybody, because a worker that was declared lost comes back under a
 * new number; a lease that a live worker holds is that worker's alone. */
static Worker *known_lease(const Engine *engine, const EngineEvent *event, bool *ret_current, Error *error)
{
    Worker *worker = known_worker(engine, event, error);
    if (worker == NULL || !lease_check(engine, event, error))
        return NULL;
    const TenantRow *row = &engine->rows[event->tenant];
    *ret_current = row->leased && event->attempt == row->attempt;
    return worker;
}

static bool apply_lost(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    (void)now_ms;
    Worker *worker = known_worker(engine, event, error);
    if (worker == NULL)
        return false;
    if (worker->lost)
        return true;
    while (worker->leases != ENGINE_NONE) {
        uint32_t tenant = worker->leases;
        bool started = engine->rows[tenant].started;
        tenant_lease_end(engine, tenant, worker);
        if (engine->rows[tenant].state == TENANT_PENDING)
            tenant_lease_lost(engine, tenant, started);
    }
    worker_lose(engine, worker);
    return true;
}

static bool apply_joined(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    (void)now_ms;
    return worker_join(engine, event, error);
}

static bool apply_draining(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    (void)now_ms;
    Worker *worker = known_worker(engine, event, error);
    if (worker == NULL)
        return false;
    if (!worker->lost && !worker->draining)
        worker_retire(engine, worker);
    return true;
}

static bool apply_started(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    (void)now_ms;
    bool current;
    if (known_lease(engine, event, &current, error) == NULL)
        return false;
    if (current)
        engine->rows[event->tenant].started = true;
    return true;
}

/* An attempt that failed looked at the tenant and says what it saw. An older one's word is not the last while
 * a newer one may still succeed, and a cancelled one need not have looked at what a lost one left behind. */
static void apply_failure(Engine *engine, const EngineEvent *event)
{
    TenantRow *row = &engine->rows[event->tenant];
    bool newest = event->attempt == row->attempt;
    if (row->state == TENANT_PENDING && !newest) {
        row->recovering = true;
        return;
    }
    bool blind = row->recovering && event->outcome == OUTCOME_CANCELLED;
    Outcome outcome = blind ? OUTCOME_UNKNOWN : event->outcome;
    if (row->state == TENANT_FAILED && row->outcome == OUTCOME_UNKNOWN && newest)
        row->outcome = (uint8_t)outcome;
    tenant_settle(engine, event->tenant, outcome, event->failure_key);
}

static bool apply_finished(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    bool current;
    Worker *worker = known_lease(engine, event, &current, error);
    if (worker == NULL)
        return false;
    if (event->outcome >= OUTCOME_COUNT)
        return error_set(error, ERROR_PROTOCOL, "worker %u reports outcome %d", event->worker,
                         event->outcome);
    bool verdict = event->outcome != OUTCOME_NOT_STARTED && event->outcome != OUTCOME_BUSY;
    if (current && !verdict && !retry_reserve(&engine->retries))
        return error_memory(error);
    if (current)
        tenant_lease_end(engine, event->tenant, worker);
    worker_pace(worker, now_ms);

    bool pending = engine->rows[event->tenant].state == TENANT_PENDING;
    if (verdict && outcome_state(event->outcome) == TENANT_FAILED)
        apply_failure(engine, event);
    else if (verdict || !pending)
        tenant_settle(engine, event->tenant, event->outcome, event->failure_key);
    else if (current)
        tenant_try_again(engine, event->tenant, event->outcome, worker->draining, now_ms);
    return true;
}

static bool apply_abort(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    (void)event, (void)now_ms, (void)error;
    engine_abort(engine, ENGINE_ABORTED_BY_HOST);
    return true;
}

static bool apply_cancel(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    (void)event, (void)now_ms, (void)error;
    engine_abort(engine, ENGINE_ABORTED_BY_HOST);
    engine->tell_cancel = engine->tell_cancel || !engine->cancelled;
    engine->cancelled = true;
    return true;
}

bool engine_apply(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error)
{
    static bool (*const APPLY[])(Engine *, const EngineEvent *, int64_t, Error *) = {
        [ENGINE_WORKER_JOINED] = apply_joined,
        [ENGINE_WORKER_LOST] = apply_lost,
        [ENGINE_WORKER_DRAINING] = apply_draining,
        [ENGINE_STARTED] = apply_started,
        [ENGINE_FINISHED] = apply_finished,
        [ENGINE_ABORT] = apply_abort,
        [ENGINE_CANCEL] = apply_cancel,
    };
    if ((size_t)event->kind >= sizeof(APPLY) / sizeof(APPLY[0]))
        return error_set(error, ERROR_PROTOCOL, "event %d is unknown", event->kind);
    return APPLY[event->kind](engine, event, now_ms, error);
}

EngineTotals engine_totals(const Engine *engine)
{
    size_t counts[TENANT_SUCCEEDED + 1] = {0};
    EngineTotals totals = {.total = engine->spec.tenant_count};
    for (size_t i = 0; i < engine->spec.tenant_count; i++) {
        counts[engine->rows[i].state]++;
        totals.in_flight += engine->rows[i].leased;
    }
    totals.succeeded = counts[TENANT_SUCCEEDED];
    totals.failed = counts[TENANT_FAILED];
    totals.skipped = counts[TENANT_SKIPPED];
    totals.pending = counts[TENANT_PENDING];
    return totals;
}

EngineTotals engine_progress(const Engine *engine)
{
    const size_t *counts = engine->counts;
    return (EngineTotals){.total = engine->spec.tenant_count,
                          .succeeded = counts[TENANT_SUCCEEDED],
                          .failed = counts[TENANT_FAILED],
                          .skipped = counts[TENANT_SKIPPED],
                          .pending = counts[TENANT_PENDING],
                          .in_flight = engine->leased};
}

size_t engine_unreachable(const Engine *engine)
{
    size_t tenants = 0;
    for (size_t d = 0; d < engine->spec.database_count; d++) {
        const Database *database = &engine->databases[d];
        if (database->workers == 0 && database->in_flight == 0)
            tenants += database->pending;
    }
    return tenants;
}

TenantState engine_tenant_state(const Engine *engine, uint32_t tenant)
{
    return (TenantState)engine->rows[tenant].state;
}

Outcome engine_tenant_outcome(const Engine *engine, uint32_t tenant)
{
    return (Outcome)engine->rows[tenant].outcome;
}

uint32_t engine_tenant_attempts(const Engine *engine, uint32_t tenant)
{
    return engine->rows[tenant].attempt;
}

EngineAbort engine_abort_reason(const Engine *engine)
{
    return engine->abort;
}
