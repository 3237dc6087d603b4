/* What the pool manager reports, in the contract's shapes; a field of ours follows after theirs. Release with
 * record_clear(). Durations are whole milliseconds; measured response times are at least 1, so that 0 means
 * "not measured". */
#pragma once
#include "common/record.h"

typedef struct PoolHealth {
    char *tenant_id;
    char *schema_name;
    char *status; /* "ok", "degraded" (slow, or somebody waits), "unhealthy" */
    int64_t total_connections;
    int64_t idle_connections;
    int64_t waiting_requests;
    int64_t response_time_ms;
    char *error;
    char *database; /* NULL unless several databases are configured */
} PoolHealth;

extern const RecordType POOL_HEALTH;

typedef struct HealthCheckResult {
    bool healthy;        /* nothing is unhealthy */
    RecordList pools;    /* PoolHealth, most recently used first */
    char *shared_db;     /* status; NULL when it was left out */
    int64_t total_pools; /* all pools of the manager, however many were checked */
    int64_t degraded_pools;
    int64_t unhealthy_pools;
    char *timestamp;
    int64_t duration_ms;
    int64_t shared_db_response_time_ms;
    char *shared_db_error;
} HealthCheckResult;

extern const RecordType HEALTH_CHECK_RESULT;

/* Connections of one pool: lent ones, and idle ones that it used last. */
typedef struct PoolConnections {
    int64_t total, idle, waiting;
} PoolConnections;

typedef struct TenantPoolMetrics {
    char *tenant_id;
    char *schema_name;
    PoolConnections connections; /* a JSON object of its own: {total, idle, waiting} */
    char *last_accessed_at;
    char *database;
} TenantPoolMetrics;

extern const RecordType TENANT_POOL_METRICS; /* all but `connections`, which records cannot nest */

typedef struct MetricsResult {
    int64_t total;
    int64_t max_pools;
    RecordList tenants; /* TenantPoolMetrics, most recently used first */
    bool shared_initialized;
    PoolConnections shared; /* null in JSON while not initialized */
    char *timestamp;
} MetricsResult;

extern const RecordType METRICS_RESULT; /* for record_clear(); JSON nests pools and shared */

typedef struct TenantWarmupResult {
    char *tenant_id;
    bool success;
    bool already_warm;
    int64_t duration_ms;
    char *error;
    char *database;
} TenantWarmupResult;

extern const RecordType TENANT_WARMUP_RESULT;

typedef struct WarmupResult {
    int64_t total;
    int64_t succeeded;
    int64_t failed;
    int64_t already_warm; /* of succeeded */
    int64_t duration_ms;
    RecordList details; /* TenantWarmupResult, in the order asked for */
} WarmupResult;

extern const RecordType WARMUP_RESULT;
