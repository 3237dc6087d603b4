#include "worker/ops/script_cache.h"
#include <pthread.h>
#include <stdlib.h>

struct ScriptCache {
    pthread_mutex_t mutex;
    const Bundle *bundle;
    struct {
        bool read;
        MigrationScript script;
    } entries[]; /* guarded by mutex until read, then constant */
};

ScriptCache *script_cache_new(const Bundle *bundle, Error *error)
{
    ScriptCache *cache = calloc(1, sizeof *cache + bundle->count * sizeof cache->entries[0]);
    if (cache == NULL) {
        error_memory(error);
        return NULL;
    }
    pthread_mutex_init(&cache->mutex, NULL);
    cache->bundle = bundle;
    return cache;
}

void script_cache_free(ScriptCache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->bundle->count; i++)
        migration_script_clear(&cache->entries[i].script);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

const MigrationScript *script_cache_get(ScriptCache *cache, const Migration *migration, MigrationScript *own,
                                        Error *error)
{
    if (cache == NULL)
        return migration_script_read(migration, own, error) ? own : NULL;
    size_t item = (size_t)(migration - cache->bundle->items);
    pthread_mutex_lock(&cache->mutex);
    if (!cache->entries[item].read)
        cache->entries[item].read = migration_script_read(migration, &cache->entries[item].script, error);
    bool good = cache->entries[item].read;
    pthread_mutex_unlock(&cache->mutex);
    return good ? &cache->entries[item].script : NULL;
}
