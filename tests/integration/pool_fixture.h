/* What the pool manager's integration tests share: a server with tenants a to f, a clock of the test's own,
 * and hooks that write down what they are told ("+a" created, "-a" evicted, "!a" error). */
#pragma once
#include "common/buffer.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include "worker/pg/deadline.h"
#include "worker/pool/pool_manager.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

typedef struct Heard {
    pthread_mutex_t mutex;
    Buffer text;
    atomic_int created, evicted, errors, retries;
} Heard;

static Cluster *cluster;
static ConnectionString *url;
static PGconn *admin;
static atomic_llong test_time_ms;
static Heard heard = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline int64_t test_now(void *context)
{
    (void)context;
    return atomic_load(&test_time_ms);
}

static const Clock TEST_CLOCK = {.now_ms = test_now};

static inline void hear(Heard *ear, atomic_int *count, char mark, const char *tenant_id)
{
    atomic_fetch_add(count, 1);
    pthread_mutex_lock(&ear->mutex);
    buffer_appendf(&ear->text, "%c%s ", mark, tenant_id != NULL ? tenant_id : "(shared)");
    pthread_mutex_unlock(&ear->mutex);
}

static inline void hear_created(void *context, const char *database, const char *tenant_id)
{
    (void)database;
    hear(context, &((Heard *)context)->created, '+', tenant_id);
}

static inline void hear_evicted(void *context, const char *database, const char *tenant_id)
{
    (void)database;
    hear(context, &((Heard *)context)->evicted, '-', tenant_id);
}

static inline void hear_error(void *context, const char *database, const char *tenant_id, const Error *error)
{
    (void)database;
    assert_non_null(error->message);
    hear(context, &((Heard *)context)->errors, '!', tenant_id);
}

static inline void hear_retry(void *context, int64_t attempt, const Error *error, int64_t delay_ms)
{
    assert_int_equal(error->code, ERROR_CONNECT);
    assert_true(attempt >= 1 && delay_ms >= 0);
    atomic_fetch_add(&((Heard *)context)->retries, 1);
}

/* What was heard since the last call. */
static inline void assert_heard(const char *expected)
{
    pthread_mutex_lock(&heard.mutex);
    char *text = strdup(buffer_text(&heard.text));
    buffer_reset(&heard.text);
    pthread_mutex_unlock(&heard.mutex);
    assert_string_equal(text, expected);
    free(text);
}

static inline void forget_all(void)
{
    buffer_clear(&heard.text);
    heard.created = heard.evicted = heard.errors = heard.retries = 0;
}

static inline PoolManagerOptions base_options(PoolDatabase *database)
{
    *database = (PoolDatabase){.name = "main", .url = url, .max_connections = 20};
    PoolManagerOptions options = POOL_MANAGER_DEFAULTS;
    options.databases = database;
    options.database_count = 1;
    options.connect_timeout_ms = PATIENCE_MS;
    options.clock = &TEST_CLOCK;
    options.hooks = (PoolHooks){.context = &heard,
                                .on_pool_created = hear_created,
                                .on_pool_evicted = hear_evicted,
                                .on_error = hear_error,
                                .on_retry = hear_retry};
    return options;
}

static inline PoolManager *make_manager(const PoolManagerOptions *options)
{
    Error error ERROR_CLEANUP = {0};
    PoolManager *manager = pool_manager_new(options, &error);
    if (manager == NULL)
        fail_msg("%s", error.message);
    return manager;
}

static inline PoolManager *make_default_manager(void)
{
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    return make_manager(&options);
}

static inline TenantPool *must_get(PoolManager *manager, const char *tenant_id)
{
    Error error ERROR_CLEANUP = {0};
    TenantPool *pool = pool_manager_get(manager, NULL, tenant_id, &error);
    if (pool == NULL)
        fail_msg("%s", error.message);
    return pool;
}

/* get, and back again: an access. */
static inline void access_tenant(PoolManager *manager, const char *tenant_id)
{
    tenant_pool_unref(must_get(manager, tenant_id));
}

static inline Connection *must_acquire(TenantPool *pool)
{
    Error error ERROR_CLEANUP = {0};
    Connection *connection = tenant_pool_acquire(pool, 0, &error);
    if (connection == NULL)
        fail_msg("%s (%s)", error.message, error.detail != NULL ? error.detail : "");
    return connection;
}

/* First value of the last rows, or the server's refusal; malloc'ed. */
static inline char *answer(Connection *connection, const char *sql)
{
    Error error ERROR_CLEANUP = {0};
    PGresult *result = NULL;
    if (!connection_exec(connection, sql, &result, &error))
        return strdup(error.message);
    char *text = strdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return text;
}

static inline void assert_answer(Connection *connection, const char *sql, const char *expected)
{
    char *text = answer(connection, sql);
    assert_string_equal(text, expected);
    free(text);
}

static inline void assert_query(TenantPool *pool, const char *sql, const char *expected)
{
    Connection *connection = must_acquire(pool);
    assert_answer(connection, sql, expected);
    tenant_pool_release(pool, connection);
}

static inline void wait_until_zero(const char *sql)
{
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (sql_number(admin, "%s", sql) != 0 && deadline_left_ms(deadline) > 0)
        usleep(2000);
    assert_int_equal(sql_number(admin, "%s", sql), 0);
}

static inline int start_server(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    cluster = cluster_start("max_connections = 80");
    admin = cluster_connect(cluster, "postgres");
    for (char id = 'a'; id <= 'f'; id++)
        sql_run(admin,
                "CREATE SCHEMA tenant_%c; CREATE TABLE tenant_%c.own (name text); "
                "INSERT INTO tenant_%c.own VALUES ('%c')",
                id, id, id, id);
    char *text = cluster_url(cluster, "postgres");
    url = connection_string_new(text, &error);
    free(text);
    return url == NULL;
}

static inline int stop_server(void **state)
{
    (void)state;
    PQfinish(admin);
    connection_string_free(url);
    cluster_stop(cluster);
    forget_all();
    return 0;
}

static inline int begin_test(void **state)
{
    (void)state;
    forget_all();
    return 0;
}

/* One thread of a test. */
typedef struct Actor {
    PoolManager *manager;
    pthread_t thread;
    int number, rounds;
    const char *tenant_id;
    bool validated;
    pthread_barrier_t *barrier;
    atomic_bool *stop;
    TenantPool *pool; /* what it got, with its reference */
    Error error;
    int failures;
} Actor;

static inline void start_actor(Actor *actor, void *(*run)(void *))
{
    assert_int_equal(pthread_create(&actor->thread, NULL, run, actor), 0);
}

static inline void *get_first(void *argument)
{
    Actor *actor = argument;
    if (actor->barrier != NULL)
        pthread_barrier_wait(actor->barrier);
    actor->pool = actor->validated
                      ? pool_manager_get_validated(actor->manager, NULL, actor->tenant_id, &actor->error)
                      : pool_manager_get(actor->manager, NULL, actor->tenant_id, &actor->error);
    return NULL;
}
