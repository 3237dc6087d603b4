#include "worker/executor.h"
#include <stdlib.h>
#include <string.h>

Run *run_new(const Config *config, const char *id, uint64_t conversation, Error *error)
{
    size_t count = 0;
    const DatabaseConfig *databases = config_databases(config, &count);
    Run *run = calloc(1, sizeof *run);
    if (run == NULL || (run->databases = calloc(count + 1, sizeof *run->databases)) == NULL) {
        free(run);
        error_memory(error);
        return NULL;
    }
    atomic_init(&run->references, 1);
    run->conversation = conversation;
    strncpy(run->id, id, sizeof run->id - 1);
    for (; run->database_count < count; run->database_count++) {
        const DatabaseConfig *database = &databases[run->database_count];
        struct RunDatabase *own = &run->databases[run->database_count];
        own->name = database->name;
        own->max_connections = database->max_connections;
        own->reservoir = reservoir_new(
            &(ReservoirOptions){
                .database = database->name,
                .url = database->url,
                .limit = database->max_connections,
                .connect_timeout_ms = config_int(config, SETTING_POOLS_CONNECT_TIMEOUT_MS),
                .idle_timeout_ms = config_int(config, SETTING_POOLS_IDLE_TIMEOUT_MS),
                .retire_tenants = config_int(config, SETTING_POOLS_RETIRE_TENANTS),
                .retire_age_ms = config_int(config, SETTING_POOLS_RETIRE_AGE_MS),
                .clock = &SYSTEM_CLOCK,
            },
            error);
        if (own->reservoir == NULL) {
            run_release(run);
            return NULL;
        }
    }
    return run;
}

void run_release(Run *run)
{
    if (run == NULL || atomic_fetch_sub(&run->references, 1) > 1)
        return;
    for (size_t i = 0; i < run->database_count; i++) {
        reservoir_close(run->databases[i].reservoir);
        reservoir_free(run->databases[i].reservoir);
    }
    free(run->databases);
    free(run);
}

void run_abort(Run *run, bool cancel)
{
    atomic_store(&run->aborting, true);
    if (!cancel)
        return;
    atomic_store(&run->cancelled, true);
    for (size_t i = 0; i < run->database_count; i++)
        reservoir_cancel(run->databases[i].reservoir);
}

void shared_bundle_release(SharedBundle *bundle)
{
    if (bundle == NULL || atomic_fetch_sub(&bundle->references, 1) > 1)
        return;
    script_cache_free(bundle->scripts); /* reads the bundle */
    bundle_clear(&bundle->bundle);
    free(bundle);
}
