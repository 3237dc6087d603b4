/* Calls of the migrator that go over tenants: migrations, status, sync, seeds, the shared schema. */
#include "tests/conformance/driver.h"
#include <stdlib.h>
#include <string.h>

/* finish_X(): what a call that filled a pgconvoy_X came to. Releases result and error. */
#define FINISH(TYPE, SHAPE)                                                                          \
    static Answer finish_##TYPE(bool ok, pgconvoy_##TYPE *result, pgconvoy_error *error)             \
    {                                                                                                \
        Answer answer = answer_result(ok, ok ? pgconvoy_##TYPE##_json(result) : NULL, SHAPE, error); \
        pgconvoy_##TYPE##_clear(result);                                                             \
        pgconvoy_error_clear(error);                                                                 \
        return answer;                                                                               \
    }
FINISH(migration_results, SHAPE_MIGRATIONS)
FINISH(tenant_migration_result, SHAPE_MIGRATION)
FINISH(migration_statuses, SHAPE_STATUS)
FINISH(tenant_migration_status, SHAPE_STATUS)
FINISH(sync_status, SHAPE_SYNC_STATUSES)
FINISH(tenant_sync_status, SHAPE_SYNC_STATUS)
FINISH(sync_results, SHAPE_SYNCS)
FINISH(tenant_sync_result, SHAPE_SYNC)
FINISH(seed_results, SHAPE_SEEDS)
FINISH(tenant_seed_result, SHAPE_SEED)
FINISH(shared_migration_result, SHAPE_SHARED_MIGRATION)
FINISH(shared_migration_status, SHAPE_SHARED_STATUS)
FINISH(shared_seed_result, SHAPE_SHARED_SEED)
FINISH(migration_with_shared, SHAPE_MIGRATION_WITH_SHARED)
FINISH(seed_with_shared, SHAPE_SEED_WITH_SHARED)

/* A width that is given but is no positive number stays an error here: 0 would mean "the default". */
static int64_t concurrency_of(const json_t *options)
{
    const json_t *width = json_object_get(options, "concurrency");
    if (width == NULL)
        return 0;
    return json_is_integer(width) && json_integer_value(width) != 0 ? json_integer_value(width) : -1;
}

static pgconvoy_run_options run_options(Subject *subject, const json_t *given, RunCallbacks *callbacks)
{
    const json_t *progress = json_object_get(given, "onProgress");
    *callbacks = (RunCallbacks){.driver = subject->driver,
                                .on_error = text_of(given, "onError"),
                                .throw_on = text_of(progress, "throwOn")};
    return (pgconvoy_run_options){
        .concurrency = concurrency_of(given),
        .dry_run = flag_of(given, "dryRun", false),
        .on_error = callbacks->on_error != NULL ? decide : NULL,
        .on_progress = progress != NULL && !json_is_false(progress) ? report_progress : NULL,
        .context = callbacks,
    };
}

/* --- migrations --- */

static Answer migrate_all(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 0), &callbacks);
    pgconvoy_migration_results results = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_migrate_all(subject->migrator, &options, &results, &error);
    return finish_migration_results(ok, &results, &error);
}

static Answer migrate_tenants(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 1), &callbacks);
    pgconvoy_migration_results results = {0};
    pgconvoy_error error = {0};
    size_t count;
    const char **ids = texts_of(argument_at(args, 0), &count);
    bool ok = pgconvoy_migrate_tenants(subject->migrator, ids, count, &options, &results, &error);
    free(ids);
    return finish_migration_results(ok, &results, &error);
}

/* Migrations given by the case: an array, or {"$migrations":"none"} for an empty one. */
typedef struct GivenMigrations {
    pgconvoy_migrations list;
    const pgconvoy_migrations *chosen; /* NULL: the folder's */
} GivenMigrations;

static GivenMigrations migrations_of(const json_t *argument)
{
    GivenMigrations given = {0};
    if (argument == NULL)
        return given;
    size_t count = json_array_size(argument);
    pgconvoy_migration *items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        must_json(NULL);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(argument, i);
        items[i] = (pgconvoy_migration){
            .name = text_of(item, "name"), .sql = text_of(item, "sql"), .hash = text_of(item, "hash")};
    }
    given.list = (pgconvoy_migrations){.items = items, .count = count};
    return given;
}

static const pgconvoy_migrations *chosen(const GivenMigrations *given)
{
    return given->list.items != NULL ? &given->list : NULL;
}

static Answer migrate_tenant(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 2), &callbacks);
    GivenMigrations given = migrations_of(argument_at(args, 1));
    pgconvoy_tenant_migration_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_migrate_tenant(subject->migrator, text_argument(args, 0), chosen(&given), &options,
                                      &result, &error);
    free((void *)given.list.items);
    return finish_tenant_migration_result(ok, &result, &error);
}

static Answer mark_as_applied(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 1), &callbacks);
    pgconvoy_tenant_migration_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_mark_as_applied(subject->migrator, text_argument(args, 0), &options, &result, &error);
    return finish_tenant_migration_result(ok, &result, &error);
}

static Answer mark_all_as_applied(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 0), &callbacks);
    pgconvoy_migration_results results = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_mark_all_as_applied(subject->migrator, &options, &results, &error);
    return finish_migration_results(ok, &results, &error);
}

static Answer get_status(Subject *subject, const json_t *args)
{
    (void)args;
    pgconvoy_migration_statuses statuses = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_get_status(subject->migrator, &statuses, &error);
    return finish_migration_statuses(ok, &statuses, &error);
}

static Answer get_tenant_status(Subject *subject, const json_t *args)
{
    GivenMigrations given = migrations_of(argument_at(args, 1));
    pgconvoy_tenant_migration_status status = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_get_tenant_status(subject->migrator, text_argument(args, 0), chosen(&given), &status,
                                         &error);
    free((void *)given.list.items);
    return finish_tenant_migration_status(ok, &status, &error);
}

/* --- tracking tables and files --- */

static Answer get_sync_status(Subject *subject, const json_t *args)
{
    (void)args;
    pgconvoy_sync_status status = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_get_sync_status(subject->migrator, &status, &error);
    return finish_sync_status(ok, &status, &error);
}

static Answer get_tenant_sync_status(Subject *subject, const json_t *args)
{
    GivenMigrations given = migrations_of(argument_at(args, 1));
    pgconvoy_tenant_sync_status status = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_get_tenant_sync_status(subject->migrator, text_argument(args, 0), chosen(&given),
                                              &status, &error);
    free((void *)given.list.items);
    return finish_tenant_sync_status(ok, &status, &error);
}

static Answer mark_missing(Subject *subject, const json_t *args)
{
    pgconvoy_tenant_sync_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_mark_missing(subject->migrator, text_argument(args, 0), &result, &error);
    return finish_tenant_sync_result(ok, &result, &error);
}

static Answer mark_all_missing(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 0), &callbacks);
    pgconvoy_sync_results results = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_mark_all_missing(subject->migrator, &options, &results, &error);
    return finish_sync_results(ok, &results, &error);
}

static Answer clean_orphans(Subject *subject, const json_t *args)
{
    pgconvoy_tenant_sync_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_clean_orphans(subject->migrator, text_argument(args, 0), &result, &error);
    return finish_tenant_sync_result(ok, &result, &error);
}

static Answer clean_all_orphans(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 0), &callbacks);
    pgconvoy_sync_results results = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_clean_all_orphans(subject->migrator, &options, &results, &error);
    return finish_sync_results(ok, &results, &error);
}

/* --- seeds --- */

static SeedScript seed_of(Subject *subject, const json_t *args, size_t index)
{
    return (SeedScript){.driver = subject->driver,
                        .script = json_object_get(argument_at(args, index), "$seed")};
}

/* There a seed connects with its first query, whose error names the query alone. */
static void blame_query(Answer *answer, const SeedScript *seed)
{
    const char *sql = json_string_value(json_array_get(json_object_get(seed->script, "sql"), 0));
    if (seed->called || sql == NULL || json_object_get(answer->returned, "error") == NULL)
        return;
    json_object_set_new(answer->returned, "error",
                        must_json(json_sprintf("Failed query: %s\nparams: ", sql)));
}

static Answer seed_tenant(Subject *subject, const json_t *args)
{
    SeedScript seed = seed_of(subject, args, 1);
    pgconvoy_tenant_seed_result result = {0};
    pgconvoy_error error = {0};
    bool ok =
        pgconvoy_seed_tenant(subject->migrator, text_argument(args, 0), run_seed, &seed, &result, &error);
    bool unreachable =
        result.sqlstate == NULL && result.outcome != NULL && strcmp(result.outcome, "error") == 0;
    Answer answer = finish_tenant_seed_result(ok, &result, &error);
    if (unreachable)
        blame_query(&answer, &seed);
    return answer;
}

static Answer seed_all(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 1), &callbacks);
    SeedScript seed = seed_of(subject, args, 0);
    pgconvoy_seed_results results = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_seed_all(subject->migrator, run_seed, &seed, &options, &results, &error);
    return finish_seed_results(ok, &results, &error);
}

static Answer seed_tenants(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 2), &callbacks);
    SeedScript seed = seed_of(subject, args, 1);
    pgconvoy_seed_results results = {0};
    pgconvoy_error error = {0};
    size_t count;
    const char **ids = texts_of(argument_at(args, 0), &count);
    bool ok =
        pgconvoy_seed_tenants(subject->migrator, ids, count, run_seed, &seed, &options, &results, &error);
    free(ids);
    return finish_seed_results(ok, &results, &error);
}

/* --- the shared schema --- */

static Answer has_shared_migrations(Subject *subject, const json_t *args)
{
    (void)args;
    return answer_bool(pgconvoy_has_shared_migrations(subject->migrator));
}

static pgconvoy_run_options shared_options(Subject *subject, const json_t *given, RunCallbacks *callbacks)
{
    pgconvoy_run_options options = run_options(subject, given, callbacks);
    callbacks->shared = true;
    return options;
}

static Answer migrate_shared(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = shared_options(subject, argument_at(args, 0), &callbacks);
    pgconvoy_shared_migration_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_migrate_shared(subject->migrator, &options, &result, &error);
    return finish_shared_migration_result(ok, &result, &error);
}

static Answer mark_shared_as_applied(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = shared_options(subject, argument_at(args, 0), &callbacks);
    pgconvoy_shared_migration_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_mark_shared_as_applied(subject->migrator, &options, &result, &error);
    return finish_shared_migration_result(ok, &result, &error);
}

static Answer get_shared_status(Subject *subject, const json_t *args)
{
    (void)args;
    pgconvoy_shared_migration_status status = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_get_shared_status(subject->migrator, &status, &error);
    return finish_shared_migration_status(ok, &status, &error);
}

static Answer migrate_all_with_shared(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 0), &callbacks);
    pgconvoy_migration_with_shared results = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_migrate_all_with_shared(subject->migrator, &options, &results, &error);
    return finish_migration_with_shared(ok, &results, &error);
}

static Answer seed_shared(Subject *subject, const json_t *args)
{
    SeedScript seed = seed_of(subject, args, 0);
    pgconvoy_shared_seed_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_seed_shared(subject->migrator, run_seed, &seed, &result, &error);
    return finish_shared_seed_result(ok, &result, &error);
}

/* Two seeds, one context: the shared schema's comes without a tenant. */
typedef struct SeedPair {
    SeedScript shared, tenants;
} SeedPair;

static bool run_shared_of_pair(void *context, const char *tenant_id, struct pg_conn *connection,
                               pgconvoy_error *error)
{
    return run_seed(&((SeedPair *)context)->shared, tenant_id, connection, error);
}

static bool run_tenant_of_pair(void *context, const char *tenant_id, struct pg_conn *connection,
                               pgconvoy_error *error)
{
    return run_seed(&((SeedPair *)context)->tenants, tenant_id, connection, error);
}

static Answer seed_all_with_shared(Subject *subject, const json_t *args)
{
    RunCallbacks callbacks;
    pgconvoy_run_options options = run_options(subject, argument_at(args, 2), &callbacks);
    SeedPair pair = {seed_of(subject, args, 0), seed_of(subject, args, 1)};
    pgconvoy_seed_with_shared results = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_seed_all_with_shared(subject->migrator, run_shared_of_pair, run_tenant_of_pair, &pair,
                                            &options, &results, &error);
    return finish_seed_with_shared(ok, &results, &error);
}

static const struct {
    const char *name;
    Answer (*function)(Subject *subject, const json_t *args);
} CALLS[] = {
    {"migrateAll", migrate_all},
    {"migrateTenants", migrate_tenants},
    {"migrateTenant", migrate_tenant},
    {"markAsApplied", mark_as_applied},
    {"markAllAsApplied", mark_all_as_applied},
    {"getStatus", get_status},
    {"getTenantStatus", get_tenant_status},
    {"getSyncStatus", get_sync_status},
    {"getTenantSyncStatus", get_tenant_sync_status},
    {"markMissing", mark_missing},
    {"markAllMissing", mark_all_missing},
    {"cleanOrphans", clean_orphans},
    {"cleanAllOrphans", clean_all_orphans},
    {"seedTenant", seed_tenant},
    {"seedAll", seed_all},
    {"seedTenants", seed_tenants},
    {"hasSharedMigrations", has_shared_migrations},
    {"hasSharedSeeding", has_shared_migrations}, /* one and the same: there is a shared schema */
    {"migrateShared", migrate_shared},
    {"markSharedAsApplied", mark_shared_as_applied},
    {"getSharedStatus", get_shared_status},
    {"migrateAllWithShared", migrate_all_with_shared},
    {"seedShared", seed_shared},
    {"seedAllWithShared", seed_all_with_shared},
};

Answer migrator_call(Subject *subject, const char *name, const json_t *args)
{
    if (json_holds_nul(args)) /* cannot be said in C */
        return answer_unsupported();
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++)
        if (strcmp(CALLS[i].name, name) == 0)
            return CALLS[i].function(subject, args);
    return schema_call(subject, name, args);
}
