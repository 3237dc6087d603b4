/* What the cases do with a tenant's handle: keep it, compare it, send a query, break it. */
#include "tests/conformance/driver.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The other implementation's query builder names the query and hides the reason in `cause`. */
static Answer query_failed(const char *sql, const pgconvoy_error *error)
{
    Answer reason = answer_error(error);
    char *message = NULL;
    if (asprintf(&message, "Failed query: %s\nparams: ", sql) < 0)
        must_json(NULL);
    Answer answer = answer_thrown(message, text_of(reason.threw, "message"));
    answer_clear(&reason);
    free(message);
    return answer;
}

static Answer query_db(pgconvoy_db *db, const char *sql)
{
    pgconvoy_error error = {0};
    pgconvoy_connection *connection = pgconvoy_db_acquire(db, 0, &error);
    Answer answer =
        connection != NULL ? db_query(pgconvoy_connection_pg(connection), sql) : query_failed(sql, &error);
    if (connection != NULL)
        pgconvoy_db_release(db, connection);
    pgconvoy_error_clear(&error);
    return answer;
}

static Answer query(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_db(driver->pools, NULL, text_argument(args, 0), &error);
    Answer answer = db != NULL ? query_db(db, text_argument(args, 1)) : answer_error(&error);
    pgconvoy_db_unref(db);
    pgconvoy_error_clear(&error);
    return answer;
}

/* The handle kept last under a name, lent; or NULL. */
static pgconvoy_db *saved_db(Driver *driver, const char *name)
{
    pgconvoy_db *db = NULL;
    pthread_mutex_lock(&driver->mutex);
    for (size_t i = 0; i < driver->saved_count; i++)
        if (strcmp(driver->saved[i].name, name) == 0)
            db = driver->saved[i].db;
    pthread_mutex_unlock(&driver->mutex);
    return db;
}

static Answer save(Driver *driver, const char *name, pgconvoy_db *db, pgconvoy_error *error)
{
    if (db == NULL) {
        Answer failure = answer_error(error);
        pgconvoy_error_clear(error);
        return failure;
    }
    pthread_mutex_lock(&driver->mutex);
    if (driver->saved_count < SAVED_POOLS)
        driver->saved[driver->saved_count++] = (SavedPool){.name = name, .db = db};
    else
        pgconvoy_db_unref(db);
    pthread_mutex_unlock(&driver->mutex);
    return answer_text("<saved>");
}

static Answer save_db(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_db(driver->pools, NULL, text_argument(args, 1), &error);
    return save(driver, text_argument(args, 0), db, &error);
}

static Answer save_db_async(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db =
        pgconvoy_pool_manager_get_db_validated(driver->pools, NULL, text_argument(args, 1), &error);
    return save(driver, text_argument(args, 0), db, &error);
}

static Answer query_saved(Driver *driver, const json_t *args)
{
    pgconvoy_db *db = saved_db(driver, text_argument(args, 0));
    return db != NULL ? query_db(db, text_argument(args, 1)) : answer_unsupported();
}

static Answer same(Driver *driver, const json_t *args)
{
    return answer_bool(saved_db(driver, text_argument(args, 0)) == saved_db(driver, text_argument(args, 1)));
}

/* A kept handle is still the one that asking again gives. */
static Answer is_current(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_db(driver->pools, NULL, text_argument(args, 1), &error);
    if (db == NULL)
        return save(driver, NULL, NULL, &error);
    Answer answer = answer_bool(db == saved_db(driver, text_argument(args, 0)));
    pgconvoy_db_unref(db);
    return answer;
}

/* --- several at once --- */

typedef struct Asking {
    Driver *driver;
    const char *tenant;
    pgconvoy_db *db;
    pthread_t thread;
} Asking;

static void *ask(void *context)
{
    Asking *asking = context;
    pgconvoy_error error = {0};
    asking->db = pgconvoy_pool_manager_get_db_validated(asking->driver->pools, NULL, asking->tenant, &error);
    pgconvoy_error_clear(&error);
    return NULL;
}

static Answer pools_identical(Driver *driver, const json_t *args)
{
    Asking asking[PARALLEL];
    size_t count = json_array_size(args);
    if (count == 0 || count > PARALLEL)
        return answer_unsupported();
    for (size_t i = 0; i < count; i++) {
        asking[i] = (Asking){.driver = driver, .tenant = text_argument(args, i)};
        if (pthread_create(&asking[i].thread, NULL, ask, &asking[i]) != 0)
            must_json(NULL);
    }
    bool identical = true;
    for (size_t i = 0; i < count; i++)
        pthread_join(asking[i].thread, NULL);
    for (size_t i = 0; i < count; i++)
        identical = identical && asking[i].db != NULL && asking[i].db == asking[0].db;
    for (size_t i = 0; i < count; i++)
        pgconvoy_db_unref(asking[i].db);
    return answer_bool(identical);
}

/* --- beside the pools --- */

static const char OURS[] = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pm'"
                           " AND datname = current_database()";

static Answer server_connections(Driver *driver, const json_t *args)
{
    (void)args;
    return answer_value(json_integer(sql_count(driver->url, OURS)));
}

/* A transaction whose backend somebody kills: the next statement must fail, and nothing else. */
static Answer tx_killed(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_db(driver->pools, NULL, text_argument(args, 0), &error);
    pgconvoy_connection *connection = db != NULL ? pgconvoy_db_acquire(db, 0, &error) : NULL;
    if (connection == NULL) {
        pgconvoy_db_unref(db);
        return save(driver, NULL, NULL, &error);
    }
    PGconn *pg = pgconvoy_connection_pg(connection);
    PQclear(PQexec(pg, "BEGIN"));
    char sql[64], *message = NULL;
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", PQbackendPID(pg));
    if (!sql_execute(driver->url, sql, &message))
        free(message);
    Answer answer = db_query(pg, "SELECT 1");
    pgconvoy_db_release(db, connection);
    pgconvoy_db_unref(db);
    return answer;
}

static Answer new_pools(Driver *driver, const json_t *args)
{
    pgconvoy_pool_manager_free(driver->pools);
    pgconvoy_error error = {0};
    driver->pools = pools_new(driver, argument_at(args, 0), &error);
    if (driver->pools == NULL)
        return save(driver, NULL, NULL, &error);
    return answer_text("<ok>");
}

static const struct {
    const char *name;
    Answer (*function)(Driver *driver, const json_t *args);
} CALLS[] = {
    {"query", query},
    {"saveDb", save_db},
    {"saveDbAsync", save_db_async},
    {"querySaved", query_saved},
    {"same", same},
    {"isCurrent", is_current},
    {"poolsIdentical", pools_identical},
    {"serverConnections", server_connections},
    {"txKilled", tx_killed},
    {"new", new_pools},
};

Answer handle_call(Driver *driver, const char *name, const json_t *args)
{
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++)
        if (strcmp(CALLS[i].name, name) == 0)
            return CALLS[i].function(driver, args);
    return answer_unsupported();
}
