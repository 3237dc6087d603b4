#include "common/results_pools.h"
#include "common/json.h"

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

/* Appends a member, also when its value is NULL because memory ran out. */
static bool add_member(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}

static json_t *connections_to_json(const PoolConnections *connections)
{
    return json_pack("{s:I,s:I,s:I}", "total", (json_int_t)connections->total, "idle",
                     (json_int_t)connections->idle, "waiting", (json_int_t)connections->waiting);
}

/* The record's own fields with `connections` in their midst, where the contract has it. */
static json_t *tenant_metrics_to_json(const TenantPoolMetrics *metrics)
{
    json_t *rest = record_to_json(&TENANT_POOL_METRICS, metrics), *object = json_object();
    bool good = rest != NULL && object != NULL &&
                add_member(object, "tenantId", json_incref(json_object_get(rest, "tenantId"))) &&
                add_member(object, "schemaName", json_incref(json_object_get(rest, "schemaName"))) &&
                add_member(object, "connections", connections_to_json(&metrics->connections)) &&
                json_object_update_missing(object, rest) == 0;
    json_decref(rest);
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *tenants_to_json(const RecordList *tenants)
{
    json_t *array = json_array();
    const TenantPoolMetrics *items = tenants->items;
    for (size_t i = 0; array != NULL && i < tenants->count; i++) {
        if (json_array_append_new(array, tenant_metrics_to_json(&items[i])) == 0)
            continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

/* A NULL among the values, because memory ran out, makes all of it NULL. */
static json_t *metrics_to_json(const MetricsResult *result)
{
    json_t *connections = result->shared_initialized ? connections_to_json(&result->shared) : json_null();
    const char *timestamp = result->timestamp != NULL ? result->timestamp : "";
    return json_pack("{s:{s:I,s:I,s:o},s:{s:b,s:o},s:s}", "pools", "total", (json_int_t)result->total,
                     "maxPools", (json_int_t)result->max_pools, "tenants", tenants_to_json(&result->tenants),
                     "shared", "initialized", result->shared_initialized, "connections", connections,
                     "timestamp", timestamp);
}

char *metrics_result_json(const MetricsResult *result)
{
    json_t *document = metrics_to_json(result);
    char *text = json_text(document, JSON_COMPACT);
    json_decref(document);
    return text;
}
