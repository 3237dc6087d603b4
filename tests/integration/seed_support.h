/* What the tests of the seed operation share: a bench, a tenant schema t with a table for each test, a seed
 * of one file, and a run of it in a thread. */
#pragma once
#include "common/buffer.h"
#include "tests/support/operations.h"
#include "tests/support/test.h"
#include "worker/pg/tenant_lock.h"
#include <pthread.h>
#include <time.h>

enum { DEADLINE_MS = 30000 };

static Bench *bench;
static HookSet *hooks;
static Config *hooks_config;

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

/* Each test begins with an empty t.items, no public.items, and default options. */
static inline int renew(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t; DROP TABLE IF EXISTS public.items; "
            "CREATE TABLE t.items (n int)");
    bench->options = (RunOptions){.retry_initial_delay_ms = 10};
    bench->recovering = false;
    atomic_store(&bench->cancelled, false);
    return 0;
}

static inline int no_hooks(void **state)
{
    (void)state;
    hook_set_free(hooks);
    config_free(hooks_config);
    hooks = NULL;
    hooks_config = NULL;
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, renew, no_hooks)

static inline void use_hooks(const HostCallbacks *callbacks)
{
    Error error ERROR_CLEANUP = {0};
    no_hooks(NULL);
    hooks_config = config_load_text("test", "", 0, &error);
    assert_non_null(hooks_config);
    hooks = hook_set_new(hooks_config, callbacks, &error);
    assert_non_null(hooks);
}

typedef struct Seeded {
    TenantSeedResult result;
    Outcome outcome;
} Seeded;

static inline void seeded_clear(Seeded *seeded)
{
    record_clear(&TENANT_SEED_RESULT, &seeded->result);
}

#define SEEDED_CLEANUP __attribute__((cleanup(seeded_clear), unused))

static inline Seeded seed_bundle(Reservoir *reservoir, const char *schema, const Bundle *bundle)
{
    OpContext context = {.options = &bench->options,
                         .bundle = bundle,
                         .reservoir = reservoir,
                         .database = "main",
                         .application_name = "pgconvoy/test/0",
                         .clock = &SYSTEM_CLOCK,
                         .hooks = hooks,
                         .cancelled = &bench->cancelled};
    OpTenant tenant = {.id = "t", .schema = schema, .attempt = 1, .recovering = bench->recovering};
    Seeded seeded = {0};
    op_seed(&context, &tenant, 1, &seeded.result, &seeded.outcome);
    assert_string_equal(seeded.result.outcome, outcome_name(seeded.outcome));
    assert_string_equal(seeded.result.tenant_id, "t");
    assert_string_equal(seeded.result.schema_name, schema);
    assert_int_equal(seeded.result.success, seeded.result.error == NULL);
    return seeded;
}

static inline Seeded seed_named(Reservoir *reservoir, const char *schema, const char *name, const char *sql)
{
    Bundle bundle = {0};
    bundle_add(&bundle, name, sql, 0);
    Seeded seeded = seed_bundle(reservoir, schema, &bundle);
    bundle_clear(&bundle);
    return seeded;
}

/* The seed "first" on schema t. */
static inline Seeded seed(const char *sql)
{
    return seed_named(bench->direct, "t", "first", sql);
}

static inline Seeded seed_by_callback(Reservoir *reservoir)
{
    Bundle none = {0};
    bench->options.by_callback = true;
    return seed_bundle(reservoir, "t", &none);
}

static inline void expect_outcome(const Seeded *seeded, Outcome outcome)
{
    if (seeded->outcome != outcome)
        fail_msg("%s, not %s: %s", outcome_name(seeded->outcome), outcome_name(outcome),
                 seeded->result.error);
}

/* Failed with this SQLSTATE (NULL = none), in words that hold this. */
static inline void expect_failure(const Seeded *seeded, const char *sqlstate, const char *words)
{
    if (seeded->result.success || strstr(seeded->result.error, words) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", seeded->result.outcome, seeded->result.error, words);
    if (sqlstate == NULL)
        assert_null(seeded->result.sqlstate);
    else
        assert_string_equal(seeded->result.sqlstate, sqlstate);
}

static inline long long items(void)
{
    return sql_number(bench->admin, "SELECT count(*) FROM t.items");
}

static inline long long state_rows(void)
{
    if (sql_number(bench->admin, "SELECT count(to_regclass('t.__pgconvoy_state'))") == 0)
        return -1;
    return sql_number(bench->admin, "SELECT count(*) FROM t.__pgconvoy_state WHERE kind = 'seed' AND state = "
                                    "'done' AND at <= now()");
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

/* A seed in a thread of its own; sql NULL = by callback. */
typedef struct Runner {
    pthread_t thread;
    const char *sql;
    Reservoir *reservoir;
    bool pooled;
    Seeded seeded;
} Runner;

static inline void *run_thread(void *argument)
{
    Runner *runner = argument;
    runner->seeded = runner->sql != NULL ? seed_named(runner->reservoir, "t", "first", runner->sql)
                                         : seed_by_callback(runner->reservoir);
    return NULL;
}

/* Over the pooler when runner->pooled says so. */
static inline void runner_start(Runner *runner, const char *sql)
{
    *runner = (Runner){.sql = sql,
                       .reservoir = runner->pooled ? bench->pooled : bench_reservoir(bench),
                       .pooled = runner->pooled};
    assert_int_equal(pthread_create(&runner->thread, NULL, run_thread, runner), 0);
}

static inline void runner_join(Runner *runner)
{
    pthread_join(runner->thread, NULL);
    if (!runner->pooled)
        bench_reservoir_free(runner->reservoir);
}
