/* Tracking tables on a real server: what the SQL builders write is what detection and guard read. */
#include "tests/integration/op_support.h"
#include "worker/pg/sql.h"
#include "worker/pg/tracking.h"

static Cluster *cluster;
static OpFixture fixture;
static Connection *connection;
static PGconn *observer;

static void run_good(const char *sql)
{
    Error error ERROR_CLEANUP = {0};
    if (!connection_exec(connection, sql, NULL, &error))
        fail_msg("%s in %s", error.message, sql);
}

static TrackingTable find_as(const char *format, const char *schema, const char *name)
{
    const TrackingWish wish = {.format = format};
    Error error ERROR_CLEANUP = {0};
    TrackingTable table = {0};
    if (!tracking_find(connection, schema, name, &wish, &table, &error))
        fail_msg("%s", error.message);
    return table;
}

static TrackingTable find_good(const char *schema, const char *name)
{
    return find_as(NULL, schema, name);
}

static char *definition(const char *table)
{
    return sql_text(
        observer,
        "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN "
        "' not null' ELSE '' END || coalesce(' default ' || pg_get_expr(adbin, adrelid), ''), ', ' ORDER "
        "BY attnum) || '; ' || (SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY conname) FROM "
        "pg_constraint WHERE conrelid = '%s'::regclass) FROM pg_attribute a LEFT JOIN pg_attrdef ON "
        "adrelid = attrelid AND adnum = attnum WHERE attrelid = '%s'::regclass AND attnum > 0",
        table, table);
}

static bool is_applied(const TrackingTable *table, size_t item)
{
    Error error ERROR_CLEANUP = {0};
    BUFFER_CLEANUP Buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_text(&sql, "SELECT ");
    tracking_append_applied(&sql, table, "s.m", &fixture.bundle.items[item],
                            tracking_ordinal(&fixture.bundle, item));
    if (!connection_exec(connection, buffer_text(&sql), &result, &error))
        fail_msg("%s", error.message);
    bool applied = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return applied;
}

static void insert(const TrackingTable *table, size_t item)
{
    BUFFER_CLEANUP Buffer sql = {0};
    tracking_append_insert(&sql, table, "s.m", &fixture.bundle.items[item]);
    run_good(buffer_text(&sql));
}

static void make(TrackingFormat format)
{
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_append_text(&sql, "DROP TABLE IF EXISTS s.m CASCADE; ");
    tracking_append_create(&sql, format, "\"s\".\"m\"");
    run_good(buffer_text(&sql));
}

static void use_bundle(void)
{
    bundle_clear(&fixture.bundle);
    add_migration(&fixture, "1_it's \\ \"odd\"", "SELECT 1");
    add_migration(&fixture, "2_same", "SELECT 1")->when_ms = 1700000000123;
    add_migration(&fixture, "3_other", "SELECT 3");
}

static void made_tables_are_the_packages_and_are_recognised(void **state)
{
    (void)state;
    static const char *const DEFINITIONS[] = {
        [TRACKING_NAME] =
            "id integer not null default nextval('s.m_id_seq'::regclass), name character varying(255) not "
            "null, applied_at timestamp with time zone default CURRENT_TIMESTAMP; UNIQUE (name), PRIMARY "
            "KEY (id)",
        [TRACKING_HASH] =
            "id integer not null default nextval('s.m_id_seq'::regclass), hash text not null, created_at "
            "timestamp with time zone default CURRENT_TIMESTAMP; PRIMARY KEY (id)",
        [TRACKING_DRIZZLE_KIT] =
            "id integer not null default nextval('s.m_id_seq'::regclass), hash text not null, "
            "created_at bigint not null; PRIMARY KEY (id)",
    };
    for (TrackingFormat format = TRACKING_NAME; format <= TRACKING_DRIZZLE_KIT; format++) {
        make(format);
        TrackingTable table = find_good("s", "m");
        assert_int_equal(table.format, format);
        char *text = definition("s.m");
        assert_string_equal(text, DEFINITIONS[format]);
        free(text);
    }
}

static void inserted_rows_are_what_the_guard_finds(void **state)
{
    (void)state;
    use_bundle();
    for (TrackingFormat format = TRACKING_NAME; format <= TRACKING_DRIZZLE_KIT; format++) {
        make(format);
        TrackingTable table = find_good("s", "m");
        for (size_t i = 0; i < 3; i++) {
            assert_false(is_applied(&table, i));
            insert(&table, i);
            assert_true(is_applied(&table, i));
        }
        assert_int_equal(sql_number(observer, "SELECT count(*) FROM s.m"), 3);
    }
    assert_int_equal(sql_number(observer, "SELECT created_at FROM s.m WHERE id = 2"), 1700000000123);
    assert_int_equal(sql_number(observer,
                                "SELECT (abs(created_at - extract(epoch FROM clock_timestamp()) * 1000) < "
                                "60000)::int FROM s.m WHERE id = 3"),
                     1);
}

static void times_have_milliseconds_and_hash_rows_may_hold_names(void **state)
{
    (void)state;
    use_bundle();
    make(TRACKING_NAME);
    TrackingTable table = find_good("s", "m");
    insert(&table, 0);
    assert_int_equal(sql_number(observer, "SELECT (applied_at = date_trunc('milliseconds', applied_at) AND "
                                          "clock_timestamp() - applied_at < '1 min')::int FROM s.m"),
                     1);
    sql_run(observer, "INSERT INTO s.m (name) VALUES ('%s')", fixture.bundle.items[2].hash);
    assert_false(is_applied(&table, 2));
    make(TRACKING_HASH);
    table = find_good("s", "m");
    sql_run(observer, "INSERT INTO s.m (hash) VALUES ('3_other')");
    assert_true(is_applied(&table, 2));
}

static void configured_format_of_another_time_type_is_refused_by_the_server(void **state)
{
    (void)state;
    use_bundle();
    static const struct {
        TrackingFormat made;
        const char *format, *message;
    } CASES[] = {
        {TRACKING_DRIZZLE_KIT, "hash", "invalid input syntax for type bigint: \"20"},
        {TRACKING_HASH, "drizzle-kit", "out of range: \"1700000000123\""},
    };
    for (size_t i = 0; i < 2; i++) {
        Error error ERROR_CLEANUP = {0};
        make(CASES[i].made);
        TrackingTable table = find_as(CASES[i].format, "s", "m");
        BUFFER_CLEANUP Buffer sql = {0};
        tracking_append_insert(&sql, &table, "s.m", &fixture.bundle.items[1]);
        assert_false(connection_exec(connection, buffer_text(&sql), NULL, &error));
        if (strstr(error.message, CASES[i].message) == NULL)
            fail_msg("%s", error.message);
    }
}

static void name_table_with_milliseconds_can_be_written(void **state)
{
    (void)state;
    use_bundle();
    run_good("DROP TABLE IF EXISTS s.m CASCADE; CREATE TABLE s.m (id serial, name text, created_at bigint)");
    TrackingTable table = find_good("s", "m");
    assert_int_equal(table.format, TRACKING_NAME);
    insert(&table, 0);
    assert_true(is_applied(&table, 0));
}

/* What is filled without us is no demand. */
static void demands_are_what_nothing_else_fills(void **state)
{
    (void)state;
    run_good(
        "DROP TABLE IF EXISTS s.m CASCADE; CREATE TABLE s.m (id int GENERATED ALWAYS AS IDENTITY, name text"
        " NOT NULL, applied_at timestamptz NOT NULL, doubled int NOT NULL GENERATED ALWAYS AS (2) STORED,"
        " extra int NOT NULL DEFAULT 1, note text)");
    assert_int_equal(find_good("s", "m").format, TRACKING_NAME);
    run_good("ALTER TABLE s.m ADD hash text NOT NULL");
    Error error ERROR_CLEANUP = {0};
    TrackingTable table;
    assert_false(tracking_find(connection, "s", "m", &(TrackingWish){0}, &table, &error));
    assert_non_null(strstr(error.message, "unknown tracking table format: columns id integer, name text"));
    assert_non_null(strstr(error.detail, "column \"hash\" demands a value"));
    assert_int_equal(find_as("name", "s", "m").format, TRACKING_NAME);
}

static void views_count_and_other_relations_do_not(void **state)
{
    (void)state;
    run_good("DROP TABLE IF EXISTS s.m CASCADE; CREATE TABLE s.base (id int, hash text, created_at bigint, "
             "gone int);"
             "ALTER TABLE s.base DROP COLUMN gone; CREATE VIEW s.m AS SELECT * FROM s.base");
    assert_int_equal(find_good("s", "m").format, TRACKING_DRIZZLE_KIT);
    run_good("DROP VIEW s.m; CREATE SEQUENCE s.m");
    assert_false(find_good("s", "m").exists);
    run_good("DROP SEQUENCE s.m; DROP TABLE s.base");
}

static void missing_schema_is_told_from_missing_table(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    TrackingTable table = {.format = TRACKING_HASH};
    assert_false(tracking_find(connection, "gone", "m", &(TrackingWish){0}, &table, &error));
    assert_int_equal(error.code, ERROR_NO_SCHEMA);
    assert_string_equal(error.message, "schema \"gone\" does not exist");
    assert_int_equal(table.format, TRACKING_HASH);
    assert_false(find_good("s", "nothing").exists);
}

static void rights_do_not_hide_a_table(void **state)
{
    (void)state;
    make(TRACKING_NAME);
    run_good("SET ROLE narrow");
    assert_int_equal(find_good("s", "m").format, TRACKING_NAME);
    run_good("RESET ROLE");
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    observer = cluster_connect(cluster, "postgres");
    sql_run(observer, "CREATE SCHEMA s; CREATE ROLE narrow");
    fixture_start(&fixture, cluster_url(cluster, "postgres"), 1);
    Error error ERROR_CLEANUP = {0};
    connection = reservoir_acquire(fixture.context.reservoir, NULL, 0, &error);
    return connection == NULL;
}

static int stop(void **state)
{
    (void)state;
    reservoir_release(fixture.context.reservoir, connection, 1);
    fixture_stop(&fixture);
    PQfinish(observer);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_tables_are_the_packages_and_are_recognised),
        cmocka_unit_test(inserted_rows_are_what_the_guard_finds),
        cmocka_unit_test(times_have_milliseconds_and_hash_rows_may_hold_names),
        cmocka_unit_test(configured_format_of_another_time_type_is_refused_by_the_server),
        cmocka_unit_test(name_table_with_milliseconds_can_be_written),
        cmocka_unit_test(demands_are_what_nothing_else_fills),
        cmocka_unit_test(views_count_and_other_relations_do_not),
        cmocka_unit_test(missing_schema_is_told_from_missing_table),
        cmocka_unit_test(rights_do_not_hide_a_table),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
