/* What the reservoir's integration tests share: a server, a clock of the test's own, and threads that borrow.
 */
#pragma once
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include "worker/pg/deadline.h"
#include "worker/pg/reservoir.h"
#include "worker/pg/session.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static Cluster *cluster;
static ConnectionString *url;
static PGconn *admin;
static atomic_llong test_time_ms;

static inline int64_t test_now(void *context)
{
    (void)context;
    return atomic_load(&test_time_ms);
}

static const Clock TEST_CLOCK = {.now_ms = test_now};

static inline Reservoir *make_reservoir(ReservoirOptions options)
{
    Error error ERROR_CLEANUP = {0};
    options.database = "main";
    options.url = options.url != NULL ? options.url : url;
    options.connect_timeout_ms = options.connect_timeout_ms > 0 ? options.connect_timeout_ms : PATIENCE_MS;
    options.clock = &TEST_CLOCK;
    Reservoir *reservoir = reservoir_new(&options, &error);
    assert_non_null(reservoir);
    return reservoir;
}

/* Cancelled connections are closed by a thread of the reservoir's own. */
static inline void wait_until_open(Reservoir *reservoir, int64_t count)
{
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (reservoir_counts(reservoir).open != count && deadline_left_ms(deadline) > 0)
        usleep(1000);
    assert_int_equal(reservoir_counts(reservoir).open, count);
}

static inline void end_reservoir(Reservoir *reservoir)
{
    reservoir_close(reservoir);
    wait_until_open(reservoir, 0);
    reservoir_free(reservoir);
}

static inline Connection *must_acquire(Reservoir *reservoir, const char *name)
{
    Error error ERROR_CLEANUP = {0};
    Connection *connection = reservoir_acquire(reservoir, name, 0, &error);
    if (connection == NULL)
        fail_msg("acquire: %s (%s)", error.message, error.detail != NULL ? error.detail : "");
    return connection;
}

static inline char *answer(Connection *connection, const char *sql)
{
    Error error ERROR_CLEANUP = {0};
    PGresult *result = NULL;
    if (!connection_exec(connection, sql, &result, &error))
        return strdup(error.message);
    char *text = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

static inline void assert_answer(Connection *connection, const char *sql, const char *expected)
{
    char *text = answer(connection, sql);
    assert_string_equal(text, expected);
    free(text);
}

static inline int64_t backend(Connection *connection)
{
    return PQbackendPID(connection_pg(connection));
}

static inline void wait_until_waiting(Reservoir *reservoir, int64_t count)
{
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (reservoir_counts(reservoir).waiting != count && deadline_left_ms(deadline) > 0)
        usleep(1000);
    assert_int_equal(reservoir_counts(reservoir).waiting, count);
}

static inline void wait_until_zero(const char *sql)
{
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (sql_number(admin, "%s", sql) != 0 && deadline_left_ms(deadline) > 0)
        usleep(2000);
    assert_int_equal(sql_number(admin, "%s", sql), 0);
}

/* What one thread of a test does and finds. */
typedef struct Task {
    Reservoir *reservoir;
    const char *sql;
    int rounds, number;
    atomic_int *failures, *highest, *active;
    int *order;
    atomic_int *next;
    Error error;
    pthread_t thread;
} Task;

static inline void *work(void *argument)
{
    Task *task = argument;
    for (int i = 0; i < task->rounds; i++) {
        Error error ERROR_CLEANUP = {0};
        Connection *connection = reservoir_acquire(task->reservoir, "pgconvoy/test", 0, &error);
        if (connection == NULL) {
            atomic_fetch_add(task->failures, 1);
            continue;
        }
        int active = atomic_fetch_add(task->active, 1) + 1;
        for (int seen = atomic_load(task->highest); active > seen;)
            if (atomic_compare_exchange_weak(task->highest, &seen, active))
                break;
        if (!connection_exec(connection, task->sql, NULL, &error))
            atomic_fetch_add(task->failures, 1);
        atomic_fetch_sub(task->active, 1);
        reservoir_release(task->reservoir, connection, 1);
    }
    return NULL;
}

static inline void *queue_up(void *argument)
{
    Task *task = argument;
    Connection *connection = reservoir_acquire(task->reservoir, NULL, 0, &task->error);
    if (connection == NULL)
        return NULL;
    task->order[atomic_fetch_add(task->next, 1)] = task->number;
    reservoir_release(task->reservoir, connection, 1);
    return NULL;
}

static inline int start(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    cluster = cluster_start("max_connections = 60");
    admin = cluster_connect(cluster, "postgres");
    char *text = cluster_url(cluster, "postgres");
    url = connection_string_new(text, &error);
    free(text);
    return url == NULL;
}

static inline int stop(void **state)
{
    (void)state;
    PQfinish(admin);
    connection_string_free(url);
    cluster_stop(cluster);
    return 0;
}
