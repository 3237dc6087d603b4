/* Pools of tenants: asks several tenants the same question and shows how the pools are.
 *
 *   DATABASE_URL=postgresql://... tenant_pools acme globex
 *
 * Build it against an installed pgconvoy:
 *
 *   cc -std=c17 tenant_pools.c -o tenant_pools $(pkg-config --cflags --libs pgconvoy libpq)
 */
#include <libpq-fe.h>
#include <pgconvoy/pool_manager.h>
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

static void print_created(void *context, const char *database, const char *tenant_id)
{
    (void)context;
    printf("pool of %s in database %s\n", tenant_id, database);
}

/* A lent connection is libpq's, bound to the tenant's schema: tables need no schema name in front. */
static bool count_tables(pgconvoy_db *db, pgconvoy_error *error)
{
    pgconvoy_connection *connection = pgconvoy_db_acquire(db, 0, error);
    if (connection == NULL)
        return false;
    PGconn *pg = pgconvoy_connection_pg(connection);
    PGresult *result = PQexec(pg, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()");
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (good)
        printf("%s has %s tables in %s\n", pgconvoy_db_tenant_id(db), PQgetvalue(result, 0, 0),
               pgconvoy_db_schema(db));
    else
        pgconvoy_error_set(error, "%s", PQerrorMessage(pg));
    PQclear(result);
    pgconvoy_db_release(db, connection); /* with a session as new, whatever was done to it */
    return good;
}

static bool visit(pgconvoy_pool_manager *manager, const char *tenant_id, pgconvoy_error *error)
{
    pgconvoy_db *db = pgconvoy_pool_manager_get_db_validated(manager, NULL, tenant_id, error);
    bool good = db != NULL && count_tables(db, error);
    pgconvoy_db_unref(db);
    return good;
}

static bool print_health(pgconvoy_pool_manager *manager, pgconvoy_error *error)
{
    pgconvoy_health_check_result health = {0};
    if (!pgconvoy_pool_manager_health_check(manager, NULL, &health, error))
        return false;
    printf("%s: %lld pools, %lld unhealthy\n", health.healthy ? "healthy" : "unhealthy",
           (long long)health.total_pools, (long long)health.unhealthy_pools);
    char *json = pgconvoy_health_check_result_json(&health);
    if (json != NULL)
        puts(json);
    free(json);
    pgconvoy_health_check_result_clear(&health);
    return true;
}

int main(int argc, char *argv[])
{
    pgconvoy_error error = {0};
    pgconvoy_pool_database database = {.url = getenv("DATABASE_URL")};
    pgconvoy_pool_options options = {
        .databases = &database,
        .database_count = 1,
        .max_pools = 10, /* the least recently used tenant's pool goes first */
        .hooks = {.on_pool_created = print_created},
    };
    if (argc < 2 || database.url == NULL) {
        fprintf(stderr, "usage: DATABASE_URL=postgresql://... %s TENANT...\n", argv[0]);
        return EXIT_FAILURE;
    }
    pgconvoy_pool_manager *manager = pgconvoy_pool_manager_new(&options, &error);
    if (manager == NULL)
        return fail(&error);
    bool good = true;
    for (int i = 1; good && i < argc; i++)
        good = visit(manager, argv[i], &error);
    good = good && print_health(manager, &error);
    pgconvoy_pool_manager_free(manager);
    return good ? EXIT_SUCCESS : fail(&error);
}
