/* The shared schema as a program that embeds the coordinator sees it: results of its own, and callbacks. */
#include "common/json.h"
#include "coordinator/shared.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <stdio.h>

static Cluster *cluster;
static PGconn *connection;
static Config *config;

/* Counts its calls and seeds; a tenant could have any id, so the shared schema has none. */
typedef struct Callback {
    int shared, tenants;
} Callback;

static bool seed_by_callback(void *context, const char *tenant_id, struct pg_conn *lent,
                             pgconvoy_error *error)
{
    Callback *callback = context;
    (void)error;
    callback->shared += tenant_id == NULL;
    callback->tenants += tenant_id != NULL && strcmp(tenant_id, SHARED_ID) == 0;
    PQclear(PQexec(lent, tenant_id == NULL ? "INSERT INTO plans VALUES ('called')"
                                           : "INSERT INTO s SELECT v FROM plans"));
    return true;
}

static void callbacks_tell_the_shared_schema_from_a_tenant_of_that_name(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Callback callback = {0};
    const HostCallbacks hooks = {.context = &callback, .seed = seed_by_callback};
    SeedRequest request = {.fleet = {.config = config,
                                     .workers = config_worker_endpoints(config),
                                     .hooks = &hooks,
                                     .interrupt_fd = -1},
                           .with_shared = true};
    SeedReport report;
    if (!seed_run(&request, &report, &error))
        fail_msg("%s", error.message);
    assert_int_equal(report.totals.succeeded, 1);
    assert_int_equal(seed_exit_code(&report), EXIT_DONE);
    SharedSeedResult result = shared_seed_result_take(&report.shared->entries[0]);
    seed_report_clear(&report);
    assert_true(result.success);
    assert_string_equal(result.schema_name, "public");
    record_clear(&SHARED_SEED_RESULT, &result);
    assert_int_equal(callback.shared, 1);
    assert_int_equal(callback.tenants, 1);
    assert_int_equal(sql_number(connection, "SELECT count(*) FROM tenant_shared.s WHERE v = 'called'"), 1);
}

static void expect_json(const RecordType *type, const void *record, const char *expected)
{
    json_t *value = record_to_json(type, record);
    if (json_object_get(value, "durationMs") != NULL)
        json_object_set_new(value, "durationMs", json_integer(0));
    char *text = json_dumps(value, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(value);
}

static RunReport run(RunAction action)
{
    ERROR_CLEANUP Error error = {0};
    RunRequest request = {.fleet = {.config = config,
                                    .workers = config_worker_endpoints(config),
                                    .shared = true,
                                    .interrupt_fd = -1},
                          .action = action};
    RunReport report;
    if (!migrator_run(&request, &report, &error))
        fail_msg("%s", error.message);
    assert_int_equal(report.count, 1);
    return report;
}

static void results_have_the_packages_fields(void **state)
{
    (void)state;
    RunReport report = run(RUN_STATUS);
    const SharedMigrationStatus status = shared_status(&report, 0);
    expect_json(&SHARED_MIGRATION_STATUS, &status,
                "{\"schemaName\":\"public\",\"appliedCount\":0,\"pendingCount\":2,\"pendingMigrations\":"
                "[\"0001_plans\",\"0002_bad\"],\"status\":\"behind\",\"format\":null}");
    run_report_clear(&report);
    report = run(RUN_MIGRATE);
    SharedMigrationResult result = shared_result(&report, 0);
    expect_json(&SHARED_MIGRATION_RESULT, &result,
                "{\"schemaName\":\"public\",\"success\":false,\"appliedMigrations\":[\"0001_plans\"],"
                "\"error\":\"division by zero\",\"durationMs\":0,\"outcome\":\"error\",\"sqlstate\":"
                "\"22012\",\"migration\":\"0002_bad\",\"line\":1}");
    run_report_clear(&report);
    report = run(RUN_MARK_APPLIED);
    result = shared_result(&report, 0);
    expect_json(&SHARED_MIGRATION_RESULT, &result,
                "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":[\"0002_bad\"],"
                "\"durationMs\":0,\"format\":\"name\",\"outcome\":\"applied\"}");
    run_report_clear(&report);
}

/* What callbacks were told, one after the other. */
typedef struct Story {
    char text[512];
} Story;

static void tell(Story *story, const char *tenant_id, const char *what, const char *migration)
{
    size_t length = strlen(story->text);
    snprintf(story->text + length, sizeof story->text - length, "%s%s%s%s ",
             tenant_id != NULL ? "tenant:" : "", what, migration != NULL ? ":" : "",
             migration != NULL ? migration : "");
}

static bool on_progress(void *context, const char *tenant_id, const char *status, const char *migration,
                        pgconvoy_error *error)
{
    (void)error;
    tell(context, tenant_id, status, migration);
    return true;
}

static bool before_tenant(void *context, const char *tenant_id, pgconvoy_error *error)
{
    (void)error;
    tell(context, tenant_id, "before", NULL);
    return true;
}

static bool after_migration(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            pgconvoy_error *error)
{
    (void)error;
    (void)duration_ms;
    tell(context, tenant_id, "after", migration);
    return true;
}

/* An operator's program, which is about tenants, would fail here. */
static void the_shared_schema_is_visited_by_callbacks_alone(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_true(config_set(config, SETTING_HOOKS_BEFORE_TENANT, "/bin/false", SOURCE_FLAG, &error));
    assert_true(config_set(config, SETTING_HOOKS_AFTER_TENANT, "/bin/false", SOURCE_FLAG, &error));
    assert_true(config_set(config, SETTING_SHARED_TABLE, "visited", SOURCE_FLAG, &error));
    sql_run(connection, "DROP TABLE public.plans_too");
    Story story = {0};
    const HostCallbacks hooks = {.context = &story,
                                 .on_progress = on_progress,
                                 .before_tenant = before_tenant,
                                 .after_migration = after_migration};
    RunRequest request = {.fleet = {.config = config,
                                    .workers = config_worker_endpoints(config),
                                    .hooks = &hooks,
                                    .shared = true,
                                    .interrupt_fd = -1}};
    RunReport report;
    if (!migrator_run(&request, &report, &error))
        fail_msg("%s", error.message);
    assert_string_equal(run_report_result(&report, 0).error, "division by zero");
    run_report_clear(&report);
    assert_string_equal(story.text, "starting before migrating:0001_plans after:0001_plans "
                                    "migrating:0002_bad failed ");
}

static char *folder;

static int start(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    char *text;
    cluster = cluster_start(NULL);
    connection = cluster_connect(cluster, "postgres");
    folder = make_folder();
    write_file(folder, "0001_plans.sql", "CREATE TABLE plans_too (id int);");
    write_file(folder, "0002_bad.sql", "SELECT 1/0;");
    sql_run(connection, "CREATE TABLE public.plans (v text); CREATE SCHEMA tenant_shared;"
                        "CREATE TABLE tenant_shared.s (v text)");
    char *url = cluster_url(cluster, "postgres");
    assert_true(asprintf(&text,
                         "databases: [{name: main, url: \"%s\"}]\ntenants: {ids: [shared]}\n"
                         "shared: {folder: \"%s\"}\n",
                         url, folder) > 0);
    config = config_load_text("test", text, strlen(text), &error);
    free(text);
    free(url);
    return config != NULL ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    config_free(config);
    PQfinish(connection);
    remove_tree(folder);
    free(folder);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_the_packages_fields),
        cmocka_unit_test(callbacks_tell_the_shared_schema_from_a_tenant_of_that_name),
        cmocka_unit_test(the_shared_schema_is_visited_by_callbacks_alone),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
