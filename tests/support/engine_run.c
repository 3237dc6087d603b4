#include "tests/support/engine_run.h"
#include "tests/support/test.h"

EngineRun run_of(size_t count)
{
    EngineRun run = {.spec = {.tenant_count = count,
                              .database_count = 1,
                              .concurrency = 4,
                              .tenants_per_job = 1,
                              .lock_wait_ms = 10000,
                              .max_failures = -1,
                              .seed = 7}};
    for (size_t i = 0; i < RUN_TENANTS; i++)
        run.tenants[i] = (EngineTenant){.database = 0, .predecessor = ENGINE_NONE};
    for (size_t d = 0; d < RUN_DATABASES; d++)
        run.budgets[d] = 100;
    return run;
}

void run_start(EngineRun *run)
{
    ERROR_CLEANUP Error error = {0};
    run->spec.tenants = run->tenants;
    run->spec.budgets = run->budgets;
    run->engine = engine_new(&run->spec, &error);
    assert_non_null(run->engine);
}

void run_free(EngineRun *run)
{
    engine_free(run->engine);
}

void run_apply(EngineRun *run, EngineEvent event)
{
    ERROR_CLEANUP Error error = {0};
    if (!engine_apply(run->engine, &event, run->now_ms, &error))
        fail_msg("event refused: %s", error.message);
}

void run_refuse(EngineRun *run, EngineEvent event)
{
    ERROR_CLEANUP Error error = {0};
    EngineTotals before = engine_totals(run->engine);
    assert_false(engine_apply(run->engine, &event, run->now_ms, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    EngineTotals after = engine_totals(run->engine);
    assert_memory_equal(&before, &after, sizeof(before));
}

const bool RUN_ALL[RUN_DATABASES] = {true, true, true, true};

void run_join(EngineRun *run, uint32_t worker, int64_t slots)
{
    run_apply(run, (EngineEvent){
                       .kind = ENGINE_WORKER_JOINED, .worker = worker, .slots = slots, .databases = RUN_ALL});
}

void run_lose(EngineRun *run, uint32_t worker)
{
    run_apply(run, (EngineEvent){.kind = ENGINE_WORKER_LOST, .worker = worker});
}

void run_started(EngineRun *run, uint32_t worker, uint32_t tenant, uint32_t attempt)
{
    run_apply(run,
              (EngineEvent){.kind = ENGINE_STARTED, .worker = worker, .tenant = tenant, .attempt = attempt});
}

EngineEvent finished_event(uint32_t worker, uint32_t tenant, uint32_t attempt, Outcome outcome)
{
    return (EngineEvent){
        .kind = ENGINE_FINISHED, .worker = worker, .tenant = tenant, .attempt = attempt, .outcome = outcome};
}

void run_finished(EngineRun *run, uint32_t worker, uint32_t tenant, uint32_t attempt, Outcome outcome)
{
    run_apply(run, finished_event(worker, tenant, attempt, outcome));
}

/* The next action, which must be of this kind. */
EngineAction run_next(EngineRun *run, EngineActionKind kind)
{
    EngineAction action;
    assert_true(engine_next(run->engine, run->now_ms, &action));
    assert_int_equal(action.kind, kind);
    return action;
}

void run_is_quiet(EngineRun *run)
{
    EngineAction action;
    assert_false(engine_next(run->engine, run->now_ms, &action));
}

/* The next action must give exactly this tenant to this worker. */
void run_gives(EngineRun *run, uint32_t worker, uint32_t tenant, uint32_t attempt)
{
    EngineAction action = run_next(run, ENGINE_DISPATCH);
    assert_int_equal(action.lease_count, 1);
    assert_int_equal(action.leases[0].tenant, tenant);
    assert_int_equal(action.leases[0].attempt, attempt);
    assert_int_equal(action.worker, worker);
}

void run_tenant_is(const EngineRun *run, uint32_t tenant, TenantState state, Outcome outcome)
{
    assert_int_equal(engine_tenant_state(run->engine, tenant), state);
    assert_int_equal(engine_tenant_outcome(run->engine, tenant), outcome);
}
