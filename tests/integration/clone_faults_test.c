/* Cloning when something comes between: other runs, locks, killed backends, lost COMMITs, cancellation. */
#include "tests/integration/clone_support.h"

/* A clone in a thread of its own. */
typedef struct Cloner {
    pthread_t thread;
    Reservoir *reservoir;
    Cloned cloned;
} Cloner;

static void *clone_thread(void *argument)
{
    Cloner *cloner = argument;
    cloner->cloned = clone_on(cloner->reservoir, "t");
    return NULL;
}

static void cloner_start(Cloner *cloner)
{
    *cloner = (Cloner){.reservoir = bench_reservoir(bench)};
    assert_int_equal(pthread_create(&cloner->thread, NULL, clone_thread, cloner), 0);
}

static void cloner_join(Cloner *cloner)
{
    pthread_join(cloner->thread, NULL);
    bench_reservoir_free(cloner->reservoir);
}

static const char SIMPLE[] = "CREATE SCHEMA src; CREATE TABLE src.a (id serial PRIMARY KEY, v text); INSERT "
                             "INTO src.a (v) SELECT 'x' FROM "
                             "generate_series(1, 10)";

/* Makes the copying of rows take long, in the backend that copies. */
static const char SLOW[] = "CREATE FUNCTION src.slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN "
                           "PERFORM pg_sleep(60); RETURN "
                           "n; END'; CREATE TABLE src.slow (n int); INSERT INTO src.slow VALUES (1); ALTER "
                           "TABLE src.slow ADD CONSTRAINT "
                           "slowly CHECK (src.slow(n) > 0) NOT VALID; UPDATE pg_constraint SET convalidated "
                           "= true WHERE conname = 'slowly'";

static const char SLEEPER[] =
    "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";

static void nothing_stays(void)
{
    assert_false(exists());
    assert_int_equal(locks_left(), 0);
}

static void a_failure_at_any_place_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *sqlstate, *detail;
    } CASES[] = {
        {"CREATE FUNCTION src.f(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN n; END'; "
         "CREATE TABLE "
         "src.b (n int, m int GENERATED ALWAYS AS (src.f(n)) STORED); INSERT INTO src.b VALUES (1); CREATE "
         "OR REPLACE "
         "FUNCTION src.f(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN n / 0; END'",
         "22012", "while copying the rows of table b"},
        {"CREATE FUNCTION src.f(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN n; END'; "
         "CREATE TABLE "
         "src.b (n int); INSERT INTO src.b VALUES (1); CREATE INDEX by_f ON src.b (src.f(n)); CREATE OR "
         "REPLACE "
         "FUNCTION src.f(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN n / 0; END'",
         "22012", "while copying index by_f"},
        {"CREATE TABLE src.b (n int); INSERT INTO src.b VALUES (1); CREATE MATERIALIZED VIEW src.m AS SELECT "
         "1 / n AS n "
         "FROM src.b; UPDATE src.b SET n = 0",
         "22012", "while copying materialized view m"},
    };
    bench->options.with_data = true;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sql_run(bench->admin, "DROP SCHEMA IF EXISTS src CASCADE; CREATE SCHEMA src; %s", CASES[i].sql);
        for (int pooled = 0; pooled < 2; pooled++) {
            CLONED_CLEANUP Cloned refused = clone_on(pooled ? bench->pooled : bench->direct, "t");
            expect_refused(&refused, OUTCOME_ERROR, "");
            assert_string_equal(refused.result.sqlstate, CASES[i].sqlstate);
            assert_string_equal(refused.result.detail, CASES[i].detail);
            nothing_stays();
        }
    }
}

static void a_statement_that_takes_too_long_leaves_nothing(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    sql_run(bench->admin, SLOW);
    bench->options.with_data = true;
    bench->options.statement_timeout_ms = 200;
    CLONED_CLEANUP Cloned refused = clone_to_t();
    expect_refused(&refused, OUTCOME_ERROR, "canceling statement due to statement timeout");
    assert_string_equal(refused.result.sqlstate, "57014");
    nothing_stays();
}

static void a_cancelled_clone_leaves_nothing(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    sql_run(bench->admin, SLOW);
    bench->options.with_data = true;
    Cloner cloner;
    cloner_start(&cloner);
    wait_for(bench->admin, SLEEPER);
    atomic_store(&bench->cancelled, true);
    reservoir_cancel(cloner.reservoir);
    cloner_join(&cloner);
    atomic_store(&bench->cancelled, false);
    expect_refused(&cloner.cloned, OUTCOME_CANCELLED, "");
    cloned_clear(&cloner.cloned);
    nothing_stays();
}

/* The second attempt finds nothing of the first. */
static void a_killed_backend_is_replaced(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    sql_run(bench->admin, SLOW);
    bench->options.with_data = true;
    bench->options.retry_initial_delay_ms = 1000;
    Cloner cloner;
    cloner_start(&cloner);
    long long pid = wait_for(bench->admin, SLEEPER);
    sql_run(bench->admin, "SELECT pg_terminate_backend(%lld)", pid);
    wait_for(bench->admin,
             "SELECT (NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'))::int");
    assert_false(exists());
    sql_run(bench->admin, "DROP TABLE src.slow");
    cloner_join(&cloner);
    expect_cloned(&cloner.cloned);
    expect_same_digest("src", "t");
    assert_int_equal(count_of("t.a"), 10);
    assert_int_equal(locks_left(), 0);
    cloned_clear(&cloner.cloned);
}

/* From here on COMMIT waits for a standby that does not exist, after it has written. */
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
    sql_run(bench->admin, SIMPLE);
    bench->options.with_data = true;
    Cloner cloner;
    hold_commits();
    cloner_start(&cloner);
    kill_committer();
    cloner_join(&cloner);
    release_commits();
    expect_cloned(&cloner.cloned);
    expect_names(&cloner.cloned.result.tables, "a");
    assert_int_equal(cloner.cloned.result.rows_copied, 10);
    assert_int_equal(count_of("t.a"), 10);
    assert_int_equal(locks_left(), 0);
    cloned_clear(&cloner.cloned);
}

/* Somebody has granted rights on our clone before we could look: its row is not of our transaction now. */
static void a_lost_commit_counts_whatever_became_of_the_schema_s_row(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    sql_run(bench->admin, "SET synchronous_commit = off");
    bench->options.retry_initial_delay_ms = 1500;
    Cloner cloner;
    hold_commits();
    cloner_start(&cloner);
    kill_committer();
    wait_for(bench->admin, "SELECT (to_regnamespace('t') IS NOT NULL)::int");
    sql_run(bench->admin, "GRANT USAGE ON SCHEMA t TO PUBLIC");
    release_commits();
    cloner_join(&cloner);
    expect_cloned(&cloner.cloned);
    cloned_clear(&cloner.cloned);
    sql_run(bench->admin, "RESET synchronous_commit");
}

/* Ours was dropped at once, and somebody has made another one: that is not ours. */
static void a_schema_of_somebody_else_is_no_proof(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    sql_run(bench->admin, "CREATE SCHEMA t");
    bench->recovering = true;
    CLONED_CLEANUP Cloned unknown = clone_to_t();
    expect_refused(&unknown, OUTCOME_UNKNOWN,
                   "whether a worker that died has cloned it could not be learned");
    bench->recovering = false;
}

static void either_tenant_in_other_hands_is_busy(void **state)
{
    (void)state;
    static const char *const HELD[] = {"src", "t"};
    sql_run(bench->admin, SIMPLE);
    for (int i = 0; i < 2; i++) {
        sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", lock_key(HELD[i]));
        CLONED_CLEANUP Cloned busy = clone_on(i == 0 ? bench->pooled : bench->direct, "t");
        expect_refused(&busy, OUTCOME_BUSY, "schema \"src\" or \"t\" is locked by another run");
        sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", lock_key(HELD[i]));
        nothing_stays();
    }
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
}

/* A run that has the source commits at the moment when we get its lock: what it wrote is copied. */
static void what_the_last_run_wrote_is_copied(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    bench->options.with_data = true;
    for (int round = 1; round <= 5; round++) {
        PGconn *run = cluster_connect(bench->cluster, "postgres");
        sql_run(run,
                "BEGIN; SELECT pg_advisory_xact_lock(%lld); CREATE TABLE src.fresh%d (x int); INSERT INTO "
                "src.fresh%d VALUES (1)",
                lock_key("src"), round, round);
        Cloner cloner;
        cloner_start(&cloner);
        wait_for(bench->admin,
                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgconvoy/test/0'");
        pause_ms(7 * round);
        sql_run(run, "COMMIT");
        cloner_join(&cloner);
        expect_cloned(&cloner.cloned);
        cloned_clear(&cloner.cloned);
        assert_int_equal(sql_number(bench->admin, "SELECT x FROM t.fresh%d", round), 1);
        sql_run(bench->admin, "DROP SCHEMA t CASCADE");
        PQfinish(run);
    }
}

typedef struct Writer {
    pthread_t thread;
    PGconn *connection;
    atomic_bool stop;
} Writer;

static void *write_pairs(void *argument)
{
    Writer *writer = argument;
    for (int id = 1000; !atomic_load(&writer->stop); id++)
        sql_run(writer->connection,
                "WITH u AS (INSERT INTO src.users VALUES (%d)) INSERT INTO src.also VALUES (%d)", id, id);
    return NULL;
}

/* Tables are copied one after the other, and still as of one moment. */
static void a_source_in_use_is_copied_as_of_one_moment(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE TABLE src.users (id int PRIMARY KEY); CREATE TABLE src.between AS "
            "SELECT repeat('x', 200) AS x FROM generate_series(1, 50000); CREATE TABLE src.also (id int "
            "REFERENCES src.users)");
    bench->options.with_data = true;
    Writer writer = {.connection = cluster_connect(bench->cluster, "postgres")};
    atomic_init(&writer.stop, false);
    assert_int_equal(pthread_create(&writer.thread, NULL, write_pairs, &writer), 0);
    wait_for(bench->admin, "SELECT count(*) FROM src.also");
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    atomic_store(&writer.stop, true);
    pthread_join(writer.thread, NULL);
    PQfinish(writer.connection);
    expect_cloned(&cloned);
    assert_int_equal(count_of("t.users"), count_of("t.also"));
    assert_true(count_of("t.users") > 0);
    assert_true(count_of("t.users") < count_of("src.users"));
}

static void of_racing_clones_one_is_made(void **state)
{
    (void)state;
    enum { CLONERS = 3 };
    sql_run(bench->admin, SIMPLE);
    Cloner cloners[CLONERS];
    for (int i = 0; i < CLONERS; i++)
        cloner_start(&cloners[i]);
    int made = 0;
    for (int i = 0; i < CLONERS; i++) {
        cloner_join(&cloners[i]);
        made += cloners[i].cloned.outcome == OUTCOME_APPLIED;
        if (cloners[i].cloned.outcome != OUTCOME_APPLIED)
            expect_refused(&cloners[i].cloned, OUTCOME_ERROR, "already exists");
        cloned_clear(&cloners[i].cloned);
    }
    assert_int_equal(made, 1);
}

static void a_table_that_is_being_altered_is_waited_for_a_bounded_time(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 3;
    bench->options.retry_initial_delay_ms = 10;
    PGconn *other = cluster_connect(bench->cluster, "postgres");
    sql_run(other, "BEGIN; LOCK TABLE src.a");
    CLONED_CLEANUP Cloned refused = clone_to_t();
    sql_run(other, "COMMIT");
    PQfinish(other);
    expect_refused(&refused, OUTCOME_ERROR, "canceling statement due to lock timeout");
    assert_string_equal(refused.result.sqlstate, "55P03");
    assert_non_null(refused.result.hint);
    nothing_stays();
}

static void a_creator_without_our_lock_wins(void **state)
{
    (void)state;
    sql_run(bench->admin, SIMPLE);
    PGconn *stranger = cluster_connect(bench->cluster, "postgres");
    sql_run(stranger, "BEGIN; CREATE SCHEMA t");
    Cloner cloner;
    cloner_start(&cloner);
    wait_for(bench->admin, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    sql_run(stranger, "COMMIT");
    cloner_join(&cloner);
    expect_refused(&cloner.cloned, OUTCOME_ERROR, "Target tenant \"t\" already exists");
    cloned_clear(&cloner.cloned);
    PQfinish(stranger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLONE_TEST(a_failure_at_any_place_leaves_nothing),
        CLONE_TEST(a_statement_that_takes_too_long_leaves_nothing),
        CLONE_TEST(a_cancelled_clone_leaves_nothing),
        CLONE_TEST(a_killed_backend_is_replaced),
        CLONE_TEST(a_commit_whose_answer_is_lost_counts),
        CLONE_TEST(a_lost_commit_counts_whatever_became_of_the_schema_s_row),
        CLONE_TEST(a_schema_of_somebody_else_is_no_proof),
        CLONE_TEST(either_tenant_in_other_hands_is_busy),
        CLONE_TEST(what_the_last_run_wrote_is_copied),
        CLONE_TEST(a_source_in_use_is_copied_as_of_one_moment),
        CLONE_TEST(of_racing_clones_one_is_made),
        CLONE_TEST(a_table_that_is_being_altered_is_waited_for_a_bounded_time),
        CLONE_TEST(a_creator_without_our_lock_wins),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
