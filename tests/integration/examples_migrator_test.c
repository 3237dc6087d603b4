/* The examples of the migrator, as a user would run them. */
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include <jansson.h>
#include <stdio.h>

static Cluster *cluster;
static PGconn *admin;
static char *folder;
static char environment[128];

static int run(const char *const words[], char **ret_out, char **ret_err)
{
    return process_run("/tmp", (const char *const[]){environment, NULL}, words, ret_out, ret_err);
}

static void assert_run(const char *const words[], int status, const char *expected_out)
{
    char *out = NULL, *err = NULL;
    assert_int_equal(run(words, &out, &err), status);
    assert_string_equal(err, "");
    assert_string_equal(out, expected_out);
    free(out);
    free(err);
}

static void the_report_says_what_was_applied_and_what_failed(void **state)
{
    (void)state;
    const char *const words[] = {"example-migrate_report", folder, "acme", "globex", "odd", NULL};
    assert_run(words, 1,
               "acme: up to date\n"
               "  applied 0001_settings\n"
               "  applied 0002_orders\n"
               "globex: up to date\n"
               "  applied 0001_settings\n"
               "  applied 0002_orders\n"
               "odd: relation \"orders\" already exists\n"
               "  applied 0001_settings\n"
               "  failed in 0002_orders, line 2 (SQLSTATE 42P07)\n"
               "3 tenants: 2 succeeded, 1 failed, 0 skipped\n");
}

static void the_report_is_json_for_programs(void **state)
{
    (void)state;
    char *out = NULL, *err = NULL;
    const char *const words[] = {"example-migrate_report", "--json", folder, "acme", "odd", NULL};
    assert_int_equal(run(words, &out, &err), 1);
    assert_string_equal(err, "");
    json_t *report = json_loads(out, 0, NULL);
    assert_non_null(report);
    assert_int_equal(json_integer_value(json_object_get(report, "total")), 2);
    assert_int_equal(json_integer_value(json_object_get(report, "failed")), 1);
    const json_t *odd = json_array_get(json_object_get(report, "details"), 1);
    assert_string_equal(json_string_value(json_object_get(odd, "tenantId")), "odd");
    assert_string_equal(json_string_value(json_object_get(odd, "sqlstate")), "42P07");
    json_decref(report);
    free(out);
    free(err);
}

static void a_call_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    char *out = NULL, *err = NULL;
    const char *const words[] = {"example-migrate_report", "/nonexistent/migrations", "acme", NULL};
    assert_int_equal(run(words, &out, &err), 1);
    assert_string_equal(out, "");
    assert_non_null(strstr(err, "error: "));
    assert_non_null(strstr(err, "/nonexistent/migrations"));
    free(out);
    free(err);
}

static void hooks_tell_the_story_in_order(void **state)
{
    (void)state;
    const char *const words[] = {"example-migrate_hooks", folder, "new", "old_frozen", NULL};
    assert_run(words, 1,
               "new: begins\n"
               "new: before 0001_settings\n"
               "new: after 0001_settings\n"
               "new: before 0002_orders\n"
               "new: after 0002_orders\n"
               "new: done, 2 applied\n"
               "old_frozen: failed: old_frozen is frozen\n"
               "2 migrations applied, 1 of 2 tenants failed\n");
    assert_int_equal(sql_number(admin, "SELECT count(*) FROM pg_tables WHERE schemaname = 'tenant_new'"), 3);
}

static void seeds_come_whole_or_not_at_all(void **state)
{
    (void)state;
    sql_run(admin, "CREATE TABLE tenant_full.settings (key text PRIMARY KEY, value text);"
                   "CREATE TABLE tenant_half.settings (key text PRIMARY KEY, value text);"
                   "INSERT INTO tenant_half.settings VALUES ('greeting', 'hello')");
    const char *const words[] = {"example-seed_tenants", "full", "half", NULL};
    assert_run(words, 1,
               "full: seeded\n"
               "half: duplicate key value violates unique constraint \"settings_pkey\"\n"
               "1 of 2 seeded\n");
    char *name = sql_text(admin, "SELECT string_agg(key || '=' || value, ' ' ORDER BY key) "
                                 "FROM tenant_full.settings");
    assert_string_equal(name, "greeting=welcome name=full");
    free(name);
    assert_int_equal(sql_number(admin, "SELECT count(*) FROM tenant_half.settings"), 1);
}

static int start_server(void **state)
{
    (void)state;
    static const char *const TENANTS[] = {"acme", "globex", "odd", "new", "old_frozen", "full", "half"};
    cluster = cluster_start(NULL);
    admin = cluster_connect(cluster, "postgres");
    for (size_t i = 0; i < sizeof TENANTS / sizeof TENANTS[0]; i++)
        sql_run(admin, "CREATE SCHEMA tenant_%s", TENANTS[i]);
    sql_run(admin, "CREATE TABLE tenant_odd.orders ()");
    folder = make_folder();
    write_file(folder, "0001_settings.sql", "CREATE TABLE settings (key text PRIMARY KEY, value text);\n");
    write_file(folder, "0002_orders.sql", "-- what was ordered\nCREATE TABLE orders (id bigint);\n");
    char *url = cluster_url(cluster, "postgres");
    snprintf(environment, sizeof environment, "DATABASE_URL=%s", url);
    free(url);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    PQfinish(admin);
    remove_tree(folder);
    free(folder);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_says_what_was_applied_and_what_failed),
        cmocka_unit_test(the_report_is_json_for_programs),
        cmocka_unit_test(a_call_that_cannot_be_made_is_an_error),
        cmocka_unit_test(hooks_tell_the_story_in_order),
        cmocka_unit_test(seeds_come_whole_or_not_at_all),
    };
    return cmocka_run_group_tests_name("examples of the migrator", tests, start_server, stop_server);
}
