/* One engine under test, driven by hand: each call is one event that must be taken, or one action that must
 * come next; anything else fails the test. */
#pragma once
#include "coordinator/engine.h"

#define RUN_TENANTS 64
#define RUN_DATABASES 4

typedef struct EngineRun {
    Engine *engine;
    EngineSpec spec;
    EngineTenant tenants[RUN_TENANTS];
    int64_t budgets[RUN_DATABASES];
    int64_t now_ms;
} EngineRun;

extern const bool RUN_ALL[RUN_DATABASES]; /* a worker that reaches every database */

/* A run over `count` tenants of one database with a roomy budget; change its spec before run_start(). */
EngineRun run_of(size_t count);
void run_start(EngineRun *run);
void run_free(EngineRun *run);
#define RUN_CLEANUP __attribute__((cleanup(run_free)))

void run_apply(EngineRun *run, EngineEvent event);
void run_join(EngineRun *run, uint32_t worker, int64_t slots);
void run_lose(EngineRun *run, uint32_t worker);
void run_started(EngineRun *run, uint32_t worker, uint32_t tenant, uint32_t attempt);
void run_finished(EngineRun *run, uint32_t worker, uint32_t tenant, uint32_t attempt, Outcome outcome);
EngineEvent finished_event(uint32_t worker, uint32_t tenant, uint32_t attempt, Outcome outcome);

/* The engine must refuse the event as a breach of the protocol and stay as it was. */
void run_refuse(EngineRun *run, EngineEvent event);

/* The next action, which must be of this kind; a dispatch of this one tenant to this worker; none at all. */
EngineAction run_next(EngineRun *run, EngineActionKind kind);
void run_gives(EngineRun *run, uint32_t worker, uint32_t tenant, uint32_t attempt);
void run_is_quiet(EngineRun *run);
void run_tenant_is(const EngineRun *run, uint32_t tenant, TenantState state, Outcome outcome);
