#include "worker/pool/pool_results.h"

#define FIELD(structure, member, json, kind, rule)                          \
    {                                                                       \
        json, FIELD_##kind, FIELD_##rule, offsetof(structure, member), NULL \
    }
#define RECORDS(structure, member, json, type)                                  \
    {                                                                           \
        json, FIELD_RECORDS, FIELD_ALWAYS, offsetof(structure, member), &(type) \
    }

static const RecordField POOL_HEALTH_FIELDS[] = {
    FIELD(PoolHealth, tenant_id, "tenantId", TEXT, ALWAYS),
    FIELD(PoolHealth, schema_name, "schemaName", TEXT, ALWAYS),
    FIELD(PoolHealth, status, "status", TEXT, ALWAYS),
    FIELD(PoolHealth, total_connections, "totalConnections", INT, ALWAYS),
    FIELD(PoolHealth, idle_connections, "idleConnections", INT, ALWAYS),
    FIELD(PoolHealth, waiting_requests, "waitingRequests", INT, ALWAYS),
    FIELD(PoolHealth, response_time_ms, "responseTimeMs", INT, OPTIONAL),
    FIELD(PoolHealth, error, "error", TEXT, OPTIONAL),
    FIELD(PoolHealth, database, "database", TEXT, OPTIONAL),
};
const RecordType POOL_HEALTH = RECORD_TYPE("pool_health", PoolHealth, POOL_HEALTH_FIELDS);

static const RecordField HEALTH_CHECK_FIELDS[] = {
    FIELD(HealthCheckResult, healthy, "healthy", BOOL, ALWAYS),
    RECORDS(HealthCheckResult, pools, "pools", POOL_HEALTH),
    FIELD(HealthCheckResult, shared_db, "sharedDb", TEXT, OPTIONAL),
    FIELD(HealthCheckResult, total_pools, "totalPools", INT, ALWAYS),
    FIELD(HealthCheckResult, degraded_pools, "degradedPools", INT, ALWAYS),
    FIELD(HealthCheckResult, unhealthy_pools, "unhealthyPools", INT, ALWAYS),
    FIELD(HealthCheckResult, timestamp, "timestamp", TEXT, ALWAYS),
    FIELD(HealthCheckResult, duration_ms, "durationMs", INT, ALWAYS),
    FIELD(HealthCheckResult, shared_db_response_time_ms, "sharedDbResponseTimeMs", INT, OPTIONAL),
    FIELD(HealthCheckResult, shared_db_error, "sharedDbError", TEXT, OPTIONAL),
};
const RecordType HEALTH_CHECK_RESULT = RECORD_TYPE("health_check", HealthCheckResult, HEALTH_CHECK_FIELDS);

static const RecordField TENANT_POOL_METRICS_FIELDS[] = {
    FIELD(TenantPoolMetrics, tenant_id, "tenantId", TEXT, ALWAYS),
    FIELD(TenantPoolMetrics, schema_name, "schemaName", TEXT, ALWAYS),
    FIELD(TenantPoolMetrics, last_accessed_at, "lastAccessedAt", TEXT, ALWAYS),
    FIELD(TenantPoolMetrics, database, "database", TEXT, OPTIONAL),
};
const RecordType TENANT_POOL_METRICS =
    RECORD_TYPE("tenant_pool_metrics", TenantPoolMetrics, TENANT_POOL_METRICS_FIELDS);

static const RecordField METRICS_FIELDS[] = {
    FIELD(MetricsResult, total, "total", INT, ALWAYS),
    FIELD(MetricsResult, max_pools, "maxPools", INT, ALWAYS),
    RECORDS(MetricsResult, tenants, "tenants", TENANT_POOL_METRICS),
    FIELD(MetricsResult, timestamp, "timestamp", TEXT, ALWAYS),
};
const RecordType METRICS_RESULT = RECORD_TYPE("metrics", MetricsResult, METRICS_FIELDS);

static const RecordField TENANT_WARMUP_FIELDS[] = {
    FIELD(TenantWarmupResult, tenant_id, "tenantId", TEXT, ALWAYS),
    FIELD(TenantWarmupResult, success, "success", BOOL, ALWAYS),
    FIELD(TenantWarmupResult, already_warm, "alreadyWarm", BOOL, ALWAYS),
    FIELD(TenantWarmupResult, duration_ms, "durationMs", INT, ALWAYS),
    FIELD(TenantWarmupResult, error, "error", TEXT, OPTIONAL),
    FIELD(TenantWarmupResult, database, "database", TEXT, OPTIONAL),
};
const RecordType TENANT_WARMUP_RESULT =
    RECORD_TYPE("tenant_warmup", TenantWarmupResult, TENANT_WARMUP_FIELDS);

static const RecordField WARMUP_FIELDS[] = {
    FIELD(WarmupResult, total, "total", INT, ALWAYS),
    FIELD(WarmupResult, succeeded, "succeeded", INT, ALWAYS),
    FIELD(WarmupResult, failed, "failed", INT, ALWAYS),
    FIELD(WarmupResult, already_warm, "alreadyWarm", INT, ALWAYS),
    FIELD(WarmupResult, duration_ms, "durationMs", INT, ALWAYS),
    RECORDS(WarmupResult, details, "details", TENANT_WARMUP_RESULT),
};
const RecordType WARMUP_RESULT = RECORD_TYPE("warmup", WarmupResult, WARMUP_FIELDS);
