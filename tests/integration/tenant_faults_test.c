/* Creating and dropping when something comes between: other runs, locks, lost COMMITs, cancellation. */
#include "tests/integration/tenant_support.h"

static void racing_creators_make_one_tenant(void **state)
{
    (void)state;
    enum { CREATORS = 4 };
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "CREATE TABLE a (id int); SELECT pg_sleep(0.1)", 0);
    Runner runners[CREATORS];
    for (int i = 0; i < CREATORS; i++)
        runner_start(&runners[i], &bundle);
    int created = 0, applied = 0;
    for (int i = 0; i < CREATORS; i++) {
        runner_join(&runners[i]);
        const TenantCreateResult *result = &runners[i].created.result;
        if (!result->migration.success)
            fail_msg("%s", result->migration.error);
        created += result->created;
        applied += (int)result->migration.applied_migrations.count;
        runner_clear(&runners[i]);
    }
    assert_int_equal(created, 1);
    assert_int_equal(applied, 1);
    bundle_clear(&bundle);
}

/* One that knows nothing of our lock has created the schema and not yet committed. */
static void a_creator_without_our_lock_is_no_failure(void **state)
{
    (void)state;
    PGconn *stranger = cluster_connect(bench->cluster, "postgres");
    sql_run(stranger, "BEGIN; CREATE SCHEMA t");
    Bundle bundle = two_files();
    Runner runner;
    runner_start(&runner, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    sql_run(stranger, "COMMIT");
    runner_join(&runner);
    assert_int_equal(runner.created.outcome, OUTCOME_APPLIED);
    assert_false(runner.created.result.created);
    expect_names(&runner.created.result.migration.applied_migrations, "0001_a,0002_b");
    runner_clear(&runner);
    PQfinish(stranger);
    bundle_clear(&bundle);
}

static void a_tenant_in_other_hands_is_busy(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE SCHEMA t; SELECT pg_advisory_lock(%lld)", lock_key("t"));
    DROPPED_CLEANUP Dropped busy = drop();
    assert_int_equal(busy.outcome, OUTCOME_BUSY);
    assert_in_range(busy.result.duration_ms, 900, 5000);
    assert_true(exists());
    Bundle bundle = two_files();
    CREATED_CLEANUP Created also_busy = create_on(bench->direct, "t", &bundle);
    assert_int_equal(also_busy.outcome, OUTCOME_BUSY);
    Runner runner;
    runner_start(&runner, NULL);
    pause_ms(100);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", lock_key("t"));
    runner_join(&runner);
    assert_true(runner.dropped.result.dropped);
    runner_clear(&runner);
    bundle_clear(&bundle);
}

/* Another run gets the tenant's lock between two migrations and keeps it for longer than an attempt waits. */
static void an_interlude_of_another_run_loses_nothing_of_the_result(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "CREATE TABLE a (id int); SELECT pg_sleep(0.5)", 0);
    bundle_add(&bundle, "0002_b", "CREATE TABLE b (id int)", 0);
    Runner runner;
    runner_start(&runner, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", lock_key("t"));
    pause_ms(1300);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", lock_key("t"));
    runner_join(&runner);
    assert_int_equal(runner.created.outcome, OUTCOME_APPLIED);
    assert_true(runner.created.result.created);
    expect_names(&runner.created.result.migration.applied_migrations, "0001_a,0002_b");
    runner_clear(&runner);
    bench->options.lock_wait_ms = 100;
    sql_run(bench->admin, "DROP SCHEMA t CASCADE");
    runner_start(&runner, &bundle);
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", lock_key("t"));
    runner_join(&runner);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", lock_key("t"));
    assert_int_equal(runner.created.outcome, OUTCOME_BUSY);
    assert_true(runner.created.result.created);
    expect_names(&runner.created.result.migration.applied_migrations, "0001_a");
    runner_clear(&runner);
    bundle_clear(&bundle);
}

/* A session that reads the tenant must not make every later reader wait behind the drop for ever. */
static void a_table_in_use_is_tried_a_bounded_number_of_times(void **state)
{
    (void)state;
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 3;
    bench->options.retry_initial_delay_ms = 10;
    bench->options.retry_max_delay_ms = 20;
    sql_run(bench->admin, "CREATE SCHEMA t; CREATE TABLE t.a (id int)");
    PGconn *reader = cluster_connect(bench->cluster, "postgres");
    sql_run(reader, "BEGIN; SELECT * FROM t.a");
    for (int cascade = 0; cascade < 2; cascade++) {
        bench->options.cascade_foreign = cascade == 1;
        DROPPED_CLEANUP Dropped refused = drop();
        assert_int_equal(refused.outcome, OUTCOME_ERROR);
        assert_string_equal(refused.result.sqlstate, "55P03");
        assert_non_null(refused.result.hint);
        assert_in_range(refused.result.duration_ms, 3 * 30, 5000);
        assert_true(exists());
    }
    bench->options.lock_attempts = 1000;
    Runner runner;
    runner_start(&runner, NULL);
    wait_for(bench->admin, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    sql_run(reader, "COMMIT");
    runner_join(&runner);
    assert_true(runner.dropped.result.dropped);
    runner_clear(&runner);
    PQfinish(reader);
}

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

static void a_commit_whose_answer_is_lost_counts(void **state)
{
    (void)state;
    bench->options.create_only = true;
    Bundle bundle = two_files();
    Runner runner;
    hold_commits();
    runner_start(&runner, &bundle);
    kill_committer();
    runner_join(&runner);
    release_commits();
    assert_int_equal(runner.created.outcome, OUTCOME_APPLIED);
    assert_true(runner.created.result.created);
    runner_clear(&runner);

    hold_commits();
    runner_start(&runner, NULL);
    kill_committer();
    runner_join(&runner);
    release_commits();
    assert_int_equal(runner.dropped.outcome, OUTCOME_APPLIED);
    assert_true(runner.dropped.result.dropped);
    assert_false(exists());
    runner_clear(&runner);
    bundle_clear(&bundle);
}

/* After our drop was lost on the way back, somebody made a new tenant of that name. It is not the one that
 * was to be dropped. */
static void a_new_schema_of_the_same_name_survives_a_lost_drop(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE SCHEMA t; CREATE TABLE t.old (x int); SET synchronous_commit = off");
    bench->options.retry_initial_delay_ms = 1500;
    Runner runner;
    hold_commits();
    runner_start(&runner, NULL);
    kill_committer();
    wait_for(bench->admin, "SELECT (to_regnamespace('t') IS NULL)::int");
    sql_run(bench->admin, "CREATE SCHEMA t; CREATE TABLE t.fresh (x int)");
    release_commits();
    runner_join(&runner);
    sql_run(bench->admin, "RESET synchronous_commit");
    assert_int_equal(runner.dropped.outcome, OUTCOME_APPLIED);
    assert_true(runner.dropped.result.dropped);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM t.fresh"), 0);
    runner_clear(&runner);
}

static void a_backend_killed_before_its_commit_is_replaced(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE SCHEMA t; CREATE TABLE t.a (id int)");
    bench->options.lock_timeout_ms = 20000;
    PGconn *reader = cluster_connect(bench->cluster, "postgres");
    sql_run(reader, "BEGIN; SELECT * FROM t.a");
    Runner runner;
    runner_start(&runner, NULL);
    long long pid = wait_for(bench->admin, "SELECT coalesce(max(pid), 0) FROM pg_locks WHERE NOT granted");
    sql_run(bench->admin, "SELECT pg_terminate_backend(%lld)", pid);
    wait_for(bench->admin, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    sql_run(reader, "COMMIT");
    runner_join(&runner);
    assert_int_equal(runner.dropped.outcome, OUTCOME_APPLIED);
    runner_clear(&runner);
    PQfinish(reader);
}

/* A backend that dies each time: the drop is given up with what was said, and the tenant is whole. */
static void a_drop_that_kills_its_backend_is_given_up(void **state)
{
    (void)state;
    sql_run(
        bench->admin,
        "CREATE SCHEMA t; CREATE TABLE t.a (id int); CREATE FUNCTION other.die() RETURNS event_trigger "
        "LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); "
        "END'; CREATE EVENT TRIGGER die ON sql_drop WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION "
        "other.die()");
    bench->options.retry_initial_delay_ms = 10;
    DROPPED_CLEANUP Dropped refused = drop();
    sql_run(bench->admin, "DROP EVENT TRIGGER die");
    assert_int_equal(refused.outcome, OUTCOME_ERROR);
    assert_string_equal(refused.result.sqlstate, "57P01");
    assert_true(exists());
}

static void what_is_cancelled_before_it_begins_writes_nothing(void **state)
{
    (void)state;
    Bundle bundle = two_files();
    atomic_store(&bench->cancelled, true);
    CREATED_CLEANUP Created created = create_on(bench->direct, "t", &bundle);
    assert_int_equal(created.outcome, OUTCOME_CANCELLED);
    sql_run(bench->admin, "CREATE SCHEMA t");
    DROPPED_CLEANUP Dropped dropped = drop();
    assert_int_equal(dropped.outcome, OUTCOME_CANCELLED);
    TenantExistsResult result = {0};
    assert_int_equal(run_on(op_exists, bench->direct, "t", NULL, &result), OUTCOME_CANCELLED);
    assert_non_null(result.error);
    record_clear(&TENANT_EXISTS_RESULT, &result);
    atomic_store(&bench->cancelled, false);
    assert_true(exists());
    bundle_clear(&bundle);
}

static void a_drop_that_waits_can_be_cancelled(void **state)
{
    (void)state;
    bench->options.lock_timeout_ms = 60000;
    sql_run(bench->admin, "CREATE SCHEMA t; CREATE TABLE t.a (id int)");
    PGconn *reader = cluster_connect(bench->cluster, "postgres");
    sql_run(reader, "BEGIN; SELECT * FROM t.a");
    Runner runner;
    runner_start(&runner, NULL);
    wait_for(bench->admin, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    atomic_store(&bench->cancelled, true);
    reservoir_cancel(runner.reservoir);
    runner_join(&runner);
    assert_int_equal(runner.dropped.outcome, OUTCOME_CANCELLED);
    atomic_store(&bench->cancelled, false);
    assert_true(exists());
    runner_clear(&runner);
    PQfinish(reader);
}

/* The last test: it leaves no server. Nobody has a connection to it, on which a COMMIT could be in doubt. */
static void a_dead_server_is_an_error_for_everybody(void **state)
{
    (void)state;
    bench->options.retry_initial_delay_ms = 10;
    cluster_kill(bench->cluster);
    Reservoir *reservoir = bench_reservoir(bench);
    Bundle bundle = two_files();
    CREATED_CLEANUP Created created = create_on(reservoir, "t", &bundle);
    assert_int_equal(created.outcome, OUTCOME_ERROR);
    assert_non_null(created.result.migration.error);
    DROPPED_CLEANUP Dropped dropped = drop_on(reservoir, "t");
    assert_int_equal(dropped.outcome, OUTCOME_ERROR);
    TenantExistsResult result = {0};
    assert_int_equal(run_on(op_exists, reservoir, "t", NULL, &result), OUTCOME_ERROR);
    assert_non_null(result.error);
    assert_false(result.exists);
    record_clear(&TENANT_EXISTS_RESULT, &result);
    bench_reservoir_free(reservoir);
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(racing_creators_make_one_tenant),
        TEST(a_creator_without_our_lock_is_no_failure),
        TEST(a_tenant_in_other_hands_is_busy),
        TEST(an_interlude_of_another_run_loses_nothing_of_the_result),
        TEST(a_table_in_use_is_tried_a_bounded_number_of_times),
        TEST(a_commit_whose_answer_is_lost_counts),
        TEST(a_new_schema_of_the_same_name_survives_a_lost_drop),
        TEST(a_backend_killed_before_its_commit_is_replaced),
        TEST(a_drop_that_kills_its_backend_is_given_up),
        TEST(what_is_cancelled_before_it_begins_writes_nothing),
        TEST(a_drop_that_waits_can_be_cancelled),
        TEST(a_dead_server_is_an_error_for_everybody),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
