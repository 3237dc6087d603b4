/* Never lost and never for ever: killed backends, lost COMMITs, held locks, cancellation, a dead server. */
#include "tests/integration/migrate_support.h"

/* Sleeps in its first try only; sequences keep their count through a rollback. A SELECT would have its file
 * go within a block. */
#define SLEEP_ONCE                                                                       \
    "UPDATE marks.log SET migration = migration WHERE (SELECT count(pg_sleep(60)) FROM " \
    "(SELECT nextval('marks.tries') AS try) AS t WHERE try = 1) >= 0;\n"
#define SLEEPER                                                                                   \
    "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid <> " \
    "pg_backend_pid()"

static void a_backend_killed_before_its_commit_is_replaced(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a"), 0);
    bundle_add(&bundle, "0002_b", MARK("b") SLEEP_ONCE, 0);
    Runner runner;
    runner_start(&runner, &bundle, 0);
    long long pid = wait_for(bench->admin, SLEEPER);
    sql_run(bench->admin, "SELECT pg_terminate_backend(%lld)", pid);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    expect_names(&runner.ended.result.applied_migrations, "0001_a,0002_b");
    assert_int_equal(marks("a"), 1);
    assert_int_equal(marks("b"), 1);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

/* COMMIT waits for a standby that does not exist, after it has written: then the row is there and the client
 * never hears of it. */
static void a_commit_whose_answer_is_lost_counts_once(void **state)
{
    for (size_t i = 0; i < 3; i++) {
        renew(state);
        bench->options.default_format = (char *)FORMATS[i];
        Bundle bundle = {0};
        bundle_add(&bundle, "0001_a", MARK("a"), 0);
        sql_run(bench->admin, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        sql_run(bench->admin, "SELECT pg_reload_conf()");
        wait_for(bench->admin, "SELECT (current_setting('synchronous_standby_names') = 'nobody')::int");
        Runner runner;
        runner_start(&runner, &bundle, 0);
        long long pid = wait_for(
            bench->admin, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        sql_run(bench->admin, "SELECT pg_terminate_backend(%lld)", pid);
        runner_join(&runner);
        sql_run(bench->admin, "ALTER SYSTEM RESET synchronous_standby_names");
        sql_run(bench->admin, "SELECT pg_reload_conf()");
        wait_for(bench->admin, "SELECT (current_setting('synchronous_standby_names') = '')::int");
        assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
        expect_names(&runner.ended.result.applied_migrations, "0001_a");
        expect_names(&runner.ended.result.already, "");
        assert_int_equal(marks("a"), 1);
        assert_int_equal(rows(), 1);
        bench_result_clear(&runner.ended);
        bundle_clear(&bundle);
    }
}

static void a_file_that_kills_its_backend_is_given_up(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(
        &bundle, "0001_a",
        "INSERT INTO marks.log SELECT 't', nextval('marks.tries')::text;\nUPDATE marks.log SET migration "
        "= migration WHERE pg_terminate_backend(pg_backend_pid());\n" NAP("60"),
        0);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.sqlstate, "57P01");
    assert_in_range(ended.result.line, 2, 3); /* whichever first looks for interrupts */
    assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM marks.tries"), 3);
    assert_int_equal(rows(), 0);
    bundle_clear(&bundle);
}

static void a_held_lock_is_busy_and_then_free(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", lock_key("t"));
    BENCH_RESULT_CLEANUP BenchResult busy = migrate(&bundle);
    assert_int_equal(busy.outcome, OUTCOME_BUSY);
    assert_false(busy.result.success);
    assert_in_range(busy.result.duration_ms, 900, 5000);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 0);
    Runner runner;
    runner_start(&runner, &bundle, 0);
    pause_ms(100);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", lock_key("t"));
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

static void a_locked_table_is_tried_again_a_bounded_number_of_times(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a",
               "INSERT INTO marks.log SELECT 't', nextval('marks.tries')::text;\nTRUNCATE t.shared", 0);
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 4;
    bench->options.retry_initial_delay_ms = 10;
    bench->options.retry_max_delay_ms = 20;
    sql_run(bench->admin, "CREATE TABLE t.shared (x int)");
    PGconn *holder = cluster_connect(bench->cluster, "postgres");
    sql_run(holder, "BEGIN; LOCK TABLE t.shared");
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.sqlstate, "55P03");
    assert_int_equal(ended.result.line, 2);
    assert_non_null(ended.result.hint);
    assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM marks.tries"), 4);
    bench->options.lock_attempts = 1000;
    Runner runner;
    runner_start(&runner, &bundle, 0);
    wait_for(bench->admin, "SELECT (last_value > 5)::int FROM marks.tries");
    sql_run(holder, "COMMIT");
    PQfinish(holder);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

static void a_locked_tracking_table_does_not_block_for_ever(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    BENCH_RESULT_CLEANUP BenchResult first = migrate(&bundle);
    assert_int_equal(first.outcome, OUTCOME_APPLIED);
    PGconn *holder = cluster_connect(bench->cluster, "postgres");
    sql_run(holder, "BEGIN; LOCK TABLE t.__drizzle_migrations");
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 2;
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.sqlstate, "55P03");
    PQfinish(holder);
    bundle_clear(&bundle);
}

static void a_cancelled_run_starts_nothing(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    atomic_store(&bench->cancelled, true);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_CANCELLED);
    expect_names(&ended.result.applied_migrations, "");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 0);
    bundle_clear(&bundle);
}

static void a_cancelled_statement_rolls_back_its_migration_alone(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a"), 0);
    bundle_add(
        &bundle, "0002_b",
        MARK("b") "UPDATE marks.log SET migration = migration WHERE (SELECT count(pg_advisory_lock(42))) "
                  "> 0;" SLEEP_ONCE,
        0);
    Runner runner;
    runner_start(&runner, &bundle, 0);
    wait_for(bench->admin, SLEEPER);
    atomic_store(&bench->cancelled, true);
    reservoir_cancel(runner.reservoir);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_CANCELLED);
    expect_names(&runner.ended.result.applied_migrations, "0001_a");
    assert_string_equal(runner.ended.result.migration, "0002_b");
    assert_string_equal(runner.ended.result.sqlstate, "57014");
    assert_int_equal(marks("b"), 0);
    wait_for(bench->admin, "SELECT (count(*) = 0)::int FROM pg_locks WHERE locktype = 'advisory'");
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

/* Last: it takes the server down. */
static void a_lost_server_leaves_an_unknown_that_the_next_run_resolves(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a") SLEEP_ONCE, 0);
    Runner runner;
    runner_start(&runner, &bundle, 0);
    wait_for(bench->admin, SLEEPER);
    cluster_kill(bench->cluster);
    pause_ms(200); /* the run may notice before or after the cancellation: unknown either way */
    atomic_store(&bench->cancelled, true);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_UNKNOWN);
    assert_string_equal(runner.ended.result.migration, "0001_a");
    assert_non_null(runner.ended.result.hint);
    bench_result_clear(&runner.ended);
    cluster_restart(bench->cluster);
    PQfinish(bench->admin);
    bench->admin = cluster_connect(bench->cluster, "postgres");
    atomic_store(&bench->cancelled, false);
    sql_run(bench->admin, "SELECT setval('marks.tries', 1)");
    runner_start(&runner, &bundle, 0);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    assert_int_equal(marks("a"), 1);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH_WAYS(a_backend_killed_before_its_commit_is_replaced),
        TEST_BOTH_WAYS(a_commit_whose_answer_is_lost_counts_once),
        TEST_BOTH_WAYS(a_file_that_kills_its_backend_is_given_up),
        TEST_BOTH_WAYS(a_held_lock_is_busy_and_then_free),
        TEST_BOTH_WAYS(a_locked_table_is_tried_again_a_bounded_number_of_times),
        TEST(a_locked_tracking_table_does_not_block_for_ever),
        TEST(a_cancelled_run_starts_nothing),
        TEST_BOTH_WAYS(a_cancelled_statement_rolls_back_its_migration_alone),
        TEST_BOTH_WAYS(a_lost_server_leaves_an_unknown_that_the_next_run_resolves),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
