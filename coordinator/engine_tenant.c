/* One tenant's way: leased, lost, tried again, settled; and the abort, which settles all that nobody holds.
 */
#include "coordinator/engine_internal.h"

#define RETRY_FIRST_MS 250
#define RETRY_MOST_MS 5000

uint32_t job_take(Engine *engine)
{
    uint32_t job = engine->free_job;
    engine->free_job = engine->jobs[job].next_free;
    engine->jobs[job].leases = 0;
    return job;
}

static void job_give_back(Engine *engine, uint32_t job)
{
    engine->jobs[job].next_free = engine->free_job;
    engine->free_job = job;
}

void capacity_take(Engine *engine, Worker *worker, uint32_t database)
{
    engine->in_flight++;
    engine->databases[database].in_flight++;
    worker->in_flight++;
    worker->reaches[database].in_flight++;
}

static void capacity_give_back(Engine *engine, Worker *worker, uint32_t database)
{
    engine->in_flight--;
    engine->databases[database].in_flight--;
    worker->in_flight--;
    worker->reaches[database].in_flight--;
}

void tenant_lease(Engine *engine, uint32_t tenant, Worker *worker, uint32_t job)
{
    TenantRow *row = &engine->rows[tenant];
    if (!MUTANT(MUTANT_SAME_ATTEMPT) || row->attempt == 0)
        row->attempt++;
    row->leased = true;
    engine->leased++;
    row->worker = worker->id;
    row->job = job;
    row->previous = ENGINE_NONE;
    row->next = worker->leases;
    if (worker->leases != ENGINE_NONE)
        engine->rows[worker->leases].previous = tenant;
    worker->leases = tenant;
    if (job != ENGINE_NONE)
        engine->jobs[job].leases++;
    else
        capacity_take(engine, worker, row->database);
}

void tenant_lease_end(Engine *engine, uint32_t tenant, Worker *worker)
{
    TenantRow *row = &engine->rows[tenant];
    if (row->next != ENGINE_NONE)
        engine->rows[row->next].previous = row->previous;
    if (row->previous != ENGINE_NONE)
        engine->rows[row->previous].next = row->next;
    else
        worker->leases = row->next;
    row->leased = false;
    engine->leased--;
    row->started = false;
    if (row->job != ENGINE_NONE) {
        if (--engine->jobs[row->job].leases > 0)
            return;
        job_give_back(engine, row->job);
    }
    capacity_give_back(engine, worker, row->database);
    worker->alone = false; /* whoever is alone holds a single lease */
}

/* What to say of a tenant that ends without the verdict of an attempt. Once an attempt began and was never
 * heard of again, nobody knows what it committed. */
static Outcome outcome_without_verdict(const TenantRow *row)
{
    if (row->recovering)
        return OUTCOME_UNKNOWN;
    return row->busy_tries > 0 ? OUTCOME_BUSY : OUTCOME_NOT_STARTED;
}

void tenant_lease_lost(Engine *engine, uint32_t tenant, bool started)
{
    TenantRow *row = &engine->rows[tenant];
    row->recovering = true; /* even unstarted: a worker may die after it began and before it could say so */
    row->deaths += started;
    if (engine->abort != ENGINE_NOT_ABORTED)
        tenant_settle(engine, tenant, outcome_without_verdict(row), 0);
    else if (row->deaths >= ENGINE_CONVICT_DEATHS)
        tenant_settle(engine, tenant, OUTCOME_QUARANTINED, 0);
    else
        tenant_make_ready(engine, tenant);
}

/* To the front: those who were already tried come before those who were not, and a lost worker's leases,
 * newest first, end up in their old order. */
void tenant_make_ready(Engine *engine, uint32_t tenant)
{
    const TenantRow *row = &engine->rows[tenant];
    Database *database = &engine->databases[row->database];
    queue_push_front(engine, row->deaths >= ENGINE_SUSPECT_DEATHS ? &database->solo : &database->ready,
                     tenant);
}

/* splitmix64 */
static uint64_t random_next(Engine *engine)
{
    uint64_t z = engine->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Half fixed, half random, so that tenants that were refused together do not come back together. */
static int64_t retry_delay_ms(Engine *engine, unsigned tries)
{
    int64_t most = RETRY_FIRST_MS;
    for (unsigned i = 1; i < tries && most < RETRY_MOST_MS; i++)
        most *= 2;
    if (most > RETRY_MOST_MS)
        most = RETRY_MOST_MS;
    return most / 2 + (int64_t)(random_next(engine) % (uint64_t)(most / 2 + 1));
}

void tenant_try_again(Engine *engine, uint32_t tenant, Outcome outcome, bool draining, int64_t now_ms)
{
    TenantRow *row = &engine->rows[tenant];
    int64_t patience_ms = INT64_MAX;
    if (outcome == OUTCOME_BUSY) {
        if (row->busy_tries == 0)
            row->busy_since_ms = now_ms;
        row->busy_tries += row->busy_tries < UINT8_MAX;
        patience_ms = engine->spec.lock_wait_ms - (now_ms - row->busy_since_ms);
    }
    if (engine->abort != ENGINE_NOT_ABORTED || patience_ms <= 0) {
        tenant_settle(engine, tenant, outcome_without_verdict(row), 0);
        return;
    }
    if (draining && outcome == OUTCOME_NOT_STARTED) {
        tenant_make_ready(engine, tenant);
        return;
    }
    /* A worker that refuses without draining must not be offered the same tenant in a tight loop. */
    int64_t delay_ms = retry_delay_ms(engine, outcome == OUTCOME_BUSY ? row->busy_tries : 1);
    retry_push(&engine->retries, now_ms + (delay_ms < patience_ms ? delay_ms : patience_ms), tenant);
}

bool tenant_await_predecessor(Engine *engine, uint32_t tenant)
{
    TenantRow *row = &engine->rows[tenant];
    if (row->predecessor == ENGINE_NONE || engine->rows[row->predecessor].state != TENANT_PENDING)
        return false;
    row->next = engine->rows[row->predecessor].waiters;
    engine->rows[row->predecessor].waiters = tenant;
    return true;
}

static void release_waiters(Engine *engine, TenantRow *row)
{
    while (row->waiters != ENGINE_NONE) {
        uint32_t waiter = row->waiters;
        row->waiters = engine->rows[waiter].next;
        tenant_make_ready(engine, waiter);
    }
}

/* Once per tenant, because a tenant becomes failed at most once. */
static void announce_failure(Engine *engine, uint32_t tenant)
{
    TenantRow *row = &engine->rows[tenant];
    row->failed_next = ENGINE_NONE;
    if (engine->failures.tail == ENGINE_NONE)
        engine->failures.head = tenant;
    else
        engine->rows[engine->failures.tail].failed_next = tenant;
    engine->failures.tail = tenant;
    engine->failures.count++;
}

/* The run's own reasons to stop. `counts` and `equal_count` follow changes of state, so a failure that is
 * reported twice counts once. */
static void check_limits(Engine *engine, TenantState state, uint64_t failure_key)
{
    const EngineSpec *spec = &engine->spec;
    if (state == TENANT_SUCCEEDED)
        engine->unequal = true;
    if (state != TENANT_FAILED)
        return;
    if (failure_key == 0 || (engine->equal_count > 0 && failure_key != engine->equal_key))
        engine->unequal = true;
    engine->equal_key = failure_key;
    engine->equal_count++;
    if (spec->max_failures >= 0 && engine->counts[TENANT_FAILED] > (size_t)spec->max_failures)
        engine_abort(engine, ENGINE_ABORTED_MAX_FAILURES);
    else if (!engine->unequal && engine->equal_count == spec->equal_failures)
        engine_abort(engine, ENGINE_ABORTED_EQUAL_FAILURES);
}

void tenant_settle(Engine *engine, uint32_t tenant, Outcome outcome, uint64_t failure_key)
{
    TenantRow *row = &engine->rows[tenant];
    TenantState held = MUTANT(MUTANT_COUNT_DUPLICATES) ? TENANT_PENDING : row->state;
    TenantState merged = tenant_state_merge(held, outcome_state(outcome));
    if (merged == held)
        return;
    engine->counts[held]--;
    engine->counts[merged]++;
    row->state = (uint8_t)merged;
    row->outcome = (uint8_t)outcome;
    if (held == TENANT_PENDING) {
        engine->databases[row->database].pending--;
        engine->batch_open -= row->admitted;
        release_waiters(engine, row);
    }
    if (merged == TENANT_FAILED)
        announce_failure(engine, tenant);
    check_limits(engine, merged, failure_key);
}

void engine_abort(Engine *engine, EngineAbort reason)
{
    if (engine->abort != ENGINE_NOT_ABORTED)
        return;
    engine->abort = reason;
    engine->tell_abort = true;
    for (uint32_t tenant = 0; tenant < engine->spec.tenant_count; tenant++) {
        const TenantRow *row = &engine->rows[tenant];
        if (row->state == TENANT_PENDING && !row->leased)
            tenant_settle(engine, tenant, outcome_without_verdict(row), 0);
    }
}
