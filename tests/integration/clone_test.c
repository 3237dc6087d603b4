/* Cloning: what the copy has, and what it has nothing to do with. */
#include "tests/integration/clone_support.h"
#include "worker/ops/clone_plan.h"

/* What a digest does not look at: comments, rights, settings of columns, owners; one line each. */
static char *trimmings_of(const char *schema)
{
    return sql_text(
        bench->admin,
        "WITH n AS (SELECT '%s'::regnamespace AS oid, '%s.' AS dot), o AS (SELECT DISTINCT classid, objid "
        "FROM"
        " pg_depend, n WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid),"
        " c AS (SELECT c.* FROM pg_class c, n WHERE relnamespace = n.oid) "
        "SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM ("
        " SELECT replace(concat('comment ', i.type, ' ', i.identity, ': ', d.description), n.dot, '')"
        "  FROM pg_description d, n, pg_identify_object(classoid, objoid, objsubid) i"
        "  WHERE i.schema || '.' = n.dot OR i.identity LIKE '%%' || n.dot || '%%'"
        " UNION ALL SELECT replace(concat('rights ', c.relname, (SELECT array_agg(x ORDER BY x::text) FROM "
        "unnest(c.relacl) x)), n.dot, '') FROM c, n"
        " UNION ALL SELECT concat('function ', proname, (SELECT array_agg(x ORDER BY x::text) FROM "
        "unnest(proacl) x), proowner) FROM pg_proc, n WHERE pronamespace "
        "= n.oid"
        " UNION ALL SELECT concat('type ', typname, (SELECT array_agg(x ORDER BY x::text) FROM "
        "unnest(typacl) x), typowner) FROM pg_type, n WHERE typnamespace = "
        "n.oid"
        "  AND typname NOT LIKE 'pg_toast%%'"
        " UNION ALL SELECT concat('column ', c.relname, a.attname, a.attacl, a.attstorage, a.attstattarget,"
        "  a.attcompression) FROM c JOIN pg_attribute a ON a.attrelid = c.oid WHERE attnum > 0 AND NOT "
        "attisdropped"
        " UNION ALL SELECT concat('index ', x.indexrelid::regclass::text LIKE '%%.%%', i.relname, "
        "indisclustered,"
        "  indisreplident, i.reloptions) FROM c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i"
        "  ON i.oid = x.indexrelid"
        " UNION ALL SELECT concat('table ', c.relname, c.relispopulated, c.relpersistence, c.relowner,"
        "  (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid)) FROM c"
        " UNION ALL SELECT concat('trigger ', tgname, tgenabled, c.relname) FROM pg_trigger JOIN c ON c.oid ="
        "  tgrelid WHERE NOT tgisinternal"
        " UNION ALL SELECT concat('rule ', rulename, ev_enabled) FROM pg_rewrite JOIN c ON c.oid = ev_class"
        ") AS lines(line)",
        schema, schema);
}

static void expect_lines(const char *held, const char *expected)
{
    size_t at = 0;
    while (held[at] != '\0' && held[at] == expected[at])
        at++;
    if (held[at] == expected[at])
        return;
    while (at > 0 && held[at - 1] != '\n')
        at--;
    fail_msg("%.200s\nand not\n%.200s", held + at, expected + at);
}

static void expect_same_trimmings(const char *one, const char *other)
{
    char *a = trimmings_of(one), *b = trimmings_of(other);
    expect_lines(b, a);
    assert_non_null(strstr(a, "comment "));
    free(a);
    free(b);
}

static void a_clone_has_everything_that_its_source_has(void **state)
{
    (void)state;
    sql_run(bench->admin, RICH);
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    expect_names(&cloned.result.tables,
                 "base,child,events,events_2024,events_one,events_rest,follow,late_child,"
                 "nothing,orders,scratch,typed,users");
    assert_int_equal(cloned.result.rows_copied, -1);
    expect_names(&cloned.result.warnings,
                 "table child keeps columns that the tables it inherits from lose,"
                 "table late_child keeps columns that the tables it inherits from lose");
    expect_same_digest("src", "t");
    expect_same_trimmings("src", "t");
    assert_int_equal(count_of("t.users"), 0);
    assert_int_equal(count_of("t.__drizzle_migrations"), 2);
    assert_int_equal(count_of("t.__pgconvoy_state"), 1);
    assert_int_equal(locks_left(), 0);
}

static void a_clone_outlives_its_source(void **state)
{
    (void)state;
    sql_run(bench->admin, RICH);
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    char *before = digest_of("t"), *trimmings = trimmings_of("t");
    sql_run(bench->admin, "DROP SCHEMA src CASCADE");
    char *after = digest_of("t"), *trimmings_after = trimmings_of("t");
    assert_string_equal(before, after);
    expect_lines(trimmings_after, trimmings);
    sql_run(bench->admin, "INSERT INTO t.users (email, country) VALUES ('new', 'de'); "
                          "INSERT INTO t.orders (user_id) VALUES (1); REFRESH MATERIALIZED VIEW t.counts");
    assert_int_equal(sql_number(bench->admin, "SELECT id FROM t.users"), 1);
    assert_int_equal(sql_number(bench->admin, "SELECT nr FROM t.users"), 5);
    assert_int_equal(sql_number(bench->admin, "SELECT n FROM t.users"), 7);
    assert_int_equal(sql_number(bench->admin, "SELECT id FROM t.orders"), 10);
    assert_int_equal(sql_number(bench->admin, "SELECT t.pathed() + t.counted() + t.total(n) FROM t.users"),
                     9);
    free(before);
    free(after);
    free(trimmings);
    free(trimmings_after);
}

static void the_next_migrate_applies_nothing(void **state)
{
    (void)state;
    sql_run(bench->admin, RICH);
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    Bundle bundle = two_files();
    BENCH_RESULT_CLEANUP BenchResult migrated = bench_run(bench, op_migrate, bench->direct, "t", &bundle);
    assert_int_equal(migrated.outcome, OUTCOME_ALREADY);
    bench_result_clear(&migrated);
    bundle_add(&bundle, "0003_c", "CREATE TABLE c (id int)", 0);
    migrated = bench_run(bench, op_migrate, bench->direct, "t", &bundle);
    assert_int_equal(migrated.outcome, OUTCOME_APPLIED);
    expect_names(&migrated.result.applied_migrations, "0003_c");
    bundle_clear(&bundle);
}

/* Of every table the same rows, in whatever order. */
static void expect_same_rows(const TextList *tables)
{
    for (size_t i = 0; i < tables->count; i++)
        for (int side = 0; side < 2; side++) {
            const char *one = side == 0 ? "src" : "t", *other = side == 0 ? "t" : "src",
                       *name = tables->items[i];
            long long more = sql_number(bench->admin,
                                        "SELECT count(*) FROM (SELECT x::text FROM %s.%s x EXCEPT ALL SELECT "
                                        "x::text FROM %s.%s x) AS more",
                                        one, name, other, name);
            if (more != 0)
                fail_msg("%lld rows of %s.%s are not in %s", more, one, name, other);
        }
}

static void rows_come_along_when_asked_for(void **state)
{
    (void)state;
    sql_run(bench->admin, RICH);
    bench->options.with_data = true;
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    expect_same_digest("src", "t");
    expect_same_rows(&cloned.result.tables);
    assert_int_equal(cloned.result.rows_copied, 17);
    assert_int_equal(count_of("ONLY t.base"), 1);
    assert_int_equal(sql_number(bench->admin, "SELECT total FROM t.a_counts"),
                     sql_number(bench->admin, "SELECT total FROM src.a_counts"));
    sql_run(bench->admin, "DISCARD SEQUENCES");
    for (int i = 0; i < 2; i++)
        sql_run(bench->admin,
                "INSERT INTO %s.users (email) VALUES ('d'); INSERT INTO %s.orders (user_id) VALUES (1)",
                i == 0 ? "src" : "t", i == 0 ? "src" : "t");
    expect_same_rows(&cloned.result.tables);
    sql_run(bench->admin, "INSERT INTO t.__drizzle_migrations (name) VALUES ('x')");
}

static void rules_stand_in_for_what_nobody_may_see(void **state)
{
    (void)state;
    sql_run(bench->admin, RICH);
    AnonymizeRule rules[] = {{"users", "tags", "{hidden}"}, {"users", "mood", "sad"},
                             {"users", "country", NULL},    {"base", "label", "it's"},
                             {"events", "who", "1"},        {"typed", "b", "back\\slash"}};
    bench->options.with_data = true;
    bench->options.anonymize = (RecordList){rules, sizeof rules / sizeof rules[0]};
    bench->options.exclude_tables = (TextList){(char *[]){"follow"}, 1};
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    assert_int_equal(count_of("t.users WHERE tags = '{hidden}' AND mood = 'sad' AND country IS NULL"), 3);
    assert_int_equal(count_of("t.base WHERE label = 'it''s'"), 3);
    assert_int_equal(count_of("t.events_2024 WHERE who = 1"), 1);
    assert_int_equal(count_of("t.events_one"), 2);
    assert_int_equal(count_of("t.typed WHERE b = E'back\\\\slash'"), 1);
    assert_int_equal(count_of("src.users WHERE tags = '{}'"), 3);
    assert_int_equal(sql_number(bench->admin, "SELECT (to_regclass('t.follow') IS NULL)::int"), 1);
}

static void a_rule_that_names_nothing_hides_nothing(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE TABLE src.u (id int, email text, up text GENERATED ALWAYS AS "
            "(upper(email)) STORED)");
    static const struct {
        AnonymizeRule rule;
        bool strict;
        const char *error;
    } CASES[] = {
        {{"users", "email", NULL}, false, "\"users\".\"email\" names no table of the source"},
        {{"u", "mail", NULL}, true, "\"u\".\"mail\" names no column of the table"},
        {{"u", "up", NULL}, false, "\"u\".\"up\" cannot change a column that is computed from others"},
    };
    bench->options.with_data = true;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        AnonymizeRule rule = CASES[i].rule;
        bench->options.anonymize = (RecordList){&rule, 1};
        bench->options.strict = CASES[i].strict;
        CLONED_CLEANUP Cloned refused = clone_to_t();
        expect_refused(&refused, OUTCOME_ERROR, CASES[i].error);
        assert_false(exists());
    }
    AnonymizeRule rule = {"u", "mail", NULL};
    bench->options.anonymize = (RecordList){&rule, 1};
    bench->options.strict = false;
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    expect_names(&cloned.result.warnings, "the rule for \"u\".\"mail\" names no column of the table");
}

static void tables_can_be_left_out_unless_others_need_them(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE TABLE src.a (id serial PRIMARY KEY); CREATE TABLE src.b (a int "
            "CONSTRAINT to_a REFERENCES src.a); CREATE VIEW src.v AS SELECT * FROM src.b; "
            "CREATE TABLE src.c (id serial); COMMENT ON TABLE src.c IS 'c'; GRANT SELECT ON src.c TO "
            "PUBLIC");
    bench->options.exclude_tables = (TextList){(char *[]){"a", "b"}, 1};
    CLONED_CLEANUP Cloned refused = clone_to_t();
    expect_refused(&refused, OUTCOME_ERROR, "a table cannot be left out that others need");
    assert_string_equal(refused.result.detail, "constraint to_a on b needs table a");
    bench->options.exclude_tables.count = 2;
    CLONED_CLEANUP Cloned also_refused = clone_to_t();
    assert_string_equal(also_refused.result.detail, "view v needs table b");
    assert_false(exists());
    bench->options.exclude_tables = (TextList){(char *[]){"c", "typo", "__drizzle_migrations"}, 3};
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    expect_names(&cloned.result.tables, "a,b");
    assert_int_equal(cloned.result.warnings.count, 2);
    assert_int_equal(
        count_of("pg_class WHERE relname IN ('c', 'c_id_seq') AND relnamespace = 't'::regnamespace"), 0);
    sql_run(bench->admin, "DROP SCHEMA t CASCADE");
    bench->options.strict = true;
    CLONED_CLEANUP Cloned strict = clone_to_t();
    expect_refused(&strict, OUTCOME_ERROR, "there is no table \"typo\" to leave out");
}

static void what_is_not_there_or_is_already_is_refused(void **state)
{
    (void)state;
    CLONED_CLEANUP Cloned missing = clone_to_t();
    expect_refused(&missing, OUTCOME_NO_SCHEMA, "Source tenant \"src\" does not exist");
    sql_run(bench->admin, "CREATE SCHEMA src; CREATE SCHEMA t; CREATE TABLE t.kept (id int)");
    CLONED_CLEANUP Cloned there = clone_to_t();
    expect_refused(&there, OUTCOME_ERROR, "Target tenant \"t\" already exists");
    bench->options.source_schema = "t";
    CLONED_CLEANUP Cloned itself = clone_to_t();
    expect_refused(&itself, OUTCOME_ERROR, "Target tenant \"t\" already exists");
    assert_int_equal(count_of("t.kept"), 0);
    assert_int_equal(locks_left(), 0);
}

static void what_cannot_be_copied_is_named(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE FUNCTION src.same(int, int) RETURNS boolean LANGUAGE sql AS "
            "'SELECT true'; CREATE OPERATOR src.=== (FUNCTION = src.same, LEFTARG = int, RIGHTARG = "
            "int); CREATE EXTENSION hstore SCHEMA src");
    CLONED_CLEANUP Cloned refused = clone_to_t();
    sql_run(bench->admin, "DROP EXTENSION hstore");
    expect_refused(&refused, OUTCOME_ERROR, "schema \"src\" holds objects that cannot be cloned");
    assert_non_null(strstr(refused.result.detail, "extension hstore"));
    assert_null(strstr(refused.result.detail, "type hstore"));
    assert_non_null(strstr(refused.result.detail, "operator ===(integer,integer)"));
    assert_non_null(refused.result.hint);
    assert_false(exists());
}

static void texts_that_speak_of_the_source_are_named(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE SCHEMA src; CREATE TABLE src.u (id int DEFAULT length('src')); CREATE "
                          "FUNCTION src.f() RETURNS "
                          "bigint LANGUAGE sql AS 'SELECT count(*) FROM src.u'; CREATE FUNCTION src.g() "
                          "RETURNS int LANGUAGE sql "
                          "AS 'SELECT 1 AS my_src'");
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    expect_names(&cloned.result.warnings,
                 "function f() still speaks of \"src\",default of u.id still speaks of "
                 "\"src\"");
}

/* Names that the catalog has, too, and names that need quotes everywhere. */
static void odd_names_mean_the_same_in_the_clone(void **state)
{
    (void)state;
    static const char ODD[] = "we\"ird 'S\\";
    sql_run(
        bench->admin,
        "CREATE SCHEMA \"we\"\"ird 'S\\\"; SET search_path = \"we\"\"ird 'S\\\"; CREATE TYPE \"we\"\"ird "
        "'S\\\".point "
        "AS ENUM ('a'); CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; "
        "CREATE TABLE \"Ta ble\" (\"Co\"\"l\" \"we\"\"ird 'S\\\".point, pt pg_catalog.point, l text DEFAULT "
        "\"we\"\"ird 'S\\\".lower('X'), m text DEFAULT pg_catalog.lower('X'), \"S\" serial); "
        "CREATE VIEW pg_class AS SELECT \"we\"\"ird 'S\\\".lower(l) AS l, \"S\" FROM \"Ta ble\"; "
        "CREATE FUNCTION sets() RETURNS int LANGUAGE sql SET search_path FROM CURRENT AS 'SELECT 1'; "
        "INSERT INTO \"Ta ble\" VALUES ('a'); RESET search_path");
    bench->options.source_schema = (char *)ODD;
    bench->options.with_data = true;
    CLONED_CLEANUP Cloned cloned = clone_on(bench->direct, "Also \"odd\"");
    expect_cloned(&cloned);
    assert_int_equal(cloned.result.warnings.count, 0);
    sql_run(bench->admin, "DROP SCHEMA \"we\"\"ird 'S\\\" CASCADE");
    sql_run(bench->admin, "INSERT INTO \"Also \"\"odd\"\"\".\"Ta ble\" VALUES ('a')");
    char *last = sql_text(bench->admin,
                          "SELECT l || m || \"S\" FROM \"Also \"\"odd\"\"\".\"Ta ble\" ORDER BY \"S\" DESC");
    assert_string_equal(last, "Xx2");
    free(last);
    char *path = sql_text(bench->admin, "SELECT proconfig[1] FROM pg_proc WHERE proname = 'sets'");
    assert_string_equal(path, "search_path=\"Also \"\"odd\"\"\"");
    free(path);
    sql_run(bench->admin, "DROP SCHEMA \"Also \"\"odd\"\"\" CASCADE");
}

static void a_role_that_is_no_superuser_clones_what_it_owns(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE postgres TO plain; "
            "SET ROLE plain; CREATE SCHEMA src; CREATE TABLE src.t (id serial PRIMARY KEY, v text); "
            "CREATE TABLE src.o (t int REFERENCES src.t); INSERT INTO src.t (v) VALUES ('a'); "
            "INSERT INTO src.o VALUES (1); RESET ROLE; CREATE VIEW src.of_others AS SELECT 1 AS one; "
            "GRANT SELECT ON src.of_others TO PUBLIC");
    char url[128];
    snprintf(url, sizeof url, "postgresql://plain@127.0.0.1:%d/postgres", bench->cluster->port);
    Reservoir *plain = bench_reservoir_as(url);
    bench->options.with_data = true;
    CLONED_CLEANUP Cloned cloned = clone_on(plain, "t");
    expect_cloned(&cloned);
    assert_int_equal(cloned.result.rows_copied, 2);
    assert_int_equal(cloned.result.warnings.count, 1);
    assert_non_null(
        strstr(cloned.result.warnings.items[0], "owner of view of_others: not as in the source: "));
    expect_same_digest("src", "t");
    sql_run(bench->admin,
            "DROP SCHEMA t CASCADE; ALTER TABLE src.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL "
            "SECURITY; CREATE POLICY none ON src.t USING (false)");
    CLONED_CLEANUP Cloned hidden = clone_on(plain, "t");
    expect_refused(&hidden, OUTCOME_ERROR, "query would be affected by row-level security policy");
    sql_run(bench->admin, "ALTER TABLE src.t NO FORCE ROW LEVEL SECURITY; CREATE TABLE src.secret (id int)");
    CLONED_CLEANUP Cloned unreadable = clone_on(plain, "t");
    expect_refused(&unreadable, OUTCOME_ERROR, "permission denied for table secret");
    assert_string_equal(unreadable.result.detail, "while copying the rows of table secret");
    assert_false(exists());
    bench_reservoir_free(plain);
    sql_run(bench->admin, "DROP SCHEMA src CASCADE; DROP OWNED BY plain; DROP ROLE plain");
}

static void children_lose_what_their_parents_lose(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE TABLE src.a (x int NOT NULL, y int); CREATE TABLE src.b (z int); "
            "CREATE TABLE src.c (own int, CHECK (own > 0)) INHERITS (src.a, src.b); ALTER TABLE src.c "
            "ALTER y SET NOT NULL");
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    assert_int_equal(cloned.result.warnings.count, 0);
    expect_same_digest("src", "t");
    sql_run(bench->admin, "ALTER TABLE t.a DROP COLUMN y; ALTER TABLE src.a DROP COLUMN y");
    expect_same_digest("src", "t");
}

static void a_view_that_needs_rows_is_left_empty_without_them(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE TABLE src.a (x int); INSERT INTO src.a VALUES (1); CREATE "
            "MATERIALIZED VIEW src.m AS SELECT 1 / count(*) AS part FROM src.a");
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    expect_names(&cloned.result.warnings, "materialized view m: not as in the source: division by zero");
    sql_run(bench->admin, "INSERT INTO t.a VALUES (1); REFRESH MATERIALIZED VIEW t.m");
}

/* The last look before COMMIT, should a name ever mean more than it says. */
static void a_copy_that_reaches_into_its_source_is_found(void **state)
{
    (void)state;
    static const char *const REACHES[] = {
        "CREATE VIEW t.v AS SELECT * FROM src.a",
        "CREATE TABLE t.b (e src.e)",
        "CREATE TABLE t.b (x int DEFAULT nextval('src.s'))",
        "CREATE TABLE t.b (x int REFERENCES src.a)",
        "CREATE FUNCTION t.f() RETURNS SETOF src.a LANGUAGE sql AS 'SELECT NULL::int'",
    };
    Error error ERROR_CLEANUP = {0};
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE TABLE src.a (x int PRIMARY KEY); CREATE TYPE src.e AS ENUM (); "
            "CREATE SEQUENCE src.s; CREATE SCHEMA t");
    Connection *connection = reservoir_acquire(bench->direct, NULL, 5000, &error);
    ClonePlan plan = {0};
    assert_true(connection_exec(connection, "BEGIN", NULL, &error));
    assert_true(clone_plan_read(&plan, connection, "src", "t", &error));
    assert_true(clone_plan_check_apart(&plan, connection, "t", &error));
    for (size_t i = 0; i < sizeof REACHES / sizeof REACHES[0]; i++) {
        sql_run(bench->admin, "DROP SCHEMA t CASCADE; CREATE SCHEMA t; %s", REACHES[i]);
        assert_false(clone_plan_check_apart(&plan, connection, "t", &error));
        assert_non_null(strstr(error.message, "of the clone would still need the source"));
        error_clear(&error);
    }
    clone_plan_clear(&plan);
    assert_true(connection_exec(connection, "ROLLBACK; RESET search_path", NULL, &error));
    reservoir_release(bench->direct, connection, 1);
}

static void half_made_indexes_and_memberships_are_left_behind(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "CREATE SCHEMA src; CREATE TABLE src.a (x int); INSERT INTO src.a VALUES (1), (1); "
            "CREATE PUBLICATION everybody FOR TABLE src.a; ALTER DEFAULT PRIVILEGES IN SCHEMA src GRANT "
            "SELECT ON TABLES TO PUBLIC");
    PQclear(PQexec(bench->admin, "CREATE UNIQUE INDEX CONCURRENTLY half ON src.a (x)"));
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    sql_run(bench->admin, "DROP PUBLICATION everybody");
    expect_cloned(&cloned);
    expect_names(&cloned.result.warnings, "default privileges of role postgres in the schema were not copied,"
                                          "index half is invalid in the source and was left out,"
                                          "table a is not in publication everybody as it is in the source");
    assert_int_equal(count_of("pg_indexes WHERE schemaname = 't'"), 0);
}

static void owners_and_their_rights_come_along_where_the_role_may(void **state)
{
    (void)state;
    sql_run(bench->admin,
            "DROP ROLE IF EXISTS boss; CREATE ROLE boss; CREATE SCHEMA src AUTHORIZATION boss; "
            "SET ROLE boss; CREATE TABLE src.t (id serial); CREATE TYPE src.e AS ENUM (); CREATE "
            "FUNCTION src.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT SELECT ON src.t TO PUBLIC;"
            " RESET ROLE");
    CLONED_CLEANUP Cloned cloned = clone_to_t();
    expect_cloned(&cloned);
    assert_int_equal(cloned.result.warnings.count, 0);
    assert_int_equal(
        count_of("pg_class WHERE relnamespace = 't'::regnamespace AND relowner <> 'boss'::regrole"), 0);
    assert_int_equal(count_of("pg_namespace WHERE nspname = 't' AND nspowner = 'boss'::regrole"), 1);
    char *rights = sql_text(bench->admin, "SELECT relacl FROM pg_class WHERE oid = 't.t'::regclass");
    char *expected = sql_text(bench->admin, "SELECT relacl FROM pg_class WHERE oid = 'src.t'::regclass");
    assert_string_equal(rights, expected);
    free(rights);
    free(expected);
    sql_run(bench->admin, "DROP OWNED BY boss CASCADE; DROP ROLE boss");
}

static void a_transaction_pooler_is_as_good(void **state)
{
    (void)state;
    sql_run(bench->admin, RICH);
    bench->options.with_data = true;
    CLONED_CLEANUP Cloned cloned = clone_on(bench->pooled, "t");
    expect_cloned(&cloned);
    expect_same_digest("src", "t");
    expect_same_rows(&cloned.result.tables);
    assert_int_equal(locks_left(), 0);
    CLONED_CLEANUP Cloned refused = clone_on(bench->pooled, "t");
    expect_refused(&refused, OUTCOME_ERROR, "already exists");
    assert_int_equal(locks_left(), 0);
    Error error ERROR_CLEANUP = {0};
    Connection *next = reservoir_acquire(bench->pooled, NULL, 5000, &error);
    PGresult *path = NULL;
    assert_true(connection_exec(next,
                                "SELECT current_setting('search_path') || current_setting('row_security') || "
                                "current_setting('enable_seqscan') || current_setting('datestyle')",
                                &path, &error));
    char *fresh = sql_text(bench->admin, "SELECT current_setting('search_path') || 'onon' || "
                                         "current_setting('datestyle')");
    assert_string_equal(PQgetvalue(path, 0, 0), fresh);
    free(fresh);
    PQclear(path);
    reservoir_release(bench->pooled, next, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLONE_TEST(a_clone_has_everything_that_its_source_has),
        CLONE_TEST(a_clone_outlives_its_source),
        CLONE_TEST(the_next_migrate_applies_nothing),
        CLONE_TEST(rows_come_along_when_asked_for),
        CLONE_TEST(rules_stand_in_for_what_nobody_may_see),
        CLONE_TEST(a_rule_that_names_nothing_hides_nothing),
        CLONE_TEST(tables_can_be_left_out_unless_others_need_them),
        CLONE_TEST(what_is_not_there_or_is_already_is_refused),
        CLONE_TEST(what_cannot_be_copied_is_named),
        CLONE_TEST(texts_that_speak_of_the_source_are_named),
        CLONE_TEST(odd_names_mean_the_same_in_the_clone),
        CLONE_TEST(a_role_that_is_no_superuser_clones_what_it_owns),
        CLONE_TEST(children_lose_what_their_parents_lose),
        CLONE_TEST(a_view_that_needs_rows_is_left_empty_without_them),
        CLONE_TEST(a_copy_that_reaches_into_its_source_is_found),
        CLONE_TEST(half_made_indexes_and_memberships_are_left_behind),
        CLONE_TEST(owners_and_their_rights_come_along_where_the_role_may),
        CLONE_TEST(a_transaction_pooler_is_as_good),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
