/* Hooks: queued under the mutex in the order of what happened, called outside of it one at a time. */
#include "worker/pg/error_copy.h"
#include "worker/pool/pool_internal.h"
#include <stdlib.h>
#include <utlist.h>

void pool_event_push(PoolEvent *event)
{
    event->pool->references++;
    DL_APPEND(event->pool->manager->events, event);
}

/* Queues a report of its own memory; one that memory is too short for is lost. */
static void report(TenantPool *pool, const PoolEvent *content, Error *error)
{
    PoolEvent *event = calloc(1, sizeof *event);
    if (event == NULL) {
        error_clear(error);
        return;
    }
    *event = *content;
    event->pool = pool;
    error_move(&event->error, error);
    pthread_mutex_lock(&pool->manager->mutex);
    bool wanted = !pool->manager->disposed; /* afterwards the hooks' context may be gone */
    if (wanted)
        pool_event_push(event);
    pthread_mutex_unlock(&pool->manager->mutex);
    if (!wanted) {
        error_clear(&event->error);
        free(event);
    }
}

void pool_report_error(TenantPool *pool, Error *error)
{
    report(pool, &(PoolEvent){.kind = POOL_ERROR}, error);
}

void pool_report_retry(TenantPool *pool, int64_t attempt, const Error *error, int64_t delay_ms)
{
    Error copy = {0};
    error_copy(&copy, error);
    report(pool, &(PoolEvent){.kind = POOL_RETRY, .attempt = attempt, .delay_ms = delay_ms}, &copy);
}

static void call_hook(const PoolHooks *hooks, const PoolEvent *event)
{
    const char *database = event->pool->source->name, *tenant_id = event->pool->tenant_id;
    if (event->kind == POOL_CREATED && hooks->on_pool_created != NULL)
        hooks->on_pool_created(hooks->context, database, tenant_id);
    else if (event->kind == POOL_EVICTED && hooks->on_pool_evicted != NULL)
        hooks->on_pool_evicted(hooks->context, database, tenant_id);
    else if (event->kind == POOL_ERROR && hooks->on_error != NULL)
        hooks->on_error(hooks->context, database, tenant_id, &event->error);
    else if (event->kind == POOL_RETRY && hooks->on_retry != NULL)
        hooks->on_retry(hooks->context, event->attempt, &event->error, event->delay_ms);
}

/* Created and evicted are members of their pool, reports stand alone. */
static void event_free(PoolEvent *event)
{
    if (event->kind != POOL_ERROR && event->kind != POOL_RETRY)
        return;
    error_clear(&event->error);
    free(event);
}

/* A hook that calls back finds somebody delivering, itself, and leaves its own events to that loop: no
 * recursion, and the order holds. */
void pool_events_deliver(PoolManager *manager)
{
    pthread_mutex_lock(&manager->mutex);
    if (!manager->delivering) {
        manager->delivering = true;
        manager->deliverer = pthread_self();
        for (PoolEvent *event; (event = manager->events) != NULL;) {
            DL_DELETE(manager->events, event);
            pthread_mutex_unlock(&manager->mutex);
            call_hook(&manager->options.hooks, event);
            TenantPool *pool = event->pool;
            event_free(event);
            tenant_pool_unref(pool);
            pthread_mutex_lock(&manager->mutex);
        }
        manager->delivering = false;
        pthread_cond_broadcast(&manager->delivered);
    }
    pthread_mutex_unlock(&manager->mutex);
}

void pool_events_wait(PoolManager *manager)
{
    pthread_mutex_lock(&manager->mutex);
    while (manager->delivering && !pthread_equal(manager->deliverer, pthread_self()))
        pthread_cond_wait(&manager->delivered, &manager->mutex);
    pthread_mutex_unlock(&manager->mutex);
}
