/* Hooks as callbacks: who hears what in which order, and what a failing one does to its tenant. */
#include "tests/integration/hooks_support.h"
#include "worker/pg/tenant_lock.h"

static Config *config;

static int start_hooks(void **state)
{
    start(state);
    bench->hooks = hooks_with(&LISTENERS, "", &config);
    return 0;
}

static int stop_hooks(void **state)
{
    hook_set_free(bench->hooks);
    config_free(config);
    buffer_clear(&heard);
    return stop(state);
}

#define MIGRATED(name) "+migrating:" name " before:" name " after:" name " "

static void a_success_is_told_in_order(void **state)
{
    Bundle bundle = three_files();
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < 2; i++) {
        renew_hooks(state);
        BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, ways[i], "t", &bundle);
        assert_true(ended.result.success);
        expect_heard("+starting before_tenant " MIGRATED("0001_a") MIGRATED("0002_b") MIGRATED("0003_c") //
                     "after_tenant(ok:0001_a,0002_b,0003_c) +completed");
    }
    bundle_clear(&bundle);
}

static void a_tenant_without_work_is_told_of(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    BENCH_RESULT_CLEANUP BenchResult first = migrate(&bundle);
    buffer_clear(&heard);
    BENCH_RESULT_CLEANUP BenchResult second = migrate(&bundle);
    assert_int_equal(second.outcome, OUTCOME_ALREADY);
    expect_heard("+starting before_tenant after_tenant(ok:) +completed");
    bundle_clear(&bundle);
}

static void a_failing_migration_ends_the_tenant(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_init", MARK("a"), 0);
    bundle_add(&bundle, "0002_bad", "INSERT INTO no_such_table VALUES (1)", 0);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.migration, "0002_bad");
    expect_heard("+starting before_tenant " MIGRATED(
        "0001_init") "+migrating:0002_bad before:0002_bad "
                     "after_tenant(relation \"no_such_table\" does not exist:0001_init) +failed");
    bundle_clear(&bundle);
}

static void recording_is_told_like_applying(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_mark_applied, bench->direct, "t", &bundle);
    assert_true(ended.result.success);
    expect_heard("+starting before_tenant " MIGRATED("0001_a") MIGRATED("0002_b") MIGRATED("0003_c") //
                 "after_tenant(ok:0001_a,0002_b,0003_c) +completed");
    BENCH_RESULT_CLEANUP BenchResult missing =
        bench_run(bench, op_mark_applied, bench->direct, "nope", &bundle);
    assert_int_equal(missing.outcome, OUTCOME_NO_SCHEMA);
    expect_heard("+starting before_tenant after_tenant(schema \"nope\" does not exist:) +failed");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 0);
    bundle_clear(&bundle);
}

static void nobody_hears_of_a_dry_run(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    bench->options.dry_run = true;
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_true(ended.result.success);
    expect_names(&ended.result.applied_migrations, "0001_a,0002_b,0003_c");
    expect_heard("");
    assert_int_equal(rows(), 0);
    bundle_clear(&bundle);
}

/* What a failing callback does, with three files pending. */
static const struct {
    const char *fails;
    const char *heard;
    const char *applied;
    const char *migration;
} FAILURES[] = {
    {"+starting", "+starting +failed", "", NULL},
    {"before_tenant", "+starting before_tenant after_tenant(boom:) +failed", "", NULL},
    {"+migrating:0002_b",
     "+starting before_tenant " MIGRATED("0001_a") "+migrating:0002_b after_tenant(boom:0001_a) +failed",
     "0001_a", "0002_b"},
    {"before:0002_b",
     "+starting before_tenant " MIGRATED("0001_a") "+migrating:0002_b before:0002_b "
                                                   "after_tenant(boom:0001_a) +failed",
     "0001_a", "0002_b"},
    {"after:0002_b",
     "+starting before_tenant " MIGRATED("0001_a") MIGRATED("0002_b") //
     "after_tenant(boom:0001_a,0002_b) +failed",
     "0001_a,0002_b", "0002_b"},
    {"after_tenant",
     "+starting before_tenant " MIGRATED("0001_a") MIGRATED("0002_b") MIGRATED("0003_c") //
     "after_tenant(ok:0001_a,0002_b,0003_c) +failed",
     "0001_a,0002_b,0003_c", NULL},
    {"+completed",
     "+starting before_tenant " MIGRATED("0001_a") MIGRATED("0002_b") MIGRATED("0003_c") //
     "after_tenant(ok:0001_a,0002_b,0003_c) +completed +failed",
     "0001_a,0002_b,0003_c", NULL},
};

static void a_failing_hook_fails_its_tenant_once_and_hides_nothing(void **state)
{
    OpFunction *const operations[] = {op_migrate, op_mark_applied};
    Bundle bundle = three_files();
    for (size_t i = 0; i < 2 * sizeof FAILURES / sizeof FAILURES[0]; i++) {
        renew_hooks(state);
        fails = FAILURES[i / 2].fails;
        BENCH_RESULT_CLEANUP BenchResult ended =
            bench_run(bench, operations[i % 2], bench->direct, "t", &bundle);
        assert_int_equal(ended.outcome, OUTCOME_ERROR);
        assert_false(ended.result.success);
        assert_string_equal(ended.result.outcome, "error");
        assert_string_equal(ended.result.error, "boom");
        assert_null(ended.result.format);
        assert_null(ended.result.detail);
        assert_int_equal(fails_heard, 1);
        expect_heard(FAILURES[i / 2].heard);
        expect_names(&ended.result.applied_migrations, FAILURES[i / 2].applied);
        if (FAILURES[i / 2].migration == NULL)
            assert_null(ended.result.migration);
        else
            assert_string_equal(ended.result.migration, FAILURES[i / 2].migration);
        assert_int_equal(rows(), ended.result.applied_migrations.count);

        fails = NULL;
        BENCH_RESULT_CLEANUP BenchResult again =
            bench_run(bench, operations[i % 2], bench->direct, "t", &bundle);
        assert_true(again.result.success);
        assert_int_equal(rows(), 3);
    }
    bundle_clear(&bundle);
}

static void a_migration_is_committed_when_after_migration_hears_of_it(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    fails = "after:0001_a";
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_false(ended.result.success);
    assert_int_equal(marks("a"), 1);
    assert_int_equal(marks("b"), 0);
    buffer_clear(&heard);
    fails = NULL;
    BENCH_RESULT_CLEANUP BenchResult again = migrate(&bundle);
    assert_true(again.result.success);
    expect_names(&again.result.applied_migrations, "0002_b,0003_c");
    expect_heard("+starting before_tenant " MIGRATED("0002_b") MIGRATED("0003_c") //
                 "after_tenant(ok:0002_b,0003_c) +completed");
    assert_int_equal(marks("a"), 1);
    bundle_clear(&bundle);
}

static void a_failure_without_words_gets_some(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    fails = "before:0001_a";
    words = NULL;
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_string_equal(ended.result.error, "before_migration failed and did not say why");
    assert_int_equal(rows(), 0);
    bundle_clear(&bundle);
}

static void a_tenant_that_failed_keeps_its_own_reason(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_bad", "INSERT INTO no_such_table VALUES (1)", 0);
    fails = "after_tenant";
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_string_equal(ended.result.error, "relation \"no_such_table\" does not exist");
    assert_string_equal(ended.result.sqlstate, "42P01");
    assert_string_equal(ended.result.detail, "after_tenant failed too: boom");
    assert_int_equal(fails_heard, 1);
    bundle_clear(&bundle);
}

/* The code of another call's error, passed on, would be taken for the tenant's. */
static bool pass_on_a_busy_error(void *context, const char *tenant_id, const char *migration, Error *error)
{
    (void)context, (void)tenant_id, (void)migration;
    return error_set(error, ERROR_BUSY, "somebody else's lock");
}

static void a_callbacks_failure_is_final_whatever_its_code(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    Config *own;
    HookSet *listeners = bench->hooks;
    bench->hooks = hooks_with(&(HostCallbacks){.before_migration = pass_on_a_busy_error}, "", &own);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    hook_set_free(bench->hooks);
    config_free(own);
    bench->hooks = listeners;
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    assert_string_equal(ended.result.error, "somebody else's lock");
    bundle_clear(&bundle);
}

/* Looks from outside while a hook runs: no transaction and no connection of this tenant's may be held. */
static bool look_around(void *context, const char *tenant_id, const char *migration, Error *error)
{
    (void)tenant_id, (void)migration;
    long long *busiest = context;
    ReservoirCounts counts = reservoir_counts(bench->direct);
    long long open = sql_number(bench->admin, "SELECT count(*) FROM pg_stat_activity WHERE"
                                              " application_name LIKE 'pgconvoy/%%' AND state <> 'idle'");
    long long locks = sql_number(bench->admin, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'");
    *busiest += open + locks + (counts.open - counts.idle);
    return true;
    (void)error;
}

static bool look_around_after(void *context, const char *tenant_id, const char *migration,
                              int64_t duration_ms, Error *error)
{
    (void)duration_ms;
    return look_around(context, tenant_id, migration, error);
}

static void nothing_is_held_while_a_hook_runs(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    Config *own;
    long long busiest = 0;
    HookSet *listeners = bench->hooks;
    bench->hooks = hooks_with(&(HostCallbacks){.context = &busiest,
                                               .before_migration = look_around,
                                               .after_migration = look_around_after},
                              "", &own);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    hook_set_free(bench->hooks);
    config_free(own);
    bench->hooks = listeners;
    assert_true(ended.result.success);
    assert_int_equal(busiest, 0);
    bundle_clear(&bundle);
}

/* before_migration takes the work away: somebody else records the migration meanwhile. */
static bool overtake(void *context, const char *tenant_id, const char *migration, Error *error)
{
    (void)context, (void)tenant_id, (void)error;
    buffer_appendf(&heard, "before:%s", migration);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (name) VALUES ('%s')", migration);
    return true;
}

static void only_what_we_committed_is_told_afterwards(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a"), 0);
    BENCH_RESULT_CLEANUP BenchResult first = migrate(&bundle);
    buffer_clear(&heard);
    bundle_add(&bundle, "0002_b", MARK("b"), 0);
    Config *own;
    HookSet *listeners = bench->hooks;
    bench->hooks = hooks_with(
        &(HostCallbacks){.before_migration = overtake, .after_migration = hear_after_migration}, "", &own);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    hook_set_free(bench->hooks);
    config_free(own);
    bench->hooks = listeners;
    assert_true(ended.result.success);
    expect_heard("before:0002_b");
    assert_int_equal(marks("b"), 0);
    bundle_clear(&bundle);
}

/* The connection that was kept for this tenant is gone when the hook returns. */
static bool cut_connections(void *context, const char *tenant_id, const char *migration, Error *error)
{
    (void)context, (void)tenant_id, (void)migration, (void)error;
    sql_run(bench->admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name"
                          " LIKE 'pgconvoy/%%'");
    return true;
}

static void a_connection_lost_during_a_hook_costs_nothing(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    Config *own;
    HookSet *listeners = bench->hooks;
    bench->hooks = hooks_with(
        &(HostCallbacks){.before_migration = cut_connections, .after_migration = hear_after_migration}, "",
        &own);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    hook_set_free(bench->hooks);
    config_free(own);
    bench->hooks = listeners;
    if (!ended.result.success)
        fail_msg("%s", ended.result.error);
    expect_heard("after:0001_a after:0002_b after:0003_c");
    assert_int_equal(rows(), 3);
    bundle_clear(&bundle);
}

/* A create: its hooks are those of the migrations in the new schema. */
static TenantCreateResult create(const Bundle *bundle, Outcome *ret_outcome)
{
    OpContext context = {.options = &bench->options,
                         .bundle = bundle,
                         .reservoir = bench->direct,
                         .database = "main",
                         .application_name = "pgconvoy/test/0",
                         .clock = &SYSTEM_CLOCK,
                         .cancelled = &bench->cancelled,
                         .hooks = bench->hooks};
    OpTenant tenant = {.id = "t", .schema = "t", .attempt = 1};
    TenantCreateResult result = {0};
    op_create(&context, &tenant, 1, &result, ret_outcome);
    return result;
}

static void a_created_tenant_is_visited_once(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP SCHEMA t CASCADE");
    Bundle bundle = three_files();
    Outcome outcome;
    TenantCreateResult result = create(&bundle, &outcome);
    assert_int_equal(outcome, OUTCOME_APPLIED);
    assert_true(result.created && result.migration.success);
    expect_heard("+starting before_tenant " MIGRATED("0001_a") MIGRATED("0002_b") MIGRATED("0003_c") //
                 "after_tenant(ok:0001_a,0002_b,0003_c) +completed");
    record_clear(&TENANT_CREATE_RESULT, &result);
    bundle_clear(&bundle);
}

static void a_create_whose_hook_fails_has_created_and_says_so(void **state)
{
    Bundle bundle = three_files();
    for (size_t i = 0; i < sizeof FAILURES / sizeof FAILURES[0]; i++) {
        renew_hooks(state);
        sql_run(bench->admin, "DROP SCHEMA t CASCADE");
        fails = FAILURES[i].fails;
        Outcome outcome;
        TenantCreateResult result = create(&bundle, &outcome);
        assert_int_equal(outcome, OUTCOME_ERROR);
        assert_true(result.created);
        assert_false(result.migration.success);
        assert_string_equal(result.migration.error, "boom");
        assert_string_equal(result.migration.outcome, "error");
        expect_names(&result.migration.applied_migrations, FAILURES[i].applied);
        expect_heard(FAILURES[i].heard);
        record_clear(&TENANT_CREATE_RESULT, &result);
    }
    bundle_clear(&bundle);
}

static void a_schema_alone_is_no_visit(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP SCHEMA t CASCADE");
    bench->options.create_only = true;
    Outcome outcome;
    TenantCreateResult result = create(NULL, &outcome);
    assert_true(result.migration.success);
    expect_heard("");
    record_clear(&TENANT_CREATE_RESULT, &result);
}

/* One sync repair as "outcome: error". */
static void expect_sync(OpFunction *operation, const char *schema, const Bundle *bundle, const char *expected)
{
    OpContext context = {.options = &bench->options,
                         .bundle = bundle,
                         .reservoir = bench->pooled,
                         .database = "main",
                         .application_name = "pgconvoy/test/0",
                         .clock = &SYSTEM_CLOCK,
                         .cancelled = &bench->cancelled,
                         .hooks = bench->hooks};
    OpTenant tenant = {.id = "t", .schema = schema, .attempt = 1};
    TenantSyncResult result = {0};
    Outcome outcome;
    operation(&context, &tenant, 1, &result, &outcome);
    char text[256];
    snprintf(text, sizeof text, "%s:%s:%zu", outcome_name(outcome), result.error != NULL ? result.error : "",
             result.marked_migrations.count + result.removed_orphans.count);
    assert_string_equal(text, expected);
    record_clear(&TENANT_SYNC_RESULT, &result);
}

static void sync_tells_its_progress_and_no_hook(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    expect_sync(op_mark_missing, "t", &bundle, "applied::3");
    expect_heard("+starting +completed");
    expect_sync(op_clean_orphans, "t", &bundle, "already::0");
    expect_heard("+starting +completed");
    expect_sync(op_mark_missing, "nope", &bundle, "no_schema:schema \"nope\" does not exist:0");
    expect_heard("+starting +failed");
    bench->options.dry_run = true;
    expect_sync(op_mark_missing, "t", &bundle, "already::0");
    expect_heard("");
    bundle_clear(&bundle);
}

static void a_progress_that_fails_fails_the_sync(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    fails = "+starting";
    expect_sync(op_mark_missing, "t", &bundle, "error:boom:0");
    expect_heard("+starting +failed");
    assert_int_equal(rows(), 0);
    fails = "+completed";
    expect_sync(op_mark_missing, "t", &bundle, "error:boom:3");
    expect_heard("+starting +completed +failed");
    assert_int_equal(rows(), 3);
    bundle_clear(&bundle);
}

static void a_cancelled_tenant_is_not_announced_further(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    atomic_store(&bench->cancelled, true);
    BENCH_RESULT_CLEANUP BenchResult ended = migrate(&bundle);
    assert_int_equal(ended.outcome, OUTCOME_CANCELLED);
    expect_heard("+starting before_tenant after_tenant(cancelled before the first migration:) +failed");
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOOK_TEST(a_success_is_told_in_order),
        HOOK_TEST(a_tenant_without_work_is_told_of),
        HOOK_TEST(a_failing_migration_ends_the_tenant),
        HOOK_TEST(recording_is_told_like_applying),
        HOOK_TEST(nobody_hears_of_a_dry_run),
        HOOK_TEST(a_failing_hook_fails_its_tenant_once_and_hides_nothing),
        HOOK_TEST(a_migration_is_committed_when_after_migration_hears_of_it),
        HOOK_TEST(a_failure_without_words_gets_some),
        HOOK_TEST(a_tenant_that_failed_keeps_its_own_reason),
        HOOK_TEST(a_callbacks_failure_is_final_whatever_its_code),
        HOOK_TEST(nothing_is_held_while_a_hook_runs),
        HOOK_TEST(only_what_we_committed_is_told_afterwards),
        HOOK_TEST(a_connection_lost_during_a_hook_costs_nothing),
        HOOK_TEST(a_created_tenant_is_visited_once),
        HOOK_TEST(a_create_whose_hook_fails_has_created_and_says_so),
        HOOK_TEST(a_schema_alone_is_no_visit),
        HOOK_TEST(sync_tells_its_progress_and_no_hook),
        HOOK_TEST(a_progress_that_fails_fails_the_sync),
        HOOK_TEST(a_cancelled_tenant_is_not_announced_further),
    };
    return cmocka_run_group_tests(tests, start_hooks, stop_hooks);
}
