/* Health and metrics of the pools: reading, never an access. */
#include "worker/pool/pool_internal.h"
#include "worker/threads.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PING_TIMEOUT_MS = 5000, PINGS_AT_ONCE = 16 };

/* Handles on pools of one moment. */
typedef struct Picked {
    TenantPool **pools;
    int64_t *ages_ms; /* since the last access */
    size_t count;
} Picked;

static void picked_clear(Picked *picked)
{
    for (size_t i = 0; i < picked->count; i++)
        tenant_pool_unref(picked->pools[i]);
    free(picked->pools);
    free(picked->ages_ms);
}

/* Mutex held. */
static void pick(Picked *picked, TenantPool *pool)
{
    pool->references++;
    picked->ages_ms[picked->count] = pool_now_ms(pool->manager) - pool->node.accessed_ms;
    picked->pools[picked->count++] = pool;
}

/* Mutex held. The named ones that have a pool, in that order, or all, most recently used first. */
static bool pick_pools(PoolManager *manager, const TenantList *wanted, Picked *ret_picked, Error *error)
{
    bool all = wanted == NULL || wanted->count == 0;
    size_t most = all ? manager->pools.count : wanted->count;
    *ret_picked = (Picked){.pools = calloc(most + 1, sizeof *ret_picked->pools),
                           .ages_ms = calloc(most + 1, sizeof *ret_picked->ages_ms)};
    if (ret_picked->pools == NULL || ret_picked->ages_ms == NULL)
        return error_memory(error);
    for (LruNode *node = all ? manager->pools.by_access : NULL; node != NULL; node = node->next)
        pick(ret_picked, (TenantPool *)node);
    for (size_t i = 0; !all && i < wanted->count; i++) {
        const Tenant *tenant = &wanted->items[i];
        const char *database = tenant->database[0] != '\0' ? tenant->database : NULL;
        PoolSource *source = pool_source_find(manager, database, error);
        if (source == NULL)
            return false;
        TenantPool *pool = pool_find(manager, source, tenant->id);
        if (pool != NULL)
            pick(ret_picked, pool);
    }
    return true;
}

/* Mutex not held. */
static bool pick_all(PoolManager *manager, const TenantList *wanted, Picked *ret_picked, int64_t *ret_total,
                     Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    bool good = manager->disposed ? pool_manager_disposed_error(error)
                                  : pick_pools(manager, wanted, ret_picked, error);
    *ret_total = (int64_t)manager->pools.count;
    pthread_mutex_unlock(&manager->mutex);
    return good;
}

/* Handles on the shared pools that were opened. */
static size_t pick_shared(PoolManager *manager, TenantPool **ret_pools)
{
    size_t count = 0;
    pthread_mutex_lock(&manager->mutex);
    for (size_t i = 0; i < manager->source_count; i++) {
        TenantPool *pool = manager->sources[i].shared;
        if (pool == NULL)
            continue;
        pool->references++;
        ret_pools[count++] = pool;
    }
    pthread_mutex_unlock(&manager->mutex);
    return count;
}

typedef struct Check {
    TenantPool *pool;
    PoolConnections connections; /* before the ping */
    const char *status;
    int64_t response_time_ms;
    char *error;
} Check;

typedef struct HealthRun {
    Check *checks;
    int64_t timeout_ms;
    bool ping;
} HealthRun;

static void check_one(void *context, size_t index)
{
    const HealthRun *run = context;
    Check *check = &run->checks[index];
    check->connections = pool_connections(check->pool);
    check->status = check->connections.waiting > 0 ? "degraded" : "ok";
    if (!run->ping)
        return;
    Error error ERROR_CLEANUP = {0};
    int64_t begin = clock_now_ms(&SYSTEM_CLOCK);
    bool answered = pool_ping(check->pool, run->timeout_ms, false, &error);
    int64_t took = clock_now_ms(&SYSTEM_CLOCK) - begin;
    check->response_time_ms = took > 0 ? took : 1;
    if (answered && took > run->timeout_ms / 2)
        check->status = "degraded";
    if (!answered) {
        check->status = "unhealthy";
        check->error = error.message;
        error.message = NULL;
    }
}

static bool copy_text(char **target, const char *source)
{
    *target = source != NULL ? strdup(source) : NULL;
    return source == NULL || *target != NULL;
}

/* Moves the check's error text. */
static bool add_health(HealthCheckResult *result, const PoolManager *manager, Check *check)
{
    PoolHealth *health = record_list_add(&POOL_HEALTH, &result->pools);
    if (health == NULL)
        return false;
    health->total_connections = check->connections.total;
    health->idle_connections = check->connections.idle;
    health->waiting_requests = check->connections.waiting;
    health->response_time_ms = check->response_time_ms;
    health->error = check->error;
    check->error = NULL;
    result->degraded_pools += strcmp(check->status, "degraded") == 0;
    result->unhealthy_pools += strcmp(check->status, "unhealthy") == 0;
    return copy_text(&health->tenant_id, check->pool->tenant_id) &&
           copy_text(&health->schema_name, check->pool->schema) &&
           copy_text(&health->status, check->status) &&
           copy_text(&health->database, pool_database_label(manager, check->pool->source));
}

/* The worst of the shared pools; "ok" when none was opened, as the npm package has it. */
static bool add_shared(HealthCheckResult *result, Check *checks, size_t count)
{
    static const char *const BETTER_FIRST[] = {"ok", "degraded", "unhealthy"};
    size_t worst = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t level = worst + 1; level < 3; level++)
            if (strcmp(checks[i].status, BETTER_FIRST[level]) == 0)
                worst = level;
        if (checks[i].response_time_ms > result->shared_db_response_time_ms)
            result->shared_db_response_time_ms = checks[i].response_time_ms;
        if (checks[i].error != NULL && result->shared_db_error == NULL) {
            result->shared_db_error = checks[i].error;
            checks[i].error = NULL;
        }
    }
    return copy_text(&result->shared_db, BETTER_FIRST[worst]);
}

static bool fill_health(HealthCheckResult *result, PoolManager *manager, Check *checks, size_t tenants,
                        size_t shared, bool with_shared)
{
    char timestamp[32];
    clock_timestamp(timestamp);
    for (size_t i = 0; i < tenants; i++)
        if (!add_health(result, manager, &checks[i]))
            return false;
    if (with_shared && !add_shared(result, checks + tenants, shared))
        return false;
    bool shared_ill = result->shared_db != NULL && strcmp(result->shared_db, "unhealthy") == 0;
    result->healthy = result->unhealthy_pools == 0 && !shared_ill;
    return copy_text(&result->timestamp, timestamp);
}

static bool check_all(PoolManager *manager, const HealthCheckOptions *options, const Picked *picked,
                      HealthCheckResult *result)
{
    TenantPool **shared = calloc(manager->source_count, sizeof *shared);
    Check *checks = calloc(picked->count + manager->source_count, sizeof *checks);
    size_t shared_count = shared != NULL && !options->no_shared ? pick_shared(manager, shared) : 0;
    bool good = shared != NULL && checks != NULL;
    size_t count = good ? picked->count + shared_count : 0;
    for (size_t i = 0; i < count; i++)
        checks[i].pool = i < picked->count ? picked->pools[i] : shared[i - picked->count];
    HealthRun run = {.checks = checks,
                     .ping = !options->no_ping,
                     .timeout_ms = options->ping_timeout_ms > 0 ? options->ping_timeout_ms : PING_TIMEOUT_MS};
    run_parallel(count, PINGS_AT_ONCE, check_one, &run);
    good = good && fill_health(result, manager, checks, picked->count, shared_count, !options->no_shared);
    for (size_t i = 0; i < count; i++)
        free(checks[i].error);
    for (size_t i = 0; i < shared_count; i++)
        tenant_pool_unref(shared[i]);
    free(checks);
    free(shared);
    return good;
}

bool pool_manager_health_check(PoolManager *manager, const HealthCheckOptions *options,
                               HealthCheckResult *ret_result, Error *error)
{
    HealthCheckResult result = {0};
    Picked picked = {0};
    int64_t begin = clock_now_ms(&SYSTEM_CLOCK);
    bool good = pick_all(manager, options->tenants, &picked, &result.total_pools, error);
    if (good && !check_all(manager, options, &picked, &result))
        good = error_memory(error);
    picked_clear(&picked);
    pool_events_deliver(manager);
    result.duration_ms = clock_now_ms(&SYSTEM_CLOCK) - begin;
    if (good)
        *ret_result = result;
    else
        record_clear(&HEALTH_CHECK_RESULT, &result);
    return good;
}

/* UTC wall-clock time of a moment that many milliseconds ago. */
static void timestamp_before_now(int64_t age_ms, char ret_text[40])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - age_ms;
    time_t seconds = ms / 1000;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(ret_text, 40, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + length, 40 - length, ".%03dZ", (int)(ms % 1000));
}

static bool add_metrics(MetricsResult *result, const PoolManager *manager, TenantPool *pool, int64_t age_ms)
{
    char timestamp[40];
    TenantPoolMetrics *metrics = record_list_add(&TENANT_POOL_METRICS, &result->tenants);
    if (metrics == NULL)
        return false;
    metrics->connections = pool_connections(pool);
    timestamp_before_now(age_ms, timestamp);
    return copy_text(&metrics->tenant_id, pool->tenant_id) &&
           copy_text(&metrics->schema_name, pool->schema) &&
           copy_text(&metrics->last_accessed_at, timestamp) &&
           copy_text(&metrics->database, pool_database_label(manager, pool->source));
}

static bool add_shared_metrics(MetricsResult *result, PoolManager *manager)
{
    TenantPool **shared = calloc(manager->source_count, sizeof *shared);
    if (shared == NULL)
        return false;
    size_t count = pick_shared(manager, shared);
    result->shared_initialized = count > 0;
    for (size_t i = 0; i < count; i++) {
        PoolConnections one = pool_connections(shared[i]);
        result->shared.total += one.total;
        result->shared.idle += one.idle;
        result->shared.waiting += one.waiting;
        tenant_pool_unref(shared[i]);
    }
    free(shared);
    return true;
}

bool pool_manager_metrics(PoolManager *manager, MetricsResult *ret_result, Error *error)
{
    MetricsResult result = {.max_pools = manager->options.max_pools};
    Picked picked = {0};
    bool good = pick_all(manager, NULL, &picked, &result.total, error);
    if (good) {
        char timestamp[32];
        clock_timestamp(timestamp);
        bool filled = copy_text(&result.timestamp, timestamp) && add_shared_metrics(&result, manager);
        for (size_t i = 0; filled && i < picked.count; i++)
            filled = add_metrics(&result, manager, picked.pools[i], picked.ages_ms[i]);
        if (!filled)
            good = error_memory(error);
    }
    picked_clear(&picked);
    if (good)
        *ret_result = result;
    else
        record_clear(&METRICS_RESULT, &result);
    return good;
}
