/* Warmup: pools for many tenants, made ready a few at a time. */
#include "worker/pool/pool_internal.h"
#include "worker/threads.h"
#include <stdlib.h>
#include <string.h>

enum { CONCURRENCY = 10 };

typedef struct Warmup {
    PoolManager *manager;
    const TenantList *tenants;
    const WarmupOptions *options;
    TenantWarmupResult *results;
    bool *ended;             /* of each tenant */
    size_t begun;            /* tenants of the batches before */
    size_t told;             /* tenants whose end was told */
    pthread_mutex_t telling; /* one caller of on_progress at a time */
} Warmup;

static const char *database_of(const Tenant *tenant)
{
    return tenant->database[0] != '\0' ? tenant->database : NULL;
}

static bool warm(const Warmup *warmup, const Tenant *tenant, TenantWarmupResult *result, Error *error)
{
    PoolManager *manager = warmup->manager;
    const char *database = database_of(tenant);
    result->already_warm = result->already_warm && pool_manager_has_pool(manager, database, tenant->id);
    if (result->already_warm)
        return true;
    TenantPool *pool = warmup->options->no_ping
                           ? pool_manager_get(manager, database, tenant->id, error)
                           : pool_manager_get_validated(manager, database, tenant->id, error);
    tenant_pool_unref(pool);
    return pool != NULL;
}

static void tell(const Warmup *warmup, size_t index, const char *status)
{
    const WarmupOptions *options = warmup->options;
    if (options->on_progress != NULL)
        options->on_progress(options->context, &warmup->tenants->items[index], status);
}

/* In the order asked for, whoever is ready first: a tenant's end is told when those before it have been. */
static void tell_end(Warmup *warmup, size_t index)
{
    pthread_mutex_lock(&warmup->telling);
    warmup->ended[index] = true;
    for (; warmup->told < warmup->tenants->count && warmup->ended[warmup->told]; warmup->told++)
        tell(warmup, warmup->told, warmup->results[warmup->told].success ? "completed" : "failed");
    pthread_mutex_unlock(&warmup->telling);
}

static void warm_one(void *context, size_t index)
{
    Warmup *warmup = context;
    index += warmup->begun;
    const Tenant *tenant = &warmup->tenants->items[index];
    TenantWarmupResult *result = &warmup->results[index];
    Error error ERROR_CLEANUP = {0};
    int64_t begin = clock_now_ms(&SYSTEM_CLOCK);
    result->success = warm(warmup, tenant, result, &error);
    result->duration_ms = clock_now_ms(&SYSTEM_CLOCK) - begin;
    if (!result->success) {
        result->error = error.message;
        error.message = NULL;
    }
    tell_end(warmup, index);
}

/* The database to name in a result, NULL when there is only one; also one that is not configured. */
static const char *label_of(PoolManager *manager, const Tenant *tenant)
{
    Error ignored ERROR_CLEANUP = {0};
    PoolSource *source = pool_source_find(manager, database_of(tenant), &ignored);
    return source != NULL ? pool_database_label(manager, source) : tenant->database;
}

/* A tenant is already warm when it was so before the first one was begun: one that is named twice is not warm
 * by its own doing, whichever thread comes first. */
static bool add_results(Warmup *warmup, RecordList *details)
{
    PoolManager *manager = warmup->manager;
    for (size_t i = 0; i < warmup->tenants->count; i++) {
        const Tenant *tenant = &warmup->tenants->items[i];
        TenantWarmupResult *result = record_list_add(&TENANT_WARMUP_RESULT, details);
        if (result == NULL)
            return false;
        const char *label = label_of(manager, tenant);
        result->already_warm = pool_manager_has_pool(manager, database_of(tenant), tenant->id);
        result->tenant_id = strdup(tenant->id);
        result->database = label != NULL ? strdup(label) : NULL;
        if (result->tenant_id == NULL || (label != NULL && result->database == NULL))
            return false;
    }
    warmup->results = details->items;
    return true;
}

/* In batches, one after the other. Without a ping there is nothing to wait for, and the pools of a batch are
 * made in the order asked for. */
static void warm_all(Warmup *warmup)
{
    const WarmupOptions *options = warmup->options;
    size_t width = options->concurrency > 0 ? (size_t)options->concurrency : CONCURRENCY;
    for (size_t count; warmup->begun < warmup->tenants->count; warmup->begun += count) {
        size_t left = warmup->tenants->count - warmup->begun;
        count = left < width ? left : width;
        for (size_t i = 0; i < count; i++)
            tell(warmup, warmup->begun + i, "starting");
        run_parallel(count, options->no_ping ? 1 : count, warm_one, warmup);
    }
}

bool pool_manager_warmup(PoolManager *manager, const TenantList *tenants, const WarmupOptions *options,
                         WarmupResult *ret_result, Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    bool disposed = manager->disposed;
    pthread_mutex_unlock(&manager->mutex);
    if (disposed)
        return pool_manager_disposed_error(error);
    if (options->concurrency < 0)
        return error_set(error, ERROR_USAGE, "concurrency of a warmup is %lld, below 1",
                         (long long)options->concurrency);
    WarmupResult result = {.total = (int64_t)tenants->count};
    Warmup warmup = {.manager = manager,
                     .tenants = tenants,
                     .options = options,
                     .ended = calloc(tenants->count + 1, sizeof(bool)),
                     .telling = PTHREAD_MUTEX_INITIALIZER};
    if (warmup.ended == NULL || !add_results(&warmup, &result.details)) {
        free(warmup.ended);
        record_clear(&WARMUP_RESULT, &result);
        return error_memory(error);
    }
    int64_t begin = clock_now_ms(&SYSTEM_CLOCK);
    warm_all(&warmup);
    free(warmup.ended);
    result.duration_ms = clock_now_ms(&SYSTEM_CLOCK) - begin;
    for (size_t i = 0; i < tenants->count; i++) {
        result.succeeded += warmup.results[i].success;
        result.failed += !warmup.results[i].success;
        result.already_warm += warmup.results[i].already_warm;
    }
    *ret_result = result;
    return true;
}
