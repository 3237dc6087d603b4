/* Getting a pool only after the server has answered for it, with retries; several callers share one attempt.
 */
#include "worker/pg/error_copy.h"
#include "worker/pool/pool_internal.h"
#include "worker/pool/pool_retry.h"
#include <string.h>
#include <utlist.h>

static int64_t delay_before(PoolManager *manager, int64_t failed_attempts)
{
    pthread_mutex_lock(&manager->mutex);
    int64_t delay_ms = pool_retry_delay_ms(&manager->options.retry, failed_attempts, &manager->random);
    pthread_mutex_unlock(&manager->mutex);
    return delay_ms;
}

/* False when the manager was disposed of meanwhile. */
static bool pause_for(PoolManager *manager, int64_t delay_ms)
{
    Deadline deadline = deadline_after_ms(delay_ms);
    pthread_mutex_lock(&manager->mutex);
    while (!manager->disposed && deadline_left_ms(deadline) > 0)
        deadline_wait(deadline, &manager->disposing, &manager->mutex);
    bool disposed = manager->disposed;
    pthread_mutex_unlock(&manager->mutex);
    return !disposed;
}

static bool ping_with_retries(TenantPool *pool, Error *error)
{
    PoolManager *manager = pool->manager;
    for (int64_t attempt = 1;; attempt++) {
        if (pool_ping(pool, manager->options.connect_timeout_ms, attempt > 1, error))
            return true;
        if (attempt >= manager->options.retry.max_attempts || error_retry_class(error) == RETRY_NEVER)
            return false;
        int64_t delay_ms = delay_before(manager, attempt);
        pool_report_retry(pool, attempt, error, delay_ms);
        pool_events_deliver(manager);
        if (!pause_for(manager, delay_ms))
            return pool_manager_disposed_error(error);
        error_clear(error);
    }
}

/* Mutex held. */
static Validation *find_validation(const PoolManager *manager, const PoolSource *source,
                                   const char *tenant_id)
{
    Validation *validation;
    DL_FOREACH(manager->validations, validation)
    {
        const char *id = validation->tenant_id;
        bool same_id = id == NULL || tenant_id == NULL ? id == tenant_id : strcmp(id, tenant_id) == 0;
        if (validation->source == source && same_id)
            break;
    }
    return validation;
}

/* Mutex held. Waits for somebody else's validation, which lives until its last follower has left. */
static bool follow(PoolManager *manager, Validation *validation, Error *error)
{
    validation->followers++;
    while (!validation->done)
        pthread_cond_wait(&validation->finished, &manager->mutex);
    bool good = validation->error.code == ERROR_NONE;
    if (!good)
        error_copy(error, &validation->error);
    if (--validation->followers == 0)
        pthread_cond_broadcast(&validation->finished);
    return good;
}

/* Pings for a pool that nobody else can see yet, and that takes its place in the registry when the server has
 * answered, unless somebody else made one meanwhile. */
static bool validate(PoolManager *manager, PoolSource *source, const char *tenant_id, Error *error)
{
    TenantPool *pool = pool_new(manager, source, tenant_id, error);
    if (pool == NULL)
        return false;
    if (!ping_with_retries(pool, error)) {
        tenant_pool_unref(pool);
        return false;
    }
    TenantPool *registered = pool_register(pool, error);
    tenant_pool_unref(registered);
    return registered != NULL;
}

/* Mutex held, given up meanwhile. */
static bool lead(PoolManager *manager, PoolSource *source, const char *tenant_id, Error *error)
{
    Validation validation = {.source = source, .tenant_id = tenant_id};
    pthread_cond_init(&validation.finished, NULL);
    DL_APPEND(manager->validations, &validation);
    pthread_mutex_unlock(&manager->mutex);
    bool good = validate(manager, source, tenant_id, &validation.error);
    pthread_mutex_lock(&manager->mutex);
    DL_DELETE(manager->validations, &validation);
    validation.done = true;
    pthread_cond_broadcast(&validation.finished);
    while (validation.followers > 0)
        pthread_cond_wait(&validation.finished, &manager->mutex);
    pthread_cond_destroy(&validation.finished);
    if (!good)
        error_move(error, &validation.error);
    return good;
}

static bool make_valid(PoolManager *manager, PoolSource *source, const char *tenant_id, Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    bool known = pool_find(manager, source, tenant_id) != NULL;
    Validation *running = find_validation(manager, source, tenant_id);
    bool good;
    if (manager->disposed)
        good = pool_manager_disposed_error(error);
    else if (known)
        good = true;
    else if (running != NULL)
        good = follow(manager, running, error);
    else
        good = lead(manager, source, tenant_id, error);
    pthread_mutex_unlock(&manager->mutex);
    pool_events_deliver(manager);
    return good;
}

TenantPool *pool_manager_get_validated(PoolManager *manager, const char *database, const char *tenant_id,
                                       Error *error)
{
    PoolSource *source = pool_source_find(manager, database, error);
    if (source == NULL || !tenant_id_check(tenant_id, error) ||
        !make_valid(manager, source, tenant_id, error))
        return NULL;
    return pool_manager_get(manager, database, tenant_id, error);
}

TenantPool *pool_manager_get_shared_validated(PoolManager *manager, const char *database, Error *error)
{
    PoolSource *source = pool_source_find(manager, database, error);
    if (source == NULL || !make_valid(manager, source, NULL, error))
        return NULL;
    return pool_manager_get_shared(manager, database, error);
}
