/* What happens next: announcements first, then work. Choosing looks at workers and databases, never through
 * the tenants. */
#include "coordinator/engine_internal.h"

static bool next_failure(Engine *engine, EngineAction *ret_action)
{
    while (engine->failures.head != ENGINE_NONE) {
        uint32_t tenant = engine->failures.head;
        engine->failures.head = engine->rows[tenant].failed_next;
        engine->failures.count--;
        if (engine->failures.head == ENGINE_NONE)
            engine->failures.tail = ENGINE_NONE;
        if (engine->rows[tenant].state != TENANT_FAILED)
            continue; /* a late success came in between */
        *ret_action = (EngineAction){.kind = ENGINE_TENANT_FAILED, .tenant = tenant};
        return true;
    }
    return false;
}

static bool next_abort(Engine *engine, EngineAction *ret_action)
{
    if (!engine->tell_abort && !engine->tell_cancel)
        return false;
    *ret_action = (EngineAction){.kind = ENGINE_ABORT_WORKERS, .cancel = engine->tell_cancel};
    engine->tell_abort = engine->tell_cancel = false; /* a cancel says more than an abort not yet told */
    return true;
}

static bool next_complete(Engine *engine, EngineAction *ret_action)
{
    if (engine->counts[TENANT_PENDING] > 0)
        return false;
    engine->completed = true;
    *ret_action = (EngineAction){.kind = ENGINE_COMPLETE};
    return true;
}

static void wake_retries(Engine *engine, int64_t now_ms)
{
    uint32_t tenant;
    while ((tenant = retry_pop_due(&engine->retries, now_ms)) != ENGINE_NONE)
        tenant_make_ready(engine, tenant);
}

/* With concurrency 0: what the workers can run at once now, within the budgets. */
static int64_t batch_size(const Engine *engine)
{
    const EngineSpec *spec = &engine->spec;
    int64_t size = spec->concurrency;
    if (size == 0) {
        int64_t budgets = 0;
        for (size_t w = 0; w < engine->live_count; w++)
            size += engine->live[w]->draining ? 0 : engine->live[w]->slots;
        for (size_t d = 0; d < spec->database_count; d++)
            budgets += engine->databases[d].workers > 0 ? engine->databases[d].budget : 0;
        if (budgets > 0 && budgets < size)
            size = budgets;
    }
    if (spec->set_jobs && size > 0 && size > INT64_MAX / spec->tenants_per_job)
        return INT64_MAX;
    return spec->set_jobs ? size * spec->tenants_per_job : size;
}

/* The next tenant in list order, alternating between the databases that have any left. */
static uint32_t admit(Engine *engine)
{
    size_t count = engine->spec.database_count;
    for (size_t i = 0; i < count; i++) {
        size_t d = (engine->admit_next + i) % count;
        uint32_t tenant = queue_pop(engine, &engine->databases[d].backlog);
        if (tenant == ENGINE_NONE)
            continue;
        engine->admit_next = d + 1;
        return tenant;
    }
    return ENGINE_NONE;
}

static void open_batch(Engine *engine)
{
    if (engine->spec.schedule != ENGINE_BATCH || engine->batch_open > MUTANT(MUTANT_EARLY_BARRIER))
        return;
    for (int64_t size = batch_size(engine); size > 0; size--) {
        uint32_t tenant = admit(engine);
        if (tenant == ENGINE_NONE)
            return;
        TenantRow *row = &engine->rows[tenant];
        row->admitted = true;
        engine->batch_open++;
        queue_push(engine, &engine->databases[row->database].ready, tenant);
    }
}

/* A tenant of this database that may start now, or ENGINE_NONE. */
static uint32_t take_ready(Engine *engine, Database *database)
{
    for (;;) {
        uint32_t tenant = queue_pop(engine, &database->ready);
        if (tenant == ENGINE_NONE && engine->spec.schedule == ENGINE_ROLLING)
            tenant = queue_pop(engine, &database->backlog);
        if (tenant == ENGINE_NONE)
            return ENGINE_NONE;
        if (engine->rows[tenant].state == TENANT_PENDING && !tenant_await_predecessor(engine, tenant))
            return tenant;
    }
}

/* At most that many may start; stale entries count, so there may be fewer. */
static size_t count_ready(const Engine *engine, const Database *database)
{
    size_t count = database->ready.count;
    return engine->spec.schedule == ENGINE_ROLLING ? count + database->backlog.count : count;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How much work for this database the worker may get now, in slots. A draining worker has no grant. */
static int64_t worker_room(const Engine *engine, const Worker *worker, size_t d)
{
    const Reach *reach = &worker->reaches[d];
    if (worker->alone || worker == engine->reserved)
        return 0;
    return smaller(worker->limit - worker->in_flight, reach->grant - reach->in_flight);
}

static int64_t run_room(const Engine *engine)
{
    return engine->spec.concurrency == 0 ? INT64_MAX : engine->spec.concurrency - engine->in_flight;
}

typedef struct Choice {
    Worker *worker; /* with most free slots among those with room; NULL when nobody has room */
    int64_t room;   /* of all of them */
    int64_t count;
} Choice;

static Choice choose_worker(const Engine *engine, size_t d)
{
    Choice choice = {0};
    for (size_t w = 0; w < engine->live_count; w++) {
        Worker *worker = engine->live[w];
        int64_t room = worker_room(engine, worker, d);
        if (room < 1)
            continue;
        choice.room += room;
        choice.count++;
        if (choice.worker == NULL ||
            worker->limit - worker->in_flight > choice.worker->limit - choice.worker->in_flight)
            choice.worker = worker;
    }
    return choice;
}

/* How many tenants the chosen worker gets, so that all workers end up with equal room. */
static int64_t fair_share(const Engine *engine, const Choice *choice, size_t d, size_t ready)
{
    const Database *database = &engine->databases[d];
    int64_t wanted =
        smaller(smaller((int64_t)ready, run_room(engine)), database->budget - database->in_flight);
    int64_t room = worker_room(engine, choice->worker, d);
    int64_t level = wanted < choice->room ? (choice->room - wanted) / choice->count : 0;
    int64_t share = room > level ? room - level : 1;
    return smaller(share, smaller(wanted, engine->spec.tenants_per_job));
}

static void add_lease(Engine *engine, EngineAction *action, uint32_t tenant, Worker *worker, uint32_t job)
{
    tenant_lease(engine, tenant, worker, job);
    engine->leases[action->lease_count++] = (EngineLease){
        .tenant = tenant,
        .attempt = engine->rows[tenant].attempt,
        .recovering = engine->rows[tenant].recovering,
    };
}

/* Fills one job from `first` on with at most `most` tenants of one database. */
static void dispatch(Engine *engine, uint32_t first, int64_t most, Worker *worker, EngineAction *ret_action)
{
    uint32_t d = engine->rows[first].database;
    EngineAction action = {.kind = ENGINE_DISPATCH,
                           .worker = worker->id,
                           .job = ++engine->last_job,
                           .leases = engine->leases,
                           .database = d,
                           .grant = worker->reaches[d].grant};
    uint32_t job = ENGINE_NONE;
    if (engine->spec.set_jobs) {
        job = job_take(engine);
        capacity_take(engine, worker, d);
    }
    uint32_t tenant = first;
    do
        add_lease(engine, &action, tenant, worker, job);
    while (--most > 0 && (tenant = take_ready(engine, &engine->databases[d])) != ENGINE_NONE);
    *ret_action = action;
}

/* The first suspect of the database; others in front of it that are terminal by now are dropped. */
static uint32_t peek_suspect(Engine *engine, Database *database)
{
    while (database->solo.head != ENGINE_NONE && engine->rows[database->solo.head].state != TENANT_PENDING)
        queue_pop(engine, &database->solo);
    return database->solo.head;
}

/* Reserves the least busy worker for the first suspect found: it gets nothing else until it is idle, else a
 * suspect would starve beside a steady flow of work. One reservation at a time. */
static void reserve_for_suspect(Engine *engine)
{
    for (size_t d = 0; d < engine->spec.database_count; d++) {
        if (peek_suspect(engine, &engine->databases[d]) == ENGINE_NONE)
            continue;
        for (size_t w = 0; w < engine->live_count; w++) {
            Worker *worker = engine->live[w];
            if (worker->alone || worker->reaches[d].grant < 1)
                continue;
            if (engine->reserved == NULL || worker->in_flight < engine->reserved->in_flight)
                engine->reserved = worker;
        }
        engine->suspect_of = (uint32_t)d;
        if (engine->reserved != NULL)
            return;
    }
}

static bool next_suspect(Engine *engine, EngineAction *ret_action)
{
    if (engine->reserved != NULL &&
        (engine->reserved->reaches[engine->suspect_of].grant < 1 ||
         peek_suspect(engine, &engine->databases[engine->suspect_of]) == ENGINE_NONE))
        engine->reserved = NULL;
    if (engine->reserved == NULL)
        reserve_for_suspect(engine);
    if (engine->reserved == NULL || engine->reserved->in_flight > 0)
        return false;
    Database *database = &engine->databases[engine->suspect_of];
    if (database->in_flight >= database->budget)
        return false;
    Worker *worker = engine->reserved;
    engine->reserved = NULL;
    worker->alone = true;
    dispatch(engine, queue_pop(engine, &database->solo), 1, worker, ret_action);
    return true;
}

/* One job for this database, if anybody can take it. */
static bool serve_database(Engine *engine, size_t d, EngineAction *ret_action)
{
    Database *database = &engine->databases[d];
    size_t ready = count_ready(engine, database);
    if (ready == 0 || database->in_flight >= database->budget)
        return false;
    Choice choice = choose_worker(engine, d);
    if (choice.worker == NULL)
        return false;
    int64_t most = engine->spec.tenants_per_job;
    if (!engine->spec.set_jobs)
        most = fair_share(engine, &choice, d, ready);
    uint32_t first = take_ready(engine, database);
    if (first == ENGINE_NONE)
        return false;
    dispatch(engine, first, most, choice.worker, ret_action);
    return true;
}

static bool next_dispatch(Engine *engine, int64_t now_ms, EngineAction *ret_action)
{
    if (engine->abort != ENGINE_NOT_ABORTED)
        return false;
    wake_retries(engine, now_ms);
    open_batch(engine);
    if (run_room(engine) < 1)
        return false;
    if (next_suspect(engine, ret_action))
        return true;
    size_t count = engine->spec.database_count;
    for (size_t i = 0; i < count; i++) {
        size_t d = (engine->serve_next + i) % count;
        if (!serve_database(engine, d, ret_action))
            continue;
        engine->serve_next = d + 1;
        return true;
    }
    return false;
}

bool engine_next(Engine *engine, int64_t now_ms, EngineAction *ret_action)
{
    if (engine->completed)
        return false;
    return next_failure(engine, ret_action) || next_abort(engine, ret_action) ||
           next_complete(engine, ret_action) || next_dispatch(engine, now_ms, ret_action);
}

int64_t engine_wakeup_ms(const Engine *engine)
{
    bool waiting = engine->abort == ENGINE_NOT_ABORTED && !engine->completed && engine->retries.count > 0;
    return waiting ? engine->retries.items[0].due_ms : INT64_MAX;
}
