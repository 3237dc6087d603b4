#include "coordinator/engine.h"
#include "tests/support/test.h"

#define MAX_TENANTS 64
#define MAX_DATABASES 4

/* One engine with room for the tables that its spec points to. */
typedef struct Run {
    Engine *engine;
    EngineSpec spec;
    EngineTenant tenants[MAX_TENANTS];
    int64_t budgets[MAX_DATABASES];
    int64_t now_ms;
} Run;

/* A run over `count` tenants of one database with a roomy budget; tests change run.spec before run_start().
 */
static Run run_of(size_t count)
{
    Run run = {
        .spec = {.tenant_count = count,
                 .database_count = 1,
                 .concurrency = 4,
                 .tenants_per_job = 1,
                 .lock_wait_ms = 10000,
                 .max_failures = -1,
                 .seed = 7}
    };
    for (size_t i = 0; i < MAX_TENANTS; i++)
        run.tenants[i] = (EngineTenant){.database = 0, .predecessor = ENGINE_NONE};
    for (size_t d = 0; d < MAX_DATABASES; d++)
        run.budgets[d] = 100;
    return run;
}

static void run_start(Run *run)
{
    ERROR_CLEANUP Error error = {0};
    run->spec.tenants = run->tenants;
    run->spec.budgets = run->budgets;
    run->engine = engine_new(&run->spec, &error);
    assert_non_null(run->engine);
}

static void run_free(Run *run)
{
    engine_free(run->engine);
}
#define RUN_CLEANUP __attribute__((cleanup(run_free)))

static void apply(Run *run, EngineEvent event)
{
    ERROR_CLEANUP Error error = {0};
    if (!engine_apply(run->engine, &event, run->now_ms, &error))
        fail_msg("event refused: %s", error.message);
}

static void refuse(Run *run, EngineEvent event)
{
    ERROR_CLEANUP Error error = {0};
    EngineTotals before = engine_totals(run->engine);
    assert_false(engine_apply(run->engine, &event, run->now_ms, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    EngineTotals after = engine_totals(run->engine);
    assert_memory_equal(&before, &after, sizeof(before));
}

static const bool ALL[MAX_DATABASES] = {true, true, true, true};

static void join(Run *run, uint32_t worker, int64_t slots)
{
    apply(run,
          (EngineEvent){.kind = ENGINE_WORKER_JOINED, .worker = worker, .slots = slots, .databases = ALL});
}

static void lose(Run *run, uint32_t worker)
{
    apply(run, (EngineEvent){.kind = ENGINE_WORKER_LOST, .worker = worker});
}

static void start(Run *run, uint32_t worker, uint32_t tenant, uint32_t attempt)
{
    apply(run, (EngineEvent){.kind = ENGINE_STARTED, .worker = worker, .tenant = tenant, .attempt = attempt});
}

static EngineEvent finished(uint32_t worker, uint32_t tenant, uint32_t attempt, Outcome outcome)
{
    return (EngineEvent){
        .kind = ENGINE_FINISHED, .worker = worker, .tenant = tenant, .attempt = attempt, .outcome = outcome};
}

static void finish(Run *run, uint32_t worker, uint32_t tenant, uint32_t attempt, Outcome outcome)
{
    apply(run, finished(worker, tenant, attempt, outcome));
}

/* The next action, which must be of this kind. */
static EngineAction next(Run *run, EngineActionKind kind)
{
    EngineAction action;
    assert_true(engine_next(run->engine, run->now_ms, &action));
    assert_int_equal(action.kind, kind);
    return action;
}

static void nothing(Run *run)
{
    EngineAction action;
    assert_false(engine_next(run->engine, run->now_ms, &action));
}

/* The next action must give exactly this tenant to this worker. */
static void gives(Run *run, uint32_t worker, uint32_t tenant, uint32_t attempt)
{
    EngineAction action = next(run, ENGINE_DISPATCH);
    assert_int_equal(action.lease_count, 1);
    assert_int_equal(action.leases[0].tenant, tenant);
    assert_int_equal(action.leases[0].attempt, attempt);
    assert_int_equal(action.worker, worker);
}

static void is(Run *run, uint32_t tenant, TenantState state, Outcome outcome)
{
    assert_int_equal(engine_tenant_state(run->engine, tenant), state);
    assert_int_equal(engine_tenant_outcome(run->engine, tenant), outcome);
}

static void empty_run_is_complete(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(0);
    run_start(&run);
    next(&run, ENGINE_COMPLETE);
    nothing(&run);
}

static void batch_waits_for_its_last_tenant(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(5);
    run.spec.concurrency = 2;
    run_start(&run);
    nothing(&run);
    join(&run, 1, 10);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 1, 1);
    nothing(&run);
    finish(&run, 1, 1, 1, OUTCOME_APPLIED);
    nothing(&run);
    finish(&run, 1, 0, 1, OUTCOME_ALREADY);
    gives(&run, 1, 2, 1);
    gives(&run, 1, 3, 1);
    nothing(&run);
    finish(&run, 1, 2, 1, OUTCOME_APPLIED);
    finish(&run, 1, 3, 1, OUTCOME_APPLIED);
    gives(&run, 1, 4, 1);
    finish(&run, 1, 4, 1, OUTCOME_APPLIED);
    next(&run, ENGINE_COMPLETE);
    nothing(&run);
}

static void rolling_refills_at_once(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(3);
    run.spec.concurrency = 2;
    run.spec.schedule = ENGINE_ROLLING;
    run_start(&run);
    join(&run, 1, 10);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 1, 1);
    nothing(&run);
    finish(&run, 1, 1, 1, OUTCOME_APPLIED);
    gives(&run, 1, 2, 1);
    nothing(&run);
}

static void lost_lease_comes_back_with_a_new_attempt(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(1);
    run_start(&run);
    join(&run, 1, 1);
    gives(&run, 1, 0, 1);
    start(&run, 1, 0, 1);
    lose(&run, 1);
    nothing(&run);
    join(&run, 2, 1);
    EngineAction action = next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.leases[0].attempt, 2);
    assert_true(action.leases[0].recovering);
}

static void lost_lease_is_recovering_even_if_its_start_was_not_heard_of(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(1);
    run_start(&run);
    join(&run, 1, 1);
    gives(&run, 1, 0, 1);
    lose(&run, 1);
    join(&run, 2, 1);
    EngineAction action = next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.leases[0].attempt, 2);
    assert_true(action.leases[0].recovering);
}

static void late_success_of_a_lost_worker_wins(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(2);
    run.spec.concurrency = 1;
    run_start(&run);
    join(&run, 1, 1);
    join(&run, 2, 1);
    gives(&run, 1, 0, 1);
    start(&run, 1, 0, 1);
    lose(&run, 1);
    gives(&run, 2, 0, 2);
    finish(&run, 1, 0, 1, OUTCOME_APPLIED);
    is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
    nothing(&run); /* the second attempt still holds the only place in flight */
    assert_int_equal(engine_totals(run.engine).in_flight, 1);
    finish(&run, 2, 0, 2, OUTCOME_ALREADY);
    is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
    gives(&run, 2, 1, 1);
}

static void late_success_completes_the_run_despite_a_lease(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(1);
    run_start(&run);
    join(&run, 1, 1);
    join(&run, 2, 1);
    gives(&run, 1, 0, 1);
    lose(&run, 1);
    gives(&run, 2, 0, 2);
    finish(&run, 1, 0, 1, OUTCOME_APPLIED);
    next(&run, ENGINE_COMPLETE);
    lose(&run, 2);
    nothing(&run);
    is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void late_success_reaches_a_tenant_that_is_queued_again(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(1);
    run_start(&run);
    join(&run, 1, 1);
    gives(&run, 1, 0, 1);
    lose(&run, 1);
    join(&run, 2, 1);
    finish(&run, 2, 0, 1, OUTCOME_APPLIED); /* the same process under its new number */
    next(&run, ENGINE_COMPLETE);
}

static void old_failure_waits_for_the_newer_attempt(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(1);
    run_start(&run);
    join(&run, 1, 1);
    join(&run, 2, 1);
    gives(&run, 1, 0, 1);
    lose(&run, 1);
    gives(&run, 2, 0, 2);
    finish(&run, 1, 0, 1, OUTCOME_ERROR);
    is(&run, 0, TENANT_PENDING, OUTCOME_NOT_STARTED);
    nothing(&run);
    finish(&run, 2, 0, 2, OUTCOME_APPLIED);
    next(&run, ENGINE_COMPLETE);
    is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void duplicates_change_nothing(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(4);
    run.spec.concurrency = 2;
    run.spec.max_failures = 1;
    run.spec.schedule = ENGINE_ROLLING;
    run_start(&run);
    join(&run, 1, 2);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 1, 1);
    start(&run, 1, 0, 1);
    start(&run, 1, 0, 1);
    finish(&run, 1, 0, 1, OUTCOME_ERROR);
    finish(&run, 1, 0, 1, OUTCOME_ERROR);
    finish(&run, 1, 0, 1, OUTCOME_NOT_STARTED);
    finish(&run, 1, 0, 1, OUTCOME_BUSY);
    start(&run, 1, 0, 1);
    assert_int_equal(next(&run, ENGINE_TENANT_FAILED).tenant, 0);
    gives(&run, 1, 2, 1);
    nothing(&run);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_NOT_ABORTED);
    finish(&run, 1, 1, 1, OUTCOME_BUSY);
    finish(&run, 1, 1, 1, OUTCOME_BUSY);
    gives(&run, 1, 3, 1);
    run.now_ms += 5000;
    finish(&run, 1, 3, 1, OUTCOME_APPLIED);
    gives(&run, 1, 1, 2);
    finish(&run, 1, 2, 1, OUTCOME_APPLIED);
    nothing(&run);
    lose(&run, 1);
    lose(&run, 1);
    assert_int_equal(engine_totals(run.engine).in_flight, 0);
}

static void nonsense_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(2);
    run.spec.concurrency = 1;
    run_start(&run);
    join(&run, 1, 1);
    join(&run, 2, 1);
    gives(&run, 1, 0, 1);
    refuse(&run, finished(9, 0, 1, OUTCOME_APPLIED));
    refuse(&run, finished(1, 2, 1, OUTCOME_APPLIED));
    refuse(&run, finished(1, UINT32_MAX, 1, OUTCOME_APPLIED));
    refuse(&run, finished(1, 0, 0, OUTCOME_APPLIED));
    refuse(&run, finished(1, 0, 2, OUTCOME_APPLIED));
    refuse(&run, finished(1, 1, 1, OUTCOME_APPLIED));
    refuse(&run, finished(2, 0, 1, OUTCOME_APPLIED)); /* worker 1 holds it and lives */
    refuse(&run, finished(1, 0, 1, OUTCOME_COUNT));
    refuse(&run, (EngineEvent){.kind = ENGINE_STARTED, .worker = 1, .tenant = 1, .attempt = 1});
    refuse(&run, (EngineEvent){.kind = ENGINE_WORKER_LOST, .worker = 3});
    refuse(&run, (EngineEvent){.kind = ENGINE_WORKER_DRAINING, .worker = 3});
    refuse(&run, (EngineEvent){.kind = (EngineEventKind)99, .worker = 1});
    EngineEvent joined = {.kind = ENGINE_WORKER_JOINED, .worker = 1, .slots = 1, .databases = ALL};
    refuse(&run, joined);
    joined.worker = 3;
    joined.slots = 0;
    refuse(&run, joined);
    joined.slots = INT64_MAX;
    refuse(&run, joined);
    joined.slots = 1;
    joined.databases = NULL;
    refuse(&run, joined);
    nothing(&run);
}

static void bad_specs_are_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Run run = run_of(2);
    run.spec.tenants = run.tenants;
    run.spec.budgets = run.budgets;
    run.tenants[1].predecessor = 1;
    assert_null(engine_new(&run.spec, &error));
    run.tenants[1] = (EngineTenant){.database = 1, .predecessor = ENGINE_NONE};
    assert_null(engine_new(&run.spec, &error));
    run.spec.database_count = 2;
    run.tenants[1].predecessor = 0;
    assert_null(engine_new(&run.spec, &error));
    run.tenants[1].predecessor = ENGINE_NONE;
    run.budgets[1] = 0;
    assert_null(engine_new(&run.spec, &error));
    run.budgets[1] = 1;
    run.spec.tenants_per_job = 0;
    assert_null(engine_new(&run.spec, &error));
    run.spec.tenants_per_job = 1;
    run_start(&run);
    run_free(&run);
}

static void batch_alternates_between_databases(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(5);
    run.spec.database_count = 2;
    run.tenants[3].database = run.tenants[4].database = 1;
    run_start(&run);
    join(&run, 1, 10);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 3, 1);
    gives(&run, 1, 1, 1);
    gives(&run, 1, 4, 1);
    nothing(&run); /* tenant 2 belongs to the next batch */
}

static void work_goes_to_the_worker_with_most_free_slots(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(4);
    run_start(&run);
    join(&run, 1, 2);
    join(&run, 2, 3);
    gives(&run, 2, 0, 1);
    gives(&run, 1, 1, 1);
    gives(&run, 2, 2, 1);
    gives(&run, 1, 3, 1);
}

static void slots_are_never_exceeded(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(4);
    run_start(&run);
    join(&run, 1, 2);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 1, 1);
    nothing(&run);
    finish(&run, 1, 0, 1, OUTCOME_APPLIED);
    gives(&run, 1, 2, 1);
    nothing(&run);
}

static void auto_concurrency_prefetches_only_when_rolling(void **state)
{
    (void)state;
    for (int schedule = ENGINE_BATCH; schedule <= ENGINE_ROLLING; schedule++) {
        RUN_CLEANUP Run run = run_of(20);
        run.spec.concurrency = 0;
        run.spec.schedule = (EngineSchedule)schedule;
        run_start(&run);
        nothing(&run);
        join(&run, 1, 2);
        join(&run, 2, 1);
        for (int i = 0; i < (schedule == ENGINE_ROLLING ? 6 : 3); i++)
            next(&run, ENGINE_DISPATCH);
        nothing(&run);
    }
}

static void budget_is_divided_into_grants(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(20);
    run.spec.concurrency = 20;
    run.budgets[0] = 5;
    run_start(&run);
    join(&run, 1, 10);
    join(&run, 2, 10);
    int64_t given[3] = {0}, grants[3] = {0};
    for (int i = 0; i < 5; i++) {
        EngineAction action = next(&run, ENGINE_DISPATCH);
        given[action.worker]++;
        grants[action.worker] = action.grant;
    }
    nothing(&run);
    assert_int_equal(grants[1], 3);
    assert_int_equal(given[1], 3);
    assert_int_equal(grants[2], 2);
    assert_int_equal(given[2], 2);
    /* A newcomer shares the budget, but what is in flight is not exceeded. */
    join(&run, 3, 10);
    nothing(&run);
    lose(&run, 1);
    EngineAction action = next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.worker, 3);
    assert_int_equal(action.grant, 2);
}

static void worker_without_a_grant_gets_no_work(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(2);
    run.budgets[0] = 1;
    run_start(&run);
    join(&run, 1, 10);
    join(&run, 2, 10);
    gives(&run, 1, 0, 1);
    nothing(&run);
    lose(&run, 1);
    gives(&run, 2, 0, 2);
}

static void unreachable_databases_wait(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(3);
    run.spec.database_count = 2;
    run.tenants[1].database = 1;
    run_start(&run);
    assert_int_equal(engine_unreachable(run.engine), 3);
    EngineEvent joined = {
        .kind = ENGINE_WORKER_JOINED, .worker = 1, .slots = 8, .databases = (bool[]){true, false}
    };
    apply(&run, joined);
    assert_int_equal(engine_unreachable(run.engine), 1);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 2, 1);
    nothing(&run);
    joined.worker = 2;
    joined.databases = (bool[]){false, true};
    apply(&run, joined);
    gives(&run, 2, 1, 1);
    assert_int_equal(engine_unreachable(run.engine), 0);
}

static void set_job_fills_one_slot_until_its_last_lease(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(5);
    run.spec.set_jobs = true;
    run.spec.tenants_per_job = 2;
    run.spec.schedule = ENGINE_ROLLING;
    run.spec.concurrency = 10;
    run.budgets[0] = 2;
    run_start(&run);
    join(&run, 1, 10);
    EngineAction action = next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.lease_count, 2);
    uint64_t job = action.job;
    action = next(&run, ENGINE_DISPATCH);
    assert_int_not_equal(action.job, job);
    assert_int_equal(action.leases[0].tenant, 2);
    nothing(&run);
    finish(&run, 1, 0, 1, OUTCOME_ALREADY);
    nothing(&run);
    finish(&run, 1, 1, 1, OUTCOME_ALREADY);
    action = next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.lease_count, 1);
    assert_int_equal(action.leases[0].tenant, 4);
    nothing(&run);
}

static void many_tenants_in_a_job_are_spread_over_the_workers(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(20);
    run.spec.tenants_per_job = 50;
    run.spec.concurrency = 10;
    run_start(&run);
    join(&run, 1, 8);
    join(&run, 2, 8);
    EngineAction action = next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.worker, 1);
    assert_int_equal(action.lease_count, 5);
    action = next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.worker, 2);
    assert_int_equal(action.lease_count, 5);
    nothing(&run);
}

static void duplicate_waits_inside_its_batch(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(4);
    run.spec.concurrency = 3;
    run.tenants[1].predecessor = 0;
    run_start(&run);
    join(&run, 1, 10);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 2, 1);
    nothing(&run);
    finish(&run, 1, 2, 1, OUTCOME_APPLIED);
    nothing(&run);
    finish(&run, 1, 0, 1, OUTCOME_APPLIED);
    gives(&run, 1, 1, 1);
    nothing(&run);
    finish(&run, 1, 1, 1, OUTCOME_ALREADY);
    gives(&run, 1, 3, 1);
}

static void duplicate_follows_a_failure_too(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(2);
    run.spec.schedule = ENGINE_ROLLING;
    run.tenants[1].predecessor = 0;
    run_start(&run);
    join(&run, 1, 10);
    gives(&run, 1, 0, 1);
    nothing(&run);
    finish(&run, 1, 0, 1, OUTCOME_ERROR);
    next(&run, ENGINE_TENANT_FAILED);
    gives(&run, 1, 1, 1);
}

static void draining_worker_gets_nothing_and_hands_back(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(3);
    run.spec.concurrency = 2;
    run_start(&run);
    join(&run, 1, 2);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 1, 1);
    apply(&run, (EngineEvent){.kind = ENGINE_WORKER_DRAINING, .worker = 1});
    finish(&run, 1, 1, 1, OUTCOME_NOT_STARTED);
    nothing(&run);
    join(&run, 2, 2);
    gives(&run, 2, 1, 2);
    finish(&run, 1, 0, 1, OUTCOME_APPLIED);
    is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void refusal_without_drain_is_not_repeated_at_once(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(1);
    run_start(&run);
    join(&run, 1, 1);
    gives(&run, 1, 0, 1);
    finish(&run, 1, 0, 1, OUTCOME_NOT_STARTED);
    nothing(&run);
    run.now_ms = engine_wakeup_ms(run.engine);
    assert_in_range(run.now_ms, 1, 250);
    gives(&run, 1, 0, 2);
}

static void busy_tenant_is_tried_with_backoff_until_its_limit(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(2);
    run.spec.concurrency = 1;
    run_start(&run);
    join(&run, 1, 1);
    assert_true(engine_wakeup_ms(run.engine) == INT64_MAX);
    int64_t most = 250;
    uint32_t attempt = 1;
    for (;; attempt++) {
        gives(&run, 1, 0, attempt);
        finish(&run, 1, 0, attempt, OUTCOME_BUSY);
        if (engine_tenant_state(run.engine, 0) != TENANT_PENDING)
            break;
        nothing(&run); /* it keeps its batch open */
        int64_t delay = engine_wakeup_ms(run.engine) - run.now_ms;
        int64_t left = run.spec.lock_wait_ms - run.now_ms;
        assert_true(delay <= most && (delay >= most / 2 || delay == left));
        run.now_ms += delay;
        most = most < 2500 ? most * 2 : 5000;
    }
    assert_int_equal(run.now_ms, run.spec.lock_wait_ms);
    assert_in_range(attempt, 7, 12);
    is(&run, 0, TENANT_FAILED, OUTCOME_BUSY);
    next(&run, ENGINE_TENANT_FAILED);
    gives(&run, 1, 1, 1);
}

static void suspect_runs_alone_and_a_third_death_convicts(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(4);
    run_start(&run);
    for (uint32_t worker = 1; worker <= 2; worker++) {
        join(&run, worker, 1);
        gives(&run, worker, 0, worker);
        start(&run, worker, 0, worker);
        lose(&run, worker);
    }
    join(&run, 3, 3);
    gives(&run, 3, 0, 3);
    nothing(&run); /* two free slots stay free */
    join(&run, 4, 1);
    gives(&run, 4, 1, 1);
    start(&run, 3, 0, 3);
    lose(&run, 3);
    is(&run, 0, TENANT_FAILED, OUTCOME_QUARANTINED);
    assert_int_equal(next(&run, ENGINE_TENANT_FAILED).tenant, 0);
    nothing(&run);
    finish(&run, 3, 0, 2, OUTCOME_APPLIED);
    is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void busy_fleet_makes_room_for_a_suspect(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(8);
    run.spec.schedule = ENGINE_ROLLING;
    run_start(&run);
    for (uint32_t worker = 1; worker <= 2; worker++) {
        join(&run, worker, 1);
        gives(&run, worker, 0, worker);
        start(&run, worker, 0, worker);
        if (worker == 2)
            join(&run, 3, 2);
        lose(&run, worker);
    }
    gives(&run, 3, 0, 3);
    finish(&run, 3, 0, 3, OUTCOME_NOT_STARTED);
    gives(&run, 3, 1, 1);
    gives(&run, 3, 2, 1);
    run.now_ms += 1000;
    finish(&run, 3, 1, 1, OUTCOME_APPLIED);
    nothing(&run);
    finish(&run, 3, 2, 1, OUTCOME_APPLIED);
    gives(&run, 3, 0, 4);
    nothing(&run);
    finish(&run, 3, 0, 4, OUTCOME_APPLIED);
    gives(&run, 3, 3, 1);
    gives(&run, 3, 4, 1);
}

static void failures_come_before_work_and_once(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(4);
    run.spec.concurrency = 2;
    run_start(&run);
    join(&run, 1, 2);
    gives(&run, 1, 0, 1);
    gives(&run, 1, 1, 1);
    finish(&run, 1, 1, 1, OUTCOME_ERROR);
    finish(&run, 1, 0, 1, OUTCOME_NO_SCHEMA);
    assert_int_equal(next(&run, ENGINE_TENANT_FAILED).tenant, 1);
    assert_int_equal(next(&run, ENGINE_TENANT_FAILED).tenant, 0);
    gives(&run, 1, 2, 1);
}

static void abort_skips_what_never_ran_and_awaits_the_rest(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(6);
    run_start(&run);
    join(&run, 1, 2);
    join(&run, 2, 2);
    gives(&run, 1, 0, 1);
    gives(&run, 2, 1, 1);
    gives(&run, 1, 2, 1);
    gives(&run, 2, 3, 1);
    start(&run, 2, 1, 1);
    apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    is(&run, 4, TENANT_SKIPPED, OUTCOME_NOT_STARTED);
    is(&run, 5, TENANT_SKIPPED, OUTCOME_NOT_STARTED);
    assert_false(next(&run, ENGINE_ABORT_WORKERS).cancel);
    nothing(&run);
    finish(&run, 1, 0, 1, OUTCOME_APPLIED);
    finish(&run, 1, 2, 1, OUTCOME_NOT_STARTED);
    is(&run, 2, TENANT_SKIPPED, OUTCOME_NOT_STARTED);
    lose(&run, 2);
    is(&run, 1, TENANT_FAILED, OUTCOME_UNKNOWN);
    is(&run, 3, TENANT_FAILED, OUTCOME_UNKNOWN); /* it may have begun unheard */
    assert_int_equal(next(&run, ENGINE_TENANT_FAILED).tenant, 3);
    assert_int_equal(next(&run, ENGINE_TENANT_FAILED).tenant, 1);
    next(&run, ENGINE_COMPLETE);
    nothing(&run);
    finish(&run, 2, 1, 1, OUTCOME_ERROR);
    is(&run, 1, TENANT_FAILED, OUTCOME_ERROR); /* its own word, late */
    finish(&run, 2, 3, 1, OUTCOME_APPLIED);
    is(&run, 3, TENANT_SUCCEEDED, OUTCOME_APPLIED);
    nothing(&run);
    EngineTotals totals = engine_totals(run.engine);
    assert_int_equal(totals.total, totals.succeeded + totals.failed + totals.skipped);
    assert_int_equal(totals.succeeded, 2);
}

static void abort_ends_waiting_tenants_truthfully(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(3);
    run_start(&run);
    join(&run, 1, 1);
    gives(&run, 1, 0, 1);
    start(&run, 1, 0, 1);
    lose(&run, 1);
    join(&run, 2, 1);
    gives(&run, 2, 0, 2);
    finish(&run, 2, 0, 2, OUTCOME_BUSY);
    gives(&run, 2, 1, 1);
    finish(&run, 2, 1, 1, OUTCOME_BUSY);
    gives(&run, 2, 2, 1);
    apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    is(&run, 0, TENANT_FAILED, OUTCOME_UNKNOWN); /* the lost attempt may have committed */
    is(&run, 1, TENANT_FAILED, OUTCOME_BUSY);
    finish(&run, 2, 2, 1, OUTCOME_BUSY);
    is(&run, 2, TENANT_FAILED, OUTCOME_BUSY);
    assert_true(engine_wakeup_ms(run.engine) == INT64_MAX);
}

static void cancel_is_told_after_abort_and_once(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(2);
    run_start(&run);
    join(&run, 1, 1);
    gives(&run, 1, 0, 1);
    apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    assert_false(next(&run, ENGINE_ABORT_WORKERS).cancel);
    apply(&run, (EngineEvent){.kind = ENGINE_CANCEL});
    apply(&run, (EngineEvent){.kind = ENGINE_CANCEL});
    assert_true(next(&run, ENGINE_ABORT_WORKERS).cancel);
    apply(&run, (EngineEvent){.kind = ENGINE_CANCEL});
    apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    nothing(&run);
    finish(&run, 1, 0, 1, OUTCOME_CANCELLED);
    next(&run, ENGINE_TENANT_FAILED);
    next(&run, ENGINE_COMPLETE);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_ABORTED_BY_HOST);
}

static void host_may_abort_on_a_failure_before_the_next_dispatch(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(3);
    run.spec.schedule = ENGINE_ROLLING;
    run.spec.concurrency = 1;
    run_start(&run);
    join(&run, 1, 1);
    gives(&run, 1, 0, 1);
    finish(&run, 1, 0, 1, OUTCOME_ERROR);
    next(&run, ENGINE_TENANT_FAILED);
    apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    next(&run, ENGINE_ABORT_WORKERS);
    next(&run, ENGINE_COMPLETE);
    assert_int_equal(engine_totals(run.engine).skipped, 2);
}

static void failure_limit_aborts_above_it(void **state)
{
    (void)state;
    RUN_CLEANUP Run run = run_of(9);
    run.spec.max_failures = 1;
    run_start(&run);
    join(&run, 1, 4);
    for (uint32_t i = 0; i < 4; i++)
        gives(&run, 1, i, 1);
    finish(&run, 1, 0, 1, OUTCOME_ERROR);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_NOT_ABORTED);
    finish(&run, 1, 1, 1, OUTCOME_ERROR);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_ABORTED_MAX_FAILURES);
    next(&run, ENGINE_TENANT_FAILED);
    next(&run, ENGINE_TENANT_FAILED);
    next(&run, ENGINE_ABORT_WORKERS);
    nothing(&run);
    assert_int_equal(engine_totals(run.engine).skipped, 5);
    assert_int_equal(engine_totals(run.engine).pending, 2);
}

/* Ends tenants 0, 1, 2 with these keys (0 = success) under equal_failures 3. */
static EngineAbort abort_after_keys(const uint64_t keys[3])
{
    RUN_CLEANUP Run run = run_of(4);
    run.spec.equal_failures = 3;
    run_start(&run);
    join(&run, 1, 4);
    for (uint32_t i = 0; i < 4; i++)
        gives(&run, 1, i, 1);
    for (uint32_t i = 0; i < 3; i++) {
        EngineEvent event = finished(1, i, 1, keys[i] == 0 ? OUTCOME_APPLIED : OUTCOME_ERROR);
        event.failure_key = keys[i];
        apply(&run, event);
        apply(&run, event);
    }
    return engine_abort_reason(run.engine);
}

static void equal_failures_abort_only_when_all_are_equal(void **state)
{
    (void)state;
    assert_int_equal(abort_after_keys((uint64_t[]){5, 5, 5}), ENGINE_ABORTED_EQUAL_FAILURES);
    assert_int_equal(abort_after_keys((uint64_t[]){5, 5, 6}), ENGINE_NOT_ABORTED);
    assert_int_equal(abort_after_keys((uint64_t[]){0, 5, 5}), ENGINE_NOT_ABORTED);
    assert_int_equal(abort_after_keys((uint64_t[]){5, 0, 5}), ENGINE_NOT_ABORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_run_is_complete),
        cmocka_unit_test(batch_waits_for_its_last_tenant),
        cmocka_unit_test(rolling_refills_at_once),
        cmocka_unit_test(lost_lease_comes_back_with_a_new_attempt),
        cmocka_unit_test(lost_lease_is_recovering_even_if_its_start_was_not_heard_of),
        cmocka_unit_test(late_success_of_a_lost_worker_wins),
        cmocka_unit_test(late_success_completes_the_run_despite_a_lease),
        cmocka_unit_test(late_success_reaches_a_tenant_that_is_queued_again),
        cmocka_unit_test(old_failure_waits_for_the_newer_attempt),
        cmocka_unit_test(duplicates_change_nothing),
        cmocka_unit_test(nonsense_is_refused_and_changes_nothing),
        cmocka_unit_test(bad_specs_are_refused),
        cmocka_unit_test(batch_alternates_between_databases),
        cmocka_unit_test(work_goes_to_the_worker_with_most_free_slots),
        cmocka_unit_test(slots_are_never_exceeded),
        cmocka_unit_test(auto_concurrency_prefetches_only_when_rolling),
        cmocka_unit_test(budget_is_divided_into_grants),
        cmocka_unit_test(worker_without_a_grant_gets_no_work),
        cmocka_unit_test(unreachable_databases_wait),
        cmocka_unit_test(set_job_fills_one_slot_until_its_last_lease),
        cmocka_unit_test(many_tenants_in_a_job_are_spread_over_the_workers),
        cmocka_unit_test(duplicate_waits_inside_its_batch),
        cmocka_unit_test(duplicate_follows_a_failure_too),
        cmocka_unit_test(draining_worker_gets_nothing_and_hands_back),
        cmocka_unit_test(refusal_without_drain_is_not_repeated_at_once),
        cmocka_unit_test(busy_tenant_is_tried_with_backoff_until_its_limit),
        cmocka_unit_test(suspect_runs_alone_and_a_third_death_convicts),
        cmocka_unit_test(busy_fleet_makes_room_for_a_suspect),
        cmocka_unit_test(failures_come_before_work_and_once),
        cmocka_unit_test(abort_skips_what_never_ran_and_awaits_the_rest),
        cmocka_unit_test(abort_ends_waiting_tenants_truthfully),
        cmocka_unit_test(cancel_is_told_after_abort_and_once),
        cmocka_unit_test(host_may_abort_on_a_failure_before_the_next_dispatch),
        cmocka_unit_test(failure_limit_aborts_above_it),
        cmocka_unit_test(equal_failures_abort_only_when_all_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
