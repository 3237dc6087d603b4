/* status: many tenants, few round trips, and every trouble kept to the tenant that has it. */
#include "tests/integration/op_support.h"
#include "tests/support/process.h"
#include <pthread.h>
#include <unistd.h>

enum { FLEET = 200 };

static Cluster *cluster;
static OpFixture fixture;
static TenantMigrationStatus results[FLEET + 1];
static Outcome outcomes[FLEET + 1];
static char names[FLEET + 1][2][64];
static OpTenant tenants[FLEET + 1];

static void set_tenant(size_t at, const char *id, const char *schema)
{
    snprintf(names[at][0], sizeof names[at][0], "%s", id);
    snprintf(names[at][1], sizeof names[at][1], "%s", schema);
    tenants[at] = (OpTenant){.id = names[at][0], .schema = names[at][1], .attempt = 1};
}

static void forget_results(void)
{
    for (size_t i = 0; i <= FLEET; i++)
        record_clear(&TENANT_MIGRATION_STATUS, &results[i]);
}

static bool nothing_is_lent(void *reservoir)
{
    ReservoirCounts counts = reservoir_counts(reservoir);
    return counts.open == counts.idle;
}

/* A connection that is being cancelled is closed a moment later, when the request has gone out. */
static void assert_nothing_lent(void)
{
    await(nothing_is_lent, fixture.context.reservoir, 10000, "every connection to be given back");
}

static void run_status(size_t count)
{
    forget_results();
    op_status(&fixture.context, tenants, count, results, outcomes);
    assert_nothing_lent();
}

/* "status applied pending format pending,migrations | changed,migrations" or "error: ..." */
static void assert_status(size_t at, const char *expected)
{
    const TenantMigrationStatus *result = &results[at];
    char text[1024];
    if (result->error != NULL) {
        snprintf(text, sizeof text, "%s: %s", result->status, result->error);
    } else {
        snprintf(text, sizeof text, "%s %lld/%lld %s", result->status, (long long)result->applied_count,
                 (long long)result->pending_count, result->format != NULL ? result->format : "null");
        for (size_t i = 0; i < result->pending_migrations.count; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), " %s",
                     result->pending_migrations.items[i]);
        for (size_t i = 0; i < result->changed.count; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), " *%s", result->changed.items[i]);
    }
    assert_string_equal(text, expected);
    assert_string_equal(result->tenant_id, tenants[at].id);
    assert_string_equal(result->schema_name, tenants[at].schema);
}

static void use_bundle(void)
{
    bundle_clear(&fixture.bundle);
    add_migration(&fixture, "0001_a", "SELECT 1")->when_ms = 1000;
    add_migration(&fixture, "0002_b", "SELECT 2")->when_ms = 2000;
    add_migration(&fixture, "0003_it's", "SELECT 3")->when_ms = 3000;
}

static const char *hash_of(size_t item)
{
    return fixture.bundle.items[item].hash;
}

static PGconn *prepare(const char *id)
{
    PGconn *connection = cluster_connect(cluster, "postgres");
    char schema[64];
    snprintf(schema, sizeof schema, "t_%s", id);
    set_tenant(0, id, schema);
    sql_run(connection, "DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s", schema, schema);
    return connection;
}

#define NAME_TABLE \
    "(id serial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, applied_at timestamptz DEFAULT now())"
#define HASH_TABLE "(id serial PRIMARY KEY, hash text, created_at timestamptz DEFAULT now())"
#define KIT_TABLE "(id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)"

static void each_format_is_read(void **state)
{
    (void)state;
    use_bundle();
    PGconn *connection = prepare("x");
    run_status(1);
    assert_status(0, "behind 0/3 null 0001_a 0002_b 0003_it's");
    assert_int_equal(outcomes[0], OUTCOME_ALREADY);

    sql_run(connection, "CREATE TABLE t_x.__drizzle_migrations " NAME_TABLE);
    run_status(1);
    assert_status(0, "behind 0/3 name 0001_a 0002_b 0003_it's");
    sql_run(connection, "INSERT INTO t_x.__drizzle_migrations (name) VALUES ('0001_a'), ('orphan'), ('%s')",
            hash_of(1));
    run_status(1);
    assert_status(0, "behind 3/2 name 0002_b 0003_it's");

    sql_run(connection,
            "DROP TABLE t_x.__drizzle_migrations; CREATE TABLE t_x.__drizzle_migrations " HASH_TABLE);
    sql_run(connection,
            "INSERT INTO t_x.__drizzle_migrations (hash) VALUES ('%s'), ('%s'), (NULL), ('0003_it''s')",
            hash_of(0), hash_of(0));
    run_status(1);
    assert_status(0, "behind 4/1 hash 0002_b");

    sql_run(connection,
            "DROP TABLE t_x.__drizzle_migrations; CREATE TABLE t_x.__drizzle_migrations " KIT_TABLE);
    sql_run(connection,
            "INSERT INTO t_x.__drizzle_migrations (hash, created_at) VALUES ('%s', 1000), "
            "('0123', 2000), ('orphan', NULL)",
            hash_of(0));
    run_status(1);
    assert_status(0, "behind 3/1 drizzle-kit 0003_it's *0002_b");
    PQfinish(connection);
}

static void equal_files_are_counted(void **state)
{
    (void)state;
    bundle_clear(&fixture.bundle);
    add_migration(&fixture, "1_same", "SELECT 1");
    add_migration(&fixture, "2_other", "SELECT 2");
    add_migration(&fixture, "3_same", "SELECT 1");
    PGconn *connection = prepare("x");
    sql_run(connection, "CREATE TABLE t_x.__drizzle_migrations " HASH_TABLE);
    sql_run(connection, "INSERT INTO t_x.__drizzle_migrations (hash) VALUES ('%s')", hash_of(0));
    run_status(1);
    assert_status(0, "behind 1/2 hash 2_other 3_same");
    sql_run(connection, "INSERT INTO t_x.__drizzle_migrations (hash) VALUES ('%s'), ('%s')", hash_of(0),
            hash_of(1));
    run_status(1);
    assert_status(0, "ok 3/0 hash");
    PQfinish(connection);
}

static void shared_journal_times_prove_nothing(void **state)
{
    (void)state;
    use_bundle();
    fixture.bundle.items[1].when_ms = 1000;
    PGconn *connection = prepare("x");
    sql_run(connection, "CREATE TABLE t_x.__drizzle_migrations " KIT_TABLE);
    sql_run(connection, "INSERT INTO t_x.__drizzle_migrations (hash, created_at) VALUES ('%s', 1000)",
            hash_of(0));
    run_status(1);
    assert_status(0, "behind 1/2 drizzle-kit 0002_b 0003_it's");
    PQfinish(connection);
}

static void configured_format_and_table_decide(void **state)
{
    (void)state;
    use_bundle();
    PGconn *connection = prepare("x");
    sql_run(connection, "CREATE TABLE t_x.__drizzle_migrations " NAME_TABLE);
    fixture.options.format = "hash";
    run_status(1);
    assert_status(0, "error: column \"hash\" does not exist");
    assert_null(results[0].format);
    sql_run(connection,
            "DROP TABLE t_x.__drizzle_migrations; CREATE TABLE t_x.__drizzle_migrations " KIT_TABLE);
    run_status(1);
    assert_status(0, "behind 0/3 hash 0001_a 0002_b 0003_it's");
    fixture.options.format = NULL;
    fixture.options.migrations_table = "my \"own\" table";
    run_status(1);
    assert_status(0, "behind 0/3 null 0001_a 0002_b 0003_it's");
    sql_run(connection, "CREATE TABLE t_x.\"my \"\"own\"\" table\" " NAME_TABLE);
    run_status(1);
    assert_status(0, "behind 0/3 name 0001_a 0002_b 0003_it's");
    fixture.options.migrations_table = NULL;
    PQfinish(connection);
}

static void odd_tables_and_schemas_have_errors_of_their_own(void **state)
{
    (void)state;
    use_bundle();
    PGconn *connection = prepare("x");
    sql_run(connection, "DROP SCHEMA IF EXISTS t_view, t_shape, \"t_'\\é\" CASCADE;"
                        "CREATE SCHEMA t_view; CREATE SCHEMA t_shape; CREATE SCHEMA \"t_'\\é\"");
    sql_run(connection, "CREATE TABLE t_view.real (id int, name text, applied_at timestamptz, extra int);"
                        "INSERT INTO t_view.real VALUES (1, '0001_a');"
                        "CREATE VIEW t_view.__drizzle_migrations AS SELECT * FROM t_view.real");
    sql_run(connection, "CREATE TABLE t_shape.__drizzle_migrations (version text)");
    sql_run(connection, "CREATE TABLE \"t_'\\é\".__drizzle_migrations " NAME_TABLE);
    set_tenant(0, "view", "t_view");
    set_tenant(1, "shape", "t_shape");
    set_tenant(2, "gone", "t_gone");
    set_tenant(3, "odd", "t_'\\é");
    set_tenant(4, "reserved", "public");
    set_tenant(5, "view", "t_view");
    run_status(6);
    assert_status(0, "behind 1/2 name 0002_b 0003_it's");
    assert_status(1, "error: unknown tracking table format: columns version text");
    assert_status(2, "error: schema \"t_gone\" does not exist");
    assert_string_equal(results[2].outcome, "no_schema");
    assert_int_equal(outcomes[2], OUTCOME_NO_SCHEMA);
    assert_int_equal(outcomes[1], OUTCOME_ERROR);
    assert_status(3, "behind 0/3 name 0001_a 0002_b 0003_it's");
    assert_status(4, "error: schema name \"public\" is reserved");
    assert_status(5, "behind 1/2 name 0002_b 0003_it's");
    PQfinish(connection);
}

static int64_t now_ms(void)
{
    return clock_now_ms(&SYSTEM_CLOCK);
}

/* What is not a plain table is read by a query, and what COPY escapes arrives as it is. */
static void tables_of_every_kind_are_read(void **state)
{
    static const char *const MAKE[] = {
        "CREATE TABLE t_x.kept " NAME_TABLE "; INSERT INTO t_x.kept (name) VALUES ('0001_a');"
        "CREATE VIEW t_x.__drizzle_migrations AS SELECT * FROM t_x.kept",
        "CREATE TABLE t_x.__drizzle_migrations (id serial, name text, applied_at timestamptz) PARTITION BY "
        "LIST "
        "(name); CREATE TABLE t_x.rest PARTITION OF t_x.__drizzle_migrations DEFAULT;"
        "INSERT INTO t_x.__drizzle_migrations (name) VALUES ('0001_a')",
        "CREATE TABLE t_x.__drizzle_migrations " NAME_TABLE "; CREATE TABLE t_x.child () INHERITS "
        "(t_x.__drizzle_migrations); INSERT INTO t_x.child (id, name) VALUES (1, '0001_a')",
        "CREATE TABLE t_x.__drizzle_migrations " NAME_TABLE
        "; ALTER TABLE t_x.__drizzle_migrations ENABLE ROW "
        "LEVEL SECURITY; INSERT INTO t_x.__drizzle_migrations (name) VALUES ('0001_a')",
    };
    (void)state;
    use_bundle();
    for (size_t i = 0; i < sizeof MAKE / sizeof MAKE[0]; i++) {
        PGconn *connection = prepare("x");
        sql_run(connection, "%s", MAKE[i]);
        PQfinish(connection);
        run_status(1);
        assert_status(0, "behind 1/2 name 0002_b 0003_it's");
    }
    PGconn *connection = prepare("x");
    add_migration(&fixture, "0004\t\\N\n\\", "SELECT 4");
    sql_run(connection, "CREATE TABLE t_x.__drizzle_migrations " NAME_TABLE
                        "; INSERT INTO t_x.__drizzle_migrations (name) "
                        "VALUES (E'0004\\t\\\\N\\n\\\\'), ('0001_a')");
    PQfinish(connection);
    run_status(1);
    assert_status(0, "behind 2/2 name 0002_b 0003_it's");
    assert_null(results[0].plan);
}

/* What a worker that goes on is told: only where one word tells it all. */
static void the_plan_is_one_word_or_none(void **state)
{
    static const struct {
        const char *make, *plan;
    } ROWS[] = {
        {"SELECT 1", "none 0"},
        {"CREATE TABLE t_x.__drizzle_migrations " NAME_TABLE, "name 0"},
        {"INSERT INTO t_x.__drizzle_migrations (name) VALUES ('0001_a'), ('orphan')", "name 1"},
        {"INSERT INTO t_x.__drizzle_migrations (name) VALUES ('0003_it''s')", NULL},
        {"INSERT INTO t_x.__drizzle_migrations (name) VALUES ('0002_b')", "name 3"},
        {"DROP TABLE t_x.__drizzle_migrations; CREATE TABLE t_x.__drizzle_migrations " HASH_TABLE
         "; INSERT INTO t_x.__drizzle_migrations (hash) VALUES ('0001_a')",
         "hash 1"},
        {"DROP TABLE t_x.__drizzle_migrations; CREATE TABLE t_x.__drizzle_migrations " KIT_TABLE,
         "drizzle-kit 0"},
        {"INSERT INTO t_x.__drizzle_migrations (hash, created_at) VALUES ('edited', 1000)", NULL},
        {"DROP TABLE t_x.__drizzle_migrations; CREATE TABLE t_x.__drizzle_migrations (id serial, name text, "
         "created_at timestamptz)",
         NULL},
    };
    (void)state;
    use_bundle();
    PGconn *connection = prepare("x");
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        sql_run(connection, "%s", ROWS[i].make);
        run_status(1);
        assert_null(results[0].error);
        assert_string_equal(results[0].plan != NULL ? results[0].plan : "",
                            ROWS[i].plan != NULL ? ROWS[i].plan : "");
    }
    PQfinish(connection);
}

static void make_fleet(PGconn *connection)
{
    use_bundle();
    for (int i = 0; i < FLEET; i++) {
        char schema[64], id[64];
        snprintf(schema, sizeof schema, "fleet_%d", i);
        snprintf(id, sizeof id, "%d", i);
        set_tenant((size_t)i, id, schema);
    }
    sql_run(connection,
            "DO $$BEGIN FOR i IN 0..%d LOOP EXECUTE format('DROP SCHEMA IF EXISTS fleet_%%s CASCADE; CREATE "
            "SCHEMA "
            "fleet_%%s; CREATE TABLE fleet_%%s.__drizzle_migrations " NAME_TABLE ";"
            "INSERT INTO fleet_%%s.__drizzle_migrations (name) VALUES (''0001_a'')', i, i, i, i); END LOOP; "
            "END$$",
            FLEET - 1);
}

static void assert_others_are_fine(size_t culprit, size_t second)
{
    for (size_t i = 0; i < FLEET; i++)
        if (i != culprit && i != second)
            assert_status(i, "behind 1/2 name 0002_b 0003_it's");
}

/* Messages that the server has got since `offset` of its log, which moves to the end. */
static int messages_since(long *offset)
{
    char path[96], line[4096];
    snprintf(path, sizeof path, "%s/log", cluster->directory);
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    fseek(log, *offset, SEEK_SET);
    int messages = 0;
    while (fgets(line, sizeof line, log) != NULL)
        messages += strstr(line, "LOG:  statement: ") != NULL;
    *offset = ftell(log);
    fclose(log);
    return messages;
}

static void good_case_costs_no_message_per_tenant(void **state)
{
    (void)state;
    PGconn *connection = cluster_connect(cluster, "postgres");
    make_fleet(connection);
    PQfinish(connection);
    run_status(1);
    long offset = 0;
    messages_since(&offset);
    run_status(FLEET);
    assert_int_equal(messages_since(&offset), 2 * (FLEET / 100));
    assert_others_are_fine(FLEET, FLEET);
}

static void locked_table_delays_and_fails_its_own_tenant_only(void **state)
{
    (void)state;
    PGconn *connection = cluster_connect(cluster, "postgres");
    make_fleet(connection);
    sql_run(connection, "BEGIN; LOCK fleet_123.__drizzle_migrations");
    int64_t started = now_ms();
    run_status(FLEET);
    int64_t took = now_ms() - started;
    assert_status(123, "error: canceling statement due to lock timeout");
    assert_string_equal(results[123].sqlstate, "55P03");
    assert_others_are_fine(123, FLEET);
    assert_true(took >= 900 && took < 5000);
    sql_run(connection, "ROLLBACK");
    PQfinish(connection);
}

static void missing_rights_and_broken_views_fail_their_own_tenants_only(void **state)
{
    (void)state;
    PGconn *connection = cluster_connect(cluster, "postgres");
    make_fleet(connection);
    sql_run(connection, "DROP OWNED BY limited CASCADE");
    sql_run(connection,
            "DO $$BEGIN FOR i IN 0..%d LOOP EXECUTE format('GRANT USAGE ON SCHEMA fleet_%%s TO limited; "
            "GRANT SELECT "
            "ON ALL TABLES IN SCHEMA fleet_%%s TO limited', i, i); END LOOP; END$$",
            FLEET - 1);
    sql_run(connection, "REVOKE SELECT ON fleet_7.__drizzle_migrations FROM limited;"
                        "REVOKE USAGE ON SCHEMA fleet_60 FROM limited");
    OpFixture limited;
    char url[160];
    snprintf(url, sizeof url, "postgresql://limited@127.0.0.1:%d/postgres", cluster->port);
    fixture_start(&limited, strdup(url), 2);
    Bundle bundle = fixture.bundle;
    limited.context.bundle = &bundle;
    forget_results();
    op_status(&limited.context, tenants, FLEET, results, outcomes);
    assert_status(7, "error: permission denied for table __drizzle_migrations");
    assert_status(60, "error: permission denied for schema fleet_60");
    assert_string_equal(results[7].sqlstate, "42501");
    assert_others_are_fine(7, 60);
    /* Also where there is no table that could be refused: it is not "everything pending". */
    sql_run(connection, "DROP TABLE fleet_60.__drizzle_migrations");
    forget_results();
    op_status(&limited.context, tenants, FLEET, results, outcomes);
    assert_status(60, "error: permission denied for schema fleet_60");
    assert_string_equal(results[60].sqlstate, "42501");
    assert_others_are_fine(7, 60);
    fixture_stop(&limited);

    sql_run(connection,
            "DROP TABLE fleet_9.__drizzle_migrations;"
            "CREATE VIEW fleet_9.__drizzle_migrations AS SELECT 1 AS id, (1/0)::text AS name, now() AS "
            "applied_at");
    run_status(FLEET);
    assert_status(9, "error: division by zero");
    assert_others_are_fine(9, 60);
    PQfinish(connection);
}

static void killed_backends_are_replaced(void **state)
{
    (void)state;
    PGconn *connection = cluster_connect(cluster, "postgres");
    make_fleet(connection);
    run_status(FLEET);
    sql_run(connection, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = "
                        "'client backend' AND pid <> pg_backend_pid()");
    run_status(FLEET);
    assert_others_are_fine(FLEET, FLEET);
    PQfinish(connection);
}

/* Ends the backend that waits for a lock, then the lock. */
static void *kill_waiting_backend(void *argument)
{
    PGconn *connection = argument;
    for (int tries = 0; tries < 1000; tries++) {
        if (sql_number(connection, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                                   "wait_event_type = 'Lock'") > 0)
            break;
        usleep(5000);
    }
    sql_run(connection, "ROLLBACK");
    return NULL;
}

static void backend_killed_in_a_message_costs_another_attempt(void **state)
{
    (void)state;
    PGconn *connection = cluster_connect(cluster, "postgres");
    make_fleet(connection);
    sql_run(connection, "BEGIN; LOCK fleet_160.__drizzle_migrations");
    fixture.options.set_lock_timeout_ms = 30000;
    fixture.options.retry_initial_delay_ms = 10;
    pthread_t thread;
    pthread_create(&thread, NULL, kill_waiting_backend, connection);
    run_status(FLEET);
    pthread_join(thread, NULL);
    fixture.options.set_lock_timeout_ms = fixture.options.retry_initial_delay_ms = 0;
    assert_others_are_fine(FLEET, FLEET);
    PQfinish(connection);
}

static void *cancel_waiting_job(void *argument)
{
    PGconn *connection = argument;
    for (int tries = 0; tries < 1000; tries++) {
        if (sql_number(connection, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") >
            0)
            break;
        usleep(5000);
    }
    atomic_store(&fixture.cancelled, true);
    reservoir_cancel(fixture.context.reservoir);
    return NULL;
}

static void cancellation_reaches_a_statement_in_flight(void **state)
{
    (void)state;
    PGconn *connection = cluster_connect(cluster, "postgres");
    make_fleet(connection);
    sql_run(connection, "BEGIN; LOCK fleet_160.__drizzle_migrations");
    fixture.options.set_lock_timeout_ms = 30000;
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_waiting_job, connection);
    int64_t started = now_ms();
    forget_results();
    op_status(&fixture.context, tenants, FLEET, results, outcomes);
    pthread_join(thread, NULL); /* the canceller closes what it cancelled */
    assert_nothing_lent();
    assert_true(now_ms() - started < 15000);
    fixture.options.set_lock_timeout_ms = 0;
    atomic_store(&fixture.cancelled, false);
    assert_int_equal(outcomes[0], OUTCOME_ALREADY);
    assert_int_equal(outcomes[160], OUTCOME_CANCELLED);
    assert_int_equal(outcomes[FLEET - 1], OUTCOME_CANCELLED);
    sql_run(connection, "ROLLBACK");
    PQfinish(connection);
}

static void cancelled_job_says_so(void **state)
{
    (void)state;
    use_bundle();
    set_tenant(0, "a", "fleet_1");
    atomic_store(&fixture.cancelled, true);
    run_status(1);
    atomic_store(&fixture.cancelled, false);
    assert_int_equal(outcomes[0], OUTCOME_CANCELLED);
    assert_string_equal(results[0].status, "error");
}

static void no_files_is_ok(void **state)
{
    (void)state;
    bundle_clear(&fixture.bundle);
    PGconn *connection = prepare("x");
    run_status(1);
    assert_status(0, "ok 0/0 null");
    PQfinish(connection);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start("log_statement = all");
    cluster_start_bouncer(cluster, 2);
    PGconn *connection = cluster_connect(cluster, "postgres");
    sql_run(connection, "CREATE ROLE limited LOGIN");
    PQfinish(connection);
    return 0;
}

static int start_direct(void **state)
{
    start(state);
    fixture_start(&fixture, cluster_url(cluster, "postgres"), 2);
    return 0;
}

static int start_pooled(void **state)
{
    start(state);
    fixture_start(&fixture, cluster_bouncer_url(cluster, "postgres"), 2);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    forget_results();
    fixture_stop(&fixture);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_is_read),
        cmocka_unit_test(equal_files_are_counted),
        cmocka_unit_test(shared_journal_times_prove_nothing),
        cmocka_unit_test(configured_format_and_table_decide),
        cmocka_unit_test(odd_tables_and_schemas_have_errors_of_their_own),
        cmocka_unit_test(tables_of_every_kind_are_read),
        cmocka_unit_test(the_plan_is_one_word_or_none),
        cmocka_unit_test(good_case_costs_no_message_per_tenant),
        cmocka_unit_test(locked_table_delays_and_fails_its_own_tenant_only),
        cmocka_unit_test(missing_rights_and_broken_views_fail_their_own_tenants_only),
        cmocka_unit_test(killed_backends_are_replaced),
        cmocka_unit_test(backend_killed_in_a_message_costs_another_attempt),
        cmocka_unit_test(cancellation_reaches_a_statement_in_flight),
        cmocka_unit_test(cancelled_job_says_so),
        cmocka_unit_test(no_files_is_ok),
    };
    int failed = cmocka_run_group_tests_name("directly", tests, start_direct, stop);
    return failed + cmocka_run_group_tests_name("through a bouncer", tests, start_pooled, stop);
}
