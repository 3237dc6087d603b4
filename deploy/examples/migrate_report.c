/* Migrates every tenant and prints what became of each, for people or, with --json, for programs.
 *
 *   DATABASE_URL=postgresql://... migrate_report [--json] FOLDER TENANT...
 *
 * Build it against an installed pgconvoy:
 *
 *   cc -std=c17 migrate_report.c -o migrate_report $(pkg-config --cflags --libs pgconvoy)
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

static void print_tenant(const pgconvoy_tenant_migration_result *tenant)
{
    printf("%s: %s\n", tenant->tenant_id, tenant->success ? "up to date" : tenant->error);
    for (size_t i = 0; i < tenant->applied_migrations.count; i++)
        printf("  applied %s\n", tenant->applied_migrations.items[i]);
    if (tenant->migration != NULL)
        printf("  failed in %s, line %lld (SQLSTATE %s)\n", tenant->migration, (long long)tenant->line,
               tenant->sqlstate != NULL ? tenant->sqlstate : "unknown");
}

static void print_report(const pgconvoy_migration_results *results)
{
    const pgconvoy_tenant_migration_result *tenants = results->details.items;
    for (size_t i = 0; i < results->details.count; i++)
        print_tenant(&tenants[i]);
    printf("%lld tenants: %lld succeeded, %lld failed, %lld skipped\n", (long long)results->total,
           (long long)results->succeeded, (long long)results->failed, (long long)results->skipped);
}

static void print_json(const pgconvoy_migration_results *results)
{
    char *json = pgconvoy_migration_results_json(results);
    if (json != NULL)
        puts(json);
    free(json);
}

int main(int argc, char *argv[])
{
    bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    int first = as_json ? 2 : 1; /* the folder's place among the words */
    pgconvoy_error error = {0};
    pgconvoy_database database = {.url = getenv("DATABASE_URL")};
    if (argc < first + 2 || database.url == NULL) {
        fprintf(stderr, "usage: DATABASE_URL=postgresql://... %s [--json] FOLDER TENANT...\n", argv[0]);
        return EXIT_FAILURE;
    }
    pgconvoy_migrator_options options = {
        .databases = &database, .database_count = 1, .migrations_folder = argv[first]};
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, &error);
    if (migrator == NULL)
        return fail(&error);

    /* What goes wrong with a tenant is in its result; the call fails only when it could not be made. */
    const char *const *tenants = (const char *const *)argv + first + 1;
    pgconvoy_migration_results results = {0};
    bool made =
        pgconvoy_migrate_tenants(migrator, tenants, (size_t)(argc - first - 1), NULL, &results, &error);
    bool good = made && results.failed == 0;
    if (made && as_json)
        print_json(&results);
    else if (made)
        print_report(&results);
    pgconvoy_migration_results_clear(&results);
    pgconvoy_migrator_free(migrator);
    if (!made)
        return fail(&error);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
