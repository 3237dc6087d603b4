/* sync: what files and tracking tables lack of each other, and the two repairs, in every format. */
#include "tests/integration/sync_support.h"

/* The table of the i-th format with the second file's row between two orphans, the latter twice in formats
 * that allow it. */
static void make_table(size_t format, const Bundle *bundle)
{
    static const char *const INSERTS[] = {
        "(name) VALUES ('z_gone'), ('%s'), ('a_gone')",
        "(hash) VALUES ('z_gone'), ('%s'), ('a_gone'), (NULL), ('a_gone')",
        "(hash, created_at) VALUES ('z_gone', 5), ('%s', NULL), ('a_gone', 2), (NULL, 3), ('a_gone', NULL)",
    };
    char insert[256];
    const Migration *second = &bundle->items[1];
    snprintf(insert, sizeof insert, INSERTS[format], format == 0 ? second->name : second->hash);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", TABLES[format]);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations %s", insert);
}

static void each_format_is_compared_and_repaired(void **state)
{
    static const char *const ORPHANS[] = {"z_gone,a_gone", "z_gone,a_gone,NULL,a_gone",
                                          "z_gone,a_gone,NULL,a_gone"};
    Bundle bundle = three_files();
    for (size_t i = 0; i < 3; i++) {
        renew(state);
        make_table(i, &bundle);
        char expected[160];
        snprintf(expected, sizeof expected, "%s missing:0001_a,0003_c orphans:%s", FORMATS[i], ORPHANS[i]);
        expect_status(&bundle, expected);
        expect_marked(&bundle, "applied marked:0001_a,0003_c removed:");
        snprintf(expected, sizeof expected, "%s missing: orphans:%s", FORMATS[i], ORPHANS[i]);
        expect_status(&bundle, expected);
        expect_marked(&bundle, "already marked: removed:");
        snprintf(expected, sizeof expected, "applied marked: removed:%s", ORPHANS[i]);
        expect_cleaned(&bundle, expected);
        snprintf(expected, sizeof expected, "%s missing: orphans: in sync", FORMATS[i]);
        expect_status(&bundle, expected);
        expect_cleaned(&bundle, "already marked: removed:");
        assert_int_equal(rows(), 3);
        assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 0);
        BENCH_RESULT_CLEANUP BenchResult after = migrate(&bundle);
        assert_int_equal(after.outcome, OUTCOME_ALREADY);
    }
    /* The rows of the last round, as migrate would have written them. */
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM t.__drizzle_migrations WHERE created_at "
                                              "IN (1700000000001, 1700000000003)"),
                     2);
    bundle_clear(&bundle);
}

static void a_name_explains_a_hash_row_but_not_the_other_way_round(void **state)
{
    Bundle bundle = three_files();
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " HASH_TABLE);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (hash) VALUES ('0003_c'), ('%s')",
            bundle.items[0].hash);
    expect_status(&bundle, "hash missing:0002_b orphans:");
    renew(state);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " NAME_TABLE);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (name) VALUES ('0003_c'), ('%s')",
            bundle.items[0].hash);
    char expected[160];
    snprintf(expected, sizeof expected, "name missing:0001_a,0002_b orphans:%s", bundle.items[0].hash);
    expect_status(&bundle, expected);
    bundle_clear(&bundle);
}

static void orphans_come_in_the_order_of_their_ids(void **state)
{
    (void)state;
    Bundle bundle = {0};
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " HASH_TABLE);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (id, hash) VALUES (10, 'c'), (9, 'b'), "
                          "(100, 'd'), (1, 'it''s \\ \"a\"')");
    expect_status(&bundle, "hash missing: orphans:it's \\ \"a\",b,c,d");
    expect_cleaned(&bundle, "applied marked: removed:it's \\ \"a\",b,c,d");
    assert_int_equal(rows(), 0);
}

static void files_of_equal_content_are_missing_each(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("same"), 0);
    bundle_add(&bundle, "0002_b", MARK("same"), 0);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " HASH_TABLE);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (hash) VALUES ('%s')", bundle.items[0].hash);
    expect_status(&bundle, "hash missing:0002_b orphans:");
    expect_marked(&bundle, "applied marked:0002_b removed:");
    expect_status(&bundle, "hash missing: orphans: in sync");
    assert_int_equal(rows(), 2);
    bundle_clear(&bundle);
}

static void a_table_is_made_for_missing_files_only(void **state)
{
    (void)state;
    static const char TABLES_OF_T[] = "SELECT count(*) FROM pg_tables WHERE schemaname = 't'";
    Bundle bundle = three_files(), empty = {0};
    bench->options.default_format = (char *)"hash";
    expect_status(&bundle, "null missing:0001_a,0002_b,0003_c orphans:");
    expect_cleaned(&bundle, "already marked: removed:");
    expect_marked(&empty, "already marked: removed:");
    assert_int_equal(sql_number(bench->admin, TABLES_OF_T), 0);
    expect_marked(&bundle, "applied marked:0001_a,0002_b,0003_c removed:");
    assert_int_equal(sql_number(bench->admin, TABLES_OF_T), 1);
    expect_status(&bundle, "hash missing: orphans: in sync");
    bundle_clear(&bundle);
}

static void a_missing_schema_is_an_error_of_its_own(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    sql_run(bench->admin, "DROP SCHEMA t");
    expect_status(&bundle, "no_schema: schema \"t\" does not exist");
    expect_marked(&bundle, "no_schema: schema \"t\" does not exist");
    expect_cleaned(&bundle, "no_schema: schema \"t\" does not exist");
    assert_int_equal(
        sql_number(bench->admin, "SELECT count(*) FROM pg_tables WHERE tablename LIKE '%%drizzle%%'"), 0);
    bundle_clear(&bundle);
}

static void odd_tables_are_refused_with_their_reason(void **state)
{
    static const char UNKNOWN[] = "error: unknown tracking table format: columns id integer, version text";
    Bundle bundle = three_files();
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations (id int, version text)");
    expect_status(&bundle, UNKNOWN);
    expect_marked(&bundle, UNKNOWN);
    expect_cleaned(&bundle, UNKNOWN);
    renew(state);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " NAME_TABLE);
    bench->options.format = (char *)"hash";
    expect_status(&bundle, "error: column \"hash\" does not exist");
    expect_cleaned(&bundle, "error: column \"hash\" does not exist");
    bundle_clear(&bundle);
}

static void reserved_schemas_are_left_alone(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    OpContext context = sync_context(bench->direct, &bundle);
    OpTenant tenant = {.id = "p", .schema = "public", .attempt = 1};
    OpFunction *const operations[] = {op_mark_missing, op_clean_orphans};
    for (size_t i = 0; i < 2; i++) {
        Repaired repaired = {0};
        operations[i](&context, &tenant, 1, &repaired.result, &repaired.outcome);
        expect_repaired(repaired, "error: schema name \"public\" is reserved");
    }
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
                     0);
    bundle_clear(&bundle);
}

static void views_are_repaired_through(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    sql_run(bench->admin,
            "CREATE TABLE t.base " HASH_TABLE "; CREATE VIEW t.__drizzle_migrations AS SELECT * FROM t.base;"
            "INSERT INTO t.base (hash) VALUES ('old'), (NULL)");
    expect_marked(&bundle, "applied marked:0001_a,0002_b,0003_c removed:");
    expect_cleaned(&bundle, "applied marked: removed:old,NULL");
    assert_int_equal(rows(), 3);
    bundle_clear(&bundle);
}

/* What a trigger keeps is not reported as removed. */
static void only_what_was_removed_is_listed(void **state)
{
    (void)state;
    Bundle bundle = {0};
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations " HASH_TABLE
                          "; INSERT INTO t.__drizzle_migrations (hash) VALUES ('kept'), ('gone')");
    sql_run(bench->admin, "CREATE FUNCTION t.keep() RETURNS trigger LANGUAGE plpgsql AS "
                          "'BEGIN RETURN CASE WHEN old.hash = ''gone'' THEN old END; END';"
                          "CREATE TRIGGER keep BEFORE DELETE ON t.__drizzle_migrations FOR EACH ROW "
                          "EXECUTE FUNCTION t.keep()");
    expect_cleaned(&bundle, "applied marked: removed:gone");
    expect_status(&bundle, "hash missing: orphans:kept");
}

/* The row of the earlier content is what keeps the file from being run again: it goes only after the new
 * content was recorded. */
static void the_proof_that_a_changed_file_was_applied_stays(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    bench->options.default_format = (char *)"drizzle-kit";
    expect_marked(&bundle, "applied marked:0001_a,0002_b,0003_c removed:");
    bundle_clear(&bundle);
    bundle_add(&bundle, "0001_a", MARK("a"), 1700000000001);
    bundle_add(&bundle, "0002_b", MARK("changed"), 1700000000002);
    bundle_add(&bundle, "0003_c", MARK("c"), 1700000000003);
    char *old =
        sql_text(bench->admin, "SELECT hash FROM t.__drizzle_migrations WHERE created_at = 1700000000002");
    sql_run(bench->admin,
            "INSERT INTO t.__drizzle_migrations (hash, created_at) VALUES ('%s', 7), "
            "('%s', 8), ('stray', 1700000000009)",
            old, old);
    char expected[320];
    snprintf(expected, sizeof expected, "drizzle-kit missing:0002_b orphans:%s,%s,stray changed:0002_b", old,
             old);
    expect_status(&bundle, expected);
    snprintf(expected, sizeof expected, "applied marked: removed:%s,%s,stray", old, old);
    expect_cleaned(&bundle, expected);
    expect_status(&bundle, "drizzle-kit missing:0002_b orphans: changed:0002_b");
    BENCH_RESULT_CLEANUP BenchResult untouched = migrate(&bundle);
    assert_int_equal(untouched.outcome, OUTCOME_ALREADY);

    expect_marked(&bundle, "applied marked:0002_b removed:");
    snprintf(expected, sizeof expected, "applied marked: removed:%s", old);
    expect_cleaned(&bundle, expected);
    expect_status(&bundle, "drizzle-kit missing: orphans: in sync");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM marks.log"), 0);
    free(old);
    bundle_clear(&bundle);
}

static void a_dry_run_says_what_it_would_do(void **state)
{
    (void)state;
    Bundle bundle = three_files();
    bench->options.dry_run = true;
    expect_marked(&bundle, "already marked:0001_a,0002_b,0003_c removed:");
    expect_status(&bundle, "null missing:0001_a,0002_b,0003_c orphans:");
    make_table(1, &bundle);
    expect_cleaned(&bundle, "already marked: removed:z_gone,a_gone,NULL,a_gone");
    assert_int_equal(rows(), 5);
    bundle_clear(&bundle);
}

static void one_message_serves_many_tenants(void **state)
{
    (void)state;
    enum { COUNT = 120 };
    Bundle bundle = three_files();
    OpTenant tenants[COUNT];
    static char names[COUNT][16];
    static TenantSyncStatus results[COUNT];
    Outcome outcomes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "many_%d", i);
        tenants[i] = (OpTenant){.id = names[i], .schema = names[i], .attempt = 1};
    }
    sql_run(bench->admin,
            "DO $$BEGIN FOR i IN 0..%d LOOP EXECUTE format('CREATE SCHEMA many_%%s; CREATE TABLE "
            "many_%%s.__drizzle_migrations " HASH_TABLE
            "; INSERT INTO many_%%s.__drizzle_migrations (hash) VALUES (''o%%s''), (NULL), "
            "(''0002_b'')', i, i, i, i); END LOOP; END$$",
            COUNT - 1);
    sql_run(bench->admin, "DROP SCHEMA many_7 CASCADE; DROP TABLE many_70.__drizzle_migrations");
    PGconn *holder = cluster_connect(bench->cluster, "postgres");
    sql_run(holder, "BEGIN; LOCK many_33.__drizzle_migrations");
    bench->options.set_lock_timeout_ms = 100;
    OpContext context = sync_context(bench->direct, &bundle);
    op_sync_status(&context, tenants, COUNT, results, outcomes);
    PQfinish(holder);
    for (int i = 0; i < COUNT; i++) {
        char expected[80], *text = status_text(&results[i], outcomes[i]);
        snprintf(expected, sizeof expected, "hash missing:0001_a,0003_c orphans:o%d,NULL", i);
        assert_string_equal(text, i == 7    ? "no_schema: schema \"many_7\" does not exist"
                                  : i == 33 ? "error: canceling statement due to lock timeout"
                                  : i == 70 ? "null missing:0001_a,0002_b,0003_c orphans:"
                                            : expected);
        free(text);
        record_clear(&TENANT_SYNC_STATUS, &results[i]);
    }
    for (int i = 0; i < COUNT; i++)
        sql_run(bench->admin, "DROP SCHEMA IF EXISTS many_%d CASCADE", i);
    bundle_clear(&bundle);
}

static void repairs_leave_a_clean_session(void **state)
{
    static const char SESSION[] =
        "SELECT (SELECT count(*) FROM pg_settings WHERE source = 'session' AND name NOT IN "
        "('application_name', 'client_encoding')) + (SELECT count(*) FROM pg_locks WHERE locktype = "
        "'advisory')";
    Bundle bundle = three_files();
    for (int round = 0; round < 2; round++) {
        renew(state);
        if (round == 1) /* fails at the last moment, inside the transaction */
            sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations (id serial, hash text CHECK (hash = "
                                  "'x'), created_at timestamptz)");
        expect_repaired(repair(op_mark_missing, bench->direct, &bundle),
                        round == 0 ? "applied marked:0001_a,0002_b,0003_c removed:"
                                   : "error: new row for relation \"__drizzle_migrations\" violates check "
                                     "constraint \"__drizzle_migrations_hash_check\"");
        Error error = {0};
        Connection *connection = reservoir_acquire(bench->direct, "pgconvoy/test/0", 0, &error);
        assert_non_null(connection);
        assert_int_equal(sql_number(connection_pg(connection), SESSION), 0);
        assert_int_equal(PQtransactionStatus(connection_pg(connection)), PQTRANS_IDLE);
        reservoir_release(bench->direct, connection, 0);
    }
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_format_is_compared_and_repaired),
        TEST(a_name_explains_a_hash_row_but_not_the_other_way_round),
        TEST(orphans_come_in_the_order_of_their_ids),
        TEST(files_of_equal_content_are_missing_each),
        TEST(a_table_is_made_for_missing_files_only),
        TEST(a_missing_schema_is_an_error_of_its_own),
        TEST(odd_tables_are_refused_with_their_reason),
        TEST(reserved_schemas_are_left_alone),
        TEST(views_are_repaired_through),
        TEST(only_what_was_removed_is_listed),
        TEST(the_proof_that_a_changed_file_was_applied_stays),
        TEST(a_dry_run_says_what_it_would_do),
        TEST(one_message_serves_many_tenants),
        TEST(repairs_leave_a_clean_session),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
