/* sync's repairs never write twice: races, held locks, killed backends, lost COMMITs, cancellation. */
#include "tests/integration/sync_support.h"

/* A table of the hash format whose rows take their time to be written or removed, or, deferred, to be
 * committed. */
static void make_slow_table(const char *event, const char *nap)
{
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " HASH_TABLE);
    sql_run(bench->admin,
            "CREATE FUNCTION t.nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN %s; RETURN coalesce(new, "
            "old); END'",
            nap);
    sql_run(bench->admin,
            "CREATE TRIGGER nap BEFORE %s ON t.__drizzle_migrations FOR EACH ROW EXECUTE "
            "FUNCTION t.nap()",
            event);
}

static void add_orphans(void)
{
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (hash) VALUES ('a'), (NULL), ('a')");
}

static void runs_that_race_mark_each_file_once(void **state)
{
    Bundle bundle = three_files();
    for (int round = 0; round < 6; round++) {
        renew(state);
        if (round >= 3) /* the other half begins without a table */
            sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", TABLES[round % 3]);
        bench->options.default_format = (char *)FORMATS[round % 3];
        Repairer repairers[3];
        for (int i = 0; i < 3; i++)
            repairer_start(&repairers[i], op_mark_missing, &bundle);
        size_t marked = 0;
        for (int i = 0; i < 3; i++) {
            repairer_join(&repairers[i]);
            assert_true(repairers[i].repaired.result.success);
            marked += repairers[i].repaired.result.marked_migrations.count;
            record_clear(&TENANT_SYNC_RESULT, &repairers[i].repaired.result);
        }
        assert_int_equal(marked, 3);
        assert_int_equal(rows(), 3);
    }
    bundle_clear(&bundle);
}

/* The second run reads while the first one's rows are written and not committed: it must not decide from
 * that. */
static void the_decision_is_made_under_the_lock(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    make_slow_table("INSERT OR DELETE", "PERFORM pg_sleep(0.05)");
    Repairer repairers[2];
    repairer_start(&repairers[0], op_mark_missing, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    repairer_start(&repairers[1], op_mark_missing, &bundle);
    repairer_join(&repairers[0]);
    repairer_join(&repairers[1]);
    expect_repaired(repairers[0].repaired, "applied marked:0001_a,0002_b,0003_c removed:");
    expect_repaired(repairers[1].repaired, "already marked: removed:");
    assert_int_equal(rows(), 3);

    add_orphans();
    repairer_start(&repairers[0], op_clean_orphans, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    repairer_start(&repairers[1], op_clean_orphans, &bundle);
    repairer_join(&repairers[0]);
    repairer_join(&repairers[1]);
    expect_repaired(repairers[0].repaired, "applied marked: removed:a,NULL,a");
    expect_repaired(repairers[1].repaired, "already marked: removed:");
    bundle_clear(&bundle);
}

static void migrate_and_mark_missing_share_the_files(void **state)
{
    Bundle bundle = three_files();
    for (int round = 0; round < 4; round++) {
        renew(state);
        bench->options.default_format = (char *)"hash";
        Runner runner;
        Repairer repairer;
        runner_start(&runner, &bundle, 0);
        repairer_start(&repairer, op_mark_missing, &bundle);
        runner_join(&runner);
        repairer_join(&repairer);
        size_t marked = repairer.repaired.result.marked_migrations.count;
        size_t applied = runner.ended.result.applied_migrations.count;
        assert_true(runner.ended.result.success && repairer.repaired.result.success);
        assert_int_equal(marked + applied, 3);
        assert_int_equal(rows(), 3);
        assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), applied);
        record_clear(&TENANT_SYNC_RESULT, &repairer.repaired.result);
        bench_result_clear(&runner.ended);
    }
    bundle_clear(&bundle);
}

static void a_locked_tenant_is_busy_and_then_free(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", lock_key("t"));
    Repaired busy = repair(op_mark_missing, bench->pooled, &bundle);
    assert_in_range(busy.result.duration_ms, 900, 5000);
    expect_repaired(busy, "busy: schema \"t\" is locked by another run");
    expect_cleaned(&bundle, "busy: schema \"t\" is locked by another run");
    expect_status(&bundle, "null missing:0001_a,0002_b,0003_c orphans:");
    Repairer repairer;
    repairer_start(&repairer, op_mark_missing, &bundle);
    pause_ms(100);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", lock_key("t"));
    repairer_join(&repairer);
    expect_repaired(repairer.repaired, "applied marked:0001_a,0002_b,0003_c removed:");
    bundle_clear(&bundle);
}

static void a_locked_table_is_tried_again_a_bounded_number_of_times(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    make_slow_table("INSERT", "NULL");
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 3;
    bench->options.retry_initial_delay_ms = bench->options.retry_max_delay_ms = 10;
    PGconn *holder = cluster_connect(bench->cluster, "postgres");
    sql_run(holder, "BEGIN; LOCK TABLE t.__drizzle_migrations");
    expect_marked(&bundle, "error: canceling statement due to lock timeout");
    bench->options.lock_attempts = 1000;
    Repairer repairer;
    repairer_start(&repairer, op_mark_missing, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'relation'");
    sql_run(holder, "COMMIT");
    PQfinish(holder);
    repairer_join(&repairer);
    expect_repaired(repairer.repaired, "applied marked:0001_a,0002_b,0003_c removed:");
    bundle_clear(&bundle);
}

/* Another tool does not know our lock, but its row is as good as ours. */
static void a_row_written_by_somebody_else_meanwhile_counts(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " NAME_TABLE);
    PGconn *other = cluster_connect(bench->cluster, "postgres");
    sql_run(other, "BEGIN; INSERT INTO t.__drizzle_migrations (name) VALUES ('0002_b')");
    Repairer repairer;
    repairer_start(&repairer, op_mark_missing, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'");
    sql_run(other, "COMMIT");
    PQfinish(other);
    repairer_join(&repairer);
    expect_repaired(repairer.repaired, "applied marked:0001_a,0003_c removed:");
    assert_int_equal(rows(), 3);
    bundle_clear(&bundle);
}

static void a_backend_killed_before_its_commit_is_replaced(void **state)
{
    Bundle bundle = three_files();
    for (int round = 0; round < 2; round++) {
        renew(state);
        OpFunction *operation = round == 0 ? op_mark_missing : op_clean_orphans;
        make_slow_table("INSERT OR DELETE",
                        "IF (SELECT nextval(''marks.tries'')) = 4 THEN PERFORM pg_sleep(60); END IF");
        if (round == 1)
            add_orphans();
        else
            sql_run(bench->admin, "ALTER SEQUENCE marks.tries RESTART 3");
        Repairer repairer;
        repairer_start(&repairer, operation, &bundle);
        wait_for(bench->admin, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                               "wait_event = 'PgSleep'");
        repairer_join(&repairer);
        expect_repaired(repairer.repaired, round == 0 ? "applied marked:0001_a,0002_b,0003_c removed:"
                                                      : "applied marked: removed:a,NULL,a");
        assert_int_equal(rows(), round == 0 ? 3 : 0);
    }
    bundle_clear(&bundle);
}

/* COMMIT waits for a standby that does not exist, after it has written: then the rows are there, or gone, and
 * the client never hears of it. */
static void set_standby(const char *name)
{
    char sql[120];
    sql_run(bench->admin, "ALTER SYSTEM SET synchronous_standby_names = '%s'", name);
    sql_run(bench->admin, "SELECT pg_reload_conf()");
    snprintf(sql, sizeof sql, "SELECT (current_setting('synchronous_standby_names') = '%s')::int", name);
    wait_for(bench->admin, sql);
}

static void a_commit_whose_answer_is_lost_counts_once(void **state)
{
    Bundle bundle = three_files();
    for (int round = 0; round < 2; round++) {
        renew(state);
        sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " HASH_TABLE);
        if (round == 1)
            add_orphans();
        set_standby("nobody");
        Repairer repairer;
        repairer_start(&repairer, round == 0 ? op_mark_missing : op_clean_orphans, &bundle);
        wait_for(bench->admin, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                               "wait_event = 'SyncRep'");
        repairer_join(&repairer);
        set_standby("");
        expect_repaired(repairer.repaired, round == 0 ? "applied marked:0001_a,0002_b,0003_c removed:"
                                                      : "applied marked: removed:a,NULL,a");
        assert_int_equal(rows(), round == 0 ? 3 : 0);
    }
    bundle_clear(&bundle);
}

static void a_write_that_kills_its_backend_is_given_up(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    make_slow_table("INSERT", "PERFORM nextval(''marks.tries''); PERFORM "
                              "pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60)");
    bench->options.retry_initial_delay_ms = 10;
    Repaired repaired = repair(op_mark_missing, bench->pooled, &bundle);
    assert_int_equal(repaired.outcome, OUTCOME_ERROR);
    record_clear(&TENANT_SYNC_RESULT, &repaired.result);
    assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM marks.tries"), 3);
    assert_int_equal(rows(), 0);
    bundle_clear(&bundle);
}

static void cancellation_leaves_nothing_behind(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    make_slow_table("INSERT", "PERFORM pg_sleep(60)");
    Repairer repairer;
    repairer_start(&repairer, op_mark_missing, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    atomic_store(&bench->cancelled, true);
    reservoir_cancel(repairer.reservoir);
    repairer_join(&repairer);
    assert_int_equal(repairer.repaired.outcome, OUTCOME_CANCELLED);
    record_clear(&TENANT_SYNC_RESULT, &repairer.repaired.result);
    assert_int_equal(rows(), 0);
    wait_for(bench->admin, "SELECT (count(*) = 0)::int FROM pg_locks WHERE locktype = 'advisory'");
    expect_cleaned(&bundle, "cancelled: cancelled before anything was written");
    bundle_clear(&bundle);
}

/* Last: it takes the server down. */
static void a_lost_server_leaves_an_unknown_that_the_next_run_resolves(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    make_slow_table("INSERT", "PERFORM pg_sleep(60)");
    Repairer repairer;
    repairer_start(&repairer, op_mark_missing, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    cluster_kill(bench->cluster);
    pause_ms(200); /* the run may notice before or after the cancellation: unknown either way */
    atomic_store(&bench->cancelled, true);
    repairer_join(&repairer);
    expect_repaired(
        repairer.repaired,
        "unknown: the connection was lost and whether the tracking table was repaired could not be learned");
    cluster_restart(bench->cluster);
    PQfinish(bench->admin);
    bench->admin = cluster_connect(bench->cluster, "postgres");
    atomic_store(&bench->cancelled, false);
    sql_run(bench->admin, "DROP TRIGGER nap ON t.__drizzle_migrations");
    expect_marked(&bundle, "applied marked:0001_a,0002_b,0003_c removed:");
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_that_race_mark_each_file_once),
        TEST(the_decision_is_made_under_the_lock),
        TEST(migrate_and_mark_missing_share_the_files),
        TEST(a_locked_tenant_is_busy_and_then_free),
        TEST(a_locked_table_is_tried_again_a_bounded_number_of_times),
        TEST(a_row_written_by_somebody_else_meanwhile_counts),
        TEST(a_backend_killed_before_its_commit_is_replaced),
        TEST(a_commit_whose_answer_is_lost_counts_once),
        TEST(a_write_that_kills_its_backend_is_given_up),
        TEST(cancellation_leaves_nothing_behind),
        TEST(a_lost_server_leaves_an_unknown_that_the_next_run_resolves),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
