/* Who gets what, and when: schedules, capacity, order. */
#include "tests/support/engine_run.h"
#include "tests/support/test.h"

static void empty_run_is_complete(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(0);
    run_start(&run);
    run_next(&run, ENGINE_COMPLETE);
    run_is_quiet(&run);
}

static void batch_waits_for_its_last_tenant(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(5);
    run.spec.concurrency = 2;
    run_start(&run);
    run_is_quiet(&run);
    run_join(&run, 1, 10);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 1, 1);
    run_is_quiet(&run);
    run_finished(&run, 1, 1, 1, OUTCOME_APPLIED);
    run_is_quiet(&run);
    run_finished(&run, 1, 0, 1, OUTCOME_ALREADY);
    run_gives(&run, 1, 2, 1);
    run_gives(&run, 1, 3, 1);
    run_is_quiet(&run);
    run_finished(&run, 1, 2, 1, OUTCOME_APPLIED);
    run_finished(&run, 1, 3, 1, OUTCOME_APPLIED);
    run_gives(&run, 1, 4, 1);
    run_finished(&run, 1, 4, 1, OUTCOME_APPLIED);
    run_next(&run, ENGINE_COMPLETE);
    run_is_quiet(&run);
}

static void rolling_refills_at_once(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(3);
    run.spec.concurrency = 2;
    run.spec.schedule = ENGINE_ROLLING;
    run_start(&run);
    run_join(&run, 1, 10);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 1, 1);
    run_is_quiet(&run);
    run_finished(&run, 1, 1, 1, OUTCOME_APPLIED);
    run_gives(&run, 1, 2, 1);
    run_is_quiet(&run);
}

static void bad_specs_are_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    EngineRun run = run_of(2);
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
    RUN_CLEANUP EngineRun run = run_of(5);
    run.spec.database_count = 2;
    run.tenants[3].database = run.tenants[4].database = 1;
    run_start(&run);
    run_join(&run, 1, 10);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 3, 1);
    run_gives(&run, 1, 1, 1);
    run_gives(&run, 1, 4, 1);
    run_is_quiet(&run); /* tenant 2 belongs to the next batch */
}

static void work_goes_to_the_worker_with_most_free_slots(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(4);
    run_start(&run);
    run_join(&run, 1, 2);
    run_join(&run, 2, 3);
    run_gives(&run, 2, 0, 1);
    run_gives(&run, 1, 1, 1);
    run_gives(&run, 2, 2, 1);
    run_gives(&run, 1, 3, 1);
}

static void slots_are_never_exceeded(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(4);
    run_start(&run);
    run_join(&run, 1, 2);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 1, 1);
    run_is_quiet(&run);
    run_finished(&run, 1, 0, 1, OUTCOME_APPLIED);
    run_gives(&run, 1, 2, 1);
    run_is_quiet(&run);
}

static void auto_concurrency_prefetches_only_when_rolling(void **state)
{
    (void)state;
    for (int schedule = ENGINE_BATCH; schedule <= ENGINE_ROLLING; schedule++) {
        RUN_CLEANUP EngineRun run = run_of(20);
        run.spec.concurrency = 0;
        run.spec.schedule = (EngineSchedule)schedule;
        run_start(&run);
        run_is_quiet(&run);
        run_join(&run, 1, 2);
        run_join(&run, 2, 1);
        for (int i = 0; i < (schedule == ENGINE_ROLLING ? 6 : 3); i++)
            run_next(&run, ENGINE_DISPATCH);
        run_is_quiet(&run);
    }
}

/* Gives worker 1 what it has room for, and returns how much it has then. */
static int64_t fill(EngineRun *run, uint32_t *given, uint32_t ended)
{
    EngineAction action;
    while (engine_next(run->engine, run->now_ms, &action)) {
        assert_int_equal(action.kind, ENGINE_DISPATCH);
        (*given)++;
    }
    return (int64_t)(*given - ended);
}

static void a_fast_worker_holds_more_in_front_of_its_slots(void **state)
{
    (void)state;
    static const struct {
        int64_t every_ms; /* a tenant ends */
        int64_t holds;    /* two in its slots, and what ends in 20 ms */
    } PACES[] = {{2, 12}, {1, 22}, {8, 4}, {1000, 4}};
    for (size_t i = 0; i < sizeof PACES / sizeof PACES[0]; i++) {
        RUN_CLEANUP EngineRun run = run_of(RUN_TENANTS);
        run.spec.concurrency = 0;
        run.spec.schedule = ENGINE_ROLLING;
        run.budgets[0] = 100;
        run_start(&run);
        run_join(&run, 1, 2);
        uint32_t given = 0;
        assert_int_equal(fill(&run, &given, 0), 4);
        for (uint32_t tenant = 0; tenant < 42; tenant++) {
            run.now_ms += PACES[i].every_ms;
            run_finished(&run, 1, tenant, 1, OUTCOME_APPLIED);
            if (fill(&run, &given, tenant + 1) > PACES[i].holds)
                fail_msg("every %lld ms: holds too many", (long long)PACES[i].every_ms);
        }
        assert_int_equal(given - 42, PACES[i].holds);
    }
}

static void budget_is_divided_into_grants(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(20);
    run.spec.concurrency = 20;
    run.budgets[0] = 5;
    run_start(&run);
    run_join(&run, 1, 10);
    run_join(&run, 2, 10);
    int64_t given[3] = {0}, grants[3] = {0};
    for (int i = 0; i < 5; i++) {
        EngineAction action = run_next(&run, ENGINE_DISPATCH);
        given[action.worker]++;
        grants[action.worker] = action.grant;
    }
    run_is_quiet(&run);
    assert_int_equal(grants[1], 3);
    assert_int_equal(given[1], 3);
    assert_int_equal(grants[2], 2);
    assert_int_equal(given[2], 2);
    /* A newcomer shares the budget, but what is in flight is not exceeded. */
    run_join(&run, 3, 10);
    run_is_quiet(&run);
    run_lose(&run, 1);
    EngineAction action = run_next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.worker, 3);
    assert_int_equal(action.grant, 2);
}

static void worker_without_a_grant_gets_no_work(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run.budgets[0] = 1;
    run_start(&run);
    run_join(&run, 1, 10);
    run_join(&run, 2, 10);
    run_gives(&run, 1, 0, 1);
    run_is_quiet(&run);
    run_lose(&run, 1);
    run_gives(&run, 2, 0, 2);
}

static void unreachable_databases_wait(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(3);
    run.spec.database_count = 2;
    run.tenants[1].database = 1;
    run_start(&run);
    assert_int_equal(engine_unreachable(run.engine), 3);
    EngineEvent joined = {
        .kind = ENGINE_WORKER_JOINED, .worker = 1, .slots = 8, .databases = (bool[]){true, false}};
    run_apply(&run, joined);
    assert_int_equal(engine_unreachable(run.engine), 1);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 2, 1);
    run_is_quiet(&run);
    joined.worker = 2;
    joined.databases = (bool[]){false, true};
    run_apply(&run, joined);
    run_gives(&run, 2, 1, 1);
    assert_int_equal(engine_unreachable(run.engine), 0);
}

static void set_job_fills_one_slot_until_its_last_lease(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(5);
    run.spec.set_jobs = true;
    run.spec.tenants_per_job = 2;
    run.spec.schedule = ENGINE_ROLLING;
    run.spec.concurrency = 10;
    run.budgets[0] = 2;
    run_start(&run);
    run_join(&run, 1, 10);
    EngineAction action = run_next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.lease_count, 2);
    uint64_t job = action.job;
    action = run_next(&run, ENGINE_DISPATCH);
    assert_int_not_equal(action.job, job);
    assert_int_equal(action.leases[0].tenant, 2);
    run_is_quiet(&run);
    run_finished(&run, 1, 0, 1, OUTCOME_ALREADY);
    run_is_quiet(&run);
    run_finished(&run, 1, 1, 1, OUTCOME_ALREADY);
    action = run_next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.lease_count, 1);
    assert_int_equal(action.leases[0].tenant, 4);
    run_is_quiet(&run);
}

static void many_tenants_in_a_job_are_spread_over_the_workers(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(20);
    run.spec.tenants_per_job = 50;
    run.spec.concurrency = 10;
    run_start(&run);
    run_join(&run, 1, 8);
    run_join(&run, 2, 8);
    EngineAction action = run_next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.worker, 1);
    assert_int_equal(action.lease_count, 5);
    action = run_next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.worker, 2);
    assert_int_equal(action.lease_count, 5);
    run_is_quiet(&run);
}

static void duplicate_waits_inside_its_batch(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(4);
    run.spec.concurrency = 3;
    run.tenants[1].predecessor = 0;
    run_start(&run);
    run_join(&run, 1, 10);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 2, 1);
    run_is_quiet(&run);
    run_finished(&run, 1, 2, 1, OUTCOME_APPLIED);
    run_is_quiet(&run);
    run_finished(&run, 1, 0, 1, OUTCOME_APPLIED);
    run_gives(&run, 1, 1, 1);
    run_is_quiet(&run);
    run_finished(&run, 1, 1, 1, OUTCOME_ALREADY);
    run_gives(&run, 1, 3, 1);
}

static void duplicate_follows_a_failure_too(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run.spec.schedule = ENGINE_ROLLING;
    run.tenants[1].predecessor = 0;
    run_start(&run);
    run_join(&run, 1, 10);
    run_gives(&run, 1, 0, 1);
    run_is_quiet(&run);
    run_finished(&run, 1, 0, 1, OUTCOME_ERROR);
    run_next(&run, ENGINE_TENANT_FAILED);
    run_gives(&run, 1, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_run_is_complete),
        cmocka_unit_test(batch_waits_for_its_last_tenant),
        cmocka_unit_test(rolling_refills_at_once),
        cmocka_unit_test(bad_specs_are_refused),
        cmocka_unit_test(batch_alternates_between_databases),
        cmocka_unit_test(work_goes_to_the_worker_with_most_free_slots),
        cmocka_unit_test(slots_are_never_exceeded),
        cmocka_unit_test(auto_concurrency_prefetches_only_when_rolling),
        cmocka_unit_test(a_fast_worker_holds_more_in_front_of_its_slots),
        cmocka_unit_test(budget_is_divided_into_grants),
        cmocka_unit_test(worker_without_a_grant_gets_no_work),
        cmocka_unit_test(unreachable_databases_wait),
        cmocka_unit_test(set_job_fills_one_slot_until_its_last_lease),
        cmocka_unit_test(many_tenants_in_a_job_are_spread_over_the_workers),
        cmocka_unit_test(duplicate_waits_inside_its_batch),
        cmocka_unit_test(duplicate_follows_a_failure_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
