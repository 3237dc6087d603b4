/* Dispatcher: drives the engine over the wire. Owns the coordinator's links and its view of every worker.
 *
 * One dispatcher serves one run: gather workers, then run phases (discover, parse, status, migrate) one after
 * another over the same workers, then say goodbye. It runs in the calling thread; nothing in it blocks but
 * the poll. All callbacks are made from dispatcher_run() and dispatcher_gather().
 */
#pragma once
#include "common/config.h"
#include "common/migration.h"
#include "common/operation.h"
#include "common/tenant.h"
#include "coordinator/engine.h"
#include "proto/link.h"

typedef struct Dispatcher Dispatcher;

/* What the host wants after an interruption or a glance at the clock. */
typedef enum Request { REQUEST_NONE, REQUEST_ABORT, REQUEST_CANCEL } Request;

typedef struct DispatcherOptions {
    const Config *config; /* wire times; must outlive the dispatcher, like all below */
    WireContext *context;
    const char *const *connect; /* workers that listen */
    size_t connect_count;
    const char *const *listen; /* endpoints to bind */
    size_t listen_count;
    bool plain;
    const Bundle *bundle; /* may be NULL: dispatcher_use_bundle() */
    int64_t min_workers;
    int64_t wait_ms; /* for min_workers to come, and for a worker to come back when all are lost */

    /* Asked at least every 100 ms and whenever interrupt_fd (-1 = none) is readable. */
    Request (*poll_host)(void *host);
    int interrupt_fd;
    /* As often, while a phase runs; display only, may be NULL. */
    void (*on_progress)(void *host, const Engine *engine);
    void *host;
} DispatcherOptions;

typedef struct Phase {
    OperationId operation;
    const Tenant *const *tenants; /* what to run on; a DATABASE operation's have empty id and schema */
    const uint32_t *predecessors; /* same tenant earlier in the list, or ENGINE_NONE; NULL = none has one */
    size_t tenant_count;
    const RunOptions *options;
    int64_t concurrency; /* 0 = the sum of all slots */
    EngineSchedule schedule;
    int64_t tenants_per_job; /* 0 = as many as fit */
    int64_t lock_wait_ms;
    int64_t max_failures;
    int64_t equal_failures;

    /* What an earlier phase has learned of a tenant, for the worker of its first attempt (JobTenant.plan);
     * must stay as it is while the phase runs. NULL = nothing. May be NULL. */
    const char *(*plan_of)(void *host, uint32_t tenant);

    /* A result, of any attempt, possibly more than once: merge it. `record` is the operation's result, the
     * callee may move its content out. Returns the failure key for the engine. */
    uint64_t (*on_result)(void *host, uint32_t tenant, uint32_t attempt, Outcome outcome, void *record);

    /* A tenant failed for good; returning true aborts the run. May be NULL. */
    bool (*on_failed)(void *host, uint32_t tenant);
    void *host;
} Phase;

/* What became of each tenant of a phase, in the phase's order; the caller frees the arrays. */
typedef struct PhaseOutcome {
    EngineTotals totals;
    EngineAbort abort_reason;
    bool aborted, cancelled;
    bool aborted_by_policy; /* on_failed or a failure limit, not the host */
    size_t starts;          /* of attempts, that workers told of */
    TenantState *states;
    Outcome *outcomes;
    uint32_t *attempts;
} PhaseOutcome;

Dispatcher *dispatcher_new(const DispatcherOptions *options, Error *error) MUST_CHECK;

/* Hexadecimal, drawn anew for every dispatcher. */
const char *dispatcher_run_id(const Dispatcher *dispatcher);

/* Waits for min_workers, at most wait_ms; ERROR_NO_WORKERS says how many came. */
bool dispatcher_gather(Dispatcher *dispatcher, Error *error) MUST_CHECK;

/* The databases that the workers announced, each name once, in order of first announcement. */
const TextList *dispatcher_databases(const Dispatcher *dispatcher);
size_t dispatcher_worker_count(const Dispatcher *dispatcher);

/* A serving worker runs something around every tenant, so that those without work are to be sent too. */
bool dispatcher_has_tenant_hooks(const Dispatcher *dispatcher);

/* The endpoint of link number i of `listen`, with the real port. */
const char *dispatcher_endpoint(const Dispatcher *dispatcher, size_t i);

/* The files of the phases that follow; must outlive them. Not while a phase runs. */
void dispatcher_use_bundle(Dispatcher *dispatcher, const Bundle *bundle);

/* Runs one phase to its end. False only when the machinery broke (no workers left, memory): *ret_outcome then
 * still says what is known, with unfinished tenants as skipped or failed. */
bool dispatcher_run(Dispatcher *dispatcher, const Phase *phase, PhaseOutcome *ret_outcome,
                    Error *error) MUST_CHECK;
void phase_outcome_clear(PhaseOutcome *outcome);

/* Says BYE to every worker and closes the links. Accepts NULL. */
void dispatcher_free(Dispatcher *dispatcher);
