/* Fills tenants with data by a function of its own: each tenant in one transaction, all or nothing.
 *
 *   DATABASE_URL=postgresql://... seed_tenants TENANT...
 *
 * The tenants have a table settings(key text primary key, value text). Build it against an installed
 * pgconvoy:
 *
 *   cc -std=c17 seed_tenants.c -o seed_tenants $(pkg-config --cflags --libs pgconvoy libpq)
 */
#include <libpq-fe.h>
#include <pgconvoy/migrator.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints what went wrong, with the server's own words and what to do about it. */
static int fail(pgconvoy_error *error)
{
    char *text = pgconvoy_error_format(error);
    fputs(text != NULL ? text : "error: out of memory\n", stderr);
    free(text);
    pgconvoy_error_clear(error);
    return EXIT_FAILURE;
}

/* The transaction is open, and search_path is the tenant's schema. False rolls all of it back. */
static bool insert_settings(void *context, const char *tenant_id, PGconn *connection, pgconvoy_error *error)
{
    const char *greeting = context;
    const char *const values[] = {tenant_id, greeting};
    PGresult *result =
        PQexecParams(connection, "INSERT INTO settings (key, value) VALUES ('name', $1), ('greeting', $2)", 2,
                     NULL, values, NULL, NULL, 0);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    const char *reason = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!good)
        pgconvoy_error_set(error, "%s", reason != NULL ? reason : "the connection was lost");
    PQclear(result);
    return good;
}

static void print_results(const pgconvoy_seed_results *results)
{
    const pgconvoy_tenant_seed_result *tenants = results->details.items;
    for (size_t i = 0; i < results->details.count; i++)
        printf("%s: %s\n", tenants[i].tenant_id, tenants[i].success ? "seeded" : tenants[i].error);
    printf("%lld of %lld seeded\n", (long long)results->succeeded, (long long)results->total);
}

int main(int argc, char *argv[])
{
    static char greeting[] = "welcome";
    pgconvoy_error error = {0};
    pgconvoy_database database = {.url = getenv("DATABASE_URL")};
    if (argc < 2 || database.url == NULL) {
        fprintf(stderr, "usage: DATABASE_URL=postgresql://... %s TENANT...\n", argv[0]);
        return EXIT_FAILURE;
    }
    pgconvoy_migrator_options options = {.databases = &database, .database_count = 1};
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, &error);
    if (migrator == NULL)
        return fail(&error);
    pgconvoy_seed_results results = {0};
    bool made = pgconvoy_seed_tenants(migrator, (const char *const *)argv + 1, (size_t)(argc - 1),
                                      insert_settings, greeting, NULL, &results, &error);
    bool good = made && results.failed == 0;
    if (made)
        print_results(&results);
    pgconvoy_seed_results_clear(&results);
    pgconvoy_migrator_free(migrator);
    if (!made)
        return fail(&error);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
