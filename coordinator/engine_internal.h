/* Engine, inside: the tenant table, queues, workers and what the engine's files call in each other.
 *
 * A pending tenant is in exactly one place: leased to a worker, in one queue, in the retry heap, or in the
 * list of those that wait for a predecessor. A tenant that becomes terminal while it is queued stays there
 * and is dropped when popped: terminal tenants never become pending again, so no entry can mean two things.
 */
#pragma once
#include "coordinator/engine.h"
/* Out of memory in the hash shows as an element that was not added, see engine_worker.c. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define ENGINE_SUSPECT_DEATHS 2 /* from here on a tenant runs alone */
#define ENGINE_CONVICT_DEATHS 3

/* Defects that the simulator must find. A product build has PGCONVOY_MUTANT 0 and compiles them away. */
#ifndef PGCONVOY_MUTANT
#define PGCONVOY_MUTANT 0
#endif
enum { MUTANT_SAME_ATTEMPT = 1, MUTANT_COUNT_DUPLICATES, MUTANT_EARLY_BARRIER };
#define MUTANT(defect) (PGCONVOY_MUTANT == (defect))

typedef struct TenantRow {
    int64_t busy_since_ms;
    uint32_t database;
    uint32_t predecessor;
    uint32_t next;        /* in its queue, its worker's leases or its predecessor's waiters */
    uint32_t previous;    /* in its worker's leases */
    uint32_t waiters;     /* first tenant whose predecessor this is, linked by next */
    uint32_t failed_next; /* in the queue of failures to announce */
    uint32_t worker;      /* who got the newest attempt */
    uint32_t job;         /* of the lease, when jobs count instead of tenants */
    uint32_t attempt;     /* newest dispatched, 0 = never */
    uint8_t state;        /* TenantState */
    uint8_t outcome;      /* Outcome */
    uint8_t deaths;       /* worker losses while started */
    uint8_t busy_tries;
    bool leased : 1;     /* the newest attempt holds capacity of a live worker */
    bool started : 1;    /* ... and has begun */
    bool recovering : 1; /* an attempt that nobody awaits any more may have begun */
    bool admitted : 1;   /* part of the current batch or an earlier one */
} TenantRow;

_Static_assert(sizeof(TenantRow) == ENGINE_TENANT_BYTES, "a million tenants must stay cheap");

typedef struct Queue {
    uint32_t head, tail;
    size_t count;
} Queue;

typedef struct Retry {
    int64_t due_ms;
    uint32_t tenant;
} Retry;

typedef struct RetryHeap {
    Retry *items;
    size_t count, capacity;
} RetryHeap;

typedef struct Database {
    int64_t budget;
    int64_t in_flight;
    size_t pending;
    size_t workers; /* live ones that reach it and take new work */
    Queue backlog;  /* not admitted yet, in list order */
    Queue ready;
    Queue solo; /* suspects: ready, but only for a worker that runs nothing else */
} Database;

typedef struct Reach {
    int64_t grant;
    int64_t in_flight;
    bool reached;
} Reach;

typedef struct Worker {
    UT_hash_handle hh;
    uint32_t id;
    uint32_t leases; /* newest first */
    int64_t slots;
    int64_t limit; /* slots, or more when it may prefetch */
    bool paced;    /* it may prefetch what it ends in PACE_MS */
    int64_t pace_since_ms, pace_ended;
    int64_t in_flight;
    bool lost;
    bool draining;
    bool alone;     /* runs a suspect */
    Reach *reaches; /* per database; NULL once lost */
} Worker;

/* A set job: one slot and one connection until its last lease ends. */
typedef struct Job {
    uint32_t leases; /* 0 = free */
    uint32_t next_free;
} Job;

struct Engine {
    EngineSpec spec; /* tenants and budgets are NULL: they live in rows and databases */
    TenantRow *rows;
    Database *databases;
    EngineLease *leases; /* of the last dispatch */
    Worker *workers;     /* every one ever joined, by id */
    Worker **live;       /* in order of joining */
    size_t live_count, live_capacity;
    Job *jobs;
    size_t job_capacity;
    uint32_t free_job;
    RetryHeap retries;
    Queue failures; /* linked by failed_next */
    size_t counts[TENANT_SUCCEEDED + 1];
    size_t batch_open;   /* admitted and not terminal */
    size_t admit_next;   /* database that gives the next tenant to a batch */
    size_t serve_next;   /* database that is served next */
    int64_t in_flight;   /* tenants, or set jobs */
    size_t leased;       /* tenants, also of set jobs */
    Worker *reserved;    /* falls idle for a suspect ... */
    uint32_t suspect_of; /* ... of this database */
    uint64_t last_job;
    uint64_t random;
    uint64_t equal_key;
    int64_t equal_count;
    bool unequal; /* some finished tenant succeeded, or failed differently */
    EngineAbort abort;
    bool cancelled;
    bool tell_abort, tell_cancel;
    bool completed;
};

/* engine_queue.c */
void queue_init(Queue *queue);
void queue_push(Engine *engine, Queue *queue, uint32_t tenant);
void queue_push_front(Engine *engine, Queue *queue, uint32_t tenant);
uint32_t queue_pop(Engine *engine, Queue *queue); /* ENGINE_NONE when empty */
bool retry_reserve(RetryHeap *heap);              /* room for one more; false when memory ran out */
void retry_push(RetryHeap *heap, int64_t due_ms, uint32_t tenant);
uint32_t retry_pop_due(RetryHeap *heap, int64_t now_ms); /* ENGINE_NONE when nothing is due */

/* engine_worker.c */
Worker *worker_find(const Engine *engine, uint32_t id); /* also a lost one; NULL when never joined */
bool worker_join(Engine *engine, const EngineEvent *event, Error *error) MUST_CHECK;
void worker_lose(Engine *engine, Worker *worker); /* its leases must have ended */
/* A tenant of this worker's has ended: what it may hold in front of its slots follows how fast it is. */
void worker_pace(Worker *worker, int64_t now_ms);
void worker_retire(Engine *engine, Worker *worker);
void workers_free(Engine *engine);

/* engine_tenant.c */
void tenant_lease(Engine *engine, uint32_t tenant, Worker *worker, uint32_t job);
void tenant_lease_end(Engine *engine, uint32_t tenant, Worker *worker);
void tenant_lease_lost(Engine *engine, uint32_t tenant, bool started);
uint32_t job_take(Engine *engine);
void capacity_take(Engine *engine, Worker *worker, uint32_t database);

/* Merges an outcome into the tenant's state; what was already known counts nothing. */
void tenant_settle(Engine *engine, uint32_t tenant, Outcome outcome, uint64_t failure_key);

/* After an attempt without a verdict: again later, or for good when the run or its patience ends. Wants room
 * in the retry heap. */
void tenant_try_again(Engine *engine, uint32_t tenant, Outcome outcome, bool draining, int64_t now_ms);
void tenant_make_ready(Engine *engine, uint32_t tenant);

/* Puts the tenant on its predecessor's list of waiters; false when nothing holds it back. */
bool tenant_await_predecessor(Engine *engine, uint32_t tenant);
void engine_abort(Engine *engine, EngineAbort reason);
