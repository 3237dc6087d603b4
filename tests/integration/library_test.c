/* The library's calls about migrations and their status, as a program that embeds it makes them. */
#include "tests/integration/library_support.h"

static Cluster *cluster;

#define CLEAN(type) __attribute__((cleanup(pgconvoy_##type##_clear))) pgconvoy_##type

static void a_fresh_fleet_is_migrated_once(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 12);
    fleet_add_markers(fleet, 2, NULL);
    Heard heard = {.tenants = "t0001 t0002 t0003 t0004 t0005 t0006 t0007 t0008 t0009 t0010 t0011 t0012"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    for (int round = 0; round < 2; round++) {
        CLEAN(migration_results) results = {0};
        expect_no_error(pgconvoy_migrate_all(migrator, NULL, &results, &error), &error);
        expect_totals(&results, 12, 0, 0);
        assert_string_equal(detail(&results, 11)->tenant_id, "t0012");
        assert_int_equal(detail(&results, 11)->applied_migrations.count, round == 0 ? 2 : 0);
    }
    fleet_assert_complete(fleet, 2);
    fleet_assert_no_leftovers(fleet);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void json_has_the_contract_s_shape(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "t0001"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    CLEAN(migration_results) results = {0};
    CLEAN(migration_statuses) statuses = {0};
    CLEAN(sync_status) sync = {0};
    assert_true(pgconvoy_migrate_all(migrator, NULL, &results, NULL));
    expect_json(
        pgconvoy_migration_results_json(&results),
        "{\"total\":1,\"succeeded\":1,\"failed\":0,\"skipped\":0,\"details\":[{\"tenantId\":\"t0001\","
        "\"schemaName\":\"tenant_t0001\",\"success\":true,\"appliedMigrations\":[\"0001_m1\"],"
        "\"durationMs\":0,\"format\":\"name\",\"outcome\":\"applied\",\"attempts\":0}]}");
    assert_true(pgconvoy_get_status(migrator, &statuses, NULL));
    expect_json(
        pgconvoy_migration_statuses_json(&statuses),
        "[{\"tenantId\":\"t0001\",\"schemaName\":\"tenant_t0001\",\"appliedCount\":1,\"pendingCount\":0,"
        "\"pendingMigrations\":[],\"status\":\"ok\",\"format\":\"name\"}]");
    assert_true(pgconvoy_get_sync_status(migrator, &sync, NULL));
    expect_json(pgconvoy_sync_status_json(&sync),
                "{\"total\":1,\"inSync\":1,\"outOfSync\":0,\"error\":0,\"details\":[{\"tenantId\":\"t0001\","
                "\"schemaName\":\"tenant_t0001\",\"missing\":[],\"orphans\":[],\"inSync\":true,"
                "\"format\":\"name\"}]}");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_failure_is_its_tenant_s_and_abort_skips_the_rest(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 4);
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE a ()");
    fleet_add_migration(fleet, "0002_b", "SELECT 1 / (current_schema() <> 'tenant_t0002')::int");
    Heard heard = {.tenants = "t0001 t0002 t0003 t0004", .decision = PGCONVOY_ABORT};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_run_options options = {.concurrency = 1, .on_error = hear_error, .context = &heard};
    pgconvoy_error error = {0};
    CLEAN(migration_results) results = {0}, again = {0};
    expect_no_error(pgconvoy_migrate_all(migrator, &options, &results, &error), &error);
    expect_totals(&results, 1, 1, 2);
    expect_heard(&heard, "t0002 error: division by zero\n");
    assert_string_equal(detail(&results, 1)->applied_migrations.items[0], "0001_a");
    assert_string_equal(detail(&results, 1)->migration, "0002_b");
    assert_string_equal(detail(&results, 1)->sqlstate, "22012");
    assert_string_equal(detail(&results, 2)->error, "Skipped due to abort");

    heard.decision = PGCONVOY_CONTINUE;
    expect_no_error(pgconvoy_migrate_all(migrator, &options, &again, &error), &error);
    expect_totals(&again, 3, 1, 0);
    expect_heard(&heard, "t0002 error: division by zero\n");
    buffer_clear(&heard.events);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

/* Thirty alike: the command would stop after twenty. */
static void failures_all_alike_do_not_stop_the_others(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 30);
    fleet_add_migration(fleet, "0001_a", "SELECT 1 / 0");
    Buffer ids = {0};
    for (int i = 1; i <= 30; i++)
        buffer_appendf(&ids, "%st%04d", i > 1 ? " " : "", i);
    Heard heard = {.tenants = buffer_text(&ids)};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    CLEAN(migration_results) results = {0};
    assert_true(pgconvoy_migrate_all(migrator, NULL, &results, NULL));
    expect_totals(&results, 0, 30, 0);
    buffer_clear(&ids);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 2, NULL);
    Heard heard = {.tenants = "t0001 t0002"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_run_options options = {.dry_run = true};
    char *before = fleet_digest(fleet);
    CLEAN(migration_results) results = {0}, marked = {0};
    assert_true(pgconvoy_migrate_all(migrator, &options, &results, NULL));
    assert_true(pgconvoy_mark_all_as_applied(migrator, &options, &marked, NULL));
    expect_totals(&results, 2, 0, 0);
    expect_totals(&marked, 2, 0, 0);
    assert_int_equal(detail(&results, 0)->applied_migrations.count, 2);
    char *after = fleet_digest(fleet);
    assert_string_equal(after, before);
    free(before);
    free(after);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static char *schema_by_callback(void *context, const char *tenant_id, pgconvoy_error *error)
{
    (void)context;
    char *schema = NULL;
    if (strcmp(tenant_id, "bad") == 0)
        pgconvoy_error_set(error, "bad tenant id: bad");
    else if (asprintf(&schema, "tenant_%s", strcmp(tenant_id, "twin") == 0 ? "t0001" : tenant_id) < 0)
        schema = NULL;
    return schema;
}

static void a_tenant_without_a_schema_name_fails_alone_and_in_its_turn(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "t0001 bad t0002 t0003", .decision = PGCONVOY_ABORT};
    pgconvoy_database database;
    pgconvoy_migrator_options with = fleet_options(fleet, &heard, &database);
    with.schema_name = schema_by_callback;
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&with, NULL);
    pgconvoy_run_options options = {.concurrency = 1, .on_error = hear_error, .context = &heard};
    CLEAN(migration_results) results = {0};
    CLEAN(migration_statuses) statuses = {0};
    CLEAN(sync_results) synced = {0};
    CLEAN(schema_drift_status) drift = {0};
    assert_true(pgconvoy_migrate_all(migrator, &options, &results, NULL));
    expect_totals(&results, 1, 1, 2);
    expect_heard(&heard, "bad error: bad tenant id: bad\n");
    assert_string_equal(detail(&results, 1)->error, "bad tenant id: bad");
    assert_string_equal(detail(&results, 1)->schema_name, "");

    assert_true(pgconvoy_get_status(migrator, &statuses, NULL));
    assert_int_equal(statuses.details.count, 4);
    const pgconvoy_tenant_migration_status *status = statuses.details.items;
    assert_string_equal(status[0].status, "ok");
    assert_string_equal(status[1].status, "error");
    assert_string_equal(status[1].error, "bad tenant id: bad");
    assert_string_equal(status[3].status, "behind");

    assert_true(pgconvoy_mark_all_missing(migrator, NULL, &synced, NULL));
    assert_int_equal(synced.succeeded, 3);
    assert_int_equal(synced.failed, 1);
    assert_true(pgconvoy_get_schema_drift(migrator, NULL, &drift, NULL));
    assert_int_equal(drift.total, 4);
    assert_int_equal(drift.error, 1);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void ids_that_cannot_be_are_refused_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *id, *error;
    } CASES[] = {
        {"", "tenant id is empty"},
        {"a\nb", "holds a control character"},
        {"\xff", "is not UTF-8"},
        {"twin", "would share schema \"tenant_t0001\""},
        {"0123456789012345678901234567890123456789012345678901234567890123", "the limit is 63"},
    };
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = ""};
    pgconvoy_database database;
    pgconvoy_migrator_options with = fleet_options(fleet, &heard, &database);
    with.schema_name = schema_by_callback;
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&with, NULL);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *const IDS[] = {"t0002", CASES[i].id, "t0001"};
        bool twins = strcmp(CASES[i].id, "twin") == 0;
        pgconvoy_error error = {0};
        CLEAN(migration_results) results = {0};
        expect_no_error(pgconvoy_migrate_tenants(migrator, IDS, 3, NULL, &results, &error), &error);
        expect_totals(&results, twins ? 1 : 2, twins ? 2 : 1, 0);
        assert_non_null(strstr(detail(&results, 1)->error, CASES[i].error));
    }
    bool exists = true;
    pgconvoy_error error = {0};
    expect_error(pgconvoy_tenant_exists(migrator, "", &exists, &error), &error, PGCONVOY_ERROR_TENANTS,
                 "tenant id is empty");
    expect_error(pgconvoy_create_tenant(migrator, "bad", NULL, NULL, &error), &error, PGCONVOY_ERROR_TENANTS,
                 "bad tenant id: bad");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void names_that_are_odd_but_possible_work(void **state)
{
    (void)state;
    static const char *const IDS[] = {"a.b",
                                      "it's",
                                      "a;b",
                                      "50%",
                                      "a-b",
                                      "9",
                                      "Acme",
                                      "a\\b",
                                      "a,b",
                                      "\xf0\x9f\x90\x98",
                                      "x\"; CREATE TABLE public.pwned(id int); --"};
    Fleet *fleet = fleet_new(cluster, 0);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++) {
        bool exists = false;
        pgconvoy_error error = {0};
        CLEAN(tenant_create_result) created = {0};
        CLEAN(tenant_migration_status) status = {0};
        expect_no_error(pgconvoy_create_tenant(migrator, IDS[i], NULL, &created, &error), &error);
        assert_true(created.created);
        expect_no_error(pgconvoy_tenant_exists(migrator, IDS[i], &exists, &error), &error);
        assert_true(exists);
        expect_no_error(pgconvoy_get_tenant_status(migrator, IDS[i], NULL, &status, &error), &error);
        assert_string_equal(status.status, "ok");
        expect_no_error(pgconvoy_drop_tenant(migrator, IDS[i], NULL, NULL, &error), &error);
        expect_no_error(pgconvoy_tenant_exists(migrator, IDS[i], &exists, &error), &error);
        assert_false(exists);
    }
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM pg_class WHERE relname = 'pwned'"),
                     0);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void duplicates_are_kept_and_applied_once(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, "0.05");
    Heard heard = {.tenants = "t0001 t0001"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    CLEAN(migration_results) results = {0};
    assert_true(pgconvoy_migrate_all(migrator, NULL, &results, NULL));
    expect_totals(&results, 2, 0, 0);
    assert_int_equal(detail(&results, 0)->applied_migrations.count, 1);
    assert_int_equal(detail(&results, 1)->applied_migrations.count, 0);
    fleet_assert_complete(fleet, 1);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void nobody_is_fine(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    CLEAN(migration_results) results = {0};
    assert_true(pgconvoy_migrate_tenants(migrator, NULL, 0, NULL, &results, NULL));
    expect_totals(&results, 0, 0, 0);
    static const char *const NOBODY[] = {NULL};
    pgconvoy_drift_options options = {.tenant_ids = NOBODY};
    CLEAN(schema_drift_status) drift = {0};
    assert_true(pgconvoy_get_schema_drift(migrator, &options, &drift, NULL));
    assert_string_equal(drift.reference_tenant, "");
    assert_int_equal(drift.total, 0);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void calls_that_cannot_be_made_say_why(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "?"};
    pgconvoy_error error = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_migration_results results = {.total = 77};
    expect_error(pgconvoy_migrate_all(migrator, NULL, &results, &error), &error, PGCONVOY_ERROR_CALLBACK,
                 "discovery exploded");
    expect_error(pgconvoy_migrate_all(NULL, NULL, &results, &error), &error, PGCONVOY_ERROR_USAGE,
                 "there is no migrator");
    expect_error(pgconvoy_migrate_tenant(migrator, NULL, NULL, NULL, NULL, &error), &error,
                 PGCONVOY_ERROR_USAGE, "tenant id 0 is NULL");
    pgconvoy_run_options options = {.concurrency = -1};
    expect_error(pgconvoy_migrate_all(migrator, &options, &results, &error), &error, PGCONVOY_ERROR_USAGE,
                 "concurrency must be 1 to 10000");
    assert_int_equal(results.total, 77);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void options_are_checked_when_the_migrator_is_made(void **state)
{
    (void)state;
    static const char *const UNKNOWN[] = {"run.nonsense", "1", NULL};
    static const char *const WRONG[] = {"run.lock_timeout_ms", "soon", NULL};
    static const char *const TORN[] = {"run.lock_timeout_ms", NULL};
    static const char *const TWO[] = {"tenants.ids", "a", "tenants.query", "select 1", NULL};
    pgconvoy_database database = {.max_connections = -1, .url = "postgres://"};
    static const struct {
        pgconvoy_migrator_options options;
        const char *text;
    } CASES[] = {
        {{.settings = UNKNOWN}, "there is no setting \"run.nonsense\""},
        {{.settings = WRONG}, "run.lock_timeout_ms"},
        {{.settings = TORN}, "the value is missing"},
        {{.settings = TWO}, "exclude each other"},
        {{.table_format = "json"}, "migrations.format"},
        {{.schema_template = "tenant"}, "tenants.schema"},
        {{.config_file = "/nowhere/pgconvoy.yaml"}, "cannot be read"},
    };
    pgconvoy_error error = {0};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        expect_error(pgconvoy_migrator_new(&CASES[i].options, &error) != NULL, &error, PGCONVOY_ERROR_CONFIG,
                     CASES[i].text);
    pgconvoy_migrator_options options = {.databases = &database, .database_count = 1};
    expect_error(pgconvoy_migrator_new(&options, &error) != NULL, &error, PGCONVOY_ERROR_CONFIG,
                 "max_connections must be 1 to");
}

static void the_library_looks_at_no_environment_of_ours(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    fleet_add_markers(fleet, 1, NULL);
    setenv("DATABASE_URL", fleet->url, 1);
    setenv("PGCONVOY_TENANTS_IDS", "a", 1);
    pgconvoy_error error = {0};
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(NULL, &error);
    expect_no_error(migrator != NULL, &error);
    CLEAN(migration_results) results = {0};
    assert_false(pgconvoy_migrate_all(migrator, NULL, &results, &error));
    pgconvoy_error_clear(&error);
    pgconvoy_migrator_free(migrator);
    unsetenv("DATABASE_URL");
    unsetenv("PGCONVOY_TENANTS_IDS");
    fleet_free(fleet);
}

static void a_configuration_file_says_what_options_do_not(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 1, NULL);
    fleet_configure(fleet, fleet->url, NULL);
    char file[256], folder[256];
    snprintf(file, sizeof file, "%s/pgconvoy.yaml", fleet->folder);
    snprintf(folder, sizeof folder, "%s/migrations", fleet->folder);
    pgconvoy_migrator_options options = {.config_file = file, .migrations_folder = folder};
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, NULL);
    CLEAN(migration_results) results = {0};
    assert_true(pgconvoy_migrate_all(migrator, NULL, &results, NULL));
    expect_totals(&results, 3, 0, 0);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void without_a_folder_some_calls_fail_and_some_tenants(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    Heard heard = {.tenants = "t0001"};
    pgconvoy_database database;
    pgconvoy_migrator_options with = fleet_options(fleet, &heard, &database);
    with.migrations_folder = "/nowhere/migrations";
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&with, NULL);
    static const char *const IDS[] = {"t0001"};
    static const char NO_FOLDER[] = "migrations folder not found: /nowhere/migrations";
    pgconvoy_error error = {0};
    expect_error(pgconvoy_migrate_all(migrator, NULL, NULL, &error), &error, PGCONVOY_ERROR_MIGRATIONS,
                 NO_FOLDER);
    expect_error(pgconvoy_migrate_tenants(migrator, IDS, 1, NULL, NULL, &error), &error,
                 PGCONVOY_ERROR_MIGRATIONS, NO_FOLDER);
    expect_error(pgconvoy_get_status(migrator, NULL, &error), &error, PGCONVOY_ERROR_MIGRATIONS, NO_FOLDER);
    expect_error(pgconvoy_get_sync_status(migrator, NULL, &error), &error, PGCONVOY_ERROR_MIGRATIONS,
                 NO_FOLDER);
    expect_error(pgconvoy_create_tenant(migrator, "new", NULL, NULL, &error), &error,
                 PGCONVOY_ERROR_MIGRATIONS, NO_FOLDER);
    CLEAN(tenant_migration_result) migrated = {0}, marked = {0};
    CLEAN(migration_results) all = {0};
    CLEAN(tenant_migration_status) status = {0};
    CLEAN(tenant_sync_status) sync = {0};
    CLEAN(tenant_sync_result) synced = {0};
    expect_no_error(pgconvoy_migrate_tenant(migrator, "t0001", NULL, NULL, &migrated, &error), &error);
    expect_no_error(pgconvoy_mark_as_applied(migrator, "t0001", NULL, &marked, &error), &error);
    expect_no_error(pgconvoy_mark_all_as_applied(migrator, NULL, &all, &error), &error);
    expect_no_error(pgconvoy_get_tenant_status(migrator, "t0001", NULL, &status, &error), &error);
    expect_no_error(pgconvoy_get_tenant_sync_status(migrator, "t0001", NULL, &sync, &error), &error);
    expect_no_error(pgconvoy_mark_missing(migrator, "t0001", &synced, &error), &error);
    assert_string_equal(migrated.error, NO_FOLDER);
    assert_string_equal(migrated.schema_name, "tenant_t0001");
    assert_string_equal(marked.error, NO_FOLDER);
    expect_totals(&all, 0, 1, 0);
    assert_string_equal(status.error, NO_FOLDER);
    assert_string_equal(status.status, "error");
    assert_string_equal(sync.error, NO_FOLDER);
    assert_string_equal(synced.error, NO_FOLDER);
    assert_int_equal(
        sql_number(fleet->connection, "SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_new'"), 0);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void migrations_may_come_from_the_caller(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "t0001"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    static const pgconvoy_migration OWN[] = {
        {.name = "9000_z", .sql = "CREATE TABLE z ()", .hash = "deadbeef"},
        {.name = "1000_a", .sql = "ALTER TABLE z RENAME TO a"}};
    static const pgconvoy_migrations FILES = {OWN, 2}, NONE = {NULL, 0};
    static const pgconvoy_migration TWICE_ITEMS[] = {{.name = "a", .sql = ""}, {.name = "a", .sql = ""}};
    static const pgconvoy_migrations TWICE = {TWICE_ITEMS, 2};
    pgconvoy_error error = {0};
    CLEAN(tenant_migration_result) first = {0}, none = {0};
    CLEAN(tenant_migration_status) status = {0};
    CLEAN(tenant_sync_status) own = {0}, folder = {0};
    expect_no_error(pgconvoy_migrate_tenant(migrator, "t0001", &FILES, NULL, &first, &error), &error);
    assert_int_equal(first.applied_migrations.count, 2);
    assert_string_equal(first.applied_migrations.items[0], "9000_z");
    expect_no_error(pgconvoy_get_tenant_status(migrator, "t0001", &FILES, &status, &error), &error);
    assert_string_equal(status.status, "ok");
    expect_no_error(pgconvoy_get_tenant_sync_status(migrator, "t0001", &FILES, &own, &error), &error);
    assert_true(own.in_sync);
    expect_no_error(pgconvoy_get_tenant_sync_status(migrator, "t0001", NULL, &folder, &error), &error);
    assert_int_equal(folder.orphans.count, 2);
    assert_int_equal(folder.missing.count, 1);
    expect_no_error(pgconvoy_migrate_tenant(migrator, "t0001", &NONE, NULL, &none, &error), &error);
    assert_true(none.success);
    assert_int_equal(none.applied_migrations.count, 0);
    expect_error(pgconvoy_migrate_tenant(migrator, "t0001", &TWICE, NULL, NULL, &error), &error,
                 PGCONVOY_ERROR_MIGRATIONS, "two migrations are named \"a\"");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_server_that_is_down_is_every_tenant_s_error(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "a b"};
    pgconvoy_database database;
    pgconvoy_migrator_options with = fleet_options(fleet, &heard, &database);
    database.url = "postgres://postgres@127.0.0.1:1/x";
    static const char *const SETTINGS[] = {"retry.max_attempts", "1", NULL};
    with.settings = SETTINGS;
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&with, NULL);
    pgconvoy_error error = {0};
    CLEAN(migration_results) results = {0};
    CLEAN(migration_statuses) statuses = {0};
    expect_no_error(pgconvoy_migrate_all(migrator, NULL, &results, &error), &error);
    expect_totals(&results, 0, 2, 0);
    assert_non_null(strstr(detail(&results, 0)->error, "127.0.0.1"));
    expect_no_error(pgconvoy_get_status(migrator, &statuses, &error), &error);
    assert_string_equal(((pgconvoy_tenant_migration_status *)statuses.details.items)[1].status, "error");
    bool exists;
    assert_false(pgconvoy_tenant_exists(migrator, "a", &exists, &error));
    pgconvoy_error_clear(&error);
    assert_false(pgconvoy_create_tenant(migrator, "a", NULL, NULL, &error));
    pgconvoy_error_clear(&error);
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
        cmocka_unit_test(a_fresh_fleet_is_migrated_once),
        cmocka_unit_test(json_has_the_contract_s_shape),
        cmocka_unit_test(a_failure_is_its_tenant_s_and_abort_skips_the_rest),
        cmocka_unit_test(failures_all_alike_do_not_stop_the_others),
        cmocka_unit_test(a_dry_run_writes_nothing),
        cmocka_unit_test(a_tenant_without_a_schema_name_fails_alone_and_in_its_turn),
        cmocka_unit_test(ids_that_cannot_be_are_refused_one_by_one),
        cmocka_unit_test(names_that_are_odd_but_possible_work),
        cmocka_unit_test(duplicates_are_kept_and_applied_once),
        cmocka_unit_test(nobody_is_fine),
        cmocka_unit_test(calls_that_cannot_be_made_say_why),
        cmocka_unit_test(options_are_checked_when_the_migrator_is_made),
        cmocka_unit_test(the_library_looks_at_no_environment_of_ours),
        cmocka_unit_test(a_configuration_file_says_what_options_do_not),
        cmocka_unit_test(without_a_folder_some_calls_fail_and_some_tenants),
        cmocka_unit_test(migrations_may_come_from_the_caller),
        cmocka_unit_test(a_server_that_is_down_is_every_tenant_s_error),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
