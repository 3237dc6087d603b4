/* Never twice and never lost: what races, killed backends, held locks, cancellations and lost COMMITs leave
 * behind. Every file of these bundles writes a row into marks.log, which counts how often it really ran. */
#include "common/buffer.h"
#include "tests/support/operations.h"
#include "tests/support/test.h"
#include "worker/ops/block_exchange.h"
#include "worker/pg/tenant_lock.h"
#include <pthread.h>
#include <time.h>

enum { DEADLINE_MS = 30000 };

static Bench *bench;

static int start(void **state)
{
    (void)state;
    bench = bench_start(NULL);
    sql_run(bench->admin, "CREATE SCHEMA marks; CREATE TABLE marks.log (tenant text, migration text); "
                          "CREATE SEQUENCE marks.tries");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(bench);
    return 0;
}

/* Each test begins with an empty schema t, an empty log and default options. */
static int renew(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t; TRUNCATE marks.log; "
                          "ALTER SEQUENCE marks.tries RESTART");
    bench->options = (RunOptions){0};
    bench->recovering = false;
    atomic_store(&bench->cancelled, false);
    return 0;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Waits until a query gives a number other than 0, and returns it. */
static long long wait_for(PGconn *connection, const char *sql)
{
    for (int waited = 0; waited < DEADLINE_MS; waited += 5) {
        long long number = sql_number(connection, "%s", sql);
        if (number != 0)
            return number;
        pause_ms(5);
    }
    fail_msg("never true: %s", sql);
    return 0;
}

#define MARK(name) "INSERT INTO marks.log VALUES (current_schema(), '" name "');\n"

static long long marks(const char *migration)
{
    return sql_number(bench->admin, "SELECT count(*) FROM marks.log WHERE migration = '%s'", migration);
}

static long long rows(void)
{
    return sql_number(bench->admin, "SELECT count(*) FROM t.__drizzle_migrations");
}

static void expect_names(const TextList *list, const char *expected)
{
    char *names = join_names(list);
    assert_string_equal(names, expected);
    free(names);
}

static BenchResult migrate(const Bundle *bundle)
{
    return bench_run(bench, op_migrate, bench->direct, "t", bundle);
}

static Bundle three_files(void)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a"), 1700000000001);
    bundle_add(&bundle, "0002_b", MARK("b"), 1700000000002);
    bundle_add(&bundle, "0003_c", MARK("c"), 1700000000003);
    return bundle;
}

/* A run in a thread of its own. */
typedef struct Runner {
    pthread_t thread;
    const Bundle *bundle;
    Reservoir *reservoir;
    BenchResult ended;
    long delay_ms;
} Runner;

static void *run_thread(void *argument)
{
    Runner *runner = argument;
    pause_ms(runner->delay_ms);
    runner->ended = bench_run(bench, op_migrate, runner->reservoir, "t", runner->bundle);
    return NULL;
}

static void runner_start(Runner *runner, const Bundle *bundle, long delay_ms)
{
    *runner = (Runner){.bundle = bundle, .reservoir = bench_reservoir(bench), .delay_ms = delay_ms};
    assert_int_equal(pthread_create(&runner->thread, NULL, run_thread, runner), 0);
}

static void runner_join(Runner *runner)
{
    pthread_join(runner->thread, NULL);
    bench_reservoir_free(runner->reservoir);
}

static const char *const FORMATS[] = {"name", "hash", "drizzle-kit"};

static void applies_in_order_and_once(void **state)
{
    Bundle bundle = three_files();
    for (size_t i = 0; i < 3; i++) {
        renew(state);
        bench->options.default_format = (char *)FORMATS[i];
        BENCH_RESULT_CLEANUP BenchResult first = migrate(&bundle);
        assert_int_equal(first.outcome, OUTCOME_APPLIED);
        assert_true(first.result.success);
        assert_string_equal(first.result.tenant_id, "t");
        assert_string_equal(first.result.schema_name, "t");
        assert_string_equal(first.result.format, FORMATS[i]);
        assert_string_equal(first.result.outcome, "applied");
        assert_null(first.result.error);
        expect_names(&first.result.applied_migrations, "0001_a,0002_b,0003_c");
        char *order = sql_text(bench->admin, "SELECT string_agg(migration, '' ORDER BY ctid) FROM marks.log");
        assert_string_equal(order, "abc");
        free(order);
        BENCH_RESULT_CLEANUP BenchResult second = migrate(&bundle);
        assert_int_equal(second.outcome, OUTCOME_ALREADY);
        assert_true(second.result.success);
        expect_names(&second.result.applied_migrations, "");
        expect_names(&second.result.already, "");
        assert_int_equal(rows(), 3);
        assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 3);
    }
    assert_int_equal(sql_number(bench->admin, "SELECT sum(created_at) FROM t.__drizzle_migrations"),
                     3 * 1700000000002);
    bundle_clear(&bundle);
}

static void an_attempt_that_recovers_lists_what_is_recorded(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    BENCH_RESULT_CLEANUP BenchResult first = migrate(&bundle);
    bench->recovering = true;
    BENCH_RESULT_CLEANUP BenchResult second = migrate(&bundle);
    assert_int_equal(second.outcome, OUTCOME_ALREADY);
    expect_names(&second.result.already, "0001_a,0002_b,0003_c");
    bundle_clear(&bundle);
}

static void two_runs_that_race_apply_each_migration_once(void **state)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a") "SELECT pg_sleep(0.02)", 1700000000001);
    bundle_add(&bundle, "0002_b", MARK("b"), 1700000000002);
    bundle_add(&bundle, "0003_c", MARK("c") "SELECT pg_sleep(0.02)", 1700000000003);
    for (int round = 0; round < 12; round++) {
        renew(state);
        bench->options.default_format = (char *)FORMATS[round % 3];
        Runner runners[2];
        for (int i = 0; i < 2; i++)
            runner_start(&runners[i], &bundle, 0);
        size_t applied = 0;
        for (int i = 0; i < 2; i++) {
            runner_join(&runners[i]);
            assert_true(runners[i].ended.result.success);
            applied += runners[i].ended.result.applied_migrations.count;
        }
        assert_int_equal(applied, 3);
        assert_int_equal(rows(), 3);
        assert_int_equal(marks("a"), 1);
        assert_int_equal(marks("b"), 1);
        assert_int_equal(marks("c"), 1);
        for (int i = 0; i < 2; i++)
            bench_result_clear(&runners[i].ended);
    }
    bundle_clear(&bundle);
}

/* Reading this tracking table takes 300 ms, so that a second run, begun half-way, reads what was true before
 * the first one's COMMIT if it reads before it holds the lock. */
static void make_slow_tracking_table(const char *format)
{
    static const char *const COLUMNS[] = {"name text, applied_at timestamptz",
                                          "hash text, created_at timestamptz",
                                          "hash text, created_at bigint"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(FORMATS[i], format) == 0)
            sql_run(bench->admin, "CREATE TABLE t.base (id serial PRIMARY KEY, %s)", COLUMNS[i]);
    sql_run(bench->admin, "INSERT INTO t.base DEFAULT VALUES");
    sql_run(bench->admin, "CREATE FUNCTION t.nap() RETURNS bool LANGUAGE plpgsql COST 0.0001 AS "
                          "'BEGIN PERFORM pg_sleep(0.3); RETURN true; END'");
    sql_run(bench->admin, "CREATE VIEW t.__drizzle_migrations AS SELECT * FROM t.base WHERE t.nap()");
}

static void the_second_look_comes_after_the_lock(void **state)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a"), 1700000000001);
    for (size_t i = 0; i < 3; i++) {
        renew(state);
        make_slow_tracking_table(FORMATS[i]);
        Runner runners[2];
        for (int k = 0; k < 2; k++)
            runner_start(&runners[k], &bundle, k * 150);
        size_t already = 0;
        for (int k = 0; k < 2; k++) {
            runner_join(&runners[k]);
            assert_true(runners[k].ended.result.success);
            already += runners[k].ended.result.already.count;
            bench_result_clear(&runners[k].ended);
        }
        assert_int_equal(marks("a"), 1);
        assert_int_equal(already, 1);
    }
    bundle_clear(&bundle);
}

static void a_held_lock_is_busy_and_then_free(void **state)
{
    (void)state;
    int64_t key;
    Error error = {0};
    assert_true(tenant_lock_key("t", &key, &error));
    Bundle bundle = three_files();
    sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", (long long)key);
    BENCH_RESULT_CLEANUP BenchResult busy = migrate(&bundle);
    assert_int_equal(busy.outcome, OUTCOME_BUSY);
    assert_false(busy.result.success);
    assert_in_range(busy.result.duration_ms, 900, 5000);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 0);
    Runner runner;
    runner_start(&runner, &bundle, 0);
    pause_ms(100);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", (long long)key);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

static void files_of_equal_content_are_applied_each(void **state)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("same"), 0);
    bundle_add(&bundle, "0002_b", MARK("b"), 0);
    bundle_add(&bundle, "0003_a", MARK("same"), 0);
    for (size_t i = 0; i < 3; i++) {
        renew(state);
        bench->options.default_format = (char *)FORMATS[i];
        Bundle first = {bundle.items, 1, ""};
        BENCH_RESULT_CLEANUP BenchResult one = migrate(&first);
        expect_names(&one.result.applied_migrations, "0001_a");
        BENCH_RESULT_CLEANUP BenchResult rest = migrate(&bundle);
        expect_names(&rest.result.applied_migrations, "0002_b,0003_a");
        BENCH_RESULT_CLEANUP BenchResult none = migrate(&bundle);
        assert_int_equal(none.outcome, OUTCOME_ALREADY);
        assert_int_equal(marks("same"), 2);
        assert_int_equal(rows(), 3);
    }
    bundle_clear(&bundle);
}

static void a_failing_file_leaves_the_earlier_ones(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a"), 0);
    bundle_add(&bundle, "0002_b", MARK("b") "SELECT 1/0", 0);
    bundle_add(&bundle, "0003_c", MARK("c"), 0);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    expect_names(&ended.result.applied_migrations, "0001_a");
    assert_string_equal(ended.result.migration, "0002_b");
    assert_string_equal(ended.result.error, "division by zero");
    assert_null(ended.result.format);
    assert_int_equal(rows(), 1);
    assert_int_equal(marks("b") + marks("c"), 0);
    bundle_clear(&bundle);
}

static void mark_applied_records_without_running(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "this is not SQL", 0);
    bundle_add(&bundle, "0002_b", "-- pgconvoy:transaction off\nVACUUM", 0);
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_mark_applied, bench->pooled, "t", &bundle);
    assert_int_equal(ended.outcome, OUTCOME_APPLIED);
    expect_names(&ended.result.applied_migrations, "0001_a,0002_b");
    assert_int_equal(rows(), 2);
    BENCH_RESULT_CLEANUP BenchResult after = migrate(&bundle);
    assert_int_equal(after.outcome, OUTCOME_ALREADY);
    bundle_clear(&bundle);
}

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    bench->options.dry_run = true;
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_true(ended.result.success);
    expect_names(&ended.result.applied_migrations, "0001_a,0002_b,0003_c");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_tables WHERE schemaname = 't'"), 0);
    bundle_clear(&bundle);
}

static void a_changed_file_is_not_applied_again_and_refused_when_strict(void **state)
{
    (void)state;
    Bundle bundle = three_files(), changed = {0};
    bench->options.default_format = (char *)"drizzle-kit";
    BENCH_RESULT_CLEANUP BenchResult first = migrate(&bundle);
    bundle_add(&changed, "0001_a", MARK("a") "SELECT 1", 1700000000001);
    BENCH_RESULT_CLEANUP BenchResult lenient = migrate(&changed);
    assert_int_equal(lenient.outcome, OUTCOME_ALREADY);
    bench->options.strict = true;
    BENCH_RESULT_CLEANUP BenchResult strict = migrate(&changed);
    assert_int_equal(strict.outcome, OUTCOME_ERROR);
    assert_string_equal(strict.result.migration, "0001_a");
    assert_non_null(strstr(strict.result.error, "changed"));
    assert_int_equal(marks("a"), 1);
    bundle_clear(&bundle);
    bundle_clear(&changed);
}

/* Whatever the text did to its role and path, ours are back when the row is written. */
static void the_row_is_written_by_the_role_that_the_server_gave(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE ROLE keeper; GRANT CREATE, USAGE ON SCHEMA t TO keeper; "
                          "ALTER ROLE postgres SET role = 'keeper'");
    sql_run(
        bench->admin,
        "CREATE TABLE t.__drizzle_migrations (id serial PRIMARY KEY, name text, applied_at timestamptz, "
        "who text DEFAULT current_user || ' in ' || current_schema()); "
        "GRANT ALL ON ALL TABLES IN SCHEMA t TO keeper; GRANT ALL ON ALL SEQUENCES IN SCHEMA t TO keeper");
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "SET ROLE NONE; CREATE TABLE a (x int)", 0);
    bundle_add(&bundle, "0002_b", "CREATE TABLE b (x int); SET search_path = pg_catalog; RESET ROLE", 0);
    Runner runner;
    runner_start(&runner, &bundle, 0);
    runner_join(&runner);
    sql_run(bench->admin, "ALTER ROLE postgres RESET role");
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    char *owners = sql_text(bench->admin, "SELECT string_agg(tablename || ':' || tableowner, ',' ORDER BY "
                                          "tablename) FROM pg_tables WHERE tablename IN ('a', 'b')");
    assert_string_equal(owners, "a:postgres,b:keeper");
    free(owners);
    char *writers =
        sql_text(bench->admin, "SELECT string_agg(DISTINCT who, ',') FROM t.__drizzle_migrations");
    assert_string_equal(writers, "keeper in t");
    free(writers);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

/* Sleeps in its first try only; sequences keep their count through a rollback. */
#define SLEEP_ONCE "SELECT pg_sleep(60) FROM (SELECT nextval('marks.tries') AS try) AS t WHERE try = 1;\n"
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
        "SELECT nextval('marks.tries'); SELECT pg_terminate_backend(pg_backend_pid()); SELECT pg_sleep(60)",
        0);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.sqlstate, "57P01");
    assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM marks.tries"), 3);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_tables WHERE schemaname = 't'"), 0);
    bundle_clear(&bundle);
}

static void a_locked_table_is_tried_again_a_bounded_number_of_times(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "SELECT nextval('marks.tries');\nLOCK TABLE t.shared", 0);
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
    bundle_add(&bundle, "0002_b", MARK("b") "SELECT pg_advisory_lock(42);" SLEEP_ONCE, 0);
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

/* The schema goes away between the look at the tracking table and the block. */
static void a_block_on_a_dropped_schema_answers_no_schema(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP SCHEMA t");
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "CREATE TABLE strayed (x int)", 0);
    Error error = {0};
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {0};
    assert_true(migration_script_read(&bundle.items[0], &script, &error));
    BlockRequest request = {
        .mode = BLOCK_APPLY,
        .schema = "t",
        .table = "__drizzle_migrations",
        .tracking = {.format = TRACKING_NAME, .time_column = "applied_at"},
        .create = true,
        .migration = &bundle.items[0],
        .ordinal = 1,
        .script = &script,
        .server_version = 150000
    };
    assert_true(migration_block_build(&request, &block, &error));
    Connection *connection = reservoir_acquire(bench->direct, NULL, 0, &error);
    BlockOutcome outcome = BLOCK_DONE;
    assert_int_equal(block_exchange(connection, &block, &script, &outcome, &error), EXCHANGE_DECIDED);
    assert_int_equal(outcome, BLOCK_NO_SCHEMA);
    assert_int_equal(PQtransactionStatus(connection_pg(connection)), PQTRANS_IDLE);
    reservoir_release(bench->direct, connection, 1);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_class WHERE relname = 'strayed'"), 0);
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

#define TEST(function) cmocka_unit_test_setup(function, renew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(applies_in_order_and_once),
        TEST(an_attempt_that_recovers_lists_what_is_recorded),
        TEST(two_runs_that_race_apply_each_migration_once),
        TEST(the_second_look_comes_after_the_lock),
        TEST(a_held_lock_is_busy_and_then_free),
        TEST(files_of_equal_content_are_applied_each),
        TEST(a_failing_file_leaves_the_earlier_ones),
        TEST(mark_applied_records_without_running),
        TEST(a_dry_run_writes_nothing),
        TEST(a_changed_file_is_not_applied_again_and_refused_when_strict),
        TEST(the_row_is_written_by_the_role_that_the_server_gave),
        TEST(a_backend_killed_before_its_commit_is_replaced),
        TEST(a_commit_whose_answer_is_lost_counts_once),
        TEST(a_file_that_kills_its_backend_is_given_up),
        TEST(a_locked_table_is_tried_again_a_bounded_number_of_times),
        TEST(a_locked_tracking_table_does_not_block_for_ever),
        TEST(a_cancelled_run_starts_nothing),
        TEST(a_cancelled_statement_rolls_back_its_migration_alone),
        TEST(a_block_on_a_dropped_schema_answers_no_schema),
        TEST(a_lost_server_leaves_an_unknown_that_the_next_run_resolves),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
