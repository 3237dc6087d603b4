/* convert-format happens once or not at all, whatever else happens: races, held locks, killed backends, lost
 * COMMITs, cancellation. */
#include "tests/integration/convert_support.h"
#include "tests/integration/hooks_support.h"

static void two_rows(void)
{
    sql_run(bench->admin,
            "CREATE TABLE t.__drizzle_migrations %s; INSERT INTO t.__drizzle_migrations (name) "
            "VALUES ('0001_a'), ('0002_b')",
            PACKAGE_TABLES[NAME]);
}

/* Statements that change a table do this in the end. */
static void at_every_change(const char *deed)
{
    sql_run(bench->admin,
            "CREATE FUNCTION marks.nap() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN %s; END'; CREATE "
            "EVENT TRIGGER nap ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION marks.nap()",
            deed);
}

static int forget_changes(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP EVENT TRIGGER IF EXISTS nap; DROP FUNCTION IF EXISTS marks.nap()");
    return 0;
}

static void expect_in_sync(const Bundle *bundle, const char *format)
{
    char expected[100];
    snprintf(expected, sizeof expected, "%s missing: orphans: in sync", format);
    expect_status(bundle, expected);
    expect_fresh_shape(format);
}

static void runs_that_race_convert_once(void **state)
{
    Bundle bundle = three_files();
    for (int round = 0; round < 6; round++) {
        renew(state);
        two_rows();
        Converter converters[3];
        for (int i = 0; i < 3; i++)
            converter_start(&converters[i], &bundle, FORMATS[1 + round % 2]);
        int applied = 0;
        for (int i = 0; i < 3; i++) {
            converter_join(&converters[i]);
            assert_true(converters[i].converted.result.success);
            applied += converters[i].converted.outcome == OUTCOME_APPLIED;
            record_clear(&CONVERT_RESULT, &converters[i].converted.result);
        }
        assert_int_equal(applied, 1);
        assert_int_equal(rows(), 2);
        expect_fresh_shape(FORMATS[1 + round % 2]);
    }
    bundle_clear(&bundle);
}

static void migrate_and_convert_get_along(void **state)
{
    Bundle bundle = three_files();
    for (int round = 0; round < 12; round++) {
        int from = round % 3, to = (from + 1 + round / 3 % 2) % 3;
        renew(state);
        bench->options.default_format = (char *)FORMATS[from];
        sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", PACKAGE_TABLES[from]);
        Runner runner;
        Converter converter;
        runner_start(&runner, &bundle, round % 4);
        converter_start(&converter, &bundle, FORMATS[to]);
        runner_join(&runner);
        converter_join(&converter);
        if (!runner.ended.result.success)
            fail_msg("%s", runner.ended.result.error);
        assert_int_equal(runner.ended.result.applied_migrations.count, 3);
        assert_int_equal(converter.converted.outcome, OUTCOME_APPLIED);
        assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 3);
        assert_int_equal(rows(), 3);
        expect_in_sync(&bundle, FORMATS[to]);
        record_clear(&CONVERT_RESULT, &converter.converted.result);
        bench_result_clear(&runner.ended);
    }
    bundle_clear(&bundle);
}

/* The format that the run converts to after its first migration. */
typedef struct Between {
    const Bundle *bundle;
    const char *to;
    int migrations;
} Between;

static bool convert_between(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            Error *error)
{
    (void)tenant_id, (void)migration, (void)duration_ms, (void)error;
    Between *between = context;
    if (between->migrations++ > 0)
        return true;
    Converter converter;
    converter_start(&converter, between->bundle, between->to);
    converter_join(&converter);
    assert_int_equal(converter.converted.outcome, OUTCOME_APPLIED);
    record_clear(&CONVERT_RESULT, &converter.converted.result);
    return true;
}

static void a_run_goes_on_in_the_new_format(void **state)
{
    Bundle bundle = three_files();
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            if (from == to)
                continue;
            renew(state);
            bench->options.default_format = (char *)FORMATS[from];
            Between between = {.bundle = &bundle, .to = FORMATS[to]};
            OpContext context = sync_context(bench->pooled, &bundle);
            const HostCallbacks callbacks = {.context = &between, .after_migration = convert_between};
            Config *config;
            context.hooks = hooks_with(&callbacks, "", &config);
            OpTenant tenant = {.id = "t", .schema = "t", .attempt = 1};
            BenchResult ended BENCH_RESULT_CLEANUP = {0};
            op_migrate(&context, &tenant, 1, &ended.result, &ended.outcome);
            hook_set_free(context.hooks);
            config_free(config);
            if (!ended.result.success)
                fail_msg("%s to %s: %s", FORMATS[from], FORMATS[to], ended.result.error);
            expect_names(&ended.result.applied_migrations, "0001_a,0002_b,0003_c");
            assert_string_equal(ended.result.format, FORMATS[to]);
            assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 3);
            assert_int_equal(rows(), 3);
            expect_in_sync(&bundle, FORMATS[to]);
        }
    bundle_clear(&bundle);
}

/* The catalog shows the old columns until the conversion commits, and the rows are waited for. */
static PGconn *begin_conversion(void)
{
    PGconn *other = cluster_connect(bench->cluster, "postgres");
    sql_run(other, "BEGIN; ALTER TABLE t.__drizzle_migrations RENAME name TO hash; ALTER TABLE "
                   "t.__drizzle_migrations RENAME applied_at TO created_at");
    return other;
}

static void commit_conversion(PGconn *other)
{
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'relation'");
    sql_run(other, "COMMIT");
    PQfinish(other);
}

static void a_run_that_was_reading_looks_again(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", PACKAGE_TABLES[NAME]);
    PGconn *other = begin_conversion();
    Runner runner;
    runner_start(&runner, &bundle, 0);
    commit_conversion(other);
    runner_join(&runner);
    if (!runner.ended.result.success)
        fail_msg("%s", runner.ended.result.error);
    assert_string_equal(runner.ended.result.format, "hash");
    assert_int_equal(rows(), 3);
    bench_result_clear(&runner.ended);
    bundle_clear(&bundle);
}

/* A set read of three tenants, of which the one in the middle is being converted. */
typedef struct Looker {
    Bundle bundle;
    TenantMigrationStatus status[3];
    Outcome outcomes[3];
} Looker;

static void *look_thread(void *argument)
{
    Looker *looker = argument;
    OpContext context = sync_context(bench->pooled, &looker->bundle);
    const OpTenant tenants[] = {
        {.id = "a", .schema = "t_a"}, {.id = "t", .schema = "t"}, {.id = "b", .schema = "t_b"}};
    op_status(&context, tenants, 3, looker->status, looker->outcomes);
    return NULL;
}

static void a_status_that_was_reading_looks_again(void **state)
{
    (void)state;
    Looker looker = {.bundle = three_files()};
    sql_run(bench->admin,
            "DROP SCHEMA IF EXISTS t_a, t_b CASCADE; CREATE SCHEMA t_a; CREATE SCHEMA t_b; CREATE TABLE "
            "t.__drizzle_migrations %1$s; CREATE TABLE t_a.__drizzle_migrations %1$s; CREATE TABLE "
            "t_b.__drizzle_migrations %1$s",
            PACKAGE_TABLES[NAME]);
    bench->options.set_lock_timeout_ms = DEADLINE_MS;
    PGconn *other = begin_conversion();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, look_thread, &looker), 0);
    commit_conversion(other);
    pthread_join(thread, NULL);
    for (int i = 0; i < 3; i++) {
        if (looker.status[i].error != NULL)
            fail_msg("%s", looker.status[i].error);
        assert_string_equal(looker.status[i].format, i == 1 ? "hash" : "name");
        assert_int_equal(looker.status[i].pending_count, 3);
        record_clear(&TENANT_MIGRATION_STATUS, &looker.status[i]);
    }
    bundle_clear(&looker.bundle);
}

/* A file's own mistake is not taken for a conversion. */
static void a_missing_column_of_a_file_is_its_error(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "SELECT no_such_column;", 0);
    BenchResult ended BENCH_RESULT_CLEANUP = migrate(&bundle);
    assert_string_equal(ended.result.error, "column \"no_such_column\" does not exist");
    bundle_clear(&bundle);
}

static void a_table_in_use_is_tried_again_a_bounded_number_of_times(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    two_rows();
    bench->options.lock_timeout_ms = 30;
    bench->options.lock_attempts = 3;
    bench->options.retry_initial_delay_ms = bench->options.retry_max_delay_ms = 10;
    PGconn *reader = cluster_connect(bench->cluster, "postgres");
    sql_run(reader, "BEGIN; SELECT FROM t.__drizzle_migrations");
    expect_refused(&bundle, "hash", "error: canceling statement due to lock timeout");
    bench->options.lock_attempts = 1000;
    Converter converter;
    converter_start(&converter, &bundle, "hash");
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'relation'");
    sql_run(reader, "COMMIT");
    PQfinish(reader);
    converter_join(&converter);
    expect_converted(converter.converted, "applied name>hash 2");
    bundle_clear(&bundle);
}

/* Another tool does not know our lock: its row must not be lost in the conversion. */
static void a_row_written_by_somebody_else_meanwhile_is_converted(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    two_rows();
    PGconn *other = cluster_connect(bench->cluster, "postgres");
    sql_run(other, "BEGIN; INSERT INTO t.__drizzle_migrations (name) VALUES ('0003_c')");
    Converter converter;
    converter_start(&converter, &bundle, "hash");
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'relation'");
    sql_run(other, "COMMIT");
    PQfinish(other);
    converter_join(&converter);
    expect_converted(converter.converted, "applied name>hash 3");
    expect_in_sync(&bundle, "hash");
    bundle_clear(&bundle);
}

static void a_backend_killed_before_its_commit_is_replaced(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    two_rows();
    at_every_change("IF (SELECT nextval(''marks.tries'')) = 2 THEN PERFORM pg_sleep(60); END IF");
    Converter converter;
    converter_start(&converter, &bundle, "drizzle-kit");
    wait_for(bench->admin, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = "
                           "'PgSleep'");
    converter_join(&converter);
    expect_converted(converter.converted, "applied name>drizzle-kit 2");
    expect_status(&bundle, "drizzle-kit missing:0003_c orphans:");
    forget_changes(NULL);
    expect_fresh_shape("drizzle-kit");
    bundle_clear(&bundle);
}

static void a_conversion_that_kills_its_backend_is_given_up(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    two_rows();
    at_every_change(
        "PERFORM nextval(''marks.tries''); PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM "
        "pg_sleep(60)");
    bench->options.retry_initial_delay_ms = 10;
    char *before = table_text();
    Converted converted = convert_with(bench->pooled, &bundle, "hash");
    assert_int_equal(converted.outcome, OUTCOME_ERROR);
    record_clear(&CONVERT_RESULT, &converted.result);
    assert_int_equal(sql_number(bench->admin, "SELECT last_value FROM marks.tries"), 3);
    char *after = table_text();
    assert_string_equal(before, after);
    free(before);
    free(after);
    bundle_clear(&bundle);
}

/* COMMIT waits for a standby that does not exist, after it has written: the table is converted, and the
 * client never hears of it. */
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
    (void)state;
    Bundle bundle = three_files();
    two_rows();
    set_standby("nobody");
    Converter converter;
    converter_start(&converter, &bundle, "hash");
    wait_for(bench->admin, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = "
                           "'SyncRep'");
    converter_join(&converter);
    set_standby("");
    expect_converted(converter.converted, "applied name>hash 2");
    expect_status(&bundle, "hash missing:0003_c orphans:");
    bundle_clear(&bundle);
}

static void cancellation_leaves_nothing_behind(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    two_rows();
    char *before = table_text();
    at_every_change("PERFORM pg_sleep(60)");
    Converter converter;
    converter_start(&converter, &bundle, "hash");
    wait_for(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    atomic_store(&bench->cancelled, true);
    reservoir_cancel(converter.reservoir);
    converter_join(&converter);
    assert_int_equal(converter.converted.outcome, OUTCOME_CANCELLED);
    record_clear(&CONVERT_RESULT, &converter.converted.result);
    wait_for(bench->admin, "SELECT (count(*) = 0)::int FROM pg_locks WHERE locktype = 'advisory'");
    char *after = table_text();
    assert_string_equal(before, after);
    free(before);
    free(after);
    expect_convert(&bundle, "hash", "cancelled: cancelled before anything was written");
    bundle_clear(&bundle);
}

#define FAULT(function) cmocka_unit_test_setup_teardown(function, renew, forget_changes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT(runs_that_race_convert_once),
        FAULT(migrate_and_convert_get_along),
        FAULT(a_run_goes_on_in_the_new_format),
        FAULT(a_run_that_was_reading_looks_again),
        FAULT(a_status_that_was_reading_looks_again),
        FAULT(a_missing_column_of_a_file_is_its_error),
        FAULT(a_table_in_use_is_tried_again_a_bounded_number_of_times),
        FAULT(a_row_written_by_somebody_else_meanwhile_is_converted),
        FAULT(a_backend_killed_before_its_commit_is_replaced),
        FAULT(a_conversion_that_kills_its_backend_is_given_up),
        FAULT(a_commit_whose_answer_is_lost_counts_once),
        FAULT(cancellation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
