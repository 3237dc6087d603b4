/* The shared schema through the CLI: migrate:shared, status --include-shared, migrate --with-shared, and what
 * must not happen to public. */
#include "tests/integration/shared_support.h"

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
    expect_number(fleet, 2, "SELECT count(*) FROM public.marks WHERE schema = 'public'");
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

static void files_older_than_applied_ones_are_told(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared", "--mark-applied", "--json"));
    forget(&answer);
    add_shared(fleet, "0000_early", "CREATE TABLE early (i int);");
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate:shared"));
    assert_non_null(strstr(answer.err, "shared schema: pending files are older than ones already applied"));
    forget(&answer);
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

static void expect_no_tenant(Fleet *fleet, const char *template, const char *id)
{
    const char *const COMMANDS[][8] = {
        {"pgconvoy", "migrate", "--all", NULL},
        {"pgconvoy", "migrate", "--tenant", id, NULL},
        {"pgconvoy", "migrate", "--all", "--with-shared", "--mark-applied", NULL},
        {"pgconvoy", "migrate", "--tenant", id, "--dry-run", NULL},
        {"pgconvoy", "status", "--tenant", id, "--include-shared", NULL},
        {"pgconvoy", "sync", "--mark-missing", "--tenant", id, NULL},
        {"pgconvoy", "tenant:create", "--id", id, NULL},
        {"pgconvoy", "tenant:drop", "--id", id, "--force", NULL},
        {"pgconvoy", "introspect", "--tenant", id, NULL},
    };
    char *text;
    assert_true(asprintf(&text,
                         "databases:\n  - name: main\n    url: %s\ntenants:\n  schema: %s\n  ids: [%s]\n"
                         "migrations:\n  folder: ./migrations\nshared:\n  folder: ./shared\n",
                         fleet->url, template, id) > 0);
    write_file(fleet->folder, "pgconvoy.yaml", text);
    free(text);
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        Answer answer = ask(fleet, 2, COMMANDS[i]);
        if (strstr(answer.err, "\"public\"") == NULL)
            fail_msg("%s", answer.err);
        forget(&answer);
    }
}

static void public_is_no_tenant(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    char *before = fleet_digest(fleet);
    expect_no_tenant(fleet, "'{id}'", "public");
    expect_no_tenant(fleet, "'pub{id}'", "lic");
    expect_no_tenant(fleet, "public", "anybody");
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
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
        cmocka_unit_test(files_older_than_applied_ones_are_told),
        cmocka_unit_test(every_database_has_its_own),
        cmocka_unit_test(public_is_no_tenant),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
