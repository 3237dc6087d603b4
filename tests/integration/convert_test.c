/* convert-format: the six directions on tables of every origin, what is refused, and what stays. */
#include "tests/integration/convert_support.h"

static Bundle files(bool with_journal)
{
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("a"), with_journal ? 1700000000001 : 0);
    bundle_add(&bundle, "0002_it's \\odd", MARK("b"), with_journal ? 1700000000002 : 0);
    bundle_add(&bundle, "0003_c", MARK("c"), with_journal ? 1700000000003 : 0);
    return bundle;
}

static const char *identifier_of(const Bundle *bundle, int format, size_t item)
{
    return format == NAME ? bundle->items[item].name : bundle->items[item].hash;
}

static void add_row(const Bundle *bundle, int format, size_t item, int64_t when_ms)
{
    char time[100];
    snprintf(time, sizeof time, format == KIT ? "%lld" : "to_timestamp(%lld / 1000.0)", (long long)when_ms);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (%s, %s) VALUES (E'%s', %s)",
            format == NAME ? "name" : "hash", format == NAME ? "applied_at" : "created_at",
            format != NAME ? bundle->items[item].hash
            : item == 1    ? "0002_it''s \\\\odd"
                           : bundle->items[item].name,
            time);
}

/* Two of three files are applied, and the ids have a gap. */
static void make_table(const Bundle *bundle, const char *ddl, int format)
{
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", ddl);
    add_row(bundle, format, 0, 1600000000123);
    sql_run(bench->admin, "SELECT nextval('t.__drizzle_migrations_id_seq')");
    add_row(bundle, format, 1, 1600000001999);
}

/* Only the third file is pending, in the new format, and is then recorded in it. */
static void expect_in_order(const Bundle *bundle, const char *format)
{
    char status[200];
    snprintf(status, sizeof status, "%s missing:0003_c orphans:", format);
    expect_status(bundle, status);
    BenchResult ended BENCH_RESULT_CLEANUP = migrate(bundle);
    expect_names(&ended.result.applied_migrations, "0003_c");
    assert_string_equal(ended.result.format, format);
    snprintf(status, sizeof status, "%s missing: orphans: in sync", format);
    expect_status(bundle, status);
    assert_int_equal(marks("a") + marks("b"), 0);
}

static void expect_direction(const Bundle *bundle, const char *ddl, int from, int to)
{
    char expected[100];
    make_table(bundle, ddl, from);
    char *before = rows_text();
    snprintf(expected, sizeof expected, "applied %s>%s 2", FORMATS[from], FORMATS[to]);
    expect_convert(bundle, FORMATS[to], expected);
    expect_fresh_shape(FORMATS[to]);
    snprintf(expected, sizeof expected, "applied %s>%s 2", FORMATS[to], FORMATS[from]);
    expect_convert(bundle, FORMATS[from], expected);
    expect_fresh_shape(FORMATS[from]);
    expect_rows(before);
    free(before);
    snprintf(expected, sizeof expected, "applied %s>%s 2", FORMATS[from], FORMATS[to]);
    expect_convert(bundle, FORMATS[to], expected);
    expect_in_order(bundle, FORMATS[to]);
    snprintf(expected, sizeof expected, "already %s>%s 0", FORMATS[to], FORMATS[to]);
    expect_convert(bundle, FORMATS[to], expected);
}

static void every_direction_and_back_keeps_the_rows(void **state)
{
    Bundle bundle = files(false);
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            if (from == to)
                continue;
            renew(state);
            expect_direction(&bundle, PACKAGE_TABLES[from], from, to);
        }
    bundle_clear(&bundle);
}

static void tables_of_drizzle_orm_are_converted(void **state)
{
    Bundle bundle = files(false);
    for (int to = NAME; to <= HASH; to++) {
        renew(state);
        expect_direction(&bundle, ORM_TABLE, KIT, to);
    }
    bundle_clear(&bundle);
}

static void tables_that_migrate_made_are_converted(void **state)
{
    Bundle bundle = files(true), all = files(true);
    bundle.count = 2; /* the third file comes later */
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            if (from == to)
                continue;
            renew(state);
            bench->options.default_format = (char *)FORMATS[from];
            BenchResult ended BENCH_RESULT_CLEANUP = migrate(&bundle);
            assert_true(ended.result.success);
            sql_run(bench->admin, "TRUNCATE marks.log");
            char expected[100];
            snprintf(expected, sizeof expected, "applied %s>%s 2", FORMATS[from], FORMATS[to]);
            expect_convert(&all, FORMATS[to], expected);
            expect_fresh_shape(FORMATS[to]);
            expect_in_order(&all, FORMATS[to]);
        }
    bundle.count = 3;
    bundle_clear(&bundle);
    bundle_clear(&all);
}

static void times_are_the_same_moments(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    make_table(&bundle, PACKAGE_TABLES[NAME], NAME);
    sql_run(bench->admin, "UPDATE t.__drizzle_migrations SET applied_at = '1969-12-31 23:59:59.9999+00' "
                          "WHERE id = 1; UPDATE t.__drizzle_migrations SET applied_at = NULL WHERE id = 3");
    expect_convert(&bundle, "drizzle-kit", "applied name>drizzle-kit 2");
    assert_int_equal(sql_number(bench->admin, "SELECT created_at FROM t.__drizzle_migrations WHERE id = 1"),
                     -1);
    assert_int_equal(sql_number(bench->admin,
                                "SELECT count(*) FROM t.__drizzle_migrations WHERE "
                                "to_timestamp(created_at / 1000.0) > now() - interval '1 hour'"),
                     1);
    bundle_clear(&bundle);
}

static void the_journal_gives_drizzle_kit_its_times(void **state)
{
    (void)state;
    Bundle bundle = files(true);
    bundle.items[1].when_ms = 0; /* not in the journal */
    make_table(&bundle, PACKAGE_TABLES[HASH], HASH);
    expect_convert(&bundle, "drizzle-kit", "applied hash>drizzle-kit 2");
    char expected[400];
    snprintf(expected, sizeof expected,
             "{\"id\": 1, \"hash\": \"%s\", \"created_at\": 1700000000001}\n"
             "{\"id\": 3, \"hash\": \"%s\", \"created_at\": 1600000001999}",
             bundle.items[0].hash, bundle.items[1].hash);
    expect_rows(expected);
    bundle_clear(&bundle);
}

static void a_hash_column_with_a_name_is_understood(void **state)
{
    Bundle bundle = files(false);
    for (int to = 0; to < 3; to += 2) {
        renew(state);
        make_table(&bundle, PACKAGE_TABLES[HASH], HASH);
        sql_run(bench->admin, "UPDATE t.__drizzle_migrations SET hash = '0001_a' WHERE id = 1");
        char expected[100];
        snprintf(expected, sizeof expected, "applied hash>%s 2", FORMATS[to]);
        expect_convert(&bundle, FORMATS[to], expected);
        assert_int_equal(sql_number(bench->admin, "SELECT id FROM t.__drizzle_migrations WHERE %s = '%s'",
                                    to == NAME ? "name" : "hash", identifier_of(&bundle, to, 0)),
                         1);
        expect_in_order(&bundle, FORMATS[to]);
    }
    bundle_clear(&bundle);
}

static void an_empty_table_is_converted_too(void **state)
{
    Bundle bundle = files(true);
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            if (from == to)
                continue;
            renew(state);
            sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", PACKAGE_TABLES[from]);
            char expected[100];
            snprintf(expected, sizeof expected, "applied %s>%s 0", FORMATS[from], FORMATS[to]);
            expect_convert(&bundle, FORMATS[to], expected);
            expect_fresh_shape(FORMATS[to]);
        }
    bundle_clear(&bundle);
}

static void rows_without_a_file_are_named_and_refused(void **state)
{
    (void)state;
    Bundle bundle = files(true);
    make_table(&bundle, PACKAGE_TABLES[NAME], NAME);
    sql_run(bench->admin,
            "INSERT INTO t.__drizzle_migrations (name) SELECT 'gone' || i FROM generate_series(1, 12) i");
    expect_refused(&bundle, "hash",
                   "error: the tracking table has rows that no migration file explains: gone1, gone2, gone3, "
                   "gone4, gone5, gone6, gone7, gone8, gone9, gone10 and 2 more");
    Converted refused = convert_with(bench->pooled, &bundle, "drizzle-kit");
    assert_non_null(strstr(refused.result.hint, "sync --clean-orphans"));
    assert_string_equal(refused.result.from, "name");
    record_clear(&CONVERT_RESULT, &refused.result);
    expect_cleaned(&bundle, "applied marked: removed:gone1,gone2,gone3,gone4,gone5,gone6,gone7,gone8,gone9,"
                            "gone10,gone11,gone12");
    expect_convert(&bundle, "hash", "applied name>hash 2");

    sql_run(bench->admin, "ALTER TABLE t.__drizzle_migrations ALTER hash DROP NOT NULL; INSERT INTO "
                          "t.__drizzle_migrations (hash) VALUES (NULL), ('beef')");
    expect_refused(&bundle, "name",
                   "error: the tracking table has rows that no migration file explains: NULL, beef");
    bundle_clear(&bundle);
}

static void a_migration_recorded_twice_is_refused(void **state)
{
    Bundle bundle = files(false);
    for (int from = 0; from < 3; from++) {
        renew(state);
        make_table(&bundle, TABLES[from], from);
        if (from == NAME)
            sql_run(bench->admin,
                    "ALTER TABLE t.__drizzle_migrations DROP CONSTRAINT __drizzle_migrations_name_key");
        add_row(&bundle, from, 0, 1600000002000);
        char expected[200];
        snprintf(expected, sizeof expected,
                 "error: the tracking table has migrations recorded more than once: %s",
                 identifier_of(&bundle, from, 0));
        expect_refused(&bundle, FORMATS[(from + 1) % 3], expected);
    }
    bundle_clear(&bundle);
}

static void files_of_equal_content_are_told_apart_by_their_number(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_a", MARK("same"), 0);
    bundle_add(&bundle, "0002_b", MARK("b"), 0);
    bundle_add(&bundle, "0003_c", MARK("same"), 0);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", PACKAGE_TABLES[HASH]);
    for (size_t i = 0; i < 3; i++)
        add_row(&bundle, HASH, i, 1600000000000);
    char *before = rows_text();
    expect_convert(&bundle, "name", "applied hash>name 3");
    assert_int_equal(sql_number(bench->admin, "SELECT id FROM t.__drizzle_migrations WHERE name = '0003_c'"),
                     3);
    expect_status(&bundle, "name missing: orphans: in sync");
    expect_convert(&bundle, "hash", "applied name>hash 3");
    expect_rows(before);
    free(before);

    expect_convert(&bundle, "name", "applied hash>name 3");
    sql_run(bench->admin, "DELETE FROM t.__drizzle_migrations WHERE id = 1"); /* only the later one */
    expect_refused(&bundle, "hash",
                   "error: files of equal content cannot be told apart in the new format: 0001_a, 0003_c");
    bundle_clear(&bundle);
}

static void a_changed_file_keeps_its_proof(void **state)
{
    (void)state;
    Bundle bundle = files(true);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", PACKAGE_TABLES[KIT]);
    add_row(&bundle, KIT, 0, 1700000000001);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (hash, created_at) VALUES ('0ld', "
                          "1700000000002)");
    expect_status(&bundle, "drizzle-kit missing:0002_it's \\odd,0003_c orphans: changed:0002_it's \\odd");
    expect_refused(&bundle, "hash",
                   "error: migrations were changed after they were applied: 0002_it's \\odd");
    expect_convert(&bundle, "name", "applied drizzle-kit>name 2");
    expect_in_order(&bundle, "name");
    bundle_clear(&bundle);
}

static void nothing_to_do_is_a_success(void **state)
{
    (void)state;
    Bundle bundle = files(true);
    expect_convert(&bundle, "hash", "already null>hash 0");
    assert_int_equal(rows(), 0);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", ORM_TABLE);
    char *before = table_text();
    expect_convert(&bundle, "drizzle-kit", "already drizzle-kit>drizzle-kit 0");
    char *after = table_text();
    assert_string_equal(before, after);
    free(before);
    free(after);
    bundle_clear(&bundle);
}

static void other_tables_are_refused_by_what_they_are(void **state)
{
    static const struct {
        const char *ddl, *error;
    } CASES[] = {
        {"TABLE t.__drizzle_migrations (id int, version text)",
         "error: unknown tracking table format: columns id integer, version text"},
        {"TABLE t.__drizzle_migrations (name text, applied_at timestamptz)",
         "error: column \"id\" does not exist"},
        {"TABLE t.__drizzle_migrations (id uuid PRIMARY KEY, name text, applied_at timestamptz)",
         "error: column \"id\" of the tracking table has the type uuid"},
        {"TABLE t.__drizzle_migrations (id serial, name text, applied_at int)",
         "error: column \"applied_at\" of the tracking table has the type integer"},
        {"VIEW t.__drizzle_migrations AS SELECT 1 AS id, ''::text AS name, now() AS applied_at",
         "error: the tracking table \"__drizzle_migrations\" is not an ordinary table"},
    };
    Bundle bundle = files(true);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        renew(state);
        sql_run(bench->admin, "CREATE %s", CASES[i].ddl);
        expect_convert(&bundle, "hash", CASES[i].error);
    }
    sql_run(bench->admin, "DROP SCHEMA t CASCADE");
    expect_convert(&bundle, "hash", "no_schema: schema \"t\" does not exist");
    bundle_clear(&bundle);
}

/* A table without keys, with times of another type and a text for a name. */
static void a_home_made_table_becomes_a_regular_one(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations (id serial, name text, created_at timestamp)");
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (name, created_at) VALUES ('0001_a', "
                          "'2020-01-01'), (E'0002_it''s \\\\odd', NULL)");
    expect_convert(&bundle, "hash", "applied name>hash 2");
    expect_fresh_shape("hash");
    expect_in_order(&bundle, "hash");
    bundle_clear(&bundle);
}

static void a_table_that_was_renamed_gets_regular_names(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    sql_run(bench->admin, "CREATE TABLE t.old %s; ALTER TABLE t.old RENAME TO __drizzle_migrations",
            PACKAGE_TABLES[NAME]);
    expect_convert(&bundle, "hash", "applied name>hash 0");
    expect_fresh_shape("hash");
    bundle_clear(&bundle);
}

/* What the npm package's own convert-format leaves, and drizzle-orm's newest table: the package's next
 * migrate fails on each. */
static void half_converted_tables_are_finished(void **state)
{
    static const char *const LEFT[] = {
        "(id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, created_at TIMESTAMPTZ DEFAULT "
        "CURRENT_TIMESTAMP, hash TEXT NOT NULL)",
        "(id SERIAL PRIMARY KEY, hash TEXT NOT NULL, applied_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, name "
        "VARCHAR(255) NOT NULL, CONSTRAINT __drizzle_migrations_name_unique UNIQUE (name))",
        "(id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint, name text, applied_at timestamptz "
        "DEFAULT now())",
    };
    Bundle bundle = files(false);
    for (int to = 0; to < 3; to++)
        for (int i = 0; i < 3; i++) {
            renew(state);
            sql_run(bench->admin, "CREATE TABLE t.__drizzle_migrations %s", LEFT[i]);
            sql_run(bench->admin,
                    "INSERT INTO t.__drizzle_migrations (name, hash) VALUES ('0001_a', '%s'), "
                    "(E'0002_it''s \\\\odd', '%s')",
                    bundle.items[0].hash, bundle.items[1].hash);
            char expected[100];
            snprintf(expected, sizeof expected, "applied name>%s 2", FORMATS[to]);
            expect_convert(&bundle, FORMATS[to], expected);
            expect_fresh_shape(FORMATS[to]);
            expect_in_order(&bundle, FORMATS[to]);
        }
    bundle_clear(&bundle);
}

static void owner_grants_comments_and_columns_stay(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    sql_run(bench->admin,
            "DROP ROLE IF EXISTS keeper; DROP ROLE IF EXISTS reader; CREATE ROLE keeper; CREATE "
            "ROLE reader; GRANT CREATE ON SCHEMA t TO keeper");
    make_table(&bundle, PACKAGE_TABLES[HASH], HASH);
    sql_run(bench->admin,
            "ALTER TABLE t.__drizzle_migrations ADD extra text DEFAULT 'x', OWNER TO keeper; GRANT SELECT, "
            "INSERT ON t.__drizzle_migrations TO reader; GRANT UPDATE (hash) ON t.__drizzle_migrations TO "
            "reader; GRANT USAGE ON SEQUENCE t.__drizzle_migrations_id_seq TO reader; COMMENT ON TABLE "
            "t.__drizzle_migrations IS 'mine'");
    expect_convert(&bundle, "name", "applied hash>name 2");
    char *kept =
        sql_text(bench->admin,
                 "SELECT concat_ws(';', relowner::regrole, relacl, obj_description(oid), (SELECT attacl "
                 "FROM pg_attribute WHERE attrelid = c.oid AND attname = 'name'), (SELECT relacl FROM "
                 "pg_class WHERE oid = 't.__drizzle_migrations_id_seq'::regclass), (SELECT min(extra) FROM "
                 "t.__drizzle_migrations)) FROM pg_class c WHERE oid = 't.__drizzle_migrations'::regclass");
    assert_string_equal(kept, "keeper;{keeper=arwdDxt/keeper,reader=ar/keeper};mine;{reader=w/keeper};"
                              "{keeper=rwU/keeper,reader=U/keeper};x");
    free(kept);
    expect_in_order(&bundle, "name");
    sql_run(bench->admin, "DROP TABLE t.__drizzle_migrations; REVOKE ALL ON SCHEMA t FROM keeper; DROP ROLE "
                          "keeper; DROP ROLE reader");
    bundle_clear(&bundle);
}

static void what_depends_on_the_table_is_respected(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    make_table(&bundle, PACKAGE_TABLES[NAME], NAME);
    sql_run(bench->admin, "CREATE VIEW t.applied AS SELECT name FROM t.__drizzle_migrations");
    char *before = table_text();
    Converted refused = convert_with(bench->pooled, &bundle, "hash");
    assert_string_equal(refused.result.detail, "rule _RETURN on view applied depends on column \"name\"");
    expect_converted(refused, "error: cannot alter type of a column used by a view or rule");
    char *after = table_text();
    assert_string_equal(before, after);
    free(before);
    free(after);
    bundle_clear(&bundle);
}

static void odd_names_are_quoted(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    bench->options.migrations_table = (char *)"My \"Table\"";
    BenchResult ended BENCH_RESULT_CLEANUP = migrate(&bundle);
    assert_true(ended.result.success);
    for (int to = 2; to >= 0; to--) {
        char expected[100];
        snprintf(expected, sizeof expected, "applied %s>%s 3", FORMATS[(to + 1) % 3], FORMATS[to]);
        expect_convert(&bundle, FORMATS[to], expected);
        snprintf(expected, sizeof expected, "%s missing: orphans: in sync", FORMATS[to]);
        expect_status(&bundle, expected);
    }
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_constraint WHERE conname IN ('My "
                                              "\"Table\"_pkey', 'My \"Table\"_name_key')"),
                     2);
    bundle_clear(&bundle);
}

static void the_configured_format_does_not_matter(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    make_table(&bundle, PACKAGE_TABLES[NAME], NAME);
    bench->options.format = (char *)"drizzle-kit";
    expect_convert(&bundle, "hash", "applied name>hash 2");
    bench->options.format = (char *)"name";
    expect_convert(&bundle, "drizzle-kit", "applied hash>drizzle-kit 2");
    bench->options.format = NULL;
    expect_in_order(&bundle, "drizzle-kit");
    bundle_clear(&bundle);
}

static void a_dry_run_only_tells(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    make_table(&bundle, PACKAGE_TABLES[NAME], NAME);
    PGconn *reader = cluster_connect(bench->cluster, "postgres");
    sql_run(reader, "BEGIN; SELECT FROM t.__drizzle_migrations"); /* its lock is in nobody's way */
    bench->options.dry_run = true;
    expect_refused(&bundle, "hash", "already name>hash 2");
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (name) VALUES ('gone')");
    expect_refused(&bundle, "hash",
                   "error: the tracking table has rows that no migration file explains: gone");
    PQfinish(reader);
    bundle_clear(&bundle);
}

/* Through PgBouncer the next user of the session is somebody else. */
static void nothing_stays_in_the_session(void **state)
{
    (void)state;
    Bundle bundle = files(false);
    make_table(&bundle, PACKAGE_TABLES[NAME], NAME);
    expect_convert(&bundle, "hash", "applied name>hash 2");
    char *url = cluster_bouncer_url(bench->cluster, "postgres");
    PGconn *next = PQconnectdb(url);
    free(url);
    char *left = sql_text(next, "SELECT current_setting('search_path') || (SELECT count(*) FROM pg_locks "
                                "WHERE locktype = 'advisory')");
    assert_string_equal(left, "\"$user\", public0");
    free(left);
    PQfinish(next);
    bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_direction_and_back_keeps_the_rows),
        TEST(tables_of_drizzle_orm_are_converted),
        TEST(tables_that_migrate_made_are_converted),
        TEST(times_are_the_same_moments),
        TEST(the_journal_gives_drizzle_kit_its_times),
        TEST(a_hash_column_with_a_name_is_understood),
        TEST(an_empty_table_is_converted_too),
        TEST(rows_without_a_file_are_named_and_refused),
        TEST(a_migration_recorded_twice_is_refused),
        TEST(files_of_equal_content_are_told_apart_by_their_number),
        TEST(a_changed_file_keeps_its_proof),
        TEST(nothing_to_do_is_a_success),
        TEST(other_tables_are_refused_by_what_they_are),
        TEST(a_home_made_table_becomes_a_regular_one),
        TEST(a_table_that_was_renamed_gets_regular_names),
        TEST(half_converted_tables_are_finished),
        TEST(owner_grants_comments_and_columns_stay),
        TEST(what_depends_on_the_table_is_respected),
        TEST(odd_names_are_quoted),
        TEST(the_configured_format_does_not_matter),
        TEST(a_dry_run_only_tells),
        TEST(nothing_stays_in_the_session),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
