/* The shared schema through the CLI: migrate:shared, status --include-shared, migrate --with-shared; with
 * workers of other processes, races, and everything that must not happen to public. */
#include "common/buffer.h"
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include "worker/pg/tenant_lock.h"
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;

typedef struct Answer {
    char *out, *err;
    json_t *json; /* NULL when stdout is none */
} Answer;

static Answer ask(Fleet *fleet, int status, const char *const words[])
{
    Answer answer = {0};
    int found = fleet_run(fleet, words, &answer.out, &answer.err);
    answer.json = json_loads(answer.out, 0, NULL);
    if (found != status)
        fail_msg("exit %d instead of %d: %s%s", found, status, answer.out, answer.err);
    return answer;
}

static void forget(Answer *answer)
{
    json_decref(answer->json);
    free(answer->out);
    free(answer->err);
}

static void add_shared(Fleet *fleet, const char *name, const char *text)
{
    char *path;
    assert_true(asprintf(&path, "shared/%s.sql", name) > 0);
    write_file(fleet->folder, path, text);
    free(path);
}

static void make_directory(Fleet *fleet, const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", fleet->folder, name) > 0);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

/* Two shared migrations, which leave their marks, and two of the tenants. */
static Fleet *shared_fleet(int tenants)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    fleet_add_markers(fleet, 2, NULL);
    fleet_configure(fleet, fleet->url, "shared:\n  folder: ./shared");
    make_directory(fleet, "shared");
    add_shared(fleet, "0001_plans",
               "CREATE TABLE plans (id int);\n"
               "INSERT INTO marks VALUES (current_schemas(false)::text, '0001_plans');");
    add_shared(fleet, "0002_roles",
               "CREATE TABLE roles (id int);\n"
               "INSERT INTO marks VALUES (current_schemas(false)::text, '0002_roles');");
    return fleet;
}

/* A value as compact JSON with its times at 0. */
static void expect_json(json_t *value, const char *expected)
{
    assert_non_null(value);
    if (json_object_get(value, "durationMs") != NULL)
        json_object_set_new(value, "durationMs", json_integer(0));
    char *text = json_dumps(value, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_number(Fleet *fleet, long long expected, const char *sql)
{
    assert_int_equal(sql_number(fleet->connection, "%s", sql), expected);
}

static const char SHARED_TABLES[] =
    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('plans', 'roles')";
static const char SHARED_ROWS[] = "SELECT count(*) FROM public.__drizzle_shared_migrations";
static const char TENANT_OBJECTS[] =
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname LIKE 'tenant\\_%'";

static void the_answer_has_the_packages_shape(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "--json", "migrate:shared"));
    expect_json(answer.json, "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":"
                             "[\"0001_plans\",\"0002_roles\"],\"durationMs\":0,\"format\":\"name\","
                             "\"outcome\":\"applied\"}");
    forget(&answer);
    expect_number(fleet, 2, SHARED_TABLES);
    expect_number(fleet, 2, SHARED_ROWS);
    expect_number(fleet, 2, "SELECT count(*) FROM public.marks WHERE schema = '{public}'");
    expect_number(fleet, 0, TENANT_OBJECTS);
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "shared", "--json"));
    expect_json(answer.json, "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":[],"
                             "\"durationMs\":0,\"format\":\"name\",\"outcome\":\"already\"}");
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared"));
    assert_string_equal(answer.out, "shared schema: up to date\n");
    forget(&answer);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void a_failure_keeps_what_came_before(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    add_shared(fleet, "0002_roles", "CREATE TABLE roles (id int);\nSELECT 1/0;");
    Answer answer = ask(fleet, 1, WORDS("pgconvoy", "migrate:shared", "--json"));
    expect_json(answer.json, "{\"schemaName\":\"public\",\"success\":false,\"appliedMigrations\":"
                             "[\"0001_plans\"],\"durationMs\":0,\"error\":\"division by zero\",\"outcome\":"
                             "\"error\",\"sqlstate\":\"22012\",\"migration\":\"0002_roles\",\"line\":2}");
    forget(&answer);
    expect_number(fleet, 1, SHARED_TABLES);
    expect_number(fleet, 1, SHARED_ROWS);
    answer = ask(fleet, 1, WORDS("pgconvoy", "migrate:shared"));
    assert_string_equal(answer.out, "shared schema: failed\n");
    assert_non_null(strstr(answer.err, "error: shared schema: migration 0002_roles:2: division by zero "
                                       "(SQLSTATE 22012)"));
    forget(&answer);
    /* How failures of tenants are taken is another matter. */
    fleet_configure(fleet, fleet->url,
                    "shared:\n  folder: ./shared\nrun:\n  on_error: abort\n  max_failures: 1%");
    answer = ask(fleet, 1, WORDS("pgconvoy", "migrate:shared", "--json"));
    forget(&answer);
    fleet_free(fleet);
}

static void a_file_that_is_not_sql_is_found_before_anything_is_touched(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    add_shared(fleet, "0003_bad", "SELEC 1;");
    char *before = fleet_digest(fleet);
    Answer answer = ask(fleet, 7, WORDS("pgconvoy", "migrate:shared", "--json"));
    assert_int_equal(json_array_size(json_object_get(answer.json, "files")), 1);
    forget(&answer);
    answer = ask(fleet, 7, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    assert_int_equal(json_array_size(json_object_get(answer.json, "files")), 1);
    assert_non_null(strstr(answer.err, "shared schema: 1 migration files were refused"));
    forget(&answer);
    /* The tenants' files are looked at before the shared schema is touched. */
    add_shared(fleet, "0003_bad", "SELECT 1;");
    fleet_add_migration(fleet, "0003_bad", "SELEC 2;");
    answer = ask(fleet, 7, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    assert_int_equal(json_array_size(json_object_get(answer.json, "files")), 1);
    forget(&answer);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(2);
    char *before = fleet_digest(fleet);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared", "--dry-run", "--json"));
    json_t *applied = json_object_get(answer.json, "appliedMigrations");
    assert_int_equal(json_array_size(applied), 2);
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared", "--dry-run"));
    assert_string_equal(answer.out, "shared schema: would apply 0001_plans .. 0002_roles (2)\n");
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared", "--dry-run", "--mark-applied"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--dry-run", "--json"));
    assert_int_equal(json_number(answer.json, "succeeded"), 2);
    forget(&answer);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

static void marking_records_without_running(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    Answer answer = ask(fleet, 0,
                        WORDS("pgconvoy", "migrate:shared", "--mark-applied", "--json", "--default-format",
                              "hash", "--migrations-table", "shared_track"));
    expect_json(answer.json, "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":"
                             "[\"0001_plans\",\"0002_roles\"],\"durationMs\":0,\"format\":\"hash\","
                             "\"outcome\":\"applied\"}");
    forget(&answer);
    expect_number(fleet, 0, SHARED_TABLES);
    expect_number(fleet, 2, "SELECT count(*) FROM public.shared_track WHERE length(hash) = 64");
    fleet_free(fleet);
}

static void without_a_folder_it_is_not_configured(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    fleet_configure(fleet, fleet->url, NULL);
    const char *const COMMANDS[][6] = {
        {"pgconvoy", "migrate:shared", "--json", NULL},
        {"pgconvoy", "migrate", "--all", "--with-shared", "--json", NULL},
        {"pgconvoy", "status", "--include-shared", "--json", NULL},
    };
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        Answer answer = ask(fleet, 2, COMMANDS[i]);
        assert_non_null(json_object_get(answer.json, "suggestion"));
        assert_non_null(strstr(answer.err, "HINT: set shared.folder"));
        forget(&answer);
    }
    Answer answer =
        ask(fleet, 0, WORDS("pgconvoy", "migrate:shared", "--migrations-folder", "shared", "--json"));
    forget(&answer);
    expect_number(fleet, 2, SHARED_TABLES);
    fleet_free(fleet);
}

static void status_includes_the_shared_schema_when_asked(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "--all", "--json"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "status", "--json", "--exit-code"));
    assert_null(json_object_get(answer.json, "shared"));
    forget(&answer);
    answer = ask(fleet, 3, WORDS("pgconvoy", "status", "--include-shared", "--json", "--exit-code"));
    expect_json(json_object_get(answer.json, "shared"),
                "{\"schemaName\":\"public\",\"appliedCount\":0,\"pendingCount\":2,\"pendingMigrations\":"
                "[\"0001_plans\",\"0002_roles\"],\"status\":\"behind\",\"format\":null}");
    assert_int_equal(json_number(answer.json, "upToDate"), 1);
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared", "--json"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "status", "--include-shared", "--exit-code"));
    assert_non_null(strstr(answer.out, "shared schema: ok, 2 applied, 0 pending\n"));
    forget(&answer);
    sql_run(fleet->connection, "DROP TABLE public.__drizzle_shared_migrations;"
                               "CREATE TABLE public.__drizzle_shared_migrations (what int)");
    answer = ask(fleet, 1, WORDS("pgconvoy", "status", "--include-shared", "--json"));
    json_t *shared = json_object_get(answer.json, "shared");
    assert_string_equal(json_string_value(json_object_get(shared, "status")), "error");
    forget(&answer);
    fleet_free(fleet);
}

static void tenants_follow_the_shared_schema(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(3);
    /* The tenants' first migration needs what the shared schema brings. */
    fleet_add_migration(fleet, "0000_needs", "INSERT INTO plans VALUES (1);");
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    expect_json(json_object_get(answer.json, "shared"),
                "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":[\"0001_plans\","
                "\"0002_roles\"],\"durationMs\":0,\"format\":\"name\",\"outcome\":\"applied\"}");
    assert_int_equal(json_number(answer.json, "succeeded"), 3);
    forget(&answer);
    expect_number(fleet, 3, "SELECT count(*) FROM public.plans");
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "--all", "--with-shared"));
    assert_int_equal(strncmp(answer.out, "shared schema: up to date\n", 26), 0);
    forget(&answer);
    fleet_assert_nothing_twice(fleet);
    fleet_free(fleet);
}

/* Also the tenants themselves may be found by what the shared schema brings. */
static void tenants_are_listed_after_the_shared_schema(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    sql_run(fleet->connection, "ALTER TABLE public.tenants RENAME TO customers");
    add_shared(fleet, "0003_tenants", "CREATE VIEW tenants AS SELECT * FROM customers;");
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    assert_int_equal(json_number(answer.json, "succeeded"), 1);
    forget(&answer);
    fleet_free(fleet);
}

static void tenants_are_skipped_when_the_shared_schema_failed(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(2);
    add_shared(fleet, "0002_roles", "SELECT 1/0;");
    Answer answer = ask(fleet, 1, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    json_t *shared = json_object_get(answer.json, "shared");
    assert_string_equal(json_string_value(json_object_get(shared, "error")), "division by zero");
    expect_json(json_array_get(json_object_get(answer.json, "results"), 1),
                "{\"tenantId\":\"t0002\",\"schema\":\"tenant_t0002\",\"success\":false,"
                "\"appliedMigrations\":[],\"durationMs\":0,\"error\":\"Skipped because the shared schema "
                "failed\",\"outcome\":\"not_started\",\"attempts\":0}");
    assert_int_equal(json_number(answer.json, "total"), 2);
    assert_int_equal(json_number(answer.json, "skipped"), 2);
    assert_int_equal(json_number(answer.json, "failed"), 0);
    forget(&answer);
    expect_number(fleet, 0, TENANT_OBJECTS);
    answer = ask(fleet, 1, WORDS("pgconvoy", "migrate", "--all", "--with-shared"));
    assert_non_null(strstr(answer.err, "error: shared schema: migration 0002_roles"));
    assert_non_null(strstr(answer.err, "total 2: 0 succeeded, 0 failed, 2 skipped"));
    forget(&answer);
    /* Nor when they cannot even be listed. */
    sql_run(fleet->connection, "DROP TABLE public.tenants");
    answer = ask(fleet, 1, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    assert_int_equal(json_number(answer.json, "total"), 0);
    assert_non_null(json_object_get(answer.json, "shared"));
    forget(&answer);
    fleet_free(fleet);
}

/* What has been applied to the shared schema is told even if the tenants' part breaks. */
static void the_shared_result_is_told_when_the_tenants_cannot_be_listed(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    sql_run(fleet->connection, "DROP TABLE public.tenants");
    Answer answer = ask(fleet, 2, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    json_t *shared = json_object_get(answer.json, "shared");
    assert_true(json_is_true(json_object_get(shared, "success")));
    assert_non_null(strstr(json_string_value(json_object_get(answer.json, "error")), "tenant discovery"));
    forget(&answer);
    fleet_free(fleet);
}

static void edited_files_are_told(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    fleet_configure(fleet, fleet->url, "shared:\n  folder: ./shared\n  default_format: drizzle-kit");
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared", "--mark-applied", "--json"));
    forget(&answer);
    /* Without a journal drizzle-kit stores when it was applied, so a changed file is a new one there. */
    add_shared(fleet, "0000_early", "CREATE TABLE early (i int);");
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared"));
    assert_non_null(strstr(answer.err, "shared schema: pending files are older than ones already applied"));
    forget(&answer);
    fleet_free(fleet);
}

static void two_coordinators_apply_it_once(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(0);
    add_shared(fleet, "0003_slow", "SELECT pg_sleep(0.3); INSERT INTO marks VALUES ('slow', '0003_slow');");
    Process *runs[3];
    for (int i = 0; i < 3; i++)
        runs[i] = fleet_start(fleet, WORDS("pgconvoy", "migrate:shared", "--json"));
    size_t applied = 0;
    for (int i = 0; i < 3; i++) {
        int status = process_wait(runs[i], 60000);
        char *out = process_out(runs[i]), *err = process_err(runs[i]);
        if (status != 0)
            fail_msg("exit %d: %s", status, err);
        json_t *report = json_loads(out, 0, NULL);
        applied += json_array_size(json_object_get(report, "appliedMigrations"));
        json_decref(report);
        free(out);
        free(err);
        process_free(runs[i]);
    }
    assert_int_equal(applied, 3);
    expect_number(fleet, 3, SHARED_ROWS);
    expect_number(fleet, 3, "SELECT count(*) FROM public.marks");
    fleet_assert_nothing_twice(fleet);
    fleet_free(fleet);
}

static void a_locked_shared_schema_is_busy(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    int64_t key;
    Error error = {0};
    assert_true(tenant_lock_key("public", &key, &error));
    sql_run(fleet->connection, "SELECT pg_advisory_lock(%lld)", (long long)key);
    Answer answer = ask(fleet, 6, WORDS("pgconvoy", "migrate:shared", "--lock-wait", "100", "--json"));
    assert_string_equal(json_string_value(json_object_get(answer.json, "outcome")), "busy");
    forget(&answer);
    expect_number(fleet, 0, SHARED_TABLES);
    fleet_free(fleet);
}

/* A second database with what migrations need; returns the configuration of both. */
static char *configure_two(Fleet *fleet, PGconn **ret_second)
{
    char *name, *text;
    assert_true(asprintf(&name, "%s_second", fleet->database) > 0);
    PGconn *admin = cluster_connect(cluster, "postgres");
    sql_run(admin, "CREATE DATABASE %s", name);
    PQfinish(admin);
    *ret_second = cluster_connect(cluster, name);
    sql_run(*ret_second, "CREATE TABLE public.marks (schema text, migration text);"
                         "CREATE TABLE public.tenants (id text); CREATE TABLE public.roles (id int)");
    char *url = cluster_url(cluster, name);
    assert_true(asprintf(&text,
                         "databases:\n  - name: main\n    url: %s\n  - name: second\n    url: %s\n"
                         "tenants:\n  query: select id from public.tenants order by id\n"
                         "migrations:\n  folder: ./migrations\nshared:\n  folder: ./shared\n",
                         fleet->url, url) > 0);
    write_file(fleet->folder, "pgconvoy.yaml", text);
    free(url);
    free(name);
    return text;
}

static void every_database_has_its_own(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    PGconn *second;
    free(configure_two(fleet, &second)); /* where the second migration fails */
    Answer answer = ask(fleet, 1, WORDS("pgconvoy", "migrate:shared", "--json"));
    json_t *results = json_object_get(answer.json, "results");
    assert_int_equal(json_array_size(results), 2);
    expect_json(json_array_get(results, 0),
                "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":[\"0001_plans\","
                "\"0002_roles\"],\"durationMs\":0,\"format\":\"name\",\"database\":\"main\",\"outcome\":"
                "\"applied\"}");
    json_t *failed = json_array_get(results, 1);
    assert_string_equal(json_string_value(json_object_get(failed, "database")), "second");
    assert_true(json_is_false(json_object_get(failed, "success")));
    assert_string_equal(json_string_value(json_object_get(failed, "sqlstate")), "42P07");
    forget(&answer);
    answer = ask(fleet, 1, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    assert_int_equal(json_array_size(json_object_get(answer.json, "shared")), 2);
    assert_int_equal(json_number(answer.json, "skipped"), 1);
    forget(&answer);
    expect_number(fleet, 0, TENANT_OBJECTS);
    sql_run(second, "DROP TABLE public.roles");
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "--all", "--with-shared"));
    assert_non_null(strstr(answer.out, "shared schema of main: up to date\n"
                                       "shared schema of second: applied 0002_roles\n"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "status", "--include-shared", "--json"));
    assert_int_equal(json_array_size(json_object_get(answer.json, "shared")), 2);
    forget(&answer);
    PQfinish(second);
    fleet_free(fleet);
}

#define REMOTE(...) \
    WORDS("pgconvoy", __VA_ARGS__, "--listen", endpoint, "--plain", "--min-workers", "2", "--json")

static void workers_of_other_processes_do_both_through_a_pooler(void **state)
{
    (void)state;
    enum { TENANTS = 60 };
    Fleet *fleet = shared_fleet(TENANTS);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    fleet_configure(fleet, url, "shared:\n  folder: ./shared");
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "3"),
                           fleet_start_worker(fleet, endpoint, "3")};
    Answer answer = ask(fleet, 0, REMOTE("migrate", "--all", "--with-shared"));
    json_t *shared = json_object_get(answer.json, "shared");
    assert_int_equal(json_array_size(json_object_get(shared, "appliedMigrations")), 2);
    assert_int_equal(json_number(answer.json, "succeeded"), TENANTS);
    forget(&answer);
    expect_number(fleet, 2, SHARED_ROWS);
    expect_number(fleet, TENANTS * 2 + 2, "SELECT count(*) FROM public.marks");
    fleet_assert_nothing_twice(fleet);
    answer = ask(fleet, 0, REMOTE("status", "--include-shared", "--exit-code"));
    forget(&answer);
    answer = ask(fleet, 0, REMOTE("migrate:shared"));
    assert_string_equal(json_string_value(json_object_get(answer.json, "outcome")), "already");
    forget(&answer);
    for (int i = 0; i < 2; i++)
        process_free(workers[i]);
    fleet_free(fleet);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* COMMIT waits for a standby that does not exist, and meanwhile the worker dies: the table is there, but
 * nobody has told. */
static void what_a_dead_worker_committed_is_this_run_s_work(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    const char *endpoint = fleet_endpoint();
    sql_run(fleet->connection, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    sql_run(fleet->connection, "SELECT pg_reload_conf()");
    Process *first = fleet_start_worker(fleet, endpoint, "1");
    Process *run =
        fleet_start(fleet, WORDS("pgconvoy", "migrate:shared", "--listen", endpoint, "--plain", "--json"));
    for (int waited = 0; waited < 30000; waited += 5, pause_ms(5))
        if (sql_number(fleet->connection,
                       "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") > 0)
            break;
    process_signal(first, 9);
    sql_run(fleet->connection, "ALTER SYSTEM RESET synchronous_standby_names");
    sql_run(fleet->connection, "SELECT pg_reload_conf()");
    Process *second = fleet_start_worker(fleet, endpoint, "1");
    int status = process_wait(run, 60000);
    Answer answer = {.out = process_out(run), .err = process_err(run)};
    if (status != 0)
        fail_msg("exit %d: %s", status, answer.err);
    answer.json = json_loads(answer.out, 0, NULL);
    expect_json(answer.json, "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":"
                             "[\"0001_plans\",\"0002_roles\"],\"durationMs\":0,\"format\":\"name\","
                             "\"outcome\":\"applied\"}");
    forget(&answer);
    expect_number(fleet, 2, SHARED_ROWS);
    fleet_assert_nothing_twice(fleet);
    process_free(run);
    process_free(first);
    process_free(second);
    fleet_free(fleet);
}

static void an_interruption_between_leaves_the_tenants_alone(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(2);
    add_shared(fleet, "0003_slow", "SELECT pg_sleep(1.5);");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    for (int waited = 0; waited < 30000; waited += 5, pause_ms(5))
        if (sql_number(fleet->connection,
                       "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0)
            break;
    process_signal(run, 15);
    assert_int_equal(process_wait(run, 30000), 130);
    char *out = process_out(run);
    json_t *report = json_loads(out, 0, NULL);
    json_t *shared = json_object_get(report, "shared");
    assert_int_equal(json_array_size(json_object_get(shared, "appliedMigrations")), 3);
    json_decref(report);
    free(out);
    process_free(run);
    expect_number(fleet, 3, SHARED_ROWS);
    expect_number(fleet, 0, TENANT_OBJECTS);
    fleet_free(fleet);
}

static void public_is_no_tenant(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    char *before = fleet_digest(fleet);
    const char *const COMMANDS[][8] = {
        {"pgconvoy", "migrate", "--tenant", "public", NULL},
        {"pgconvoy", "migrate", "--tenant", "public", "--with-shared", "--mark-applied", NULL},
        {"pgconvoy", "migrate", "--tenant", "public", "--dry-run", NULL},
        {"pgconvoy", "status", "--tenant", "public", "--include-shared", NULL},
        {"pgconvoy", "sync", "--mark-missing", "--tenant", "public", NULL},
        {"pgconvoy", "tenant:create", "--id", "public", NULL},
        {"pgconvoy", "tenant:drop", "--id", "public", "--force", NULL},
        {"pgconvoy", "introspect", "--tenant", "public", NULL},
    };
    static const char *const TEMPLATES[] = {"'{id}'", "public"}; /* an id that yields it; nothing else */
    for (int template = 0; template <2; template ++) {
        char *text;
        assert_true(asprintf(&text,
                             "databases:\n  - name: main\n    url: %s\ntenants:\n  schema: %s\n  ids: "
                             "[public]\nmigrations:\n  folder: ./migrations\nshared:\n  folder: ./shared\n",
                             fleet->url, TEMPLATES[template]) > 0);
        write_file(fleet->folder, "pgconvoy.yaml", text);
        free(text);
        for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
            Answer answer = ask(fleet, 2, COMMANDS[i]);
            if (strstr(answer.err, "reserved") == NULL)
                fail_msg("%s", answer.err);
            forget(&answer);
        }
    }
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

static int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 100");
    cluster_start_bouncer(cluster, 4);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_has_the_packages_shape),
        cmocka_unit_test(a_failure_keeps_what_came_before),
        cmocka_unit_test(a_file_that_is_not_sql_is_found_before_anything_is_touched),
        cmocka_unit_test(a_dry_run_writes_nothing),
        cmocka_unit_test(marking_records_without_running),
        cmocka_unit_test(without_a_folder_it_is_not_configured),
        cmocka_unit_test(status_includes_the_shared_schema_when_asked),
        cmocka_unit_test(tenants_follow_the_shared_schema),
        cmocka_unit_test(tenants_are_listed_after_the_shared_schema),
        cmocka_unit_test(tenants_are_skipped_when_the_shared_schema_failed),
        cmocka_unit_test(the_shared_result_is_told_when_the_tenants_cannot_be_listed),
        cmocka_unit_test(edited_files_are_told),
        cmocka_unit_test(two_coordinators_apply_it_once),
        cmocka_unit_test(a_locked_shared_schema_is_busy),
        cmocka_unit_test(every_database_has_its_own),
        cmocka_unit_test(workers_of_other_processes_do_both_through_a_pooler),
        cmocka_unit_test(what_a_dead_worker_committed_is_this_run_s_work),
        cmocka_unit_test(an_interruption_between_leaves_the_tenants_alone),
        cmocka_unit_test(public_is_no_tenant),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
