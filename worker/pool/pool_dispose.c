/* The end of a pool manager: everybody who waits is woken, what is idle is closed, what is lent is waited
 * for.
 */
#include "worker/pool/pool_internal.h"
#include <utlist.h>

/* Mutex held. Wakes everybody who waits, to find that it is over. */
static void wake_everybody(PoolManager *manager)
{
    pthread_cond_broadcast(&manager->disposing);
    TenantPool *pool;
    Turn *turn;
    DL_FOREACH2(manager->alive, pool, alive_next)
    DL_FOREACH(pool->turns, turn)
    pthread_cond_signal(&turn->changed);
}

/* Mutex held. What other threads have borrowed, or are about to: the caller cannot return its own while it
 * waits here. */
static int64_t lent_to_others(const PoolManager *manager)
{
    int64_t count = 0;
    TenantPool *pool;
    Loan *loan;
    DL_FOREACH2(manager->alive, pool, alive_next)
    {
        count += pool->lent;
        DL_FOREACH(pool->loans, loan)
        count -= pthread_equal(loan->borrower, pthread_self()) != 0;
    }
    return count;
}

static void wait_for_loans(PoolManager *manager)
{
    Deadline deadline = deadline_after_ms(manager->options.dispose_wait_ms);
    pthread_mutex_lock(&manager->mutex);
    while (lent_to_others(manager) > 0 && deadline_left_ms(deadline) > 0)
        deadline_wait(deadline, &manager->returned, &manager->mutex);
    pthread_mutex_unlock(&manager->mutex);
}

static void close_source(PoolManager *manager, PoolSource *source)
{
    reservoir_close(source->reservoir);
    pthread_mutex_lock(&manager->mutex);
    TenantPool *shared = source->shared;
    source->shared = NULL;
    pthread_mutex_unlock(&manager->mutex);
    tenant_pool_unref(shared);
}

void pool_manager_dispose(PoolManager *manager)
{
    pool_manager_stop_cleanup(manager);
    pthread_mutex_lock(&manager->mutex);
    bool first = !manager->disposed; /* two that waited would wait for each other's loans */
    bool in_hook = manager->delivering && pthread_equal(manager->deliverer, pthread_self());
    manager->disposed = true;
    for (LruNode *node; (node = lru_next_inserted(&manager->pools, NULL)) != NULL;)
        pool_evict((TenantPool *)node);
    wake_everybody(manager);
    pthread_mutex_unlock(&manager->mutex);
    for (size_t i = 0; i < manager->source_count; i++)
        close_source(manager, &manager->sources[i]);
    pool_events_deliver(manager);
    pool_events_wait(manager);
    if (first && !in_hook)
        wait_for_loans(manager);
}

void pool_manager_free(PoolManager *manager)
{
    if (manager == NULL)
        return;
    pool_manager_dispose(manager);
    pool_manager_unref(manager);
}
