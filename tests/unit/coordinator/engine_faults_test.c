/* Lost, late, doubled, refused, busy: whatever goes wrong with a lease. */
#include "tests/support/engine_run.h"
#include "tests/support/test.h"

static void lost_lease_comes_back_with_a_new_attempt(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_started(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_is_quiet(&run);
    run_join(&run, 2, 1);
    EngineAction action = run_next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.leases[0].attempt, 2);
    assert_true(action.leases[0].recovering);
}

static void lost_lease_is_recovering_even_if_its_start_was_not_heard_of(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_join(&run, 2, 1);
    EngineAction action = run_next(&run, ENGINE_DISPATCH);
    assert_int_equal(action.leases[0].attempt, 2);
    assert_true(action.leases[0].recovering);
}

static void late_success_of_a_lost_worker_wins(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run.spec.concurrency = 1;
    run_start(&run);
    run_join(&run, 1, 1);
    run_join(&run, 2, 1);
    run_gives(&run, 1, 0, 1);
    run_started(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_gives(&run, 2, 0, 2);
    run_finished(&run, 1, 0, 1, OUTCOME_APPLIED);
    run_tenant_is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
    run_is_quiet(&run); /* the second attempt still holds the only place in flight */
    assert_int_equal(engine_totals(run.engine).in_flight, 1);
    run_finished(&run, 2, 0, 2, OUTCOME_ALREADY);
    run_tenant_is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
    run_gives(&run, 2, 1, 1);
}

static void late_success_completes_the_run_despite_a_lease(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    run_join(&run, 1, 1);
    run_join(&run, 2, 1);
    run_gives(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_gives(&run, 2, 0, 2);
    run_finished(&run, 1, 0, 1, OUTCOME_APPLIED);
    run_next(&run, ENGINE_COMPLETE);
    run_lose(&run, 2);
    run_is_quiet(&run);
    run_tenant_is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void late_success_reaches_a_tenant_that_is_queued_again(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_join(&run, 2, 1);
    run_finished(&run, 2, 0, 1, OUTCOME_APPLIED); /* the same process under its new number */
    run_next(&run, ENGINE_COMPLETE);
}

static void old_failure_waits_for_the_newer_attempt(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    run_join(&run, 1, 1);
    run_join(&run, 2, 1);
    run_gives(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_gives(&run, 2, 0, 2);
    run_finished(&run, 1, 0, 1, OUTCOME_ERROR);
    run_tenant_is(&run, 0, TENANT_PENDING, OUTCOME_NOT_STARTED);
    run_is_quiet(&run);
    run_finished(&run, 2, 0, 2, OUTCOME_APPLIED);
    run_next(&run, ENGINE_COMPLETE);
    run_tenant_is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void late_start_of_an_old_attempt_blames_nobody(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run_start(&run);
    for (uint32_t worker = 1; worker <= 3; worker++) {
        run_join(&run, worker, 1);
        run_gives(&run, worker, 0, worker);
        if (worker > 1)
            run_started(&run, worker - 1, 0, worker - 1);
        if (worker == 3)
            run_started(&run, worker, 0, worker);
        run_lose(&run, worker);
    }
    run_join(&run, 4, 2);
    run_gives(&run, 4, 0, 4);
    run_gives(&run, 4, 1, 1); /* beside it: one death only */
}

static void duplicates_change_nothing(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(4);
    run.spec.concurrency = 2;
    run.spec.max_failures = 1;
    run.spec.schedule = ENGINE_ROLLING;
    run_start(&run);
    run_join(&run, 1, 2);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 1, 1);
    run_started(&run, 1, 0, 1);
    run_started(&run, 1, 0, 1);
    run_finished(&run, 1, 0, 1, OUTCOME_ERROR);
    run_finished(&run, 1, 0, 1, OUTCOME_ERROR);
    run_finished(&run, 1, 0, 1, OUTCOME_NOT_STARTED);
    run_finished(&run, 1, 0, 1, OUTCOME_BUSY);
    run_started(&run, 1, 0, 1);
    assert_int_equal(run_next(&run, ENGINE_TENANT_FAILED).tenant, 0);
    run_gives(&run, 1, 2, 1);
    run_is_quiet(&run);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_NOT_ABORTED);
    run_finished(&run, 1, 1, 1, OUTCOME_BUSY);
    run_finished(&run, 1, 1, 1, OUTCOME_BUSY);
    run_gives(&run, 1, 3, 1);
    run.now_ms += 5000;
    run_finished(&run, 1, 3, 1, OUTCOME_APPLIED);
    run_gives(&run, 1, 1, 2);
    run_finished(&run, 1, 2, 1, OUTCOME_APPLIED);
    run_is_quiet(&run);
    run_lose(&run, 1);
    run_lose(&run, 1);
    assert_int_equal(engine_totals(run.engine).in_flight, 0);
}

static void nonsense_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run.spec.concurrency = 1;
    run_start(&run);
    run_join(&run, 1, 1);
    run_join(&run, 2, 1);
    run_gives(&run, 1, 0, 1);
    run_refuse(&run, finished_event(9, 0, 1, OUTCOME_APPLIED));
    run_refuse(&run, finished_event(1, 2, 1, OUTCOME_APPLIED));
    run_refuse(&run, finished_event(1, UINT32_MAX, 1, OUTCOME_APPLIED));
    run_refuse(&run, finished_event(1, 0, 0, OUTCOME_APPLIED));
    run_refuse(&run, finished_event(1, 0, 2, OUTCOME_APPLIED));
    run_refuse(&run, finished_event(1, 1, 1, OUTCOME_APPLIED));
    run_refuse(&run, finished_event(2, 0, 1, OUTCOME_APPLIED)); /* worker 1 holds it and lives */
    run_refuse(&run, finished_event(1, 0, 1, OUTCOME_COUNT));
    run_refuse(&run, (EngineEvent){.kind = ENGINE_STARTED, .worker = 1, .tenant = 1, .attempt = 1});
    run_refuse(&run, (EngineEvent){.kind = ENGINE_WORKER_LOST, .worker = 3});
    run_refuse(&run, (EngineEvent){.kind = ENGINE_WORKER_DRAINING, .worker = 3});
    run_refuse(&run, (EngineEvent){.kind = (EngineEventKind)99, .worker = 1});
    EngineEvent joined = {.kind = ENGINE_WORKER_JOINED, .worker = 1, .slots = 1, .databases = RUN_ALL};
    run_refuse(&run, joined);
    joined.worker = 3;
    joined.slots = 0;
    run_refuse(&run, joined);
    joined.slots = INT64_MAX;
    run_refuse(&run, joined);
    joined.slots = 1;
    joined.databases = NULL;
    run_refuse(&run, joined);
    run_is_quiet(&run);
}

static void draining_worker_gets_nothing_and_hands_back(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(3);
    run.spec.concurrency = 2;
    run_start(&run);
    run_join(&run, 1, 2);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 1, 1);
    run_apply(&run, (EngineEvent){.kind = ENGINE_WORKER_DRAINING, .worker = 1});
    run_finished(&run, 1, 1, 1, OUTCOME_NOT_STARTED);
    run_is_quiet(&run);
    run_join(&run, 2, 2);
    run_gives(&run, 2, 1, 2);
    run_finished(&run, 1, 0, 1, OUTCOME_APPLIED);
    run_tenant_is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void refusal_without_drain_is_not_repeated_at_once(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_finished(&run, 1, 0, 1, OUTCOME_NOT_STARTED);
    run_is_quiet(&run);
    run.now_ms = engine_wakeup_ms(run.engine);
    assert_in_range(run.now_ms, 1, 250);
    run_gives(&run, 1, 0, 2);
}

static void busy_tenant_is_tried_with_backoff_until_its_limit(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run.spec.concurrency = 1;
    run_start(&run);
    run_join(&run, 1, 1);
    assert_true(engine_wakeup_ms(run.engine) == INT64_MAX);
    int64_t most = 250;
    uint32_t attempt = 1;
    for (;; attempt++) {
        run_gives(&run, 1, 0, attempt);
        run_finished(&run, 1, 0, attempt, OUTCOME_BUSY);
        if (engine_tenant_state(run.engine, 0) != TENANT_PENDING)
            break;
        run_is_quiet(&run); /* it keeps its batch open */
        int64_t delay = engine_wakeup_ms(run.engine) - run.now_ms;
        int64_t left = run.spec.lock_wait_ms - run.now_ms;
        assert_true(delay <= most && (delay >= most / 2 || delay == left));
        run.now_ms += delay;
        most = most < 2500 ? most * 2 : 5000;
    }
    assert_int_equal(run.now_ms, run.spec.lock_wait_ms);
    assert_in_range(attempt, 7, 12);
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_BUSY);
    run_next(&run, ENGINE_TENANT_FAILED);
    run_gives(&run, 1, 1, 1);
}

static void suspect_runs_alone_and_a_third_death_convicts(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(4);
    run_start(&run);
    for (uint32_t worker = 1; worker <= 2; worker++) {
        run_join(&run, worker, 1);
        run_gives(&run, worker, 0, worker);
        run_started(&run, worker, 0, worker);
        run_lose(&run, worker);
    }
    run_join(&run, 3, 3);
    run_gives(&run, 3, 0, 3);
    run_is_quiet(&run); /* two free slots stay free */
    run_join(&run, 4, 1);
    run_gives(&run, 4, 1, 1);
    run_started(&run, 3, 0, 3);
    run_lose(&run, 3);
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_QUARANTINED);
    assert_int_equal(run_next(&run, ENGINE_TENANT_FAILED).tenant, 0);
    run_is_quiet(&run);
    run_finished(&run, 3, 0, 2, OUTCOME_APPLIED);
    run_tenant_is(&run, 0, TENANT_SUCCEEDED, OUTCOME_APPLIED);
}

static void busy_fleet_makes_room_for_a_suspect(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(8);
    run.spec.schedule = ENGINE_ROLLING;
    run_start(&run);
    for (uint32_t worker = 1; worker <= 2; worker++) {
        run_join(&run, worker, 1);
        run_gives(&run, worker, 0, worker);
        run_started(&run, worker, 0, worker);
        if (worker == 2)
            run_join(&run, 3, 2);
        run_lose(&run, worker);
    }
    run_gives(&run, 3, 0, 3);
    run_finished(&run, 3, 0, 3, OUTCOME_NOT_STARTED);
    run_gives(&run, 3, 1, 1);
    run_gives(&run, 3, 2, 1);
    run.now_ms += 1000;
    run_finished(&run, 3, 1, 1, OUTCOME_APPLIED);
    run_is_quiet(&run);
    run_finished(&run, 3, 2, 1, OUTCOME_APPLIED);
    run_gives(&run, 3, 0, 4);
    run_is_quiet(&run);
    run_finished(&run, 3, 0, 4, OUTCOME_APPLIED);
    run_gives(&run, 3, 3, 1);
    run_gives(&run, 3, 4, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_lease_comes_back_with_a_new_attempt),
        cmocka_unit_test(lost_lease_is_recovering_even_if_its_start_was_not_heard_of),
        cmocka_unit_test(late_success_of_a_lost_worker_wins),
        cmocka_unit_test(late_success_completes_the_run_despite_a_lease),
        cmocka_unit_test(late_success_reaches_a_tenant_that_is_queued_again),
        cmocka_unit_test(old_failure_waits_for_the_newer_attempt),
        cmocka_unit_test(late_start_of_an_old_attempt_blames_nobody),
        cmocka_unit_test(duplicates_change_nothing),
        cmocka_unit_test(nonsense_is_refused_and_changes_nothing),
        cmocka_unit_test(draining_worker_gets_nothing_and_hands_back),
        cmocka_unit_test(refusal_without_drain_is_not_repeated_at_once),
        cmocka_unit_test(busy_tenant_is_tried_with_backoff_until_its_limit),
        cmocka_unit_test(suspect_runs_alone_and_a_third_death_convicts),
        cmocka_unit_test(busy_fleet_makes_room_for_a_suspect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
