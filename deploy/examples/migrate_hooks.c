/* Migrates tenants and tells, as it happens, what is done; a tenant whose name ends in "_frozen" is refused.
 *
 *   DATABASE_URL=postgresql://... migrate_hooks FOLDER TENANT...
 *
 * Build it against an installed pgconvoy:
 *
 *   cc -std=c17 migrate_hooks.c -o migrate_hooks $(pkg-config --cflags --libs pgconvoy)
 */
#include <pgconvoy/migrator.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prints what went wrong, with the server's own words and what to do about it. */
static int fail(pgconvoy_error *error)
{
    char *text = pgconvoy_error_format(error);
    fputs(text != NULL ? text : "error: out of memory\n", stderr);
    free(text);
    pgconvoy_error_clear(error);
    return EXIT_FAILURE;
}

/* Hooks are called one at a time, so that what they share needs no lock: here a number. */
typedef struct Story {
    int applied;
} Story;

static bool before_tenant(void *context, const char *tenant_id, pgconvoy_error *error)
{
    (void)context;
    static const char FROZEN[] = "_frozen";
    size_t length = strlen(tenant_id), suffix = strlen(FROZEN);
    if (length >= suffix && strcmp(tenant_id + length - suffix, FROZEN) == 0)
        return pgconvoy_error_set(error, "%s is frozen", tenant_id); /* always false: the tenant fails */
    printf("%s: begins\n", tenant_id);
    return true;
}

static bool before_migration(void *context, const char *tenant_id, const char *migration,
                             pgconvoy_error *error)
{
    (void)context;
    (void)error;
    printf("%s: before %s\n", tenant_id, migration);
    return true;
}

/* Called when the migration has been committed. */
static bool after_migration(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            pgconvoy_error *error)
{
    (void)duration_ms;
    (void)error;
    Story *story = context;
    story->applied++;
    printf("%s: after %s\n", tenant_id, migration);
    return true;
}

static bool after_tenant(void *context, const char *tenant_id, const pgconvoy_tenant_migration_result *result,
                         pgconvoy_error *error)
{
    (void)context;
    (void)error;
    if (result->success)
        printf("%s: done, %zu applied\n", tenant_id, result->applied_migrations.count);
    return true;
}

static pgconvoy_decision on_error(void *context, const char *tenant_id, const char *message)
{
    (void)context;
    printf("%s: failed: %s\n", tenant_id, message);
    return PGCONVOY_CONTINUE;
}

int main(int argc, char *argv[])
{
    Story story = {0};
    pgconvoy_error error = {0};
    pgconvoy_database database = {.url = getenv("DATABASE_URL")};
    if (argc < 3 || database.url == NULL) {
        fprintf(stderr, "usage: DATABASE_URL=postgresql://... %s FOLDER TENANT...\n", argv[0]);
        return EXIT_FAILURE;
    }
    pgconvoy_migrator_options options = {
        .databases = &database,
        .database_count = 1,
        .migrations_folder = argv[1],
        .hooks = {.context = &story,
                  .before_tenant = before_tenant,
                  .after_tenant = after_tenant,
                  .before_migration = before_migration,
                  .after_migration = after_migration},
    };
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, &error);
    if (migrator == NULL)
        return fail(&error);
    pgconvoy_run_options run = {.concurrency = 1, .on_error = on_error}; /* one tenant after the other */
    pgconvoy_migration_results results = {0};
    bool made = pgconvoy_migrate_tenants(migrator, (const char *const *)argv + 2, (size_t)(argc - 2), &run,
                                         &results, &error);
    bool good = made && results.failed == 0;
    if (made)
        printf("%d migrations applied, %lld of %lld tenants failed\n", story.applied,
               (long long)results.failed, (long long)results.total);
    pgconvoy_migration_results_clear(&results);
    pgconvoy_migrator_free(migrator);
    if (!made)
        return fail(&error);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
