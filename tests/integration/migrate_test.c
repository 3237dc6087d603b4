/* Never twice: order, formats, races, files of equal content, and who writes the row. */
#include "tests/integration/migrate_support.h"
#include "worker/ops/block_exchange.h"

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
    assert_int_equal(first.outcome, OUTCOME_APPLIED);
    bench->recovering = true;
    BENCH_RESULT_CLEANUP BenchResult second = migrate(&bundle);
    assert_int_equal(second.outcome, OUTCOME_ALREADY);
    expect_names(&second.result.already, "0001_a,0002_b,0003_c");
    bundle_clear(&bundle);
}

static void two_runs_that_race_apply_each_migration_once(void **state)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a") NAP("0.02"), 1700000000001);
    bundle_add(&bundle, "0002_b", MARK("b"), 1700000000002);
    bundle_add(&bundle, "0003_c", MARK("c") NAP("0.02"), 1700000000003);
    for (int round = 0; round < 6; round++) {
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
    assert_int_equal(first.outcome, OUTCOME_APPLIED);
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

static void let_postgres_be_keeper(void)
{
    sql_run(bench->admin,
            "DO $$BEGIN CREATE ROLE keeper; EXCEPTION WHEN duplicate_object THEN END$$;"
            "GRANT CREATE, USAGE ON SCHEMA t TO keeper; ALTER ROLE postgres SET role = 'keeper';"
            "CREATE TABLE t.__drizzle_migrations (id serial PRIMARY KEY, name text, applied_at timestamptz,"
            " who text DEFAULT current_user || ' in ' || current_schema());"
            "GRANT ALL ON ALL TABLES IN SCHEMA t TO keeper; GRANT ALL ON ALL SEQUENCES IN SCHEMA t TO keeper;"
            "CREATE FUNCTION t.wander() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SET ROLE NONE;"
            " PERFORM set_config(''search_path'', ''pg_catalog'', false); RETURN NEW; END'");
}

static void expect_text(PGconn *connection, const char *sql, const char *expected)
{
    char *text = sql_text(connection, "%s", sql);
    assert_string_equal(text, expected);
    free(text);
}

/* Whatever the text did to its role and path, ours are back when the row is written, and those of a new
 * session when it is over. */
static void the_row_is_written_by_the_role_that_the_server_gave(void **state)
{
    (void)state;
    let_postgres_be_keeper();
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "SET ROLE NONE; CREATE TABLE a (x int)", 0);
    bundle_add(&bundle, "0002_b", "CREATE TABLE b (x int); SET search_path = pg_catalog; RESET ROLE", 0);
    bundle_add(
        &bundle, "0003_c",
        "CREATE TABLE c (x int); CREATE TRIGGER wander BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION "
        "wander(); INSERT INTO c VALUES (1)",
        0);
    Error error = {0};
    Reservoir *reservoir = bench_reservoir(bench);
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, reservoir, "t", &bundle);
    sql_run(bench->admin, "ALTER ROLE postgres RESET role");
    expect_names(&ended.result.applied_migrations, "0001_a,0002_b,0003_c");
    expect_text(bench->admin,
                "SELECT string_agg(tablename || ':' || tableowner, ',' ORDER BY tablename) FROM pg_tables "
                "WHERE tablename IN ('a', 'b', 'c')",
                "a:postgres,b:keeper,c:keeper");
    expect_text(bench->admin, "SELECT string_agg(DISTINCT who, ',') FROM t.__drizzle_migrations",
                "keeper in t");
    Connection *next = reservoir_acquire(reservoir, NULL, 0, &error);
    expect_text(connection_pg(next), "SELECT current_user || ' in ' || current_setting('search_path')",
                "keeper in \"$user\", public");
    reservoir_release(reservoir, next, 1);
    bench_reservoir_free(reservoir);
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
    BlockRequest request = {.mode = BLOCK_APPLY,
                            .schema = "t",
                            .table = "__drizzle_migrations",
                            .tracking = {.format = TRACKING_NAME, .time_column = "applied_at"},
                            .create = true,
                            .migration = &bundle.items[0],
                            .ordinal = 1,
                            .script = &script,
                            .server_version = 150000};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH_WAYS(applies_in_order_and_once),
        TEST_BOTH_WAYS(an_attempt_that_recovers_lists_what_is_recorded),
        TEST_BOTH_WAYS(two_runs_that_race_apply_each_migration_once),
        TEST_BOTH_WAYS(the_second_look_comes_after_the_lock),
        TEST_BOTH_WAYS(files_of_equal_content_are_applied_each),
        TEST_BOTH_WAYS(a_failing_file_leaves_the_earlier_ones),
        TEST(mark_applied_records_without_running),
        TEST(a_dry_run_writes_nothing),
        TEST(a_changed_file_is_not_applied_again_and_refused_when_strict),
        TEST_BOTH_WAYS(the_row_is_written_by_the_role_that_the_server_gave),
        TEST(a_block_on_a_dropped_schema_answers_no_schema),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
