#include "worker/pool/pool_internal.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

const PoolManagerOptions POOL_MANAGER_DEFAULTS = {
    .schema_template = "tenant_{id}",
    .application_name = "pgconvoy",
    .max_pools = 50,
    .ttl_ms = 3600000,
    .cleanup_interval_ms = 60000,
    .max_connections = 10,
    .idle_timeout_ms = 30000,
    .connect_timeout_ms = 5000,
    .retire_tenants = 300,
    .retire_age_ms = 1800000,
    .dispose_wait_ms = 30000,
    .retry =
        {.max_attempts = 3, .initial_delay_ms = 100, .max_delay_ms = 5000, .multiplier = 2, .jitter = true},
    .clock = &SYSTEM_CLOCK,
};

bool pool_manager_disposed_error(Error *error)
{
    return error_set(error, ERROR_CANCELLED, "[pgconvoy] PoolManager has been disposed");
}

/* One number of the options and where it may be. */
static bool check_number(const char *name, int64_t value, int64_t least, Error *error)
{
    return value >= least || error_set(error, ERROR_CONFIG, "%s of the pool manager is %lld, below %lld",
                                       name, (long long)value, (long long)least);
}

static bool check_options(const PoolManagerOptions *options, Error *error)
{
    const struct {
        const char *name;
        int64_t value, least;
    } numbers[] = {
        {"max_pools", options->max_pools, 1},
        {"ttl_ms", options->ttl_ms, 0},
        {"cleanup_interval_ms", options->cleanup_interval_ms, 1},
        {"max_connections", options->max_connections, 1},
        {"idle_timeout_ms", options->idle_timeout_ms, 0},
        {"connect_timeout_ms", options->connect_timeout_ms, 1},
        {"retire_tenants", options->retire_tenants, 0},
        {"retire_age_ms", options->retire_age_ms, 0},
        {"dispose_wait_ms", options->dispose_wait_ms, 0},
        {"retry.max_attempts", options->retry.max_attempts, 1},
        {"retry.initial_delay_ms", options->retry.initial_delay_ms, 0},
        {"retry.max_delay_ms", options->retry.max_delay_ms, 0},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!check_number(numbers[i].name, numbers[i].value, numbers[i].least, error))
            return false;
    for (size_t i = 0; i < options->database_count; i++)
        if (!check_number("max_connections of a database", options->databases[i].max_connections, 1, error))
            return false;
    if (!(options->retry.multiplier >= 1))
        return error_set(error, ERROR_CONFIG, "retry.multiplier of the pool manager is below 1");
    if (options->database_count == 0)
        return error_set(error, ERROR_CONFIG, "the pool manager has no database");
    return true;
}

static bool open_source(const PoolManagerOptions *options, const PoolDatabase *database, PoolSource *source,
                        Error *error)
{
    ReservoirOptions limits = {.database = database->name,
                               .url = database->url,
                               .limit = database->max_connections,
                               .connect_timeout_ms = options->connect_timeout_ms,
                               .idle_timeout_ms = options->idle_timeout_ms,
                               .retire_tenants = options->retire_tenants,
                               .retire_age_ms = options->retire_age_ms,
                               .clock = options->clock};
    pthread_cond_init(&source->probed, NULL);
    source->reservoir = reservoir_new(&limits, error);
    if (source->reservoir == NULL)
        return false;
    source->name = strdup(database->name);
    return source->name != NULL || error_memory(error);
}

static void manager_destroy(PoolManager *manager)
{
    for (size_t i = 0; i < manager->source_count; i++) {
        PoolSource *source = &manager->sources[i];
        reservoir_free(source->reservoir);
        free(source->name);
        pthread_cond_destroy(&source->probed);
    }
    free(manager->sources);
    free((char *)manager->options.schema_template);
    free((char *)manager->options.application_name);
    pthread_cond_destroy(&manager->disposing);
    pthread_cond_destroy(&manager->returned);
    pthread_cond_destroy(&manager->delivered);
    pthread_mutex_destroy(&manager->mutex);
    free(manager);
}

void pool_manager_unref(PoolManager *manager)
{
    pthread_mutex_lock(&manager->mutex);
    bool last = --manager->references == 0;
    pthread_mutex_unlock(&manager->mutex);
    if (last)
        manager_destroy(manager);
}

static bool fill_manager(PoolManager *manager, const PoolManagerOptions *options, Error *error)
{
    const char *template = options->schema_template != NULL ? options->schema_template : "";
    const char *name = options->application_name != NULL ? options->application_name : "pgconvoy";
    manager->options = *options;
    manager->options.databases = NULL;
    manager->options.schema_template = strdup(template);
    manager->options.application_name = strdup(name);
    manager->sources = calloc(options->database_count, sizeof *manager->sources);
    if (manager->options.schema_template == NULL || manager->options.application_name == NULL ||
        manager->sources == NULL)
        return error_memory(error);
    for (size_t i = 0; i < options->database_count; i++) {
        manager->source_count++;
        if (!open_source(options, &options->databases[i], &manager->sources[i], error))
            return false;
    }
    return true;
}

PoolManager *pool_manager_new(const PoolManagerOptions *options, Error *error)
{
    if (!check_options(options, error))
        return NULL;
    PoolManager *manager = calloc(1, sizeof *manager);
    if (manager == NULL) {
        error_memory(error);
        return NULL;
    }
    pthread_mutex_init(&manager->mutex, NULL);
    pthread_cond_init(&manager->disposing, NULL);
    pthread_cond_init(&manager->returned, NULL);
    pthread_cond_init(&manager->delivered, NULL);
    manager->references = 1;
    manager->random = (uint64_t)(uintptr_t)manager ^ (uint64_t)clock_now_ms(options->clock);
    if (!fill_manager(manager, options, error)) {
        manager_destroy(manager);
        return NULL;
    }
    return manager;
}

PoolSource *pool_source_find(PoolManager *manager, const char *database, Error *error)
{
    if (database == NULL)
        return &manager->sources[0];
    for (size_t i = 0; i < manager->source_count; i++)
        if (strcmp(manager->sources[i].name, database) == 0)
            return &manager->sources[i];
    error_set(error, ERROR_CONFIG, "database \"%s\" is not configured", database);
    return NULL;
}

const char *pool_database_label(const PoolManager *manager, const PoolSource *source)
{
    return manager->source_count > 1 ? source->name : NULL;
}

char *pool_manager_schema_name(PoolManager *manager, const char *tenant_id, Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    bool disposed = manager->disposed;
    pthread_mutex_unlock(&manager->mutex);
    if (disposed) {
        pool_manager_disposed_error(error);
        return NULL;
    }
    const PoolManagerOptions *options = &manager->options;
    if (!tenant_id_check(tenant_id, error))
        return NULL;
    if (options->schema_name == NULL)
        return schema_from_template(options->schema_template, tenant_id, error);
    char *schema = options->schema_name(options->schema_context, tenant_id, error);
    if (schema != NULL && !schema_name_check(schema, error)) {
        free(schema);
        return NULL;
    }
    return schema;
}

size_t pool_key(const PoolManager *manager, const PoolSource *source, const char *tenant_id,
                char ret_key[POOL_KEY_MAX])
{
    size_t index = (size_t)(source - manager->sources), length = strlen(tenant_id);
    if (sizeof index + length > POOL_KEY_MAX)
        return 0;
    memcpy(ret_key, &index, sizeof index);
    memcpy(ret_key + sizeof index, tenant_id, length);
    return sizeof index + length;
}

TenantPool *pool_find(PoolManager *manager, const PoolSource *source, const char *tenant_id)
{
    if (tenant_id == NULL)
        return source->shared;
    char key[POOL_KEY_MAX];
    size_t length = pool_key(manager, source, tenant_id, key);
    return length == 0 ? NULL : (TenantPool *)lru_find(&manager->pools, key, length);
}

void pool_evict(TenantPool *pool)
{
    lru_remove(&pool->manager->pools, &pool->node);
    pool_event_push(&pool->evicted);
    pool->references--; /* the registry's; the event holds one */
}

/* Mutex held. */
static bool add_to_registry(TenantPool *pool, Error *error)
{
    PoolManager *manager = pool->manager;
    if (pool->tenant_id == NULL) {
        pool->source->shared = pool;
        pool->references++;
        return true;
    }
    if (!lru_add(&manager->pools, &pool->node, pool_now_ms(manager)))
        return error_memory(error);
    pool->references++;
    pool_event_push(&pool->created);
    LruNode *surplus = lru_surplus(&manager->pools, (size_t)manager->options.max_pools);
    if (surplus != NULL)
        pool_evict((TenantPool *)surplus);
    return true;
}

TenantPool *pool_register(TenantPool *pool, Error *error)
{
    PoolManager *manager = pool->manager;
    TenantPool *registered = NULL;
    pthread_mutex_lock(&manager->mutex);
    if (manager->disposed) {
        pool_manager_disposed_error(error);
    } else {
        registered = pool_find(manager, pool->source, pool->tenant_id);
        if (registered == NULL && add_to_registry(pool, error))
            registered = pool;
        if (registered != NULL)
            registered->references++;
    }
    pthread_mutex_unlock(&manager->mutex);
    tenant_pool_unref(pool);
    return registered;
}

/* The registered pool as an access, with a reference; NULL without an error when there is none. */
static TenantPool *find_for_use(PoolManager *manager, PoolSource *source, const char *tenant_id, Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    TenantPool *pool = NULL;
    if (manager->disposed)
        pool_manager_disposed_error(error);
    else
        pool = pool_find(manager, source, tenant_id);
    if (pool != NULL) {
        pool->references++;
        if (pool->tenant_id != NULL)
            lru_touch(&manager->pools, &pool->node, pool_now_ms(manager));
    }
    pthread_mutex_unlock(&manager->mutex);
    return pool;
}

static TenantPool *get(PoolManager *manager, const char *database, const char *tenant_id, Error *error)
{
    Error failure ERROR_CLEANUP = {0};
    PoolSource *source = pool_source_find(manager, database, error);
    if (source == NULL)
        return NULL;
    TenantPool *pool = find_for_use(manager, source, tenant_id, &failure);
    if (pool == NULL && failure.code == ERROR_NONE)
        pool = pool_new(manager, source, tenant_id, &failure);
    else if (pool != NULL)
        return pool;
    if (pool != NULL)
        pool = pool_register(pool, &failure);
    if (pool == NULL)
        error_move(error, &failure);
    pool_events_deliver(manager);
    return pool;
}

TenantPool *pool_manager_get(PoolManager *manager, const char *database, const char *tenant_id, Error *error)
{
    if (!tenant_id_check(tenant_id, error))
        return NULL;
    return get(manager, database, tenant_id, error);
}

TenantPool *pool_manager_get_shared(PoolManager *manager, const char *database, Error *error)
{
    return get(manager, database, NULL, error);
}

bool pool_manager_has_pool(PoolManager *manager, const char *database, const char *tenant_id)
{
    Error ignored ERROR_CLEANUP = {0};
    PoolSource *source = pool_source_find(manager, database, &ignored);
    if (source == NULL || tenant_id == NULL)
        return false;
    pthread_mutex_lock(&manager->mutex);
    bool found = pool_find(manager, source, tenant_id) != NULL;
    pthread_mutex_unlock(&manager->mutex);
    return found;
}

size_t pool_manager_count(PoolManager *manager)
{
    pthread_mutex_lock(&manager->mutex);
    size_t count = manager->pools.count;
    pthread_mutex_unlock(&manager->mutex);
    return count;
}

bool pool_manager_active_tenants(PoolManager *manager, TenantList *ret_tenants, Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    bool good = !manager->disposed || pool_manager_disposed_error(error);
    for (LruNode *node = NULL; good && (node = lru_next_inserted(&manager->pools, node)) != NULL;) {
        const TenantPool *pool = (const TenantPool *)node;
        good = tenant_list_add(ret_tenants, pool->source->name, pool->tenant_id, error);
    }
    pthread_mutex_unlock(&manager->mutex);
    return good;
}

bool pool_manager_evict(PoolManager *manager, const char *database, const char *tenant_id, Error *error)
{
    PoolSource *source = pool_source_find(manager, database, error);
    if (source == NULL || !tenant_id_check(tenant_id, error))
        return false;
    pthread_mutex_lock(&manager->mutex);
    bool disposed = manager->disposed;
    TenantPool *pool = pool_find(manager, source, tenant_id);
    if (pool != NULL)
        pool_evict(pool);
    pthread_mutex_unlock(&manager->mutex);
    pool_events_deliver(manager);
    return !disposed || pool_manager_disposed_error(error);
}
