/* What a program that embeds the library is told and asked while its tenants are worked on; seeds; the shared
 * schema. */
#include "tests/integration/library_support.h"
#include <sys/stat.h>

static Cluster *cluster;

#define CLEAN(type) __attribute__((cleanup(pgconvoy_##type##_clear))) pgconvoy_##type

static bool hear_hook(Heard *heard, const char *name, const char *tenant_id, pgconvoy_error *error)
{
    if (heard->fail_hook == NULL || strcmp(heard->fail_hook, name) != 0 || !is_meant(heard, tenant_id))
        return true;
    return pgconvoy_error_set(error, "%s threw", name);
}

static const char *name_of(const char *tenant_id)
{
    return tenant_id != NULL ? tenant_id : "(shared)";
}

static bool before_tenant(void *context, const char *tenant_id, pgconvoy_error *error)
{
    Heard *heard = context;
    buffer_appendf(&heard->events, "%s beforeTenant\n", name_of(tenant_id));
    return hear_hook(heard, "beforeTenant", tenant_id, error);
}

static bool after_tenant(void *context, const char *tenant_id, const pgconvoy_tenant_migration_result *result,
                         pgconvoy_error *error)
{
    Heard *heard = context;
    buffer_appendf(&heard->events, "%s afterTenant %s %zu\n", name_of(tenant_id),
                   result->success ? "success" : result->error, result->applied_migrations.count);
    return hear_hook(heard, "afterTenant", tenant_id, error);
}

static bool before_migration(void *context, const char *tenant_id, const char *migration,
                             pgconvoy_error *error)
{
    Heard *heard = context;
    buffer_appendf(&heard->events, "%s beforeMigration %s\n", name_of(tenant_id), migration);
    return hear_hook(heard, "beforeMigration", tenant_id, error);
}

static bool after_migration(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            pgconvoy_error *error)
{
    Heard *heard = context;
    assert_true(duration_ms >= 0);
    buffer_appendf(&heard->events, "%s afterMigration %s\n", name_of(tenant_id), migration);
    return hear_hook(heard, "afterMigration", tenant_id, error);
}

static pgconvoy_hooks all_hooks(Heard *heard)
{
    return (pgconvoy_hooks){.context = heard,
                            .before_tenant = before_tenant,
                            .after_tenant = after_tenant,
                            .before_migration = before_migration,
                            .after_migration = after_migration};
}

static pgconvoy_migrator *hooked_migrator(const Fleet *fleet, Heard *heard, const char *shared_folder)
{
    pgconvoy_database database;
    pgconvoy_migrator_options options = fleet_options(fleet, heard, &database);
    options.hooks = options.shared_hooks = all_hooks(heard);
    options.shared_folder = shared_folder;
    pgconvoy_error error = {0};
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, &error);
    expect_no_error(migrator != NULL, &error);
    return migrator;
}

static bool progress_of_anybody(void *context, const char *tenant_id, const char *status,
                                const char *migration, pgconvoy_error *error)
{
    return hear_progress(context, name_of(tenant_id), status, migration, error);
}

static pgconvoy_run_options one_by_one(Heard *heard)
{
    return (pgconvoy_run_options){
        .concurrency = 1, .on_progress = progress_of_anybody, .on_error = hear_error, .context = heard};
}

static void callbacks_come_in_the_contract_s_order(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE a ()");
    fleet_add_migration(fleet, "0002_b", "SELECT 1 / 0");
    Heard heard = {.tenants = "t0001"};
    pgconvoy_migrator *migrator = hooked_migrator(fleet, &heard, NULL);
    pgconvoy_run_options options = one_by_one(&heard);
    assert_true(pgconvoy_migrate_all(migrator, &options, NULL, NULL));
    expect_heard(&heard, "t0001 starting\nt0001 beforeTenant\n"
                         "t0001 migrating 0001_a\nt0001 beforeMigration 0001_a\nt0001 afterMigration 0001_a\n"
                         "t0001 migrating 0002_b\nt0001 beforeMigration 0002_b\n"
                         "t0001 afterTenant division by zero 1\nt0001 failed\n"
                         "t0001 error: division by zero\n");
    options.dry_run = true;
    assert_true(pgconvoy_migrate_all(migrator, &options, NULL, NULL));
    expect_heard(&heard, "");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void tenants_without_work_are_told_of_too(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "t0001"};
    pgconvoy_migrator *migrator = hooked_migrator(fleet, &heard, NULL);
    pgconvoy_run_options options = one_by_one(&heard);
    assert_true(pgconvoy_mark_all_as_applied(migrator, &options, NULL, NULL));
    buffer_clear(&heard.events);
    assert_true(pgconvoy_migrate_all(migrator, &options, NULL, NULL));
    expect_heard(&heard,
                 "t0001 starting\nt0001 beforeTenant\nt0001 afterTenant success 0\nt0001 completed\n");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void marking_one_tells_of_its_migrations_alone(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "t0001"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_run_options options = one_by_one(&heard);
    assert_true(pgconvoy_mark_as_applied(migrator, "t0001", &options, NULL, NULL));
    expect_heard(&heard, "t0001 migrating 0001_m1\n");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_failing_callback_fails_its_tenant_once(void **state)
{
    (void)state;
    static const struct {
        const char *hook, *progress, *error;
        int64_t applied;
    } CASES[] = {
        {"beforeTenant", NULL, "beforeTenant threw", 0},
        {"beforeMigration", NULL, "beforeMigration threw", 0},
        {"afterMigration", NULL, "afterMigration threw", 1},
        {"afterTenant", NULL, "afterTenant threw", 1},
        {NULL, "starting", "onProgress threw", 0},
        {NULL, "migrating", "onProgress threw", 0},
        {NULL, "completed", "onProgress threw", 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Fleet *fleet = fleet_new(cluster, 2);
        fleet_add_markers(fleet, 1, NULL);
        Heard heard = {.tenants = "t0001 t0002",
                       .fail_hook = CASES[i].hook,
                       .fail_progress = CASES[i].progress,
                       .fail_for = "t0001"};
        pgconvoy_migrator *migrator = hooked_migrator(fleet, &heard, NULL);
        pgconvoy_run_options options = one_by_one(&heard);
        pgconvoy_error error = {0};
        CLEAN(migration_results) results = {0};
        expect_no_error(pgconvoy_migrate_all(migrator, &options, &results, &error), &error);
        expect_totals(&results, 1, 1, 0);
        assert_string_equal(detail(&results, 0)->error, CASES[i].error);
        assert_int_equal(detail(&results, 0)->applied_migrations.count, CASES[i].applied);
        char said[64];
        snprintf(said, sizeof said, "t0001 error: %s\n", CASES[i].error);
        const char *first = strstr(buffer_text(&heard.events), said);
        assert_non_null(first);
        assert_null(strstr(first + 1, said));
        assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"),
                         1 + CASES[i].applied);
        buffer_clear(&heard.events);
        pgconvoy_migrator_free(migrator);
        fleet_free(fleet);
    }
}

static void a_refused_tenant_meets_no_hook(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = ""};
    pgconvoy_migrator *migrator = hooked_migrator(fleet, &heard, NULL);
    pgconvoy_run_options options = one_by_one(&heard);
    CLEAN(migration_results) results = {0};
    assert_true(pgconvoy_migrate_all(migrator, &options, &results, NULL));
    expect_totals(&results, 0, 1, 0);
    expect_heard(&heard, " error: tenant id is empty\n");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void callbacks_need_a_worker_in_this_process(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "t0001"};
    pgconvoy_database database;
    pgconvoy_migrator_options with = fleet_options(fleet, &heard, &database);
    const char *const SETTINGS[] = {"coordinator.workers",
                                    "tcp://127.0.0.1:1",
                                    "coordinator.plain",
                                    "true",
                                    "coordinator.wait_ms",
                                    "1",
                                    NULL};
    with.settings = SETTINGS;
    with.hooks = all_hooks(&heard);
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&with, NULL);
    pgconvoy_error error = {0};
    expect_error(pgconvoy_migrate_all(migrator, NULL, NULL, &error), &error, PGCONVOY_ERROR_USAGE,
                 "callbacks");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static bool fill(void *context, const char *tenant_id, struct pg_conn *connection, pgconvoy_error *error)
{
    Heard *heard = context;
    buffer_appendf(&heard->events, "%s seed\n", name_of(tenant_id));
    PGresult *result = PQexec(connection, "INSERT INTO s SELECT current_schema()");
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        pgconvoy_error_set(error, "%s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    PQclear(result);
    return ok && hear_hook(heard, "seed", tenant_id, error);
}

static void seeds_fill_tenants_or_leave_nothing(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 4);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0001.s (v text); CREATE TABLE tenant_t0002.s (v text);"
                               "CREATE TABLE tenant_t0003.s (v text); CREATE TABLE tenant_t0004.s (v text)");
    Heard heard = {.tenants = "t0001 t0002 t0003 t0004",
                   .fail_hook = "seed",
                   .fail_for = "t0002",
                   .decision = PGCONVOY_ABORT};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_run_options options = one_by_one(&heard);
    pgconvoy_error error = {0};
    CLEAN(seed_results) results = {0}, some = {0};
    CLEAN(tenant_seed_result) one = {0};
    expect_no_error(pgconvoy_seed_all(migrator, fill, &heard, &options, &results, &error), &error);
    assert_int_equal(results.succeeded, 1);
    assert_int_equal(results.failed, 1);
    assert_int_equal(results.skipped, 2);
    expect_heard(&heard, "t0001 starting\nt0001 seeding\nt0001 seed\nt0001 completed\n"
                         "t0002 starting\nt0002 seeding\nt0002 seed\nt0002 failed\n"
                         "t0002 error: seed threw\n");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM tenant_t0001.s"), 1);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM tenant_t0002.s"), 0);

    static const char *const TWO[] = {"t0003", "nobody"};
    expect_no_error(pgconvoy_seed_tenants(migrator, TWO, 2, fill, &heard, NULL, &some, &error), &error);
    assert_int_equal(some.succeeded, 1);
    assert_int_equal(some.failed, 1);
    expect_no_error(pgconvoy_seed_tenant(migrator, "t0004", fill, &heard, &one, &error), &error);
    expect_json(pgconvoy_tenant_seed_result_json(&one),
                "{\"tenantId\":\"t0004\",\"schemaName\":\"tenant_t0004\",\"success\":true,\"durationMs\":0,"
                "\"outcome\":\"applied\",\"attempts\":0}");
    expect_error(pgconvoy_seed_all(migrator, NULL, NULL, NULL, NULL, &error), &error, PGCONVOY_ERROR_USAGE,
                 "there is no seed");
    buffer_clear(&heard.events);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void add_shared(const Fleet *fleet, const char *name, const char *text, char ret_folder[256])
{
    char path[300];
    snprintf(ret_folder, 256, "%s/shared", fleet->folder);
    mkdir(ret_folder, 0755);
    snprintf(path, sizeof path, "shared/%s.sql", name);
    write_file(fleet->folder, path, text);
}

static void the_shared_schema_comes_before_the_tenants(void **state)
{
    (void)state;
    char folder[256];
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE a AS SELECT * FROM public.plans");
    add_shared(fleet, "0001_plans", "CREATE TABLE plans (id int)", folder);
    Heard heard = {.tenants = "t0001 t0002"};
    pgconvoy_migrator *migrator = hooked_migrator(fleet, &heard, folder);
    pgconvoy_run_options options = one_by_one(&heard);
    pgconvoy_error error = {0};
    CLEAN(migration_with_shared) both = {0};
    CLEAN(shared_migration_status) before = {0}, after = {0};
    assert_true(pgconvoy_has_shared_migrations(migrator));
    expect_no_error(pgconvoy_get_shared_status(migrator, &before, &error), &error);
    expect_json(pgconvoy_shared_migration_status_json(&before),
                "{\"schemaName\":\"public\",\"appliedCount\":0,\"pendingCount\":1,\"pendingMigrations\":["
                "\"0001_plans\"],\"status\":\"behind\",\"format\":null}");
    expect_no_error(pgconvoy_migrate_all_with_shared(migrator, &options, &both, &error), &error);
    assert_true(both.shared.success);
    expect_totals(&both.tenants, 2, 0, 0);
    static const char FIRST[] = "(shared) starting\n(shared) beforeTenant\n(shared) migrating 0001_plans\n"
                                "(shared) beforeMigration 0001_plans\n(shared) afterMigration 0001_plans\n"
                                "(shared) afterTenant success 1\n(shared) completed\nt0001 starting\n";
    assert_memory_equal(buffer_text(&heard.events), FIRST, strlen(FIRST));
    char *json = pgconvoy_migration_with_shared_json(&both);
    assert_non_null(strstr(json, "{\"shared\":{\"schemaName\":\"public\",\"success\":true,"));
    assert_non_null(strstr(json, "\"tenants\":{\"total\":2,\"succeeded\":2,"));
    free(json);
    expect_no_error(pgconvoy_get_shared_status(migrator, &after, &error), &error);
    assert_string_equal(after.status, "ok");
    buffer_clear(&heard.events);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void tenants_wait_for_a_shared_schema_that_succeeds(void **state)
{
    (void)state;
    char folder[256];
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 1, NULL);
    add_shared(fleet, "0001_plans", "SELECT 1 / 0", folder);
    Heard heard = {.tenants = "t0001 t0002"};
    pgconvoy_migrator *migrator = hooked_migrator(fleet, &heard, folder);
    pgconvoy_error error = {0};
    CLEAN(migration_with_shared) both = {0};
    CLEAN(shared_migration_result) failed = {0}, marked = {0};
    expect_no_error(pgconvoy_migrate_all_with_shared(migrator, NULL, &both, &error), &error);
    assert_false(both.shared.success);
    assert_string_equal(both.shared.error, "division by zero");
    expect_totals(&both.tenants, 0, 0, 2);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 0);
    expect_no_error(pgconvoy_migrate_shared(migrator, NULL, &failed, &error), &error);
    assert_string_equal(failed.error, "division by zero");
    expect_no_error(pgconvoy_mark_shared_as_applied(migrator, NULL, &marked, &error), &error);
    assert_true(marked.success);
    assert_string_equal(marked.applied_migrations.items[0], "0001_plans");
    buffer_clear(&heard.events);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void without_a_shared_folder_its_calls_fail(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    assert_false(pgconvoy_has_shared_migrations(migrator));
    expect_error(pgconvoy_migrate_shared(migrator, NULL, NULL, &error), &error, PGCONVOY_ERROR_CONFIG,
                 "no shared schema is configured");
    expect_error(pgconvoy_get_shared_status(migrator, NULL, &error), &error, PGCONVOY_ERROR_CONFIG,
                 "no shared schema is configured");
    expect_error(pgconvoy_seed_shared(migrator, fill, &heard, NULL, &error), &error, PGCONVOY_ERROR_CONFIG,
                 "no shared schema is configured");
    expect_error(pgconvoy_migrate_all_with_shared(migrator, NULL, NULL, &error), &error,
                 PGCONVOY_ERROR_CONFIG, "no shared schema is configured");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void results_say_that_there_is_no_shared_schema(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    CLEAN(shared_migration_result) migrated = {0}, marked = {0};
    CLEAN(shared_migration_status) status = {0};
    CLEAN(shared_seed_result) seeded = {0};
    static const char REASON[] = "\"error\":\"no shared schema is configured\",\"durationMs\":0,\"outcome\":"
                                 "\"error\",\"hint\":\"set shared.folder, the folder of its migrations, in "
                                 "pgconvoy.yaml\"}";
    char expected[512];
    expect_no_error(pgconvoy_migrate_shared(migrator, NULL, &migrated, &error), &error);
    snprintf(expected, sizeof expected,
             "{\"schemaName\":\"public\",\"success\":false,\"appliedMigrations\":[],%s", REASON);
    expect_json(pgconvoy_shared_migration_result_json(&migrated), expected);
    expect_no_error(pgconvoy_mark_shared_as_applied(migrator, NULL, &marked, &error), &error);
    expect_json(pgconvoy_shared_migration_result_json(&marked), expected);
    expect_no_error(pgconvoy_seed_shared(migrator, fill, &heard, &seeded, &error), &error);
    snprintf(expected, sizeof expected, "{\"schemaName\":\"public\",\"success\":false,%s", REASON);
    expect_json(pgconvoy_shared_seed_result_json(&seeded), expected);
    expect_no_error(pgconvoy_get_shared_status(migrator, &status, &error), &error);
    expect_json(pgconvoy_shared_migration_status_json(&status),
                "{\"schemaName\":\"public\",\"appliedCount\":0,\"pendingCount\":0,\"pendingMigrations\":[],"
                "\"status\":\"error\",\"error\":\"no shared schema is configured\",\"format\":null}");
    expect_heard(&heard, "");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void seeds_fill_the_shared_schema_first(void **state)
{
    (void)state;
    char folder[256];
    Fleet *fleet = fleet_new(cluster, 2);
    sql_run(fleet->connection, "CREATE TABLE public.s (v text)");
    add_shared(fleet, "0001_plans", "SELECT 1", folder);
    Heard heard = {.tenants = "t0001 t0002"};
    pgconvoy_migrator *migrator = hooked_migrator(fleet, &heard, folder);
    pgconvoy_run_options options = one_by_one(&heard);
    pgconvoy_error error = {0};
    CLEAN(shared_seed_result) shared = {0};
    CLEAN(seed_with_shared) both = {0}, withheld = {0};
    expect_no_error(pgconvoy_seed_shared(migrator, fill, &heard, &shared, &error), &error);
    expect_heard(&heard, "(shared) seed\n");
    expect_json(pgconvoy_shared_seed_result_json(&shared),
                "{\"schemaName\":\"public\",\"success\":true,\"durationMs\":0,\"outcome\":\"applied\"}");
    expect_no_error(pgconvoy_seed_all_with_shared(migrator, fill, fill, &heard, &options, &both, &error),
                    &error);
    assert_true(both.shared.success);
    assert_int_equal(both.tenants.succeeded, 2);
    expect_heard(&heard, "(shared) starting\n(shared) seeding\n(shared) seed\n(shared) completed\n"
                         "t0001 starting\nt0001 seeding\nt0001 seed\nt0001 completed\n"
                         "t0002 starting\nt0002 seeding\nt0002 seed\nt0002 completed\n");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.s WHERE v = 'public'"), 2);

    heard.fail_hook = "seed";
    expect_no_error(pgconvoy_seed_all_with_shared(migrator, fill, fill, &heard, NULL, &withheld, &error),
                    &error);
    assert_false(withheld.shared.success);
    assert_int_equal(withheld.tenants.skipped, 2);
    expect_heard(&heard, "(shared) seed\n");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
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
        cmocka_unit_test(callbacks_come_in_the_contract_s_order),
        cmocka_unit_test(tenants_without_work_are_told_of_too),
        cmocka_unit_test(marking_one_tells_of_its_migrations_alone),
        cmocka_unit_test(a_failing_callback_fails_its_tenant_once),
        cmocka_unit_test(a_refused_tenant_meets_no_hook),
        cmocka_unit_test(callbacks_need_a_worker_in_this_process),
        cmocka_unit_test(seeds_fill_tenants_or_leave_nothing),
        cmocka_unit_test(the_shared_schema_comes_before_the_tenants),
        cmocka_unit_test(tenants_wait_for_a_shared_schema_that_succeeds),
        cmocka_unit_test(without_a_shared_folder_its_calls_fail),
        cmocka_unit_test(results_say_that_there_is_no_shared_schema),
        cmocka_unit_test(seeds_fill_the_shared_schema_first),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
