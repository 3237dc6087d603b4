/* What the tests of a tenant's life cycle share: a bench, a schema "other" that is not the tenant's, and one
 * call for each operation. */
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
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    bench_stop(bench);
    return 0;
}

/* Each test begins without the tenant's schema t, with an empty schema other and default options. */
static inline int renew(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP SCHEMA IF EXISTS t CASCADE; DROP SCHEMA IF EXISTS other CASCADE; "
                          "CREATE SCHEMA other");
    bench->options = (RunOptions){0};
    bench->recovering = false;
    atomic_store(&bench->cancelled, false);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, renew)

/* One tenant "t" of that schema. */
static inline Outcome run_on(OpFunction *operation, Reservoir *reservoir, const char *schema,
                             const Bundle *bundle, void *ret_result)
{
    OpContext context = {.options = &bench->options,
                         .bundle = bundle,
                         .reservoir = reservoir,
                         .database = "main",
                         .application_name = "pgconvoy/test/0",
                         .clock = &SYSTEM_CLOCK,
                         .cancelled = &bench->cancelled};
    OpTenant tenant = {.id = "t", .schema = schema, .attempt = 1, .recovering = bench->recovering};
    Outcome outcome = OUTCOME_NOT_STARTED;
    operation(&context, &tenant, 1, ret_result, &outcome);
    return outcome;
}

typedef struct Created {
    TenantCreateResult result;
    Outcome outcome;
} Created;

typedef struct Dropped {
    TenantDropResult result;
    Outcome outcome;
} Dropped;

static inline void created_clear(Created *created)
{
    record_clear(&TENANT_CREATE_RESULT, &created->result);
}

static inline void dropped_clear(Dropped *dropped)
{
    record_clear(&TENANT_DROP_RESULT, &dropped->result);
}

#define CREATED_CLEANUP __attribute__((cleanup(created_clear), unused))
#define DROPPED_CLEANUP __attribute__((cleanup(dropped_clear), unused))

static inline Created create_on(Reservoir *reservoir, const char *schema, const Bundle *bundle)
{
    Created created = {0};
    created.outcome = run_on(op_create, reservoir, schema, bundle, &created.result);
    assert_string_equal(created.result.migration.outcome, outcome_name(created.outcome));
    assert_string_equal(created.result.migration.schema_name, schema);
    return created;
}

static inline Dropped drop_on(Reservoir *reservoir, const char *schema)
{
    Dropped dropped = {0};
    dropped.outcome = run_on(op_drop, reservoir, schema, NULL, &dropped.result);
    assert_string_equal(dropped.result.outcome, outcome_name(dropped.outcome));
    assert_string_equal(dropped.result.schema_name, schema);
    assert_int_equal(dropped.result.success, dropped.result.error == NULL);
    return dropped;
}

static inline Dropped drop(void)
{
    return drop_on(bench->direct, "t");
}

static inline bool exists_on(Reservoir *reservoir, const char *schema)
{
    TenantExistsResult result = {0};
    assert_int_equal(run_on(op_exists, reservoir, schema, NULL, &result), OUTCOME_ALREADY);
    assert_null(result.error);
    bool exists = result.exists;
    record_clear(&TENANT_EXISTS_RESULT, &result);
    return exists;
}

static inline bool exists(void)
{
    return exists_on(bench->direct, "t");
}

static inline void expect_names(const TextList *list, const char *expected)
{
    char *names = join_names(list);
    assert_string_equal(names, expected);
    free(names);
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

static inline Bundle two_files(void)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", "CREATE TABLE a (id serial PRIMARY KEY)", 0);
    bundle_add(&bundle, "0002_b", "CREATE TABLE b (a int REFERENCES a)", 0);
    return bundle;
}

/* A create (with a bundle) or drop (without) of schema t in a thread of its own. */
typedef struct Runner {
    pthread_t thread;
    const Bundle *bundle;
    Reservoir *reservoir;
    Created created;
    Dropped dropped;
} Runner;

static inline void *run_thread(void *argument)
{
    Runner *runner = argument;
    if (runner->bundle != NULL)
        runner->created = create_on(runner->reservoir, "t", runner->bundle);
    else
        runner->dropped = drop_on(runner->reservoir, "t");
    return NULL;
}

static inline void runner_start(Runner *runner, const Bundle *bundle)
{
    *runner = (Runner){.bundle = bundle, .reservoir = bench_reservoir(bench)};
    assert_int_equal(pthread_create(&runner->thread, NULL, run_thread, runner), 0);
}

static inline void runner_join(Runner *runner)
{
    pthread_join(runner->thread, NULL);
    bench_reservoir_free(runner->reservoir);
}

static inline void runner_clear(Runner *runner)
{
    created_clear(&runner->created);
    dropped_clear(&runner->dropped);
}
