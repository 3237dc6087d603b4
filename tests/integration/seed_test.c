/* Seeding one tenant by a file: what runs, where, what is refused, and what stays. */
#include "tests/integration/seed_support.h"

static const char INSERT[] = "INSERT INTO items VALUES (1);\nINSERT INTO items VALUES (2);\n";

static void a_seed_fills_its_tenant_and_leaves_nothing_else(void **state)
{
    (void)state;
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < 2; i++) {
        SEEDED_CLEANUP Seeded seeded = seed_named(ways[i], "t", "first", INSERT);
        expect_outcome(&seeded, OUTCOME_APPLIED);
        assert_int_equal(seeded.result.attempts, 1);
        assert_null(seeded.result.hint);
        assert_int_equal(items(), 2 * (long long)(i + 1));
    }
    assert_int_equal(state_rows(), -1);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_tables WHERE schemaname = 't'"), 1);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                     0);
}

static void once_is_recorded_and_not_repeated(void **state)
{
    (void)state;
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    bench->options.once = true;
    for (size_t i = 0; i < 2; i++) {
        renew(NULL);
        bench->options.once = true;
        SEEDED_CLEANUP Seeded first = seed_named(ways[i], "t", "it's \"$pgc0$\" \\ first", INSERT);
        expect_outcome(&first, OUTCOME_APPLIED);
        assert_int_equal(state_rows(), 1);
        SEEDED_CLEANUP Seeded again = seed_named(ways[i], "t", "it's \"$pgc0$\" \\ first", INSERT);
        expect_outcome(&again, OUTCOME_ALREADY);
        assert_true(again.result.success);
        assert_int_equal(items(), 2);
        SEEDED_CLEANUP Seeded other = seed_named(ways[i], "t", "second", INSERT);
        expect_outcome(&other, OUTCOME_APPLIED);
        assert_int_equal(state_rows(), 2);
        assert_int_equal(items(), 4);
    }
}

static void once_refuses_another_content_of_the_same_name(void **state)
{
    (void)state;
    bench->options.once = true;
    SEEDED_CLEANUP Seeded first = seed(INSERT);
    expect_outcome(&first, OUTCOME_APPLIED);
    SEEDED_CLEANUP Seeded changed = seed("INSERT INTO items VALUES (3)");
    expect_outcome(&changed, OUTCOME_ERROR);
    expect_failure(&changed, NULL, "seed \"first\" was run on schema \"t\" with another content");
    assert_non_null(strstr(changed.result.hint, "--once"));
    assert_int_equal(items(), 2);
    bench->options.once = false;
    SEEDED_CLEANUP Seeded plain = seed("INSERT INTO items VALUES (3)");
    expect_outcome(&plain, OUTCOME_APPLIED);
    assert_int_equal(items(), 3);
    assert_int_equal(state_rows(), 1);
}

static void a_failed_seed_leaves_nothing_and_names_its_place(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        bench->options.once = once == 1;
        SEEDED_CLEANUP Seeded failed =
            seed("\xEF\xBB\xBFINSERT INTO items VALUES (1);\n\n  INSERT INTO items (nowhere) VALUES (2);");
        expect_outcome(&failed, OUTCOME_ERROR);
        expect_failure(&failed, "42703", "column \"nowhere\" of relation \"items\" does not exist");
        assert_int_equal(failed.result.line, 3);
        assert_int_equal(failed.result.column, 22);
        assert_int_equal(items(), 0);
        assert_int_equal(state_rows(), -1);
    }
    sql_run(bench->admin, "ALTER TABLE t.items ADD PRIMARY KEY (n)");
    SEEDED_CLEANUP Seeded twice = seed("INSERT INTO items VALUES (1);\nINSERT INTO items VALUES (1);");
    expect_failure(&twice, "23505", "duplicate key");
    assert_int_equal(twice.result.line, 2);
    assert_string_equal(twice.result.detail, "Key (n)=(1) already exists.");
    assert_int_equal(items(), 0);
    sql_run(bench->admin, "CREATE TABLE t.late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    SEEDED_CLEANUP Seeded deferred = seed("INSERT INTO late VALUES (1), (1)");
    expect_failure(&deferred, "23505", "duplicate key");
}

static void a_seed_cannot_end_its_transaction(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "INSERT INTO items VALUES (1);\nCOMMIT;\nINSERT INTO items VALUES (2)",
        "INSERT INTO items VALUES (1);\nROLLBACK;\nINSERT INTO items VALUES (2)",
        "INSERT INTO items VALUES (1);\nSAVEPOINT a"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        SEEDED_CLEANUP Seeded refused = seed(TEXTS[i]);
        expect_outcome(&refused, OUTCOME_ERROR);
        assert_string_equal(refused.result.sqlstate, "0A000");
        assert_int_equal(refused.result.line, 2);
        assert_non_null(strstr(refused.result.hint, "a seed runs in one transaction"));
        assert_int_equal(items(), 0);
    }
    SEEDED_CLEANUP Seeded directive = seed("-- pgconvoy:transaction off\nINSERT INTO items VALUES (1)");
    expect_failure(&directive, NULL, "seed \"first\" asks to run without a transaction");
    assert_int_equal(directive.result.line, 1);
    SEEDED_CLEANUP Seeded wrapped = seed("BEGIN;\nINSERT INTO items VALUES (1);\nCOMMIT;\n");
    expect_outcome(&wrapped, OUTCOME_APPLIED);
    SEEDED_CLEANUP Seeded copy = seed("COPY items FROM stdin");
    expect_outcome(&copy, OUTCOME_ERROR);
    assert_non_null(strstr(copy.result.hint, "use INSERT"));
    assert_int_equal(items(), 1);
}

static void a_missing_schema_never_touches_public(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE TABLE public.items (n int)");
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < 2; i++) {
        SEEDED_CLEANUP Seeded missing = seed_named(ways[i], "nobody", "first", INSERT);
        expect_outcome(&missing, OUTCOME_NO_SCHEMA);
        expect_failure(&missing, "3F000", "schema \"nobody\" does not exist");
    }
    static const char *const RESERVED[] = {"public", "pg_catalog", "information_schema", ""};
    for (size_t i = 0; i < sizeof RESERVED / sizeof RESERVED[0]; i++) {
        SEEDED_CLEANUP Seeded refused = seed_named(bench->direct, RESERVED[i], "first", INSERT);
        expect_outcome(&refused, OUTCOME_ERROR);
    }
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM public.items"), 0);
}

static void odd_schema_names_are_themselves(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"a, public", "q\"uote", "Big", "back\\slash", "$pgc0$", "münchen 🚚"};
    bench->options.once = true;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char *name = PQescapeIdentifier(bench->admin, NAMES[i], strlen(NAMES[i]));
        sql_run(bench->admin,
                "DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s; CREATE TABLE %s.items (n int)", name,
                name, name);
        SEEDED_CLEANUP Seeded seeded = seed_named(bench->direct, NAMES[i], "first", INSERT);
        expect_outcome(&seeded, OUTCOME_APPLIED);
        SEEDED_CLEANUP Seeded again = seed_named(bench->direct, NAMES[i], "first", INSERT);
        expect_outcome(&again, OUTCOME_ALREADY);
        assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM %s.items", name), 2);
        sql_run(bench->admin, "DROP SCHEMA %s CASCADE", name);
        PQfreemem(name);
    }
}

/* What the text did to role, search_path and session must not reach our row, or the next tenant. */
static void what_a_seed_sets_ends_with_it(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "DROP SCHEMA IF EXISTS other CASCADE; CREATE SCHEMA other; CREATE TABLE other.items (n int)");
    bench->options.once = true;
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < 2; i++) {
        SEEDED_CLEANUP Seeded seeded =
            seed_named(ways[i], "t", i == 0 ? "direct" : "pooled",
                       "SET search_path = other; SET work_mem = '1MB'; INSERT INTO items VALUES (1); "
                       "CREATE TEMP TABLE scratch (n int); PREPARE p AS SELECT 1; "
                       "SELECT pg_advisory_lock(77); SET ROLE pg_monitor");
        expect_outcome(&seeded, OUTCOME_APPLIED);
        SEEDED_CLEANUP Seeded next = seed_named(
            ways[i], "t", i == 0 ? "direct 2" : "pooled 2",
            "DO $$ BEGIN IF current_setting('work_mem') = '1MB' OR current_user <> session_user OR "
            "to_regclass('scratch') IS NOT NULL OR EXISTS (SELECT FROM pg_prepared_statements WHERE name = "
            "'p') OR EXISTS (SELECT FROM pg_locks WHERE objid = 77 AND pid = pg_backend_pid()) THEN RAISE "
            "'left'; END IF; END $$; INSERT INTO items VALUES (2)");
        expect_outcome(&next, OUTCOME_APPLIED);
    }
    assert_int_equal(items(), 2);
    assert_int_equal(state_rows(), 4);
    sql_run(bench->admin, "DROP SCHEMA other CASCADE");
}

static void many_statements_and_odd_ones_run(void **state)
{
    (void)state;
    Buffer text = {0};
    for (int i = 0; i < 1500; i++)
        buffer_appendf(&text, "INSERT INTO items VALUES (%d);\n", i);
    buffer_append_text(&text, "INSERT INTO items SELECT 1 AS \"$pgc0$\";\nSELECT n INTO copied FROM items");
    SEEDED_CLEANUP Seeded seeded = seed(buffer_text(&text));
    expect_outcome(&seeded, OUTCOME_APPLIED);
    assert_int_equal(items(), 1501);
    buffer_append_text(&text, ";\nINSERT INTO nowhere VALUES (1)");
    SEEDED_CLEANUP Seeded failed =
        seed_named(bench->direct, "t", "first", strstr(buffer_text(&text), "INSERT INTO items VALUES (1);"));
    assert_false(failed.result.success);
    buffer_clear(&text);
    SEEDED_CLEANUP Seeded nothing = seed("-- only a comment\n");
    expect_outcome(&nothing, OUTCOME_APPLIED);
    SEEDED_CLEANUP Seeded slow = seed("SET statement_timeout = '50ms';\nSELECT pg_sleep(20)");
    expect_failure(&slow, "57014", "statement timeout");
}

/* Who may write rows, but not create tables, can run seeds that are not recorded. */
static void a_role_that_cannot_create_tables_can_seed(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP ROLE IF EXISTS filler; CREATE ROLE filler LOGIN; GRANT USAGE ON SCHEMA t TO "
                          "filler; GRANT INSERT ON t.items TO filler");
    Error error ERROR_CLEANUP = {0};
    char url[128];
    snprintf(url, sizeof url, "postgresql://filler@127.0.0.1:%d/postgres", bench->cluster->port);
    ConnectionString *secret = connection_string_new(url, &error);
    ReservoirOptions options = {.database = "main",
                                .url = secret,
                                .limit = 1,
                                .connect_timeout_ms = 5000,
                                .idle_timeout_ms = 600000,
                                .retire_tenants = 1000000,
                                .retire_age_ms = 3600000,
                                .clock = &SYSTEM_CLOCK};
    Reservoir *reservoir = reservoir_new(&options, &error);
    assert_non_null(reservoir);
    SEEDED_CLEANUP Seeded seeded = seed_named(reservoir, "t", "first", INSERT);
    expect_outcome(&seeded, OUTCOME_APPLIED);
    bench->options.once = true;
    SEEDED_CLEANUP Seeded refused = seed_named(reservoir, "t", "first", INSERT);
    expect_failure(&refused, "42501", "permission denied for schema t");
    sql_run(bench->admin, "REVOKE USAGE ON SCHEMA t FROM filler");
    bench->options.once = false;
    SEEDED_CLEANUP Seeded denied = seed_named(reservoir, "t", "first", INSERT);
    expect_failure(&denied, "42501", "permission denied for schema t");
    assert_int_equal(items(), 2);
    bench_reservoir_free(reservoir);
    connection_string_free(secret);
    sql_run(bench->admin, "DROP OWNED BY filler; DROP ROLE filler");
}

static void a_dry_run_looks_and_writes_nothing(void **state)
{
    (void)state;
    bench->options.once = true;
    SEEDED_CLEANUP Seeded first = seed(INSERT);
    bench->options.dry_run = true;
    SEEDED_CLEANUP Seeded recorded = seed(INSERT);
    expect_outcome(&recorded, OUTCOME_ALREADY);
    SEEDED_CLEANUP Seeded changed = seed("SELECT 1");
    expect_failure(&changed, NULL, "with another content");
    SEEDED_CLEANUP Seeded other = seed_named(bench->pooled, "t", "other", INSERT);
    expect_outcome(&other, OUTCOME_APPLIED);
    bench->options.once = false;
    SEEDED_CLEANUP Seeded plain = seed(INSERT);
    expect_outcome(&plain, OUTCOME_APPLIED);
    SEEDED_CLEANUP Seeded missing = seed_named(bench->direct, "nobody", "first", INSERT);
    expect_outcome(&missing, OUTCOME_NO_SCHEMA);
    assert_int_equal(items(), 2);
    assert_int_equal(state_rows(), 1);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                     0);
}

static void a_wrong_bundle_is_refused(void **state)
{
    (void)state;
    Bundle bundle = {0};
    SEEDED_CLEANUP Seeded none = seed_bundle(bench->direct, "t", &bundle);
    expect_failure(&none, NULL, "a seed has one file, not 0");
    bundle_add(&bundle, "a", INSERT, 0);
    bundle_add(&bundle, "b", INSERT, 0);
    SEEDED_CLEANUP Seeded two = seed_bundle(bench->direct, "t", &bundle);
    expect_failure(&two, NULL, "a seed has one file, not 2");
    bundle_clear(&bundle);
    assert_int_equal(items(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_seed_fills_its_tenant_and_leaves_nothing_else),
        TEST(once_is_recorded_and_not_repeated),
        TEST(once_refuses_another_content_of_the_same_name),
        TEST(a_failed_seed_leaves_nothing_and_names_its_place),
        TEST(a_seed_cannot_end_its_transaction),
        TEST(a_missing_schema_never_touches_public),
        TEST(odd_schema_names_are_themselves),
        TEST(what_a_seed_sets_ends_with_it),
        TEST(many_statements_and_odd_ones_run),
        TEST(a_role_that_cannot_create_tables_can_seed),
        TEST(a_dry_run_looks_and_writes_nothing),
        TEST(a_wrong_bundle_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
