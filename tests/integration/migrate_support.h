/* What the tests of migrate share: a bench, an empty tenant schema t for each test, and marks.log, into which
 * every file writes a row, so that it counts how often the file really ran. */
#pragma once
#include "tests/support/operations.h"
#include "tests/support/test.h"
#include <pthread.h>
#include <time.h>

enum { DEADLINE_MS = 30000 };

static Bench *bench;

static inline int start(void **state)
{
    (void)state;
    bench = bench_start(NULL);
    sql_run(bench->admin, "SET lock_timeout = '30s'"); /* a test that failed keeps its locks */
    sql_run(bench->admin, "CREATE SCHEMA marks; CREATE TABLE marks.log (tenant text, migration text); "
                          "CREATE SEQUENCE marks.tries");
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    bench_stop(bench);
    return 0;
}

/* Files that could be sent plainly go within blocks, as a statement timeout has them go. */
static bool within_blocks;

/* Each test begins with an empty schema t, an empty log and default options. */
static inline int renew(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t; TRUNCATE marks.log; "
                          "ALTER SEQUENCE marks.tries RESTART");
    bench->options = (RunOptions){.statement_timeout_ms = within_blocks ? 600000 : 0};
    bench->recovering = false;
    bench->plan = NULL;
    atomic_store(&bench->cancelled, false);
    return 0;
}

static inline int renew_within_blocks(void **state)
{
    print_message("within blocks\n");
    within_blocks = true;
    return renew(state);
}

static inline int leave_blocks(void **state)
{
    (void)state;
    within_blocks = false;
    return 0;
}

static inline void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Waits until a query gives a number other than 0, and returns it. */
static inline long long wait_for(PGconn *connection, const char *sql)
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

/* Both leave a file plain. */
#define MARK(name) "INSERT INTO marks.log VALUES (current_schema(), '" name "');\n"
#define NAP(seconds) \
    "UPDATE marks.log SET migration = migration WHERE (SELECT count(pg_sleep(" seconds "))) > 0;\n"

static inline long long marks(const char *migration)
{
    return sql_number(bench->admin, "SELECT count(*) FROM marks.log WHERE migration = '%s'", migration);
}

static inline long long rows(void)
{
    bool table = sql_number(bench->admin, "SELECT count(to_regclass('t.__drizzle_migrations'))") == 1;
    return table ? sql_number(bench->admin, "SELECT count(*) FROM t.__drizzle_migrations") : 0;
}

static inline void expect_names(const TextList *list, const char *expected)
{
    char *names = join_names(list);
    assert_string_equal(names, expected);
    free(names);
}

static inline BenchResult migrate(const Bundle *bundle)
{
    return bench_run(bench, op_migrate, bench->direct, "t", bundle);
}

static inline Bundle three_files(void)
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

static inline void *run_thread(void *argument)
{
    Runner *runner = argument;
    pause_ms(runner->delay_ms);
    runner->ended = bench_run(bench, op_migrate, runner->reservoir, "t", runner->bundle);
    return NULL;
}

static inline void runner_start(Runner *runner, const Bundle *bundle, long delay_ms)
{
    *runner = (Runner){.bundle = bundle, .reservoir = bench_reservoir(bench), .delay_ms = delay_ms};
    assert_int_equal(pthread_create(&runner->thread, NULL, run_thread, runner), 0);
}

static inline void runner_join(Runner *runner)
{
    pthread_join(runner->thread, NULL);
    bench_reservoir_free(runner->reservoir);
}

static const char *const FORMATS[] = {"name", "hash", "drizzle-kit"};

#define TEST(function) cmocka_unit_test_setup(function, renew)
#define TEST_BOTH_WAYS(function) \
    TEST(function), cmocka_unit_test_setup_teardown(function, renew_within_blocks, leave_blocks)
