/* `pgconvoy doctor` and `pgconvoy metrics`: what they find, in JSON and in their exit codes. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <stdio.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;

static json_t *ask(Fleet *fleet, int status, const char *const words[])
{
    char *out, *err;
    int found = fleet_run(fleet, words, &out, &err);
    if (found != status)
        fail_msg("exit %d instead of %d: %s%s", found, status, out, err);
    json_t *json = json_loads(out, 0, NULL);
    assert_non_null(json);
    free(out);
    free(err);
    return json;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_t *find_check(json_t *report, const char *name)
{
    size_t index;
    json_t *check;
    json_array_foreach(json_object_get(report, "checks"), index, check)
    {
        if (strcmp(text_of(check, "name"), name) == 0)
            return check;
    }
    fail_msg("there is no check \"%s\"", name);
    return NULL;
}

static void expect_finding(json_t *report, const char *name, const char *status, const char *message)
{
    json_t *check = find_check(report, name);
    assert_string_equal(text_of(check, "status"), status);
    if (strstr(text_of(check, "message"), message) == NULL)
        fail_msg("%s: \"%s\" has no \"%s\"", name, text_of(check, "message"), message);
}

static void expect_advice(json_t *report, const char *priority, const char *message)
{
    size_t index;
    json_t *advice;
    json_array_foreach(json_object_get(report, "recommendations"), index, advice)
    {
        if (strstr(text_of(advice, "message"), message) != NULL) {
            assert_string_equal(text_of(advice, "priority"), priority);
            return;
        }
    }
    fail_msg("nothing is recommended about \"%s\"", message);
}

/* The configuration with the url of another role, or another port. */
static char *url_for(const Fleet *fleet, const char *role, int port)
{
    char *url = NULL;
    assert_true(asprintf(&url, "postgresql://%s@127.0.0.1:%d/%s", role, port, fleet->database) > 0);
    return url;
}

static void a_healthy_fleet_passes_every_check(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 2, NULL);
    char *before = fleet_digest(fleet);
    json_t *report = ask(fleet, 0, WORDS("pgconvoy", "doctor", "--json"));
    assert_true(json_is_true(json_object_get(report, "healthy")));
    expect_finding(report, "Configuration", "ok", "found and valid");
    expect_finding(report, "Database Connection", "ok", "PostgreSQL");
    expect_finding(report, "Tenant Discovery", "ok", "Found 3 tenant(s)");
    expect_finding(report, "Migrations Folder", "ok", "2 migration file(s)");
    expect_finding(report, "Shared Migrations Folder", "warn", "Not configured");
    expect_finding(report, "Schema Isolation", "ok", "schema-based");
    expect_finding(report, "Pool Configuration", "ok", "looks good");
    expect_finding(report, "Workers", "ok", "one worker in this process");
    expect_finding(report, "Database Role", "ok", "may create schemas");
    assert_int_equal(json_integer_value(json_object_get(report, "tenantCount")), 3);
    assert_string_equal(text_of(find_check(report, "Pool Configuration"), "details"), "max=50, ttl=1h");
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    json_decref(report);
    fleet_free(fleet);
}

static void a_server_that_is_down_is_an_error(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    char *url = url_for(fleet, "postgres", 1);
    fleet_configure(fleet, url, NULL);
    json_t *report = ask(fleet, 1, WORDS("pgconvoy", "doctor", "--json"));
    assert_false(json_is_true(json_object_get(report, "healthy")));
    expect_finding(report, "Database Connection", "error", "cannot connect");
    expect_finding(report, "Tenant Discovery", "error", "main");
    expect_finding(report, "Migrations Folder", "ok", "1 migration file(s)");
    expect_advice(report, "high", "Database \"main\" cannot be used");
    assert_null(json_object_get(report, "database"));
    assert_null(json_object_get(report, "tenantCount"));
    json_decref(report);
    report = ask(fleet, 1, WORDS("pgconvoy", "metrics", "--health", "--json"));
    json_t *health = json_object_get(report, "health");
    assert_false(json_is_true(json_object_get(health, "healthy")));
    assert_string_equal(text_of(health, "sharedDbStatus"), "unhealthy");
    json_decref(report);
    free(url);
    fleet_free(fleet);
}

static void rights_that_are_missing_are_told(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    sql_run(fleet->connection, "DROP ROLE IF EXISTS patient; CREATE ROLE patient LOGIN;"
                               "GRANT SELECT ON public.tenants TO patient;");
    char *url = url_for(fleet, "patient", cluster->port);
    fleet_configure(fleet, url, NULL);
    json_t *report = ask(fleet, 0, WORDS("pgconvoy", "doctor", "--json"));
    expect_finding(report, "Database Role", "warn", "role \"patient\" may not create schemas");
    expect_advice(report, "medium", "Tenants cannot be created");
    json_decref(report);
    sql_run(fleet->connection, "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC");
    report = ask(fleet, 1, WORDS("pgconvoy", "doctor", "--json"));
    expect_finding(report, "Database Role", "error", "may not use the language plpgsql");
    expect_advice(report, "high", "plpgsql");
    json_decref(report);
    free(url);
    fleet_free(fleet);
}

static void files_that_a_run_would_refuse_are_an_error_and_no_folder_a_warning(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_migration(fleet, "0001_latin1", "SELECT 'caf\xe9'");
    json_t *report = ask(fleet, 1, WORDS("pgconvoy", "doctor", "--json"));
    expect_finding(report, "Migrations Folder", "error", "0001_latin1.sql");
    json_decref(report);
    report = ask(fleet, 0, WORDS("pgconvoy", "doctor", "--json", "-f", "./nowhere"));
    expect_finding(report, "Migrations Folder", "warn", "does not exist");
    expect_advice(report, "medium", "Migrations folder not found");
    json_decref(report);
    fleet_free(fleet);
}

static void two_files_of_one_number_are_a_warning(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_migration(fleet, "0001_a", "SELECT 1");
    fleet_add_migration(fleet, "0001_b", "SELECT 1");
    json_t *report = ask(fleet, 0, WORDS("pgconvoy", "doctor", "--json"));
    expect_finding(report, "Migrations Folder", "warn", "2 migration file(s), 1 warning(s)");
    json_decref(report);
    fleet_free(fleet);
}

static void workers_of_other_processes_look_through_a_pooler(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 1, NULL);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    fleet_configure(fleet, url, NULL);
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "2");
#define REMOTE(...) WORDS("pgconvoy", __VA_ARGS__, "--listen", endpoint, "--plain", "--json")
    json_t *report = ask(fleet, 0, REMOTE("doctor"));
    expect_finding(report, "Workers", "ok", "1 worker(s) answered");
    expect_finding(report, "Database Connection", "ok", "PostgreSQL");
    expect_finding(report, "Tenant Discovery", "ok", "Found 2 tenant(s)");
    json_decref(report);
    report = ask(fleet, 0, REMOTE("metrics", "--health"));
    assert_true(json_is_true(json_object_get(json_object_get(report, "health"), "healthy")));
    json_decref(report);
    process_free(worker);
    report = ask(fleet, 1, REMOTE("doctor", "--wait", "300"));
    expect_finding(report, "Workers", "error", "worker");
    expect_finding(report, "Migrations Folder", "ok", "1 migration file(s)");
    json_decref(report);
    fleet_free(fleet);
}

static void without_a_database_there_is_nothing_to_look_at(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    write_file(fleet->folder, "pgconvoy.yaml", "run: {concurrency: 2}\n");
    json_t *report = ask(fleet, 1, WORDS("pgconvoy", "doctor", "--json"));
    expect_finding(report, "Configuration", "error", "no database is configured");
    assert_int_equal(json_array_size(json_object_get(report, "checks")), 1);
    assert_null(json_object_get(report, "poolConfig"));
    json_decref(report);
    fleet_free(fleet);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    cluster_start_bouncer(cluster, 4);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_fleet_passes_every_check),
        cmocka_unit_test(a_server_that_is_down_is_an_error),
        cmocka_unit_test(rights_that_are_missing_are_told),
        cmocka_unit_test(files_that_a_run_would_refuse_are_an_error_and_no_folder_a_warning),
        cmocka_unit_test(two_files_of_one_number_are_a_warning),
        cmocka_unit_test(workers_of_other_processes_look_through_a_pooler),
        cmocka_unit_test(without_a_database_there_is_nothing_to_look_at),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
