/* Engine: decides which tenant runs where and when, and what a run adds up to. Pure: (state, event, now) ->
 * actions.
 *
 * No socket, no clock, no database, no log, no randomness but its seed, so that the same code serves the CLI,
 * the library and the simulator. The host feeds events with engine_apply() and pulls actions with
 * engine_next() until it returns false. Actions are decided when pulled, failures first: an abort that the
 * host applies in answer to ENGINE_TENANT_FAILED is honoured before anything else is dispatched.
 *
 * A lease is (tenant, attempt) held by one worker. Reassigning always raises the attempt, so a late result of
 * an old attempt is recognised: it can still turn a tenant into succeeded (states merge upwards), it never
 * counts twice. A failure of an older attempt does not end a tenant that is being tried again.
 *
 * A tenant that ends without an attempt's verdict (abort, lost worker, lock wait over) is UNKNOWN once any
 * attempt was lost with its worker, else BUSY if it was ever refused, else NOT_STARTED. UNKNOWN
 * yields only to the newest attempt's word or to a success. A tenant that took part in two worker deaths runs
 * alone on a worker; a third convicts it.
 *
 * Only a worker's live lease fills its slots and the database's budget; a tenant that a late result made
 * terminal keeps that capacity, but not its batch and not the run, until its last lease ends.
 *
 * Totals are computed from the tenant table, never incremented. Not thread-safe. 56 bytes a tenant; an event
 * costs the same however many tenants there are, an action at most workers times databases, an abort and
 * engine_totals() look at every tenant.
 */
#pragma once
#include "common/error.h"
#include "common/outcome.h"
#include <stddef.h>
#include <stdint.h>

#define ENGINE_NONE UINT32_MAX
#define ENGINE_MAX_SLOTS 4096 /* of one worker; it comes from a peer and sizes tables */

enum { ENGINE_TENANT_BYTES = 56 };

typedef struct Engine Engine;

typedef enum EngineSchedule {
    ENGINE_BATCH,   /* batches of `concurrency`, the next only when the current one is complete */
    ENGINE_ROLLING, /* `concurrency` in flight, no barrier */
} EngineSchedule;

typedef struct EngineTenant {
    uint32_t database; /* index into the budgets */
    /* The same tenant listed before, in the same database: terminal before this one starts; or ENGINE_NONE.
     */
    uint32_t predecessor;
} EngineTenant;

typedef struct EngineSpec {
    const EngineTenant *tenants; /* copied */
    size_t tenant_count;
    const int64_t *budgets; /* most connections per database, all workers together, from 1; copied */
    size_t database_count;
    /* Most tenants (set jobs: jobs) in flight. 0 = the sum of all workers' slots: a batch is then as large as
     * the slots and budgets of the moment it opens, and a rolling run gives every worker up to twice its
     * slots, so that none idles between messages. */
    int64_t concurrency;
    EngineSchedule schedule;
    int64_t tenants_per_job; /* 1 for most writes; a set job occupies one slot whatever it carries */
    bool set_jobs;           /* one slot and one connection per job instead of per tenant */
    int64_t lock_wait_ms;    /* how long a busy tenant is tried again */
    int64_t max_failures;    /* abort once more than this many tenants failed; -1 = no limit */
    int64_t equal_failures;  /* abort when the first N finished tenants all failed with one key; 0 = off */
    uint64_t seed;
} EngineSpec;

typedef enum EngineEventKind {
    ENGINE_WORKER_JOINED,   /* worker, slots, databases */
    ENGINE_WORKER_LOST,     /* worker: dead or gone; its leases go to others as attempt + 1 */
    ENGINE_WORKER_DRAINING, /* worker: finishes what it has, gets nothing new */
    ENGINE_STARTED,         /* worker, tenant, attempt */
    ENGINE_FINISHED,        /* worker, tenant, attempt, outcome, failure_key */
    ENGINE_ABORT,           /* nothing new starts; in flight finishes; the rest is skipped */
    ENGINE_CANCEL,          /* as abort, and statements in flight are cancelled */
} EngineEventKind;

typedef struct EngineEvent {
    EngineEventKind kind;
    uint32_t worker; /* chosen by the host, never reused */
    uint32_t tenant;
    uint32_t attempt;
    Outcome outcome;
    uint64_t failure_key;  /* same number = same SQLSTATE on the same migration; 0 = not comparable */
    int64_t slots;         /* joined */
    const bool *databases; /* joined: one flag per database that this worker reaches; copied */
} EngineEvent;

typedef enum EngineActionKind {
    ENGINE_DISPATCH,      /* worker, job, leases, database, grant */
    ENGINE_TENANT_FAILED, /* tenant: once per failed tenant, before the next batch */
    ENGINE_ABORT_WORKERS, /* tell every worker; `cancel` says which kind; once per kind */
    ENGINE_COMPLETE,      /* every tenant is terminal; once, the last action */
} EngineActionKind;

typedef struct EngineLease {
    uint32_t tenant;
    uint32_t attempt;
    bool recovering; /* an earlier attempt was lost with its worker */
} EngineLease;

typedef struct EngineAction {
    EngineActionKind kind;
    uint32_t worker;
    uint64_t job;
    const EngineLease *leases; /* valid until the next engine call */
    size_t lease_count;
    uint32_t database;
    int64_t grant; /* connections that this worker may hold to this database now */
    uint32_t tenant;
    bool cancel;
} EngineAction;

typedef enum EngineAbort {
    ENGINE_NOT_ABORTED,
    ENGINE_ABORTED_BY_HOST,
    ENGINE_ABORTED_MAX_FAILURES,
    ENGINE_ABORTED_EQUAL_FAILURES
} EngineAbort;

typedef struct EngineTotals {
    size_t total, succeeded, failed, skipped, pending, in_flight;
} EngineTotals;

Engine *engine_new(const EngineSpec *spec, Error *error) MUST_CHECK;
void engine_free(Engine *engine);
bool engine_apply(Engine *engine, const EngineEvent *event, int64_t now_ms, Error *error) MUST_CHECK;
bool engine_next(Engine *engine, int64_t now_ms, EngineAction *ret_action);

/* When engine_next() may have something new without an event (a busy tenant's next try); INT64_MAX = never.
 */
int64_t engine_wakeup_ms(const Engine *engine);

/* The same numbers as they are counted while a run goes on, for displays: costs nothing, however many tenants
 * there are. */
EngineTotals engine_progress(const Engine *engine);

/* From the tenant table, always: total == succeeded + failed + skipped + pending. */
EngineTotals engine_totals(const Engine *engine);
TenantState engine_tenant_state(const Engine *engine, uint32_t tenant);
Outcome engine_tenant_outcome(const Engine *engine, uint32_t tenant);
uint32_t engine_tenant_attempts(const Engine *engine, uint32_t tenant);
EngineAbort engine_abort_reason(const Engine *engine);

/* Pending tenants of databases that no live worker reaches and none is working on. */
size_t engine_unreachable(const Engine *engine);
