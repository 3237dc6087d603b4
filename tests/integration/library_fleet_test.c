/* The library beside the rest of a program: threads, signals, descriptors, workers elsewhere; and its calls
 * about schemas, tracking tables and a tenant's life. */
#include "tests/integration/library_support.h"
#include <dirent.h>
#include <pthread.h>
#include <signal.h>

static Cluster *cluster;

#define CLEAN(type) __attribute__((cleanup(pgconvoy_##type##_clear))) pgconvoy_##type

static size_t count_entries(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

typedef struct Caller {
    pthread_t thread;
    pgconvoy_migrator *migrator;
    bool ok;
    pgconvoy_migration_results results;
} Caller;

static void *call_migrate(void *caller_pointer)
{
    Caller *caller = caller_pointer;
    caller->ok = pgconvoy_migrate_all(caller->migrator, NULL, &caller->results, NULL);
    return NULL;
}

static void calls_from_two_threads_are_independent_and_apply_once(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 6);
    fleet_add_markers(fleet, 2, "0.02");
    Heard heard = {.tenants = "t0001 t0002 t0003 t0004 t0005 t0006"};
    Caller callers[3] = {0};
    pgconvoy_migrator *shared = migrator_of(fleet, &heard), *other = migrator_of(fleet, &heard);
    for (size_t i = 0; i < 3; i++) {
        callers[i].migrator = i < 2 ? shared : other;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_migrate, &callers[i]), 0);
    }
    size_t applied = 0;
    for (size_t i = 0; i < 3; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_true(callers[i].ok);
        expect_totals(&callers[i].results, 6, 0, 0);
        for (size_t t = 0; t < 6; t++)
            applied += detail(&callers[i].results, t)->applied_migrations.count;
        pgconvoy_migration_results_clear(&callers[i].results);
    }
    assert_int_equal(applied, 12);
    fleet_assert_complete(fleet, 2);
    pgconvoy_migrator_free(shared);
    pgconvoy_migrator_free(other);
    fleet_free(fleet);
}

/* Signals that somebody may have an opinion about, and what the program thinks of them. */
static void read_signals(struct sigaction ret_actions[NSIG], sigset_t *ret_mask)
{
    memset(ret_actions, 0, NSIG * sizeof *ret_actions);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, NULL, &ret_actions[number]);
    pthread_sigmask(SIG_SETMASK, NULL, ret_mask);
}

static void a_hundred_calls_leave_no_trace_in_the_process(void **state)
{
    (void)state;
    static struct sigaction before[NSIG], after[NSIG];
    sigset_t mask_before, mask_after;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 1, NULL);
    Heard heard = {.tenants = "t0001"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    assert_true(pgconvoy_migrate_all(migrator, NULL, NULL, NULL)); /* libraries below make what they keep */
    size_t descriptors = count_entries("/proc/self/fd"), threads = count_entries("/proc/self/task");
    read_signals(before, &mask_before);
    for (int i = 0; i < 100; i++) {
        CLEAN(migration_statuses) statuses = {0};
        pgconvoy_error error = {0};
        expect_no_error(pgconvoy_get_status(migrator, &statuses, &error), &error);
    }
    read_signals(after, &mask_after);
    for (int number = 1; number < NSIG; number++)
        assert_true(before[number].sa_handler == after[number].sa_handler);
    for (int number = 1; number < NSIG; number++)
        assert_int_equal(sigismember(&mask_before, number), sigismember(&mask_after, number));
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_int_equal(count_entries("/proc/self/task"), threads);
    pgconvoy_migrator_free(migrator);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void workers_elsewhere_do_what_needs_no_callback(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 5);
    fleet_add_markers(fleet, 2, NULL);
    const char *endpoint = fleet_endpoint();
    Process *worker =
        fleet_start(fleet, (const char *const[]){"pgconvoy-worker", "--listen", endpoint, "--plain", NULL});
    Heard heard = {.tenants = "t0001 t0002 t0003 t0004 t0005"};
    pgconvoy_database database;
    pgconvoy_migrator_options options = fleet_options(fleet, &heard, &database);
    const char *const SETTINGS[] = {"coordinator.workers", endpoint, "coordinator.plain", "true", NULL};
    options.settings = SETTINGS;
    options.database_count = 0; /* the workers know them */
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, NULL);
    pgconvoy_error error = {0};
    CLEAN(migration_results) results = {0};
    expect_no_error(pgconvoy_migrate_all(migrator, NULL, &results, &error), &error);
    expect_totals(&results, 5, 0, 0);
    fleet_assert_complete(fleet, 2);
    pgconvoy_migrator_free(migrator);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 20000), 0);
    process_free(worker);
    fleet_free(fleet);
}

/* The second batch of two begins only when the results of the first have come. */
static bool has_marks(void *fleet)
{
    return sql_number(((Fleet *)fleet)->connection, "SELECT count(*) FROM public.marks") >= 3;
}

static void a_run_that_breaks_off_says_what_became_of_everybody(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 12);
    fleet_add_markers(fleet, 1, "0.2");
    const char *endpoint = fleet_endpoint();
    Process *worker =
        fleet_start(fleet, (const char *const[]){"pgconvoy-worker", "--listen", endpoint, "--plain", NULL});
    Heard heard = {.tenants = "t0001 t0002 t0003 t0004 t0005 t0006 t0007 t0008 t0009 t0010 t0011 t0012"};
    pgconvoy_database database;
    pgconvoy_migrator_options options = fleet_options(fleet, &heard, &database);
    const char *const SETTINGS[] = {"coordinator.workers",
                                    endpoint,
                                    "coordinator.plain",
                                    "true",
                                    "wire.heartbeat_ms",
                                    "50",
                                    "wire.suspect_ms",
                                    "100",
                                    "wire.dead_ms",
                                    "300",
                                    "coordinator.wait_ms",
                                    "2000",
                                    "run.concurrency",
                                    "2",
                                    NULL};
    options.settings = SETTINGS;
    options.database_count = 0;
    Caller caller = {.migrator = pgconvoy_migrator_new(&options, NULL)};
    assert_int_equal(pthread_create(&caller.thread, NULL, call_migrate, &caller), 0);
    await(has_marks, fleet, 30000, "the first batch to be done");
    process_signal(worker, SIGKILL);
    pthread_join(caller.thread, NULL);
    assert_false(caller.ok);
    assert_int_equal(caller.results.total, 12);
    assert_true(caller.results.succeeded >= 2);
    assert_true(caller.results.skipped > 0);
    assert_int_equal(caller.results.total,
                     caller.results.succeeded + caller.results.failed + caller.results.skipped);
    fleet_assert_nothing_twice(fleet);
    pgconvoy_migration_results_clear(&caller.results);
    pgconvoy_migrator_free(caller.migrator);
    process_free(worker);
    fleet_free(fleet);
}

static void a_pooler_may_stand_before_the_server(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 2, NULL);
    cluster_start_bouncer(cluster, 4);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    Heard heard = {.tenants = "t0001 t0002 t0003"};
    pgconvoy_database database;
    pgconvoy_migrator_options options = fleet_options(fleet, &heard, &database);
    database.url = url;
    pgconvoy_error error = {0};
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, &error);
    CLEAN(migration_results) results = {0};
    CLEAN(sync_status) sync = {0};
    CLEAN(schema_drift_status) drift = {0};
    expect_no_error(pgconvoy_migrate_all(migrator, NULL, &results, &error), &error);
    expect_totals(&results, 3, 0, 0);
    expect_no_error(pgconvoy_get_sync_status(migrator, &sync, &error), &error);
    assert_int_equal(sync.in_sync, 3);
    expect_no_error(pgconvoy_get_schema_drift(migrator, NULL, &drift, &error), &error);
    assert_int_equal(drift.no_drift, 3);
    expect_no_error(pgconvoy_create_tenant(migrator, "new", NULL, NULL, &error), &error);
    expect_no_error(pgconvoy_drop_tenant(migrator, "new", NULL, NULL, &error), &error);
    fleet_assert_nothing_twice(fleet);
    pgconvoy_migrator_free(migrator);
    free(url);
    fleet_free(fleet);
}

static void a_tenant_is_created_and_dropped(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    fleet_add_markers(fleet, 2, NULL);
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    CLEAN(tenant_create_result) created = {0}, again = {0}, bare = {0};
    CLEAN(tenant_drop_result) dropped = {0}, gone = {0}, kept = {0};
    expect_no_error(pgconvoy_create_tenant(migrator, "x", NULL, &created, &error), &error);
    assert_true(created.created);
    assert_int_equal(created.migration.applied_migrations.count, 2);
    expect_no_error(pgconvoy_create_tenant(migrator, "x", NULL, &again, &error), &error);
    assert_false(again.created);
    expect_no_error(pgconvoy_create_tenant(migrator, "y", &(pgconvoy_create_options){.no_migrations = true},
                                           &bare, &error),
                    &error);
    assert_int_equal(bare.migration.applied_migrations.count, 0);
    expect_error(
        pgconvoy_drop_tenant(migrator, "x", &(pgconvoy_drop_options){.no_cascade = true}, &kept, &error),
        &error, PGCONVOY_ERROR_SERVER, "depend");
    assert_false(kept.success);
    expect_no_error(pgconvoy_drop_tenant(migrator, "x", NULL, &dropped, &error), &error);
    assert_true(dropped.dropped);
    expect_no_error(pgconvoy_drop_tenant(migrator, "x", NULL, &gone, &error), &error);
    assert_false(gone.dropped);
    assert_true(gone.success);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_create_whose_migration_fails_says_what_stays(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE a ()");
    fleet_add_migration(fleet, "0002_b", "CREATE TABLE b ();\nCREATE TABLE nowhere.b ()");
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    CLEAN(tenant_create_result) created = {0};
    assert_false(pgconvoy_create_tenant(migrator, "x", NULL, &created, &error));
    assert_string_equal(error.message, "schema \"nowhere\" does not exist");
    assert_string_equal(error.sqlstate, "3F000");
    assert_string_equal(error.tenant, "x");
    assert_string_equal(error.migration, "0002_b");
    assert_int_equal(error.line, 2);
    assert_true(created.created);
    assert_int_equal(created.migration.applied_migrations.count, 1);
    pgconvoy_error_clear(&error);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void tracking_tables_are_compared_and_repaired(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 2, NULL);
    Heard heard = {.tenants = "t0001 t0002"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    assert_true(pgconvoy_migrate_all(migrator, NULL, NULL, NULL));
    sql_run(fleet->connection, "UPDATE tenant_t0001.__drizzle_migrations SET name = 'gone' WHERE id = 2;"
                               "UPDATE tenant_t0002.__drizzle_migrations SET name = 'gone' WHERE id = 2");
    pgconvoy_error error = {0};
    CLEAN(sync_status) status = {0}, after = {0};
    CLEAN(tenant_sync_result) marked = {0}, cleaned = {0};
    CLEAN(sync_results) all_marked = {0}, all_cleaned = {0};
    expect_no_error(pgconvoy_get_sync_status(migrator, &status, &error), &error);
    assert_int_equal(status.out_of_sync, 2);
    expect_no_error(pgconvoy_mark_missing(migrator, "t0001", &marked, &error), &error);
    assert_string_equal(marked.marked_migrations.items[0], "0002_m2");
    expect_no_error(pgconvoy_clean_orphans(migrator, "t0001", &cleaned, &error), &error);
    assert_string_equal(cleaned.removed_orphans.items[0], "gone");
    expect_no_error(pgconvoy_mark_all_missing(migrator, NULL, &all_marked, &error), &error);
    expect_no_error(pgconvoy_clean_all_orphans(migrator, NULL, &all_cleaned, &error), &error);
    assert_int_equal(all_marked.total, 2);
    assert_int_equal(all_cleaned.succeeded, 2);
    assert_int_equal(((pgconvoy_tenant_sync_result *)all_cleaned.details.items)[1].removed_orphans.count, 1);
    expect_no_error(pgconvoy_get_sync_status(migrator, &after, &error), &error);
    assert_int_equal(after.in_sync, 2);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static const char DRIFT_OF_T0003[] =
    "{\"tenantId\":\"t0003\",\"schemaName\":\"tenant_t0003\",\"hasDrift\":true,\"tables\":[{\"table\":"
    "\"users\","
    "\"status\":\"drifted\",\"columns\":[{\"column\":\"age\",\"type\":\"nullable_mismatch\",\"expected\":"
    "true,"
    "\"actual\":false,\"description\":\"Column \\\"age\\\" nullable mismatch: expected NULL, got NOT "
    "NULL\"}],\"indexes\":[],\"constraints\":[]}],\"issueCount\":1}";

static void drift_is_found_and_followed(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0001.users (age int);"
                               "CREATE TABLE tenant_t0002.users (age int);"
                               "CREATE TABLE tenant_t0003.users (age int NOT NULL)");
    Heard heard = {.tenants = "t0001 t0002 t0003"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    pgconvoy_drift_options options = {.on_progress = hear_progress, .context = &heard};
    CLEAN(schema_drift_status) drift = {0}, referred = {0};
    CLEAN(tenant_schema_drift) one = {0}, itself = {0};
    expect_no_error(pgconvoy_get_schema_drift(migrator, &options, &drift, &error), &error);
    expect_heard(&heard, "t0001 starting\nt0001 introspecting\nt0001 completed\n"
                         "t0002 starting\nt0002 introspecting\nt0002 comparing\nt0002 completed\n"
                         "t0003 starting\nt0003 introspecting\nt0003 comparing\nt0003 completed\n");
    assert_string_equal(drift.reference_tenant, "t0001");
    assert_int_equal(drift.no_drift, 2);
    assert_int_equal(drift.with_drift, 1);
    char *json = pgconvoy_schema_drift_status_json(&drift);
    assert_non_null(strstr(json, DRIFT_OF_T0003));
    static const char TOTALS[] =
        "{\"referenceTenant\":\"t0001\",\"total\":3,\"noDrift\":2,\"withDrift\":1,\"error\":0,\"details\":[";
    assert_memory_equal(json, TOTALS, strlen(TOTALS));
    free(json);

    static const char *const TWO[] = {"t0002", "t0002"};
    pgconvoy_drift_options some = {.tenant_ids = TWO, .tenant_count = 2, .reference = "t0003"};
    expect_no_error(pgconvoy_get_schema_drift(migrator, &some, &referred, &error), &error);
    assert_int_equal(referred.total, 3);
    assert_int_equal(referred.with_drift, 2);
    assert_string_equal(((pgconvoy_tenant_schema_drift *)referred.details.items)[0].tenant_id, "t0003");

    expect_no_error(pgconvoy_get_tenant_schema_drift(migrator, "t0003", "t0001", NULL, &one, &error), &error);
    expect_json(pgconvoy_tenant_schema_drift_json(&one), DRIFT_OF_T0003);
    expect_no_error(pgconvoy_get_tenant_schema_drift(migrator, "t0003", "t0003", NULL, &itself, &error),
                    &error);
    assert_false(itself.has_drift);
    expect_error(pgconvoy_get_tenant_schema_drift(migrator, "t0003", NULL, NULL, NULL, &error), &error,
                 PGCONVOY_ERROR_USAGE, "no reference");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_progress_callback_may_fail_a_tenant_of_a_comparison(void **state)
{
    (void)state;
    static const char *const STATUSES[] = {"starting", "comparing", "completed"};
    Fleet *fleet = fleet_new(cluster, 3);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0002.users (age int)");
    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
        Heard heard = {.tenants = "t0001 t0002 t0003", .fail_progress = STATUSES[i], .fail_for = "t0002"};
        pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
        pgconvoy_error error = {0};
        pgconvoy_drift_options options = {.on_progress = hear_progress, .context = &heard};
        CLEAN(schema_drift_status) drift = {0};
        expect_no_error(pgconvoy_get_schema_drift(migrator, &options, &drift, &error), &error);
        assert_int_equal(drift.error, 1);
        assert_int_equal(drift.no_drift, 2);
        assert_int_equal(drift.with_drift, 0);
        const pgconvoy_tenant_schema_drift *failed = (pgconvoy_tenant_schema_drift *)drift.details.items + 1;
        assert_string_equal(failed->error, "onProgress threw");
        assert_int_equal(failed->tables.count, 0);
        assert_non_null(strstr(buffer_text(&heard.events), "t0002 failed\n"));
        buffer_clear(&heard.events);
        pgconvoy_migrator_free(migrator);
    }
    fleet_free(fleet);
}

static void without_its_reference_nobody_is_compared(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    Heard heard = {.tenants = "gone t0001"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    CLEAN(schema_drift_status) drift = {0};
    expect_no_error(pgconvoy_get_schema_drift(migrator, NULL, &drift, &error), &error);
    assert_int_equal(drift.error, 2);
    const pgconvoy_tenant_schema_drift *details = drift.details.items;
    assert_string_equal(details[0].error, "Failed to introspect reference tenant");
    assert_string_equal(details[0].detail, "schema \"tenant_gone\" does not exist");
    assert_string_equal(details[1].error, "Failed to introspect reference tenant");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_schema_is_looked_at(void **state)
{
    (void)state;
    static const char *const EXCLUDED[] = {"secret"};
    Fleet *fleet = fleet_new(cluster, 1);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0001.users (id int PRIMARY KEY);"
                               "CREATE TABLE tenant_t0001.secret (id int)");
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_error error = {0};
    CLEAN(tenant_schema) schema = {0}, missing = {0};
    expect_no_error(pgconvoy_introspect_tenant_schema(migrator, "t0001", EXCLUDED, 1, &schema, &error),
                    &error);
    assert_int_equal(schema.tables.count, 1);
    assert_string_equal(((pgconvoy_table_schema *)schema.tables.items)[0].name, "users");
    char *json = pgconvoy_tenant_schema_json(&schema);
    assert_non_null(strstr(
        json, "{\"tenantId\":\"t0001\",\"schemaName\":\"tenant_t0001\",\"tables\":[{\"name\":\"users\""));
    free(json);
    expect_no_error(pgconvoy_introspect_tenant_schema(migrator, "nobody", NULL, 0, &missing, &error), &error);
    assert_string_equal(missing.outcome, "no_schema");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void a_tenant_is_cloned(void **state)
{
    (void)state;
    static const char *const EXCLUDED[] = {"secret"};
    static const pgconvoy_clone_rule RULES[] = {{"users", "email", "hidden"}, {"users", "note", NULL}};
    Fleet *fleet = fleet_new(cluster, 1);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0001.users (email text, note text);"
                               "CREATE TABLE tenant_t0001.secret (id int);"
                               "INSERT INTO tenant_t0001.users VALUES ('a', 'n'), ('b', 'n')");
    Heard heard = {0};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_clone_options options = {.with_data = true,
                                      .exclude_tables = EXCLUDED,
                                      .exclude_count = 1,
                                      .anonymize = RULES,
                                      .anonymize_count = 2,
                                      .on_progress = hear_progress,
                                      .context = &heard};
    pgconvoy_error error = {0};
    CLEAN(clone_result) cloned = {0}, again = {0}, ghost = {0};
    expect_no_error(pgconvoy_clone_tenant(migrator, "t0001", "copy", &options, &cloned, &error), &error);
    expect_json(pgconvoy_clone_result_json(&cloned),
                "{\"sourceTenant\":\"t0001\",\"targetTenant\":\"copy\",\"targetSchema\":\"tenant_copy\","
                "\"success\":true,\"tables\":[\"users\"],\"durationMs\":0,\"rowsCopied\":2,"
                "\"outcome\":\"applied\"}");
    expect_heard(&heard, "copy starting\ncopy introspecting\ncopy creating_schema\ncopy creating_tables\n"
                         "copy copying_data\ncopy copying_data users\ncopy creating_constraints\n"
                         "copy creating_indexes\ncopy completed\n");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM tenant_copy.users"
                                                   " WHERE email = 'hidden' AND note IS NULL"),
                     2);
    expect_no_error(pgconvoy_clone_tenant(migrator, "t0001", "copy", &options, &again, &error), &error);
    assert_string_equal(again.error, "Target tenant \"copy\" already exists");
    expect_heard(&heard, "copy starting\ncopy failed\n");
    expect_no_error(pgconvoy_clone_tenant(migrator, "ghost", "x", NULL, &ghost, &error), &error);
    assert_false(ghost.success);
    expect_error(pgconvoy_clone_tenant(migrator, "", "x", NULL, NULL, &error), &error, PGCONVOY_ERROR_TENANTS,
                 "tenant id is empty");
    expect_error(pgconvoy_clone_tenant(migrator, "t0001", NULL, NULL, NULL, &error), &error,
                 PGCONVOY_ERROR_USAGE, "two tenants");
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

/* Without data nothing is said of copying any; whoever refuses a step ends the clone. */
static void a_clone_ends_when_nobody_wants_its_next_step(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0001.users (id int PRIMARY KEY)");
    Heard heard = {.fail_progress = "creating_indexes"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    pgconvoy_clone_options options = {.on_progress = hear_progress, .context = &heard};
    pgconvoy_error error = {0};
    CLEAN(clone_result) result = {0};
    expect_no_error(pgconvoy_clone_tenant(migrator, "t0001", "copy", &options, &result, &error), &error);
    assert_false(result.success);
    assert_string_equal(result.error, "onProgress threw");
    expect_heard(&heard, "copy starting\ncopy introspecting\ncopy creating_schema\ncopy creating_tables\n"
                         "copy creating_constraints\ncopy creating_indexes\ncopy failed\n");
    assert_int_equal(
        sql_number(fleet->connection, "SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_copy'"), 0);
    pgconvoy_migrator_free(migrator);
    fleet_free(fleet);
}

static void tracking_tables_change_their_format(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 2, NULL);
    Heard heard = {.tenants = "t0001 t0002"};
    pgconvoy_migrator *migrator = migrator_of(fleet, &heard);
    assert_true(pgconvoy_migrate_all(migrator, NULL, NULL, NULL));
    pgconvoy_error error = {0};
    CLEAN(convert_results) converted = {0};
    CLEAN(tenant_migration_status) status = {0};
    expect_no_error(pgconvoy_convert_format(migrator, "hash", NULL, &converted, &error), &error);
    assert_int_equal(converted.succeeded, 2);
    char *json = pgconvoy_convert_results_json(&converted);
    assert_non_null(strstr(json, "{\"total\":2,\"succeeded\":2,\"failed\":0,\"skipped\":0,\"details\":["));
    free(json);
    expect_no_error(pgconvoy_get_tenant_status(migrator, "t0002", NULL, &status, &error), &error);
    assert_string_equal(status.format, "hash");
    assert_string_equal(status.status, "ok");
    expect_error(pgconvoy_convert_format(migrator, "json", NULL, NULL, &error), &error, PGCONVOY_ERROR_USAGE,
                 "json");
    expect_error(pgconvoy_convert_format(migrator, NULL, NULL, NULL, &error), &error, PGCONVOY_ERROR_USAGE,
                 "no format");
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
        cmocka_unit_test(calls_from_two_threads_are_independent_and_apply_once),
        cmocka_unit_test(a_hundred_calls_leave_no_trace_in_the_process),
        cmocka_unit_test(workers_elsewhere_do_what_needs_no_callback),
        cmocka_unit_test(a_run_that_breaks_off_says_what_became_of_everybody),
        cmocka_unit_test(a_pooler_may_stand_before_the_server),
        cmocka_unit_test(a_tenant_is_created_and_dropped),
        cmocka_unit_test(a_create_whose_migration_fails_says_what_stays),
        cmocka_unit_test(tracking_tables_are_compared_and_repaired),
        cmocka_unit_test(drift_is_found_and_followed),
        cmocka_unit_test(a_progress_callback_may_fail_a_tenant_of_a_comparison),
        cmocka_unit_test(without_its_reference_nobody_is_compared),
        cmocka_unit_test(a_schema_is_looked_at),
        cmocka_unit_test(a_tenant_is_cloned),
        cmocka_unit_test(a_clone_ends_when_nobody_wants_its_next_step),
        cmocka_unit_test(tracking_tables_change_their_format),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
