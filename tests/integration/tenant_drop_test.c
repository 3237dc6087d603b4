/* Who depends on a tenant that is to be dropped? Its own objects go with it; those of others hold it. */
#include "tests/integration/tenant_support.h"

static void make_tenant(void)
{
    sql_run(bench->admin,
            "CREATE SCHEMA t; CREATE TABLE t.a (id serial PRIMARY KEY, note text);"
            "CREATE TYPE t.mood AS ENUM ('good'); CREATE SEQUENCE t.numbers;"
            "CREATE FUNCTION t.seven() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 7';"
            "CREATE FUNCTION t.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';");
}

/* Each is an object outside of the tenant that CASCADE would take along, and what the refusal says. */
static const struct {
    const char *sql, *name;
} FOREIGN[] = {
    {"CREATE VIEW other.v AS SELECT id FROM t.a", "view other.v"},
    {"CREATE MATERIALIZED VIEW other.m AS SELECT id FROM t.a", "materialized view other.m"},
    {"CREATE TABLE other.child (a int CONSTRAINT to_a REFERENCES t.a)",
     "table constraint to_a on other.child"},
    {"CREATE TABLE other.x (m t.mood)", "table column other.x.m"},
    {"CREATE TABLE other.x (n int DEFAULT nextval('t.numbers'))", "default value for other.x.n"},
    {"CREATE TABLE other.x (n int CHECK (n > t.seven()))", "table constraint x_n_check on other.x"},
    {"CREATE FUNCTION other.f(t.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function other.f(t.mood)"},
    {"CREATE FUNCTION other.g() RETURNS SETOF t.a LANGUAGE sql AS 'SELECT null::t.a'", "function other.g()"},
    {"CREATE TABLE other.x (n int); CREATE INDEX by_seven ON other.x ((n + t.seven()))",
     "index other.by_seven"},
    {"CREATE TABLE other.x (n int); CREATE TRIGGER tr BEFORE INSERT ON other.x FOR EACH ROW EXECUTE FUNCTION "
     "t.touch()",
     "trigger tr on other.x"},
    {"CREATE TABLE other.x (n int); CREATE RULE r AS ON INSERT TO other.x DO ALSO INSERT INTO t.a VALUES (1)",
     "rule r on other.x"},
    {"CREATE TABLE other.x (n int); CREATE POLICY p ON other.x USING (n > t.seven())", "policy p on other.x"},
    {"CREATE TABLE other.x () INHERITS (t.a)", "table other.x"},
    {"CREATE TABLE t.parted (k int) PARTITION BY LIST (k); CREATE TABLE other.part PARTITION OF t.parted FOR "
     "VALUES IN (1)",
     "table other.part"},
    {"CREATE DOMAIN other.d AS t.mood", "type other.d"},
    {"CREATE TABLE other.x (n int[] DEFAULT ARRAY[t.seven()])", "default value for other.x.n"},
    {"CREATE TABLE other.x (m t.mood[])", "table column other.x.m"},
    {"CREATE TABLE other.x (row t.a)", "table column other.x.\"row\""},
    {"CREATE VIEW other.\"odd\nname\" AS SELECT id FROM t.a", "view other.\"odd name\""},
    {"CREATE EVENT TRIGGER everybody ON ddl_command_end EXECUTE FUNCTION t.event()",
     "event trigger everybody"},
};

static void an_object_of_another_schema_holds_the_tenant(void **state)
{
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < sizeof FOREIGN / sizeof FOREIGN[0]; i++) {
        renew(state);
        make_tenant();
        sql_run(bench->admin,
                "CREATE FUNCTION t.event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
        sql_run(bench->admin, "%s", FOREIGN[i].sql);
        DROPPED_CLEANUP Dropped refused = drop_on(ways[i % 2], "t");
        if (refused.result.success)
            fail_msg("dropped in spite of %s", FOREIGN[i].name);
        assert_int_equal(refused.outcome, OUTCOME_ERROR);
        expect_names(&refused.result.dependents, FOREIGN[i].name);
        assert_string_equal(refused.result.error, "an object of other schemas depends on schema \"t\"");
        assert_string_equal(refused.result.sqlstate, "2BP01");
        assert_non_null(refused.result.hint);
        assert_false(refused.result.dropped);
        assert_true(exists());
        bench->options.cascade_foreign = true;
        DROPPED_CLEANUP Dropped dropped = drop_on(ways[i % 2], "t");
        assert_true(dropped.result.success && dropped.result.dropped);
        assert_false(exists());
    }
}

/* Everything a tenant may have of its own, and what others have that does not need it. */
static void the_tenant_s_own_objects_go_with_it(void **state)
{
    (void)state;
    make_tenant();
    sql_run(
        bench->admin,
        "CREATE EXTENSION IF NOT EXISTS plpgsql; CREATE TABLE t.b (a int REFERENCES t.a ON DELETE CASCADE, "
        "mood t.mood, n int DEFAULT nextval('t.numbers'), big text, g int GENERATED ALWAYS AS IDENTITY);"
        "CREATE VIEW t.v AS SELECT * FROM t.a; CREATE VIEW t.w AS SELECT * FROM t.v;"
        "CREATE MATERIALIZED VIEW t.m AS SELECT * FROM t.w; CREATE INDEX ON t.m (id);"
        "CREATE TRIGGER tr BEFORE INSERT ON t.b FOR EACH ROW EXECUTE FUNCTION t.touch();"
        "CREATE POLICY p ON t.b USING (n > t.seven()); CREATE DOMAIN t.d AS t.mood;"
        "CREATE RULE r AS ON INSERT TO t.b DO ALSO INSERT INTO t.a VALUES (1);"
        "CREATE TABLE t.parted (k int PRIMARY KEY) PARTITION BY LIST (k);"
        "CREATE TABLE t.part PARTITION OF t.parted FOR VALUES IN (1); CREATE STATISTICS t.s ON a, n FROM t.b;"
        "CREATE CAST (t.mood AS int) WITH INOUT AS ASSIGNMENT; COMMENT ON TABLE t.a IS 'a';"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA t GRANT SELECT ON TABLES TO PUBLIC;"
        "CREATE PUBLICATION pub FOR TABLE t.a;"
        /* the tenant needs others, not they the tenant */
        "CREATE TABLE other.needed (id int PRIMARY KEY); CREATE TYPE other.kind AS ENUM ('k');"
        "CREATE TABLE other.whole (k int, PRIMARY KEY (k)) PARTITION BY LIST (k);"
        "CREATE TABLE t.part_of_other PARTITION OF other.whole FOR VALUES IN (1);"
        "CREATE TABLE t.needs (id int REFERENCES other.needed, k other.kind) INHERITS (other.needed);"
        "CREATE VIEW t.needs_too AS SELECT * FROM other.needed");
    DROPPED_CLEANUP Dropped dropped = drop();
    if (!dropped.result.success) {
        char *names = join_names(&dropped.result.dependents);
        fail_msg("%s: %s", dropped.result.error, names);
    }
    assert_false(exists());
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_class WHERE relnamespace = "
                                              "'other'::regnamespace AND relkind IN ('r', 'p')"),
                     2);
    sql_run(bench->admin, "DROP PUBLICATION pub");
}

/* A part of an extension cannot go alone: dropping it drops the extension. */
static void an_extension_elsewhere_with_objects_in_the_tenant_holds_it(void **state)
{
    (void)state;
    make_tenant();
    sql_run(bench->admin, "CREATE EXTENSION pg_trgm SCHEMA t");
    DROPPED_CLEANUP Dropped own = drop();
    assert_true(own.result.success);
    make_tenant();
    sql_run(bench->admin, "CREATE EXTENSION pg_trgm SCHEMA other; ALTER EXTENSION pg_trgm ADD TABLE t.a");
    DROPPED_CLEANUP Dropped refused = drop();
    assert_false(refused.result.success);
    assert_int_equal(refused.result.dependents.count, 10);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"),
                     1);
    sql_run(bench->admin, "DROP EXTENSION pg_trgm");
}

static void only_a_column_that_goes_takes_its_own_dependents(void **state)
{
    (void)state;
    make_tenant();
    sql_run(bench->admin, "CREATE TABLE other.x (n int, m t.mood); CREATE VIEW other.by_n AS SELECT n FROM "
                          "other.x; CREATE VIEW other.by_m AS SELECT m FROM other.x");
    DROPPED_CLEANUP Dropped refused = drop();
    expect_names(&refused.result.dependents, "table column other.x.m,view other.by_m");
    assert_string_equal(refused.result.error, "2 objects of other schemas depend on schema \"t\"");
}

static void ten_of_many_are_named_and_all_are_counted(void **state)
{
    (void)state;
    make_tenant();
    for (int i = 0; i < 14; i++)
        sql_run(bench->admin, "CREATE VIEW other.v%02d AS SELECT id FROM t.a", i);
    DROPPED_CLEANUP Dropped refused = drop();
    assert_string_equal(refused.result.error, "14 objects of other schemas depend on schema \"t\"");
    expect_names(&refused.result.dependents,
                 "view other.v00,view other.v01,view other.v02,view other.v03,view other.v04,view other.v05,"
                 "view other.v06,view other.v07,view other.v08,view other.v09");
}

/* The drop waits for the table while the view comes into being, and must find it afterwards. */
static void a_view_that_is_created_meanwhile_is_seen(void **state)
{
    (void)state;
    make_tenant();
    PGconn *creator = cluster_connect(bench->cluster, "postgres");
    sql_run(creator, "BEGIN; CREATE VIEW other.v AS SELECT id FROM t.a");
    Runner runner;
    runner_start(&runner, NULL);
    wait_for(bench->admin, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    sql_run(creator, "COMMIT");
    runner_join(&runner);
    expect_names(&runner.dropped.result.dependents, "view other.v");
    assert_true(exists());
    runner_clear(&runner);
    PQfinish(creator);
}

static void without_cascade_only_an_empty_schema_goes(void **state)
{
    (void)state;
    make_tenant();
    bench->options.no_cascade = true;
    DROPPED_CLEANUP Dropped refused = drop();
    assert_int_equal(refused.outcome, OUTCOME_ERROR);
    assert_string_equal(refused.result.sqlstate, "2BP01");
    assert_string_equal(refused.result.error, "cannot drop schema t because other objects depend on it");
    assert_non_null(strstr(refused.result.detail, "table t.a depends on schema t"));
    expect_names(&refused.result.dependents, "");
    assert_true(exists());
    sql_run(bench->admin, "DROP SCHEMA t CASCADE; CREATE SCHEMA t");
    DROPPED_CLEANUP Dropped dropped = drop();
    assert_true(dropped.result.dropped);
    assert_false(exists());
}

/* The schema's owner may drop what is in it, whoever owns that. */
static void the_owner_of_a_schema_drops_what_others_put_there(void **state)
{
    (void)state;
    sql_run(bench->admin, "DROP ROLE IF EXISTS landlord; CREATE ROLE landlord; CREATE SCHEMA t AUTHORIZATION "
                          "landlord; CREATE TABLE t.lodger (x int); ALTER ROLE postgres SET role landlord");
    Reservoir *landlord = bench_reservoir(bench);
    DROPPED_CLEANUP Dropped dropped = drop_on(landlord, "t");
    bench_reservoir_free(landlord);
    sql_run(bench->admin, "ALTER ROLE postgres RESET role; DROP ROLE landlord");
    if (!dropped.result.success)
        fail_msg("%s", dropped.result.error);
    assert_false(exists());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_of_another_schema_holds_the_tenant),
        TEST(the_tenant_s_own_objects_go_with_it),
        TEST(an_extension_elsewhere_with_objects_in_the_tenant_holds_it),
        TEST(only_a_column_that_goes_takes_its_own_dependents),
        TEST(ten_of_many_are_named_and_all_are_counted),
        TEST(a_view_that_is_created_meanwhile_is_seen),
        TEST(without_cascade_only_an_empty_schema_goes),
        TEST(the_owner_of_a_schema_drops_what_others_put_there),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
