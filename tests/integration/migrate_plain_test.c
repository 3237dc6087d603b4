/* Plain scripts: which way a file goes, and what becomes of one whose tenant is not as the plan says. */
#include "common/buffer.h"
#include "tests/integration/migrate_support.h"

/* Leaves a mark and, behind its name, the message that the server got. */
#define TELL(name) MARK(name) "INSERT INTO marks.log SELECT '" name "', current_query();\n"

/* How often a file told that it stood in a block. */
static long long blocks(const char *name)
{
    return sql_number(bench->admin,
                      "SELECT count(*) FROM marks.log WHERE tenant = '%s' AND migration LIKE '%%DO $pgc%%'",
                      name);
}

static void expect_way(const char *text, bool plain)
{
    void *no_state = NULL;
    const RunOptions options = bench->options;
    renew(&no_state);
    bench->options = options;
    Bundle bundle = {0};
    BUFFER_CLEANUP Buffer file = {0};
    buffer_appendf(&file, "%s%s", text, TELL("x"));
    bundle_add(&bundle, "0001_x", buffer_text(&file), 0);
    Reservoir *reservoirs[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < 2; i++) {
        BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, reservoirs[i], "t", &bundle);
        assert_int_equal(ended.outcome, OUTCOME_APPLIED);
        assert_int_equal(marks("x"), i + 1);
        assert_int_equal(blocks("x"), plain ? 0 : i + 1);
        sql_run(bench->admin, "DROP SCHEMA t CASCADE; CREATE SCHEMA t");
    }
    bundle_clear(&bundle);
}

static void plain_scripts_go_without_a_block(void **state)
{
    (void)state;
    expect_way("CREATE TABLE a (x int);\n", true);
    expect_way("SELECT 1;\n", false);
    expect_way("DELETE FROM marks.log WHERE tenant = 'nobody' RETURNING tenant;\n", false);
    expect_way("SET lock_timeout = 0;\n", false);
    bench->options.statement_timeout_ms = 600000;
    expect_way("CREATE TABLE a (x int);\n", false);
}

/* Where a backslash escapes, the first string goes on up to the second one, and what follows commits. */
static void strings_are_read_as_the_script_was_cut(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(
        &bundle, "0001_x",
        "CREATE TABLE a (x text);\nINSERT INTO a SELECT 'x\\' AS x WHERE '; COMMIT; --' <> '';\n" TELL("x"),
        0);
    sql_run(bench->admin, "ALTER ROLE postgres SET standard_conforming_strings = off");
    Reservoir *reservoir = bench_reservoir(bench);
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, reservoir, "t", &bundle);
    sql_run(bench->admin, "ALTER ROLE postgres RESET standard_conforming_strings");
    bench_reservoir_free(reservoir);
    assert_int_equal(ended.outcome, OUTCOME_APPLIED);
    char *text = sql_text(bench->admin, "SELECT string_agg(x, '|') FROM t.a");
    assert_string_equal(text, "x\\");
    free(text);
    assert_int_equal(blocks("x"), 1);
    assert_int_equal(rows(), 1);
    bundle_clear(&bundle);
}

static Bundle telling_files(void)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", TELL("a"), 1700000000001);
    bundle_add(&bundle, "0002_b", TELL("b"), 1700000000002);
    return bundle;
}

/* The first file was applied before or not; the plan that a run goes by says something else. */
static BenchResult migrate_by_plan(const char *format, bool before, const char *plan)
{
    void *no_state = NULL;
    Bundle bundle = telling_files();
    renew(&no_state);
    bench->options.default_format = (char *)format;
    if (before) {
        Bundle first = {bundle.items, 1, ""};
        BENCH_RESULT_CLEANUP BenchResult one = migrate(&first);
        assert_int_equal(one.outcome, OUTCOME_APPLIED);
        assert_int_equal(blocks("a"), 0);
    }
    bench->plan = plan;
    BenchResult ended = migrate(&bundle);
    bundle_clear(&bundle);
    return ended;
}

static void expect_once_each(void)
{
    assert_int_equal(marks("a"), 1);
    assert_int_equal(marks("b"), 1);
    assert_int_equal(rows(), 2);
}

static void a_plan_that_is_right_needs_no_block(void **state)
{
    (void)state;
    static const char *const PLANS[] = {"name 1", "hash 1", "drizzle-kit 1"};
    for (size_t i = 0; i < 3; i++) {
        BENCH_RESULT_CLEANUP BenchResult ended = migrate_by_plan(FORMATS[i], true, PLANS[i]);
        expect_names(&ended.result.applied_migrations, "0002_b");
        expect_once_each();
        assert_int_equal(blocks("a") + blocks("b"), 0);
        BENCH_RESULT_CLEANUP BenchResult first = migrate_by_plan(FORMATS[i], false, "none 0");
        expect_names(&first.result.applied_migrations, "0001_a,0002_b");
        expect_once_each();
        assert_int_equal(blocks("a") + blocks("b"), 0);
    }
}

/* Another session has applied the first file since the plan was made. */
static void what_was_applied_meanwhile_is_already_there(void **state)
{
    (void)state;
    static const char *const PLANS[] = {"name 0", "hash 0", "drizzle-kit 0"};
    for (size_t i = 0; i < 3; i++) {
        BENCH_RESULT_CLEANUP BenchResult ended = migrate_by_plan(FORMATS[i], true, PLANS[i]);
        assert_int_equal(ended.outcome, OUTCOME_APPLIED);
        expect_names(&ended.result.already, "0001_a");
        expect_names(&ended.result.applied_migrations, "0002_b");
        expect_once_each();
        assert_int_equal(blocks("b"), 0); /* what one file met says nothing of the next one */
    }
}

/* The table was made since. */
static void a_plan_without_the_table_is_made_anew(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        BENCH_RESULT_CLEANUP BenchResult ended = migrate_by_plan(FORMATS[i], true, "none 0");
        assert_int_equal(ended.outcome, OUTCOME_APPLIED);
        expect_names(&ended.result.already, "0001_a");
        expect_names(&ended.result.applied_migrations, "0002_b");
        expect_once_each();
    }
    renew(state);
    Bundle bundle = telling_files(), none = {0};
    bundle_add(&none, "0000_x", "SELECT 1/0", 0);
    BENCH_RESULT_CLEANUP BenchResult failed = migrate(&none); /* leaves an empty table */
    assert_int_equal(failed.outcome, OUTCOME_ERROR);
    bench->plan = "none 0";
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    expect_names(&ended.result.applied_migrations, "0001_a,0002_b");
    expect_once_each();
    assert_int_equal(blocks("a"), 1);
    assert_int_equal(blocks("b"), 0);
    bundle_clear(&bundle);
    bundle_clear(&none);
}

/* The table was converted since: its columns have other names. */
static void a_plan_of_another_format_is_made_anew(void **state)
{
    (void)state;
    BENCH_RESULT_CLEANUP BenchResult ended = migrate_by_plan("name", true, "hash 1");
    assert_int_equal(ended.outcome, OUTCOME_APPLIED);
    expect_names(&ended.result.applied_migrations, "0002_b");
    expect_once_each();
}

static void a_plan_of_a_dropped_schema_ends_in_no_schema(void **state)
{
    (void)state;
    static const char *const PLANS[] = {"none 0", "name 0"};
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "CREATE TABLE strayed (x int)", 0);
    for (size_t i = 0; i < 2; i++) {
        renew(state);
        sql_run(bench->admin, "DROP SCHEMA t");
        bench->plan = PLANS[i];
        BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
        assert_int_equal(ended.outcome, OUTCOME_NO_SCHEMA);
        assert_string_equal(ended.result.error, "schema \"t\" does not exist");
        assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_class WHERE relname = 'strayed'"),
                         0);
    }
    bundle_clear(&bundle);
}

/* Without rights to the schema its names fall through to public. */
static void a_schema_without_rights_is_refused(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "CREATE TABLE strayed (x int)", 0);
    sql_run(bench->admin, "CREATE ROLE stranger; GRANT CREATE ON SCHEMA public TO stranger; "
                          "ALTER ROLE postgres SET role = 'stranger'");
    Reservoir *reservoir = bench_reservoir(bench);
    bench->plan = "none 0";
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, reservoir, "t", &bundle);
    sql_run(bench->admin, "ALTER ROLE postgres RESET role");
    bench_reservoir_free(reservoir);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.sqlstate, "42501");
    assert_string_equal(ended.result.error, "permission denied for schema t");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_class WHERE relname = 'strayed'"), 0);
    bundle_clear(&bundle);
}

/* Reading this tracking table counts in marks.tries and then waits for t.held. */
static PGconn *hold_tracking_table(void)
{
    sql_run(bench->admin,
            "CREATE TABLE t.held (); CREATE TABLE t.base (id serial PRIMARY KEY, name text, applied_at "
            "timestamptz); INSERT INTO t.base DEFAULT VALUES;"
            "CREATE FUNCTION t.wait() RETURNS bool LANGUAGE plpgsql COST 0.0001 AS 'BEGIN PERFORM "
            "nextval(''marks.tries''); LOCK TABLE t.held; RETURN true; END';"
            "CREATE VIEW t.__drizzle_migrations AS SELECT * FROM t.base WHERE t.wait()");
    PGconn *holder = cluster_connect(bench->cluster, "postgres");
    sql_run(holder, "BEGIN; LOCK TABLE t.held");
    return holder;
}

/* A look that waits for a lock was not forestalled: no block is asked why, and each try is one. */
static void a_look_that_meets_a_lock_timeout_is_tried_again_as_such(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", TELL("a"), 0);
    PGconn *holder = hold_tracking_table();
    bench->plan = "name 0";
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 3;
    bench->options.retry_initial_delay_ms = 10;
    bench->options.retry_max_delay_ms = 20;
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.sqlstate, "55P03");
    assert_int_equal(ended.result.line, 0);
    assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM marks.tries"), 3);
    bench->options.lock_attempts = 1000;
    Runner runner;
    runner_start(&runner, &bundle, 0);
    wait_for(bench->admin, "SELECT (last_value > 5)::int FROM marks.tries");
    sql_run(holder, "COMMIT");
    PQfinish(holder);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    assert_int_equal(marks("a"), 1);
    assert_int_equal(blocks("a"), 0);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

/* Whoever waits for the look's lock can be cancelled. */
static void a_look_that_is_cancelled_ends_the_run(void **state)
{
    (void)state;
    Bundle bundle = telling_files();
    PGconn *holder = hold_tracking_table();
    bench->plan = "name 0";
    bench->options.lock_timeout_ms = DEADLINE_MS;
    Runner runner;
    runner_start(&runner, &bundle, 0);
    wait_for(bench->admin, "SELECT is_called::int FROM marks.tries");
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    atomic_store(&bench->cancelled, true);
    reservoir_cancel(runner.reservoir);
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_CANCELLED);
    assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM marks.tries"), 1);
    PQfinish(holder);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

/* A message that finds the tenant's lock held cannot tell that alone; once a block has, blocks wait for it.
 */
static void a_held_lock_is_told_by_a_block(void **state)
{
    (void)state;
    Bundle bundle = telling_files();
    sql_run(bench->admin, "SELECT pg_advisory_lock(%lld)", lock_key("t"));
    BENCH_RESULT_CLEANUP BenchResult busy = migrate(&bundle);
    assert_int_equal(busy.outcome, OUTCOME_BUSY);
    assert_null(busy.result.sqlstate);
    Runner runner;
    runner_start(&runner, &bundle, 0);
    pause_ms(150);
    sql_run(bench->admin, "SELECT pg_advisory_unlock(%lld)", lock_key("t"));
    runner_join(&runner);
    assert_int_equal(runner.ended.outcome, OUTCOME_APPLIED);
    assert_int_equal(blocks("a"), 1);
    assert_int_equal(blocks("b"), 0);
    expect_once_each();
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_scripts_go_without_a_block),
        TEST(strings_are_read_as_the_script_was_cut),
        TEST(a_plan_that_is_right_needs_no_block),
        TEST(what_was_applied_meanwhile_is_already_there),
        TEST(a_plan_without_the_table_is_made_anew),
        TEST(a_plan_of_another_format_is_made_anew),
        TEST(a_plan_of_a_dropped_schema_ends_in_no_schema),
        TEST(a_schema_without_rights_is_refused),
        TEST(a_look_that_meets_a_lock_timeout_is_tried_again_as_such),
        TEST(a_look_that_is_cancelled_ends_the_run),
        TEST(a_held_lock_is_told_by_a_block),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
