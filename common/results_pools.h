/* What the pool manager reports, in the contract's shapes; a field of ours follows after theirs. Release with
 * record_clear(). Durations are whole milliseconds; measured response times are at least 1, so that 0 means
 * "not measured". */
#pragma once
#include "common/record.h"

typedef pgconvoy_pool_health PoolHealth;

extern const RecordType POOL_HEALTH;

typedef pgconvoy_health_check_result HealthCheckResult;

extern const RecordType HEALTH_CHECK_RESULT;

typedef pgconvoy_pool_connections PoolConnections;

typedef pgconvoy_tenant_pool_metrics TenantPoolMetrics;

extern const RecordType TENANT_POOL_METRICS; /* all but `connections`, which records cannot nest */

typedef pgconvoy_metrics_result MetricsResult;

extern const RecordType METRICS_RESULT; /* for record_clear() */
/* JSON on one line, which nests pools and shared; for free(), NULL when memory ran out. */
char *metrics_result_json(const MetricsResult *result);

typedef pgconvoy_tenant_warmup_result TenantWarmupResult;

extern const RecordType TENANT_WARMUP_RESULT;

typedef pgconvoy_warmup_result WarmupResult;

extern const RecordType WARMUP_RESULT;
