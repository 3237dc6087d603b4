/* The pool manager: one pool of connections for each tenant, at most max_pools of them, the least recently
 * used one evicted first.
 *
 * A tenant's pool lends connections whose search_path is the tenant's schema, then public. Physical
 * connections are shared behind the pools: evicting a pool hands its connections on. A missing schema is an
 * error, never a fall through to public. Connections keep a session while they are lent, so a
 * transaction-pooling PgBouncer in front of the server is refused when it is detected.
 *
 * Threads: everything may be called from any thread. Two threads that ask for one tenant get the same pool. A
 * handle from get_db stays usable until pgconvoy_db_unref(), also when its pool was evicted meanwhile. Hooks
 * are called outside of all locks, one at a time. After pgconvoy_pool_manager_dispose() calls fail with
 * PGCONVOY_ERROR_CANCELLED and "[pgconvoy] PoolManager has been disposed"; those without an error answer 0,
 * false or nothing.
 *
 * `error` must not be NULL. Outputs named ret_* are untouched on failure.
 */
#pragma once
#include <pgconvoy/error.h>
#include <pgconvoy/results.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pg_conn; /* libpq's PGconn */

typedef struct pgconvoy_pool_manager pgconvoy_pool_manager;
typedef struct pgconvoy_db pgconvoy_db;                 /* a tenant's pool, or the shared schema's */
typedef struct pgconvoy_connection pgconvoy_connection; /* lent by a pool */

/* All may be NULL. tenant_id is NULL for the shared pool, which has on_error and on_retry only. They may call
 * back, but not wait for another thread that is in a call. */
typedef struct pgconvoy_pool_hooks {
    void *context;
    void (*on_pool_created)(void *context, const char *database, const char *tenant_id);
    void (*on_pool_evicted)(void *context, const char *database, const char *tenant_id);
    /* What no caller was told: a session that could not be cleaned, a pooler found out. */
    void (*on_error)(void *context, const char *database, const char *tenant_id, const pgconvoy_error *error);
    /* A validation's attempt failed: counted from 1, and the pause before the next. */
    void (*on_retry)(void *context, int64_t attempt, const pgconvoy_error *error, int64_t delay_ms);
} pgconvoy_pool_hooks;

typedef struct pgconvoy_pool_database {
    const char *name;        /* NULL = "main" */
    const char *url;         /* as libpq takes it */
    int64_t max_connections; /* of all pools together; 0 = 20 */
} pgconvoy_pool_database;

/* Zero and NULL mean the default, named beside each. Texts are copied. */
typedef struct pgconvoy_pool_options {
    const pgconvoy_pool_database *databases; /* at least one */
    size_t database_count;
    const char *schema_template; /* "tenant_{id}" */
    /* Instead of the template: for free(), or NULL and an error. */
    char *(*schema_name)(void *context, const char *tenant_id, pgconvoy_error *error);
    void *schema_context;
    const char *application_name;   /* "pgconvoy" */
    int64_t max_pools;              /* 50 */
    int64_t ttl_ms;                 /* 3600000; negative = pools do not expire */
    int64_t cleanup_interval_ms;    /* 60000 */
    int64_t max_connections;        /* of one pool: 10 */
    int64_t idle_timeout_ms;        /* 30000; negative = idle connections stay */
    int64_t connect_timeout_ms;     /* 5000 */
    int64_t retry_max_attempts;     /* 3 */
    int64_t retry_initial_delay_ms; /* 100 */
    int64_t retry_max_delay_ms;     /* 5000 */
    double retry_multiplier;        /* 2 */
    bool retry_no_jitter;           /* pauses vary by up to 25 % unless set */
    int64_t dispose_wait_ms;        /* 30000; negative = dispose waits for no lent connection */
    pgconvoy_pool_hooks hooks;
} pgconvoy_pool_options;

/* Opens nothing. NULL with an error when a value is out of range. */
PGCONVOY_EXPORT pgconvoy_pool_manager *pgconvoy_pool_manager_new(const pgconvoy_pool_options *options,
                                                                 pgconvoy_error *error);

/* Evicts all pools, ends the cleanup thread, closes idle connections now and lent ones when they return.
 * Waits until other threads have returned what they borrowed, at most dispose_wait_ms; what is still lent
 * then stays usable. Idempotent: a second call waits for no connection. No hook is called once it has
 * returned. A hook may call it, and waits for nothing; the evictions are told when that hook has returned. */
PGCONVOY_EXPORT void pgconvoy_pool_manager_dispose(pgconvoy_pool_manager *manager);

/* Disposes; the memory goes with the last handle and lent connection. No other call with the manager itself
 * may be running or follow. NULL is fine. */
PGCONVOY_EXPORT void pgconvoy_pool_manager_free(pgconvoy_pool_manager *manager);

/* The tenant's pool, made if there is none: no I/O. The same handle for the same tenant while its pool lives;
 * every call is one more reference. `database` NULL = the first; here and below. */
PGCONVOY_EXPORT pgconvoy_db *pgconvoy_pool_manager_get_db(pgconvoy_pool_manager *manager,
                                                          const char *database, const char *tenant_id,
                                                          pgconvoy_error *error);
/* The same; a pool that is not there yet is made only when the server has answered for it, so that a tenant
 * without a schema, or whose server is down, gets none. Connection errors are retried. Calls at the same time
 * share one attempt. */
PGCONVOY_EXPORT pgconvoy_db *pgconvoy_pool_manager_get_db_validated(pgconvoy_pool_manager *manager,
                                                                    const char *database,
                                                                    const char *tenant_id,
                                                                    pgconvoy_error *error);
PGCONVOY_EXPORT pgconvoy_db *pgconvoy_pool_manager_get_shared_db(pgconvoy_pool_manager *manager,
                                                                 const char *database, pgconvoy_error *error);
PGCONVOY_EXPORT pgconvoy_db *pgconvoy_pool_manager_get_shared_db_validated(pgconvoy_pool_manager *manager,
                                                                           const char *database,
                                                                           pgconvoy_error *error);

PGCONVOY_EXPORT void pgconvoy_db_unref(pgconvoy_db *db);                  /* NULL is fine */
PGCONVOY_EXPORT const char *pgconvoy_db_tenant_id(const pgconvoy_db *db); /* NULL for the shared one */
PGCONVOY_EXPORT const char *pgconvoy_db_schema(const pgconvoy_db *db);

/* Lends a connection bound to the pool's schema; waits at most wait_ms (0 = connect_timeout_ms) for one to
 * become free. The PGconn is the caller's to use, in blocking or any other mode, until the release, which
 * leaves the session as new and must come from the thread that uses it last. */
PGCONVOY_EXPORT pgconvoy_connection *pgconvoy_db_acquire(pgconvoy_db *db, int64_t wait_ms,
                                                         pgconvoy_error *error);
PGCONVOY_EXPORT struct pg_conn *pgconvoy_connection_pg(pgconvoy_connection *connection);
PGCONVOY_EXPORT void pgconvoy_db_release(pgconvoy_db *db, pgconvoy_connection *connection);

/* For free(). */
PGCONVOY_EXPORT char *pgconvoy_pool_manager_get_schema_name(pgconvoy_pool_manager *manager,
                                                            const char *tenant_id, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_pool_manager_has_pool(pgconvoy_pool_manager *manager, const char *database,
                                                    const char *tenant_id);
PGCONVOY_EXPORT size_t pgconvoy_pool_manager_get_pool_count(pgconvoy_pool_manager *manager);
/* In the order in which the pools were made, as `db/id` when several databases are configured; release with
 * pgconvoy_texts_clear(). */
PGCONVOY_EXPORT bool pgconvoy_pool_manager_get_active_tenant_ids(pgconvoy_pool_manager *manager,
                                                                 pgconvoy_texts *ret_ids,
                                                                 pgconvoy_error *error);
PGCONVOY_EXPORT void pgconvoy_texts_clear(pgconvoy_texts *texts);

/* Evicting a tenant without a pool is fine. Its idle connections serve the other pools from now on, or close
 * when their idle time is over; lent ones when they return. */
PGCONVOY_EXPORT bool pgconvoy_pool_manager_evict_pool(pgconvoy_pool_manager *manager, const char *database,
                                                      const char *tenant_id, pgconvoy_error *error);

/* The thread that evicts expired pools; both idempotent. */
PGCONVOY_EXPORT bool pgconvoy_pool_manager_start_cleanup(pgconvoy_pool_manager *manager,
                                                         pgconvoy_error *error);
PGCONVOY_EXPORT void pgconvoy_pool_manager_stop_cleanup(pgconvoy_pool_manager *manager);
PGCONVOY_EXPORT bool pgconvoy_pool_manager_cleanup_runs(pgconvoy_pool_manager *manager);
/* What that thread does, once, now. A pool with lent connections does not expire. */
PGCONVOY_EXPORT void pgconvoy_pool_manager_cleanup(pgconvoy_pool_manager *manager);

typedef struct pgconvoy_warmup_options {
    int64_t concurrency; /* tenants at a time, 0 = 10; batches of that many, one after the other */
    bool no_ping;        /* make the pools, open no connection */
    void *context;
    /* status: "starting", "completed", "failed". From several threads, one at a time; ends in the order of
     * the tenants. */
    void (*on_progress)(void *context, const char *tenant_id, const char *status);
} pgconvoy_warmup_options;

/* Makes the tenants' pools ready, so that their first query does not wait for a connection. `options` may be
 * NULL. Tenants that fail are in the result. */
PGCONVOY_EXPORT bool pgconvoy_pool_manager_warmup(pgconvoy_pool_manager *manager, const char *database,
                                                  const char *const *tenant_ids, size_t count,
                                                  const pgconvoy_warmup_options *options,
                                                  pgconvoy_warmup_result *ret_result, pgconvoy_error *error);

typedef struct pgconvoy_health_options {
    bool no_ping;
    bool no_shared;
    int64_t ping_timeout_ms;       /* 0 = 5000; slower than half of it is degraded */
    const char *const *tenant_ids; /* none = all; those without a pool are left out */
    size_t tenant_count;
    const char *database; /* of tenant_ids */
} pgconvoy_health_options;

/* Neither this, with `options` that may be NULL, nor metrics counts as an access. */
PGCONVOY_EXPORT bool pgconvoy_pool_manager_health_check(pgconvoy_pool_manager *manager,
                                                        const pgconvoy_health_options *options,
                                                        pgconvoy_health_check_result *ret_result,
                                                        pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_pool_manager_get_metrics(pgconvoy_pool_manager *manager,
                                                       pgconvoy_metrics_result *ret_result,
                                                       pgconvoy_error *error);

/* The pools' way of retrying, for connections of one's own. Zero means the default, as above. */
typedef struct pgconvoy_retry_options {
    int64_t max_attempts;     /* 3: all of them, the first included */
    int64_t initial_delay_ms; /* 100 */
    int64_t max_delay_ms;     /* 5000 */
    double multiplier;        /* 2 */
    bool no_jitter;           /* pauses vary by up to 25 % unless set */
    void *context;            /* of on_retry */
    /* An attempt failed: counted from 1, and the pause before the next. May be NULL. */
    void (*on_retry)(void *context, int64_t attempt, const pgconvoy_error *error, int64_t delay_ms);
} pgconvoy_retry_options;

typedef struct pgconvoy_retry_result {
    int64_t attempts;
    int64_t total_time_ms;
} pgconvoy_retry_result;

/* What is tried; called with an empty error. True = done. */
typedef bool pgconvoy_work(void *context, pgconvoy_error *error);

/* Tries until it is done, in the calling thread. Tried again is only what another attempt may cure: an error
 * whose code is PGCONVOY_ERROR_CONNECT, or PGCONVOY_ERROR_SERVER with the SQLSTATE of something that passes,
 * such as a deadlock or a server that starts. On failure `error` is the last attempt's. `options` and
 * ret_result may be NULL. */
PGCONVOY_EXPORT bool pgconvoy_with_retry(const pgconvoy_retry_options *options, pgconvoy_work *work,
                                         void *context, pgconvoy_retry_result *ret_result,
                                         pgconvoy_error *error);

/* Release what a result owns; give its JSON, on one line, for free(). */
PGCONVOY_EXPORT void pgconvoy_warmup_result_clear(pgconvoy_warmup_result *result);
PGCONVOY_EXPORT char *pgconvoy_warmup_result_json(const pgconvoy_warmup_result *result);
PGCONVOY_EXPORT void pgconvoy_health_check_result_clear(pgconvoy_health_check_result *result);
PGCONVOY_EXPORT char *pgconvoy_health_check_result_json(const pgconvoy_health_check_result *result);
PGCONVOY_EXPORT void pgconvoy_metrics_result_clear(pgconvoy_metrics_result *result);
PGCONVOY_EXPORT char *pgconvoy_metrics_result_json(const pgconvoy_metrics_result *result);

#ifdef __cplusplus
}
#endif
