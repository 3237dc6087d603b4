#include "coordinator/engine_internal.h"
#include <stdlib.h>
#include <string.h>

Worker *worker_find(const Engine *engine, uint32_t id)
{
    Worker *worker = NULL;
    HASH_FIND(hh, engine->workers, &id, sizeof(id), worker);
    return worker;
}

/* Divides every budget among the workers that reach the database and take new work, the remainder to those
 * that joined first. A worker above its new grant gets nothing until it fell below. */
static void share_budgets(Engine *engine)
{
    for (size_t d = 0; d < engine->spec.database_count; d++) {
        Database *database = &engine->databases[d];
        database->workers = 0;
        for (size_t w = 0; w < engine->live_count; w++)
            database->workers += engine->live[w]->reaches[d].reached && !engine->live[w]->draining;
        int64_t sharers = (int64_t)database->workers, rank = 0;
        for (size_t w = 0; w < engine->live_count; w++) {
            Reach *reach = &engine->live[w]->reaches[d];
            reach->grant = 0;
            if (reach->reached && !engine->live[w]->draining)
                reach->grant = database->budget / sharers + (rank++ < database->budget % sharers);
        }
    }
}

static bool live_reserve(Engine *engine)
{
    if (engine->live_count < engine->live_capacity)
        return true;
    size_t capacity = engine->live_capacity < 8 ? 8 : engine->live_capacity * 2;
    Worker **live = reallocarray(engine->live, capacity, sizeof(*live));
    if (live == NULL)
        return false;
    engine->live = live;
    engine->live_capacity = capacity;
    return true;
}

/* Makes enough set jobs that the live workers and one more with this limit can never want another. */
static bool jobs_reserve(Engine *engine, int64_t limit)
{
    if (!engine->spec.set_jobs)
        return true;
    size_t needed = (size_t)limit;
    for (size_t w = 0; w < engine->live_count; w++)
        needed += (size_t)engine->live[w]->limit;
    if (needed <= engine->job_capacity)
        return true;
    Job *jobs = reallocarray(engine->jobs, needed, sizeof(*jobs));
    if (jobs == NULL)
        return false;
    for (size_t j = engine->job_capacity; j < needed; j++) {
        jobs[j] = (Job){.next_free = engine->free_job};
        engine->free_job = (uint32_t)j;
    }
    engine->jobs = jobs;
    engine->job_capacity = needed;
    return true;
}

/* However fast a worker is, no more of a run than this waits at one place. */
enum { PACE_MS = 20, MOST_AHEAD = 64 };

void worker_pace(Worker *worker, int64_t now_ms)
{
    int64_t span_ms = now_ms - worker->pace_since_ms;
    worker->pace_ended++;
    if (!worker->paced || span_ms < PACE_MS)
        return;
    int64_t ahead = worker->pace_ended * PACE_MS / span_ms;
    if (ahead > MOST_AHEAD)
        ahead = MOST_AHEAD;
    worker->limit = worker->slots + (ahead > worker->slots ? ahead : worker->slots);
    worker->pace_since_ms = now_ms;
    worker->pace_ended = 0;
}

static void worker_free(Worker *worker)
{
    if (worker != NULL)
        free(worker->reaches);
    free(worker);
}

static Worker *worker_new(const Engine *engine, const EngineEvent *event)
{
    bool prefetch = engine->spec.schedule == ENGINE_ROLLING && engine->spec.concurrency == 0;
    Worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->id = event->worker;
    worker->leases = ENGINE_NONE;
    worker->slots = event->slots;
    worker->limit = prefetch ? 2 * event->slots : event->slots;
    worker->paced = prefetch && !engine->spec.set_jobs;
    worker->reaches = calloc(engine->spec.database_count + 1, sizeof(*worker->reaches));
    if (worker->reaches == NULL) {
        worker_free(worker);
        return NULL;
    }
    for (size_t d = 0; d < engine->spec.database_count; d++)
        worker->reaches[d].reached = event->databases[d];
    return worker;
}

bool worker_join(Engine *engine, const EngineEvent *event, Error *error)
{
    if (worker_find(engine, event->worker) != NULL)
        return error_set(error, ERROR_PROTOCOL, "worker %u joined twice", event->worker);
    if (event->slots < 1 || event->slots > ENGINE_MAX_SLOTS)
        return error_set(error, ERROR_PROTOCOL, "worker %u offers %lld slots, not 1 to %d", event->worker,
                         (long long)event->slots, ENGINE_MAX_SLOTS);
    if (event->databases == NULL && engine->spec.database_count > 0)
        return error_set(error, ERROR_PROTOCOL, "worker %u does not say which databases it reaches",
                         event->worker);
    Worker *worker = worker_new(engine, event);
    if (worker == NULL || !live_reserve(engine) || !jobs_reserve(engine, worker->limit)) {
        worker_free(worker);
        return error_memory(error);
    }
    HASH_ADD(hh, engine->workers, id, sizeof(worker->id), worker);
    if (worker_find(engine, event->worker) == NULL) {
        worker_free(worker);
        return error_memory(error);
    }
    engine->live[engine->live_count++] = worker;
    share_budgets(engine);
    return true;
}

void worker_lose(Engine *engine, Worker *worker)
{
    for (size_t w = 0; w < engine->live_count; w++) {
        if (engine->live[w] != worker)
            continue;
        memmove(&engine->live[w], &engine->live[w + 1], (engine->live_count - w - 1) * sizeof(*engine->live));
        engine->live_count--;
        break;
    }
    worker->lost = true;
    free(worker->reaches);
    worker->reaches = NULL;
    if (engine->reserved == worker)
        engine->reserved = NULL;
    share_budgets(engine);
}

void worker_retire(Engine *engine, Worker *worker)
{
    worker->draining = true;
    share_budgets(engine);
}

void workers_free(Engine *engine)
{
    Worker *worker, *following;
    HASH_ITER(hh, engine->workers, worker, following)
    {
        HASH_DEL(engine->workers, worker);
        worker_free(worker);
    }
    free(engine->live);
    free(engine->jobs);
}
