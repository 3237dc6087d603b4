/* Seeding when something comes between: other runs, lost COMMITs, dying servers and workers, cancellation. */
#include "common/buffer.h"
#include "tests/integration/seed_support.h"
#include <signal.h>

static const char INSERT[] = "INSERT INTO items VALUES (1)";

/* From here on COMMIT waits for a standby that does not exist, after it has written: then the work is done
 * and the client never hears of it. */
static void hold_commits(void)
{
    sql_run(bench->admin, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    sql_run(bench->admin, "SELECT pg_reload_conf()");
    wait_for(bench->admin, "SELECT (current_setting('synchronous_standby_names') = 'nobody')::int");
}

static void release_commits(void)
{
    sql_run(bench->admin, "ALTER SYSTEM RESET synchronous_standby_names");
    sql_run(bench->admin, "SELECT pg_reload_conf()");
    wait_for(bench->admin, "SELECT (current_setting('synchronous_standby_names') = '')::int");
}

static void kill_committer(void)
{
    long long pid = wait_for(
        bench->admin, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    sql_run(bench->admin, "SELECT pg_terminate_backend(%lld)", pid);
}

static bool insert_one(void *context, const char *tenant_id, PGconn *connection, pgconvoy_error *error)
{
    (void)tenant_id;
    (void)error;
    ++*(int *)context;
    PGresult *result = PQexec(connection, INSERT);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return good;
}

/* By file, by file once, by callback: the server is asked, and the seed is not run again. */
static void a_commit_whose_answer_is_lost_is_learned(void **state)
{
    (void)state;
    int calls = 0;
    use_hooks(&(HostCallbacks){.context = &calls, .seed = insert_one});
    for (int way = 0; way < 6; way++) {
        Runner runner = {.pooled = way >= 3};
        if (way == 3)
            renew(NULL);
        bench->options.once = way % 3 == 1;
        bench->options.by_callback = false;
        hold_commits();
        runner_start(&runner, way % 3 == 2 ? NULL : INSERT);
        kill_committer();
        release_commits();
        runner_join(&runner);
        expect_outcome(&runner.seeded, OUTCOME_APPLIED);
        assert_int_equal(items(), way % 3 + 1);
        seeded_clear(&runner.seeded);
    }
    assert_int_equal(calls, 2);
    assert_int_equal(state_rows(), 1);
}

static void a_backend_killed_half_way_leaves_nothing_and_is_replaced(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        renew(NULL);
        bench->options.once = once == 1;
        sql_run(bench->admin, "CREATE SEQUENCE t.tries");
        Runner runner = {0};
        runner_start(&runner, "INSERT INTO items VALUES (1); SELECT CASE nextval('tries') WHEN 1 THEN "
                              "pg_sleep(60) END; INSERT INTO items VALUES (2)");
        long long pid = wait_for(
            bench->admin, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        assert_int_equal(items(), 0);
        sql_run(bench->admin, "SELECT pg_terminate_backend(%lld)", pid);
        runner_join(&runner);
        expect_outcome(&runner.seeded, OUTCOME_APPLIED);
        assert_int_equal(items(), 2);
        assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM t.tries"), 2);
        seeded_clear(&runner.seeded);
    }
}

static void a_seed_that_kills_its_backend_is_given_up_with_nothing_left(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        bench->options.once = once == 1;
        SEEDED_CLEANUP Seeded failed =
            seed("INSERT INTO items VALUES (1); SELECT pg_terminate_backend(pg_backend_pid()); SELECT "
                 "pg_sleep(60)");
        expect_outcome(&failed, OUTCOME_ERROR);
        assert_string_equal(failed.result.sqlstate, "57P01");
        assert_int_equal(items(), 0);
        assert_int_equal(state_rows(), -1);
    }
}

static void racing_runs_of_one_seed_apply_it_once(void **state)
{
    (void)state;
    enum { RACERS = 4 };
    Runner runners[RACERS] = {0};
    bench->options.once = true;
    for (int i = 0; i < RACERS; i++)
        runner_start(&runners[i], "SELECT pg_sleep(0.05); INSERT INTO items VALUES (1)");
    int applied = 0;
    for (int i = 0; i < RACERS; i++) {
        runner_join(&runners[i]);
        if (!runners[i].seeded.result.success)
            fail_msg("%s", runners[i].seeded.result.error);
        applied += runners[i].seeded.outcome == OUTCOME_APPLIED;
        seeded_clear(&runners[i].seeded);
    }
    assert_int_equal(applied, 1);
    assert_int_equal(items(), 1);
}

static void a_tenant_in_other_hands_is_busy(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    int64_t key;
    assert_true(tenant_lock_key("t", &key, &error));
    sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", (long long)key);
    SEEDED_CLEANUP Seeded busy = seed(INSERT);
    expect_outcome(&busy, OUTCOME_BUSY);
    Runner runner = {0};
    runner_start(&runner, INSERT);
    pause_ms(100);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", (long long)key);
    runner_join(&runner);
    expect_outcome(&runner.seeded, OUTCOME_APPLIED);
    assert_int_equal(items(), 1);
    seeded_clear(&runner.seeded);
}

/* Nobody can ask for the transaction of a worker that died: only what is recorded may run again. */
static void after_a_lost_worker_only_a_recorded_seed_runs_again(void **state)
{
    (void)state;
    bench->recovering = true;
    SEEDED_CLEANUP Seeded unknown = seed(INSERT);
    expect_outcome(&unknown, OUTCOME_UNKNOWN);
    assert_non_null(strstr(unknown.result.hint, "--once"));
    assert_int_equal(items(), 0);
    bench->options.once = true;
    SEEDED_CLEANUP Seeded applied = seed(INSERT);
    expect_outcome(&applied, OUTCOME_APPLIED);
    SEEDED_CLEANUP Seeded again = seed(INSERT);
    expect_outcome(&again, OUTCOME_ALREADY);
    assert_int_equal(items(), 1);
}

static void cancelled_seeds_leave_nothing(void **state)
{
    (void)state;
    atomic_store(&bench->cancelled, true);
    SEEDED_CLEANUP Seeded before = seed(INSERT);
    expect_outcome(&before, OUTCOME_CANCELLED);
    atomic_store(&bench->cancelled, false);
    Runner runner = {0};
    runner_start(&runner, "INSERT INTO items VALUES (1); SELECT pg_sleep(60)");
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    atomic_store(&bench->cancelled, true);
    reservoir_cancel(runner.reservoir);
    runner_join(&runner);
    expect_outcome(&runner.seeded, OUTCOME_CANCELLED);
    assert_int_equal(items(), 0);
    seeded_clear(&runner.seeded);
}

static void a_lock_that_passes_is_waited_for(void **state)
{
    (void)state;
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 3;
    bench->options.retry_max_delay_ms = 20;
    PGconn *other = cluster_connect(bench->cluster, "postgres");
    sql_run(other, "BEGIN; LOCK TABLE t.items");
    SEEDED_CLEANUP Seeded refused = seed(INSERT);
    expect_failure(&refused, "55P03", "lock timeout");
    bench->options.lock_attempts = 1000;
    Runner runner = {0};
    runner_start(&runner, INSERT);
    wait_for(bench->admin, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    sql_run(other, "COMMIT");
    runner_join(&runner);
    expect_outcome(&runner.seeded, OUTCOME_APPLIED);
    assert_int_equal(items(), 1);
    seeded_clear(&runner.seeded);
    PQfinish(other);
}

/* One backend that dies takes all others along; the postmaster stays. */
static void crash_backend(void)
{
    long long pid = wait_for(
        bench->admin, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    char *url = cluster_url(bench->cluster, "postgres");
    while (PQstatus(bench->admin) == CONNECTION_OK) {
        PQclear(PQexec(bench->admin, "SELECT 1"));
        pause_ms(5);
    }
    for (int waited = 0; PQping(url) != PQPING_OK && waited < DEADLINE_MS; waited += 20)
        pause_ms(20);
    free(url);
}

static void crash_server(void)
{
    wait_for(bench->admin, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    cluster_kill(bench->cluster);
    cluster_restart(bench->cluster);
}

/* A server that has crashed may give transaction ids out again: its word that one was committed may be about
 * another. What is recorded is settled by the record, everything else is unknown. */
static void after_a_crash_nobody_is_told_a_guess(void **state)
{
    (void)state;
    void (*const crashes[])(void) = {crash_backend, crash_backend, crash_server, crash_server};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        bool once = i % 2 == 1;
        renew(NULL);
        bench->options.once = once;
        bench->options.retry_initial_delay_ms = 500;
        Runner runner = {0};
        hold_commits();
        runner_start(&runner, INSERT);
        crashes[i]();
        PQfinish(bench->admin);
        bench->admin = cluster_connect(bench->cluster, "postgres");
        release_commits();
        runner_join(&runner);
        expect_outcome(&runner.seeded, once ? OUTCOME_APPLIED : OUTCOME_UNKNOWN);
        if (!once)
            assert_non_null(strstr(runner.seeded.result.hint, "--once"));
        assert_int_equal(items(), 1);
        seeded_clear(&runner.seeded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_whose_answer_is_lost_is_learned),
        TEST(a_backend_killed_half_way_leaves_nothing_and_is_replaced),
        TEST(a_seed_that_kills_its_backend_is_given_up_with_nothing_left),
        TEST(racing_runs_of_one_seed_apply_it_once),
        TEST(a_tenant_in_other_hands_is_busy),
        TEST(after_a_lost_worker_only_a_recorded_seed_runs_again),
        TEST(cancelled_seeds_leave_nothing),
        TEST(a_lock_that_passes_is_waited_for),
        TEST(after_a_crash_nobody_is_told_a_guess),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
