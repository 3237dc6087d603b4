/* PoolManager: the contract's tenant pools. One pool for each (database, tenant), at most max_pools of them,
 * the least recently used one evicted first; a pool lends connections whose search_path is its tenant's
 * schema.
 *
 * Physical connections come from one reservoir per database, so that evicting a pool hands its connections on
 * instead of closing them. A lent connection has a session that nobody else sees, is bound by a quoted
 * identifier over the protocol (never by startup `options`), and is cleaned when it returns. A missing schema
 * is ERROR_NO_SCHEMA, never a fall through to public.
 *
 * Sessions must last: a transaction-mode pooler in front of the server is refused as far as it can be
 * detected. Detection, once for each database: (1) the backend that answers is not the one announced when
 * connecting: a pooler is there; (2) a second connection, while in a transaction, is given the backend of the
 * first, or the first moves to another: it pools transactions; (3) from then on a lent connection that
 * returns from another backend than it started on proves the same, is reported to on_error, and ends lending.
 * With a pooler and a limit of one connection only (3) is left.
 *
 * Thread-safe; nothing blocks under the mutex. Hooks are called outside of it, one at a time and in the order
 * of what happened, by one of the threads that are in a call; they may call back. `database` may be NULL for
 * the first configured one. After pool_manager_dispose() calls fail with ERROR_CANCELLED and
 * "[pgconvoy] PoolManager has been disposed"; those without an Error answer 0, false or nothing.
 */
#pragma once
#include "common/clock.h"
#include "common/results_pools.h"
#include "common/secret.h"
#include "common/tenant.h"
#include "worker/pg/connection.h"
#include "worker/pgconvoy/pool_manager.h"

/* Short names for what the public header explains. */
typedef struct pgconvoy_pool_manager PoolManager;
typedef struct pgconvoy_db TenantPool;
typedef pgconvoy_pool_hooks PoolHooks;

typedef struct PoolDatabase {
    const char *name;
    const ConnectionString *url;
    int64_t max_connections; /* of all pools of this database together */
} PoolDatabase;

typedef struct PoolRetry {
    int64_t max_attempts;
    int64_t initial_delay_ms;
    int64_t max_delay_ms;
    double multiplier;
    bool jitter; /* up to 25 % more */
} PoolRetry;

typedef struct PoolManagerOptions {
    const PoolDatabase *databases; /* at least one; copied, as are all texts */
    size_t database_count;
    const char *schema_template; /* used unless schema_name is set */
    /* malloc'ed schema name of a tenant, or NULL and an error; called outside the mutex. */
    char *(*schema_name)(void *context, const char *tenant_id, Error *error);
    void *schema_context;
    const char *application_name;
    int64_t max_pools;
    int64_t ttl_ms; /* 0 = pools do not expire */
    int64_t cleanup_interval_ms;
    int64_t max_connections; /* of one pool */
    int64_t idle_timeout_ms;
    int64_t connect_timeout_ms;
    int64_t retire_tenants;
    int64_t retire_age_ms;
    int64_t dispose_wait_ms; /* how long pool_manager_dispose() waits for lent connections; 0 = not at all */
    PoolRetry retry;
    PoolHooks hooks;
    const Clock *clock; /* for access times, idleness and age; waiting is real time */
} PoolManagerOptions;

/* The contract's values; databases is the only thing to add. */
extern const PoolManagerOptions POOL_MANAGER_DEFAULTS;

/* Opens nothing. Values out of range are ERROR_CONFIG. */
PoolManager *pool_manager_new(const PoolManagerOptions *options, Error *error) MUST_CHECK;

/* Evicts all pools, stops the cleanup thread, closes idle connections now and lent ones when they return, and
 * waits until running hooks have ended; none is called afterwards. Idempotent. The first call then waits, at
 * most dispose_wait_ms, until other threads have returned what they borrowed; the caller's own loans do not
 * count. A hook may call it, and waits for nothing. */
void pool_manager_dispose(PoolManager *manager);

/* Disposes; the memory goes with the last pool handle and lent connection. No other call may be running. */
void pool_manager_free(PoolManager *manager);

/* The tenant's pool, made if there is none yet: no I/O. The same pool for the same tenant while it lives.
 * Counts as an access. Every handle is given back by tenant_pool_unref() and stays usable until then, also
 * when its pool was evicted. */
TenantPool *pool_manager_get(PoolManager *manager, const char *database, const char *tenant_id,
                             Error *error) MUST_CHECK;

/* The same; a pool that is not there yet is made only when the server has answered for it. Connection errors
 * are retried. A tenant whose validation fails has no pool afterwards. */
TenantPool *pool_manager_get_validated(PoolManager *manager, const char *database, const char *tenant_id,
                                       Error *error) MUST_CHECK;

/* The pool of the shared schema, public: counts as no tenant's, is never evicted, has no creation hook. */
TenantPool *pool_manager_get_shared(PoolManager *manager, const char *database, Error *error) MUST_CHECK;
TenantPool *pool_manager_get_shared_validated(PoolManager *manager, const char *database,
                                              Error *error) MUST_CHECK;
void tenant_pool_unref(TenantPool *pool); /* NULL is fine */

const char *tenant_pool_tenant_id(const TenantPool *pool); /* NULL for the shared one */
const char *tenant_pool_schema(const TenantPool *pool);

/* A connection bound to the pool's schema; waits at most wait_ms (0 = connect_timeout_ms) for one to become
 * free. */
Connection *tenant_pool_acquire(TenantPool *pool, int64_t wait_ms, Error *error) MUST_CHECK;

/* Ends a transaction that is still open, cancels a statement that still runs, leaves the session as a new
 * one, and returns the connection to whoever waits. */
void tenant_pool_release(TenantPool *pool, Connection *connection);

/* malloc'ed. */
char *pool_manager_schema_name(PoolManager *manager, const char *tenant_id, Error *error) MUST_CHECK;
bool pool_manager_has_pool(PoolManager *manager, const char *database, const char *tenant_id);
size_t pool_manager_count(PoolManager *manager);

/* Appends the tenants that have a pool, in the order their pools were made. */
bool pool_manager_active_tenants(PoolManager *manager, TenantList *ret_tenants, Error *error) MUST_CHECK;

/* Evicting a tenant without a pool is fine. */
bool pool_manager_evict(PoolManager *manager, const char *database, const char *tenant_id,
                        Error *error) MUST_CHECK;

/* Starts and ends the thread that evicts expired pools and closes idle connections; both idempotent. Without
 * it neither happens by itself. */
bool pool_manager_start_cleanup(PoolManager *manager, Error *error) MUST_CHECK;
void pool_manager_stop_cleanup(PoolManager *manager);
bool pool_manager_cleanup_runs(PoolManager *manager);
/* What that thread does, once. A pool with lent connections does not expire. */
void pool_manager_cleanup(PoolManager *manager);

typedef struct WarmupOptions {
    int64_t concurrency; /* of a batch; 0 = 10 */
    bool no_ping;
    void *context;
    /* status: "starting", "completed", "failed"; one call at a time, ends in the order of the tenants */
    void (*on_progress)(void *context, const Tenant *tenant, const char *status);
} WarmupOptions;

/* Makes pools ready; schema fields of `tenants` are not looked at. Tenants that fail are in the result. */
bool pool_manager_warmup(PoolManager *manager, const TenantList *tenants, const WarmupOptions *options,
                         WarmupResult *ret_result, Error *error) MUST_CHECK;

typedef struct HealthCheckOptions {
    bool no_ping;
    bool no_shared;
    int64_t ping_timeout_ms;   /* 0 = 5000; slower than half of it is degraded */
    const TenantList *tenants; /* NULL or empty = all; those without a pool are left out */
} HealthCheckOptions;

/* Is no access. */
bool pool_manager_health_check(PoolManager *manager, const HealthCheckOptions *options,
                               HealthCheckResult *ret_result, Error *error) MUST_CHECK;
bool pool_manager_metrics(PoolManager *manager, MetricsResult *ret_result, Error *error) MUST_CHECK;
