/* What the tests of the public pool manager share: a server with tenants a to f, and hooks that write down
 * what they are told ("+a" created, "-a" evicted, "!a" error, "?1/20" first attempt failed, 20 ms until the
 * next). Nothing of the library is used but its public headers. */
#pragma once
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include <pgconvoy/pool_manager.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static Cluster *cluster;
static PGconn *admin;
static char *url;

static pthread_mutex_t heard_mutex = PTHREAD_MUTEX_INITIALIZER;
static char heard[4096]; /* later words are dropped: whoever looks at them hears little */
static atomic_int created, evicted, failed;

static inline void hear(const char *format, const char *tenant_id)
{
    pthread_mutex_lock(&heard_mutex);
    size_t length = strlen(heard);
    snprintf(heard + length, sizeof heard - length, format, tenant_id != NULL ? tenant_id : "(shared)");
    pthread_mutex_unlock(&heard_mutex);
}

static inline void hear_created(void *context, const char *database, const char *tenant_id)
{
    (void)context;
    (void)database;
    atomic_fetch_add(&created, 1);
    hear("+%s ", tenant_id);
}

static inline void hear_evicted(void *context, const char *database, const char *tenant_id)
{
    (void)context;
    (void)database;
    atomic_fetch_add(&evicted, 1);
    hear("-%s ", tenant_id);
}

static inline void hear_error(void *context, const char *database, const char *tenant_id,
                              const pgconvoy_error *error)
{
    (void)context;
    (void)database;
    assert_non_null(error->message);
    atomic_fetch_add(&failed, 1);
    hear("!%s ", tenant_id);
}

static inline void hear_retry(void *context, int64_t attempt, const pgconvoy_error *error, int64_t delay_ms)
{
    (void)context;
    char words[64];
    assert_int_equal(error->code, PGCONVOY_ERROR_CONNECT);
    snprintf(words, sizeof words, "%lld/%lld", (long long)attempt, (long long)delay_ms);
    hear("?%s ", words);
}

static const pgconvoy_pool_hooks HEAR_ALL = {.on_pool_created = hear_created,
                                             .on_pool_evicted = hear_evicted,
                                             .on_error = hear_error,
                                             .on_retry = hear_retry};

/* What was heard since the last call. */
static inline void assert_heard(const char *expected)
{
    char words[sizeof heard];
    pthread_mutex_lock(&heard_mutex);
    memcpy(words, heard, sizeof words);
    heard[0] = '\0';
    pthread_mutex_unlock(&heard_mutex);
    assert_string_equal(words, expected);
}

static inline pgconvoy_pool_manager *make_manager(pgconvoy_pool_options options)
{
    pgconvoy_error error = {0};
    pgconvoy_pool_database database = {.url = url};
    if (options.database_count == 0) {
        options.databases = &database;
        options.database_count = 1;
    }
    options.hooks = HEAR_ALL;
    pgconvoy_pool_manager *manager = pgconvoy_pool_manager_new(&options, &error);
    if (manager == NULL)
        fail_msg("%s", error.message);
    return manager;
}

static inline pgconvoy_db *must_get(pgconvoy_pool_manager *manager, const char *tenant_id)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_db(manager, NULL, tenant_id, &error);
    if (db == NULL)
        fail_msg("%s", error.message);
    return db;
}

/* get, and back again: an access. */
static inline void access_tenant(pgconvoy_pool_manager *manager, const char *tenant_id)
{
    pgconvoy_db_unref(must_get(manager, tenant_id));
}

static inline pgconvoy_connection *must_acquire(pgconvoy_db *db)
{
    pgconvoy_error error = {0};
    pgconvoy_connection *connection = pgconvoy_db_acquire(db, PATIENCE_MS, &error);
    if (connection == NULL)
        fail_msg("%s", error.message);
    return connection;
}

/* The first value that the connection answers, compared. */
static inline bool answers(pgconvoy_connection *connection, const char *sql, const char *expected)
{
    PGresult *result = PQexec(pgconvoy_connection_pg(connection), sql);
    bool same = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0 &&
                strcmp(PQgetvalue(result, 0, 0), expected) == 0;
    PQclear(result);
    return same;
}

static inline void assert_query(pgconvoy_db *db, const char *sql, const char *expected)
{
    pgconvoy_connection *connection = must_acquire(db);
    assert_true(answers(connection, sql, expected));
    pgconvoy_db_release(db, connection);
}

static inline bool nobody_is_connected(void *context)
{
    (void)context;
    return sql_number(admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgconvoy'") ==
           0;
}

static inline void assert_nobody_is_connected(void)
{
    await(nobody_is_connected, NULL, PATIENCE_MS, "the end of all sessions");
}

static inline int start_server(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 80");
    admin = cluster_connect(cluster, "postgres");
    for (char id = 'a'; id <= 'f'; id++)
        sql_run(admin,
                "CREATE SCHEMA tenant_%c; CREATE TABLE tenant_%c.own (name text); "
                "INSERT INTO tenant_%c.own VALUES ('%c')",
                id, id, id, id);
    url = cluster_url(cluster, "postgres");
    return 0;
}

static inline int stop_server(void **state)
{
    (void)state;
    PQfinish(admin);
    free(url);
    cluster_stop(cluster);
    return 0;
}

static inline int begin_test(void **state)
{
    (void)state;
    heard[0] = '\0';
    created = evicted = failed = 0;
    return 0;
}
