/* Expired pools and idle connections: once, or again and again by a thread. */
#include "worker/pool/pool_internal.h"
#include "worker/threads.h"
#include <stdlib.h>

/* One thread's life. It is freed by whoever ends it, or by the thread when a hook of its own did. */
struct Cleaner {
    PoolManager *manager;
    pthread_t thread;
    pthread_cond_t wake;
    bool stop;
    bool detached;
};

void pool_manager_cleanup(PoolManager *manager)
{
    pthread_mutex_lock(&manager->mutex);
    int64_t now = pool_now_ms(manager);
    for (LruNode *node = lru_next_oldest(&manager->pools, NULL); node != NULL;) {
        TenantPool *pool = (TenantPool *)node;
        if (!lru_is_expired(node, manager->options.ttl_ms, now))
            break;
        node = lru_next_oldest(&manager->pools, node);
        if (pool->lent == 0)
            pool_evict(pool);
    }
    pthread_mutex_unlock(&manager->mutex);
    for (size_t i = 0; i < manager->source_count; i++)
        reservoir_trim(manager->sources[i].reservoir);
    pool_events_deliver(manager);
}

static int64_t interval_ms(const PoolManager *manager)
{
    int64_t cleanup = manager->options.cleanup_interval_ms, idle = manager->options.idle_timeout_ms;
    return idle > 0 && idle < cleanup ? idle : cleanup;
}

static void cleaner_free(Cleaner *cleaner)
{
    pthread_cond_destroy(&cleaner->wake);
    free(cleaner);
}

static void *clean_until_stopped(void *argument)
{
    Cleaner *cleaner = argument;
    PoolManager *manager = cleaner->manager;
    pthread_mutex_lock(&manager->mutex);
    while (!cleaner->stop) {
        Deadline next = deadline_after_ms(interval_ms(manager));
        while (!cleaner->stop && deadline_left_ms(next) > 0)
            deadline_wait(next, &cleaner->wake, &manager->mutex);
        if (cleaner->stop)
            break;
        pthread_mutex_unlock(&manager->mutex);
        pool_manager_cleanup(manager);
        pthread_mutex_lock(&manager->mutex);
    }
    bool detached = cleaner->detached;
    pthread_mutex_unlock(&manager->mutex);
    if (detached)
        cleaner_free(cleaner);
    pool_manager_unref(manager);
    return NULL;
}

/* Mutex held. */
static bool start(PoolManager *manager, Error *error)
{
    if (manager->disposed)
        return pool_manager_disposed_error(error);
    if (manager->cleaner != NULL)
        return true;
    Cleaner *cleaner = calloc(1, sizeof *cleaner);
    if (cleaner == NULL)
        return error_memory(error);
    cleaner->manager = manager;
    pthread_cond_init(&cleaner->wake, NULL);
    if (!thread_start(&cleaner->thread, clean_until_stopped, cleaner)) {
        cleaner_free(cleaner);
        return error_set(error, ERROR_SYSTEM, "cannot start the cleanup thread of the pool manager");
    }
    manager->references++;
    manager->cleaner = cleaner;
    return true;
}

bool pool_manager_start_cleanup(PoolManager *manager, Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    bool started = start(manager, error);
    pthread_mutex_unlock(&manager->mutex);
    return started;
}

void pool_manager_stop_cleanup(PoolManager *manager)
{
    pthread_mutex_lock(&manager->mutex);
    Cleaner *cleaner = manager->cleaner;
    manager->cleaner = NULL;
    bool itself = false;
    if (cleaner != NULL) {
        itself = pthread_equal(cleaner->thread, pthread_self());
        cleaner->stop = true;
        cleaner->detached = itself;
        pthread_cond_signal(&cleaner->wake);
    }
    pthread_mutex_unlock(&manager->mutex);
    if (cleaner == NULL)
        return;
    if (itself) { /* called by a hook in the cleanup thread, which cannot wait for itself */
        pthread_detach(cleaner->thread);
        return;
    }
    pthread_join(cleaner->thread, NULL);
    cleaner_free(cleaner);
}

bool pool_manager_cleanup_runs(PoolManager *manager)
{
    pthread_mutex_lock(&manager->mutex);
    bool runs = manager->cleaner != NULL;
    pthread_mutex_unlock(&manager->mutex);
    return runs;
}
