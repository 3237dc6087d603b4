/* Failures and what stops a run. */
#include "tests/support/engine_run.h"
#include "tests/support/test.h"

static void failures_come_before_work_and_once(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(4);
    run.spec.concurrency = 2;
    run_start(&run);
    run_join(&run, 1, 2);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 1, 1, 1);
    run_finished(&run, 1, 1, 1, OUTCOME_ERROR);
    run_finished(&run, 1, 0, 1, OUTCOME_NO_SCHEMA);
    assert_int_equal(run_next(&run, ENGINE_TENANT_FAILED).tenant, 1);
    assert_int_equal(run_next(&run, ENGINE_TENANT_FAILED).tenant, 0);
    run_gives(&run, 1, 2, 1);
}

static void failure_undone_before_it_was_told_is_not_told(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_started(&run, 1, 0, 1);
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    run_lose(&run, 1);
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_UNKNOWN);
    run_finished(&run, 1, 0, 1, OUTCOME_APPLIED);
    run_next(&run, ENGINE_ABORT_WORKERS);
    run_next(&run, ENGINE_COMPLETE);
    assert_int_equal(engine_totals(run.engine).succeeded, 1);
}

static void abort_skips_what_never_ran_and_awaits_the_rest(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(6);
    run_start(&run);
    run_join(&run, 1, 2);
    run_join(&run, 2, 2);
    run_gives(&run, 1, 0, 1);
    run_gives(&run, 2, 1, 1);
    run_gives(&run, 1, 2, 1);
    run_gives(&run, 2, 3, 1);
    run_started(&run, 2, 1, 1);
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    run_tenant_is(&run, 4, TENANT_SKIPPED, OUTCOME_NOT_STARTED);
    run_tenant_is(&run, 5, TENANT_SKIPPED, OUTCOME_NOT_STARTED);
    assert_false(run_next(&run, ENGINE_ABORT_WORKERS).cancel);
    run_is_quiet(&run);
    run_finished(&run, 1, 0, 1, OUTCOME_APPLIED);
    run_finished(&run, 1, 2, 1, OUTCOME_NOT_STARTED);
    run_tenant_is(&run, 2, TENANT_SKIPPED, OUTCOME_NOT_STARTED);
    run_lose(&run, 2);
    run_tenant_is(&run, 1, TENANT_FAILED, OUTCOME_UNKNOWN);
    run_tenant_is(&run, 3, TENANT_FAILED, OUTCOME_UNKNOWN); /* it may have begun unheard */
    assert_int_equal(run_next(&run, ENGINE_TENANT_FAILED).tenant, 3);
    assert_int_equal(run_next(&run, ENGINE_TENANT_FAILED).tenant, 1);
    run_next(&run, ENGINE_COMPLETE);
    run_is_quiet(&run);
    run_finished(&run, 2, 1, 1, OUTCOME_ERROR);
    run_tenant_is(&run, 1, TENANT_FAILED, OUTCOME_ERROR); /* its own word, late */
    run_finished(&run, 2, 3, 1, OUTCOME_APPLIED);
    run_tenant_is(&run, 3, TENANT_SUCCEEDED, OUTCOME_APPLIED);
    run_is_quiet(&run);
    EngineTotals totals = engine_totals(run.engine);
    assert_int_equal(totals.total, totals.succeeded + totals.failed + totals.skipped);
    assert_int_equal(totals.succeeded, 2);
}

static void abort_ends_waiting_tenants_truthfully(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(3);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_started(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_join(&run, 2, 1);
    run_gives(&run, 2, 0, 2);
    run_finished(&run, 2, 0, 2, OUTCOME_BUSY);
    run_gives(&run, 2, 1, 1);
    run_finished(&run, 2, 1, 1, OUTCOME_BUSY);
    run_gives(&run, 2, 2, 1);
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_UNKNOWN); /* the lost attempt may have committed */
    run_tenant_is(&run, 1, TENANT_FAILED, OUTCOME_BUSY);
    run_finished(&run, 2, 2, 1, OUTCOME_BUSY);
    run_tenant_is(&run, 2, TENANT_FAILED, OUTCOME_BUSY);
    assert_true(engine_wakeup_ms(run.engine) == INT64_MAX);
}

static void unknown_yields_only_to_the_newest_attempt(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(1);
    run_start(&run);
    for (uint32_t worker = 1; worker <= 2; worker++) {
        run_join(&run, worker, 1);
        run_gives(&run, worker, 0, worker);
        run_started(&run, worker, 0, worker);
        run_lose(&run, worker);
    }
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_UNKNOWN);
    run_finished(&run, 2, 0, 2, OUTCOME_BUSY); /* says nothing about what the first one did */
    run_finished(&run, 1, 0, 1, OUTCOME_ERROR);
    run_finished(&run, 2, 0, 2, OUTCOME_CANCELLED);
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_UNKNOWN);
    run_finished(&run, 2, 0, 2, OUTCOME_ERROR);
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_ERROR);
}

static void cancelled_attempt_does_not_speak_for_a_lost_one(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_started(&run, 1, 0, 1);
    run_lose(&run, 1);
    run_join(&run, 2, 2);
    run_gives(&run, 2, 0, 2);
    run_gives(&run, 2, 1, 1);
    run_apply(&run, (EngineEvent){.kind = ENGINE_CANCEL});
    run_finished(&run, 2, 0, 2, OUTCOME_CANCELLED);
    run_finished(&run, 2, 1, 1, OUTCOME_CANCELLED);
    run_tenant_is(&run, 0, TENANT_FAILED, OUTCOME_UNKNOWN);
    run_tenant_is(&run, 1, TENANT_FAILED, OUTCOME_CANCELLED);
}

static void cancel_is_told_after_abort_and_once(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(2);
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    assert_false(run_next(&run, ENGINE_ABORT_WORKERS).cancel);
    run_apply(&run, (EngineEvent){.kind = ENGINE_CANCEL});
    run_apply(&run, (EngineEvent){.kind = ENGINE_CANCEL});
    assert_true(run_next(&run, ENGINE_ABORT_WORKERS).cancel);
    run_apply(&run, (EngineEvent){.kind = ENGINE_CANCEL});
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    run_is_quiet(&run);
    run_finished(&run, 1, 0, 1, OUTCOME_CANCELLED);
    run_next(&run, ENGINE_TENANT_FAILED);
    run_next(&run, ENGINE_COMPLETE);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_ABORTED_BY_HOST);
}

static void host_may_abort_on_a_failure_before_the_next_dispatch(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(3);
    run.spec.schedule = ENGINE_ROLLING;
    run.spec.concurrency = 1;
    run_start(&run);
    run_join(&run, 1, 1);
    run_gives(&run, 1, 0, 1);
    run_finished(&run, 1, 0, 1, OUTCOME_ERROR);
    run_next(&run, ENGINE_TENANT_FAILED);
    run_apply(&run, (EngineEvent){.kind = ENGINE_ABORT});
    run_next(&run, ENGINE_ABORT_WORKERS);
    run_next(&run, ENGINE_COMPLETE);
    assert_int_equal(engine_totals(run.engine).skipped, 2);
}

static void failure_limit_aborts_above_it(void **state)
{
    (void)state;
    RUN_CLEANUP EngineRun run = run_of(9);
    run.spec.max_failures = 1;
    run_start(&run);
    run_join(&run, 1, 4);
    for (uint32_t i = 0; i < 4; i++)
        run_gives(&run, 1, i, 1);
    run_finished(&run, 1, 0, 1, OUTCOME_ERROR);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_NOT_ABORTED);
    run_finished(&run, 1, 1, 1, OUTCOME_ERROR);
    assert_int_equal(engine_abort_reason(run.engine), ENGINE_ABORTED_MAX_FAILURES);
    run_next(&run, ENGINE_TENANT_FAILED);
    run_next(&run, ENGINE_TENANT_FAILED);
    run_next(&run, ENGINE_ABORT_WORKERS);
    run_is_quiet(&run);
    assert_int_equal(engine_totals(run.engine).skipped, 5);
    assert_int_equal(engine_totals(run.engine).pending, 2);
}

/* Ends tenants 0, 1, 2 with these keys (0 = success) under equal_failures 3. */
static EngineAbort abort_after_keys(const uint64_t keys[3])
{
    RUN_CLEANUP EngineRun run = run_of(4);
    run.spec.equal_failures = 3;
    run_start(&run);
    run_join(&run, 1, 4);
    for (uint32_t i = 0; i < 4; i++)
        run_gives(&run, 1, i, 1);
    for (uint32_t i = 0; i < 3; i++) {
        EngineEvent event = finished_event(1, i, 1, keys[i] == 0 ? OUTCOME_APPLIED : OUTCOME_ERROR);
        event.failure_key = keys[i];
        run_apply(&run, event);
        run_apply(&run, event);
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
        cmocka_unit_test(failures_come_before_work_and_once),
        cmocka_unit_test(failure_undone_before_it_was_told_is_not_told),
        cmocka_unit_test(abort_skips_what_never_ran_and_awaits_the_rest),
        cmocka_unit_test(abort_ends_waiting_tenants_truthfully),
        cmocka_unit_test(unknown_yields_only_to_the_newest_attempt),
        cmocka_unit_test(cancelled_attempt_does_not_speak_for_a_lost_one),
        cmocka_unit_test(cancel_is_told_after_abort_and_once),
        cmocka_unit_test(host_may_abort_on_a_failure_before_the_next_dispatch),
        cmocka_unit_test(failure_limit_aborts_above_it),
        cmocka_unit_test(equal_failures_abort_only_when_all_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
