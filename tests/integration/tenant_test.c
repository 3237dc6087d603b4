/* A tenant's schema: created, found, dropped, whatever its name, directly and behind a pooler. */
#include "tests/integration/tenant_support.h"

static void a_tenant_lives_from_create_to_drop(void **state)
{
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < 2; i++) {
        renew(state);
        Bundle bundle = two_files();
        assert_false(exists_on(ways[i], "t"));
        CREATED_CLEANUP Created first = create_on(ways[i], "t", &bundle);
        assert_int_equal(first.outcome, OUTCOME_APPLIED);
        assert_true(first.result.migration.success && first.result.created);
        expect_names(&first.result.migration.applied_migrations, "0001_a,0002_b");
        assert_string_equal(first.result.migration.format, "name");
        assert_true(exists_on(ways[i], "t"));
        CREATED_CLEANUP Created again = create_on(ways[i], "t", &bundle);
        assert_int_equal(again.outcome, OUTCOME_ALREADY);
        assert_true(again.result.migration.success && !again.result.created);
        expect_names(&again.result.migration.applied_migrations, "");
        DROPPED_CLEANUP Dropped gone = drop_on(ways[i], "t");
        assert_int_equal(gone.outcome, OUTCOME_APPLIED);
        assert_true(gone.result.success && gone.result.dropped);
        assert_false(exists_on(ways[i], "t"));
        DROPPED_CLEANUP Dropped nothing = drop_on(ways[i], "t");
        assert_int_equal(nothing.outcome, OUTCOME_ALREADY);
        assert_true(nothing.result.success && !nothing.result.dropped);
        bundle_clear(&bundle);
    }
}

static void a_schema_alone_can_be_created(void **state)
{
    (void)state;
    bench->options.create_only = true;
    Bundle bundle = two_files();
    CREATED_CLEANUP Created created = create_on(bench->direct, "t", &bundle);
    assert_int_equal(created.outcome, OUTCOME_APPLIED);
    assert_true(created.result.migration.success && created.result.created);
    expect_names(&created.result.migration.applied_migrations, "");
    assert_string_equal(created.result.migration.tenant_id, "t");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_class WHERE relnamespace = "
                                              "'t'::regnamespace"),
                     0);
    CREATED_CLEANUP Created again = create_on(bench->direct, "t", NULL);
    assert_int_equal(again.outcome, OUTCOME_ALREADY);
    assert_false(again.result.created);
    bundle_clear(&bundle);
}

static void a_schema_that_was_there_is_brought_up_to_date(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE SCHEMA t; CREATE TABLE t.kept (x int)");
    Bundle bundle = two_files();
    CREATED_CLEANUP Created created = create_on(bench->direct, "t", &bundle);
    assert_int_equal(created.outcome, OUTCOME_APPLIED);
    assert_false(created.result.created);
    expect_names(&created.result.migration.applied_migrations, "0001_a,0002_b");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM t.kept"), 0);
    bundle_clear(&bundle);
}

static void a_failing_migration_fails_the_creation_and_tells_what_stays(void **state)
{
    (void)state;
    Bundle bundle = two_files();
    bundle_add(&bundle, "0003_bad", "CREATE TABLE half (x int);\nINSERT INTO nowhere VALUES (1)", 0);
    bundle_add(&bundle, "0004_never", "CREATE TABLE never (x int)", 0);
    CREATED_CLEANUP Created created = create_on(bench->direct, "t", &bundle);
    assert_int_equal(created.outcome, OUTCOME_ERROR);
    assert_false(created.result.migration.success);
    assert_true(created.result.created);
    expect_names(&created.result.migration.applied_migrations, "0001_a,0002_b");
    assert_string_equal(created.result.migration.migration, "0003_bad");
    assert_string_equal(created.result.migration.error, "relation \"nowhere\" does not exist");
    assert_string_equal(created.result.migration.sqlstate, "42P01");
    assert_int_equal(created.result.migration.line, 2);
    bundle_clear(&bundle);
}

static void a_schema_that_may_not_be_created_fails(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP ROLE IF EXISTS guest; CREATE ROLE guest; ALTER ROLE postgres SET role guest");
    Reservoir *guest = bench_reservoir(bench);
    Bundle bundle = two_files();
    CREATED_CLEANUP Created created = create_on(guest, "t", &bundle);
    assert_int_equal(created.outcome, OUTCOME_ERROR);
    assert_string_equal(created.result.migration.sqlstate, "42501");
    assert_false(created.result.created);
    assert_false(exists());
    sql_run(bench->admin, "CREATE SCHEMA t");
    assert_true(exists_on(guest, "t")); /* though information_schema hides it from this role */
    DROPPED_CLEANUP Dropped dropped = drop_on(guest, "t");
    assert_string_equal(dropped.result.sqlstate, "42501");
    assert_true(exists());
    bench_reservoir_free(guest);
    sql_run(bench->admin, "ALTER ROLE postgres RESET role");
    bundle_clear(&bundle);
}

static const char *const NAMES[] = {
    "tenant_Acme",
    "tenant_a b",
    "tenant_a\"b",
    "tenant_a'b",
    "tenant_a\\b",
    "tenant_a;b",
    "tenant_a,public",
    "tenant_a.b",
    "tenant_a%sb",
    "tenant_a$pgc0$b",
    "tenant_$1",
    "tenant_é",
    "tenant_\U0001f69a",
    "42",
    "tenant_a-b",
    "tenant_a--b",
    "tenant_/*",
    "\"\"",
    "x\"; DROP SCHEMA other CASCADE; --",
    "'; DROP SCHEMA other CASCADE; --",
    "\\'; DROP SCHEMA other; --",
    "tenant_67890123456789012345678901234567890123456789012345678_63",
};

static void any_name_is_one_schema_and_only_that(void **state)
{
    (void)state;
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    char *before = sql_text(bench->admin, "SELECT string_agg(nspname, ',' ORDER BY oid) FROM pg_namespace");
    Bundle bundle = two_files();
    for (size_t i = 0; i < 2 * sizeof NAMES / sizeof NAMES[0]; i++) {
        const char *name = NAMES[i / 2];
        CREATED_CLEANUP Created created = create_on(ways[i % 2], name, &bundle);
        if (created.outcome != OUTCOME_APPLIED)
            fail_msg("%s: %s", name, created.result.migration.error);
        char *quoted = PQescapeLiteral(bench->admin, name, strlen(name));
        assert_int_equal(sql_number(bench->admin,
                                    "SELECT count(*) FROM pg_class WHERE relname = 'b' AND relnamespace = "
                                    "(SELECT oid FROM pg_namespace WHERE nspname = %s)",
                                    quoted),
                         1);
        PQfreemem(quoted);
        assert_true(exists_on(ways[i % 2], name));
        DROPPED_CLEANUP Dropped dropped = drop_on(ways[i % 2], name);
        if (dropped.outcome != OUTCOME_APPLIED)
            fail_msg("%s: %s", name, dropped.result.error);
        assert_false(exists_on(ways[i % 2], name));
    }
    char *after = sql_text(bench->admin, "SELECT string_agg(nspname, ',' ORDER BY oid) FROM pg_namespace");
    assert_string_equal(before, after);
    free(before);
    free(after);
    bundle_clear(&bundle);
}

static void the_system_s_own_schemas_are_refused(void **state)
{
    (void)state;
    static const char *const RESERVED[] = {
        "public",
        "information_schema",
        "pg_catalog",
        "pg_toast",
        "pg_mine",
        "",
        "tenant_6789012345678901234567890123456789012345678901234567890_64"};
    for (size_t i = 0; i < sizeof RESERVED / sizeof RESERVED[0]; i++) {
        Bundle bundle = two_files();
        CREATED_CLEANUP Created created = create_on(bench->direct, RESERVED[i], &bundle);
        assert_int_equal(created.outcome, OUTCOME_ERROR);
        assert_non_null(created.result.migration.error);
        assert_false(created.result.created);
        DROPPED_CLEANUP Dropped dropped = drop_on(bench->direct, RESERVED[i]);
        assert_int_equal(dropped.outcome, OUTCOME_ERROR);
        assert_false(dropped.result.dropped);
        TenantExistsResult result = {0};
        assert_int_equal(run_on(op_exists, bench->direct, RESERVED[i], NULL, &result), OUTCOME_ERROR);
        assert_non_null(result.error);
        record_clear(&TENANT_EXISTS_RESULT, &result);
        bundle_clear(&bundle);
    }
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_namespace WHERE nspname = 'public'"),
                     1);
}

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    bench->options.dry_run = true;
    Bundle bundle = two_files();
    CREATED_CLEANUP Created created = create_on(bench->direct, "t", &bundle);
    assert_int_equal(created.outcome, OUTCOME_ERROR);
    assert_false(exists());
    sql_run(bench->admin, "CREATE SCHEMA t");
    DROPPED_CLEANUP Dropped dropped = drop();
    assert_int_equal(dropped.outcome, OUTCOME_ERROR);
    assert_true(exists());
    bundle_clear(&bundle);
}

static void many_tenants_are_looked_for_at_once(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static OpTenant tenants[COUNT];
    static char names[COUNT][32];
    static TenantExistsResult results[COUNT];
    static Outcome outcomes[COUNT];
    sql_run(bench->admin, "CREATE SCHEMA fleet_7; CREATE SCHEMA fleet_499");
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "fleet_%d", i);
        tenants[i] = (OpTenant){.id = names[i], .schema = i == 3 ? "public" : names[i], .attempt = 1};
    }
    OpContext context = {.options = &bench->options,
                         .reservoir = bench->pooled,
                         .clock = &SYSTEM_CLOCK,
                         .cancelled = &bench->cancelled};
    op_exists(&context, tenants, COUNT, results, outcomes);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(results[i].tenant_id, names[i]);
        assert_int_equal(results[i].exists, i == 7 || i == 499);
        assert_int_equal(outcomes[i], i == 3 ? OUTCOME_ERROR : OUTCOME_ALREADY);
        assert_int_equal(results[i].error != NULL, i == 3);
        record_clear(&TENANT_EXISTS_RESULT, &results[i]);
    }
    sql_run(bench->admin, "DROP SCHEMA fleet_7; DROP SCHEMA fleet_499");
}

/* The bouncer has one server, so this is the session that the operations used. */
static void nothing_stays_behind_in_the_session(void **state)
{
    (void)state;
    bench->options.lock_timeout_ms = 1234;
    bench->options.statement_timeout_ms = 60001;
    Bundle bundle = two_files();
    CREATED_CLEANUP Created created = create_on(bench->pooled, "t", &bundle);
    sql_run(bench->admin, "CREATE VIEW other.v AS SELECT * FROM t.a");
    DROPPED_CLEANUP Dropped refused = drop_on(bench->pooled, "t");
    assert_false(refused.result.success);
    char *url = cluster_bouncer_url(bench->cluster, "postgres");
    PGconn *next = PQconnectdb(url);
    static const char SETTINGS[] = "SELECT current_setting('lock_timeout') || ' ' || "
                                   "current_setting('statement_timeout') || ' ' || "
                                   "current_setting('search_path') || ' ' || (SELECT count(*) FROM pg_locks "
                                   "WHERE locktype = 'advisory')";
    char *settings = sql_text(next, "%s", SETTINGS);
    assert_string_equal(settings, "0 0 \"$user\", public 0");
    free(settings);
    PQfinish(next);
    free(url);
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tenant_lives_from_create_to_drop),
        TEST(a_schema_alone_can_be_created),
        TEST(a_schema_that_was_there_is_brought_up_to_date),
        TEST(a_failing_migration_fails_the_creation_and_tells_what_stays),
        TEST(a_schema_that_may_not_be_created_fails),
        TEST(any_name_is_one_schema_and_only_that),
        TEST(the_system_s_own_schemas_are_refused),
        TEST(a_dry_run_writes_nothing),
        TEST(many_tenants_are_looked_for_at_once),
        TEST(nothing_stays_behind_in_the_session),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
