#include "worker/hooks.h"
#include <pthread.h>
#include <stdlib.h>

struct HookSet {
    pgconvoy_hooks callbacks;
    pthread_mutex_t mutex; /* held while a callback runs */
};

HookSet *hook_set_new(const Config *config, const pgconvoy_hooks *callbacks, Error *error)
{
    (void)config;
    HookSet *hooks = calloc(1, sizeof *hooks);
    if (hooks == NULL) {
        error_memory(error);
        return NULL;
    }
    if (callbacks != NULL)
        hooks->callbacks = *callbacks;
    pthread_mutex_init(&hooks->mutex, NULL);
    return hooks;
}

void hook_set_free(HookSet *hooks)
{
    if (hooks == NULL)
        return;
    pthread_mutex_destroy(&hooks->mutex);
    free(hooks);
}

bool hook_set_wants_tenants(const HookSet *hooks)
{
    return hooks != NULL && (hooks->callbacks.on_progress != NULL || hooks->callbacks.before_tenant != NULL ||
                             hooks->callbacks.after_tenant != NULL);
}

bool hook_set_can_seed(const HookSet *hooks)
{
    return hooks != NULL && hooks->callbacks.seed != NULL;
}

/* A failure always has a text. */
static bool judge(bool good, const char *name, Error *error)
{
    if (!good && error->code == ERROR_NONE)
        error_set(error, ERROR_CALLBACK, "%s failed and did not say why", name);
    return good;
}

#define CALL(name, ...)                                                           \
    do {                                                                          \
        if (hooks == NULL || hooks->callbacks.name == NULL)                       \
            return true;                                                          \
        pthread_mutex_lock(&hooks->mutex);                                        \
        bool good = hooks->callbacks.name(hooks->callbacks.context, __VA_ARGS__); \
        pthread_mutex_unlock(&hooks->mutex);                                      \
        return judge(good, #name, error);                                         \
    } while (0)

bool hook_progress(HookSet *hooks, const char *tenant_id, const char *status, const char *migration,
                   Error *error)
{
    CALL(on_progress, tenant_id, status, migration, error);
}

bool hook_before_tenant(HookSet *hooks, const char *tenant_id, const char *schema, Error *error)
{
    (void)schema;
    CALL(before_tenant, tenant_id, error);
}

bool hook_after_tenant(HookSet *hooks, const TenantMigrationResult *result, Error *error)
{
    CALL(after_tenant, result->tenant_id, result, error);
}

bool hook_before_migration(HookSet *hooks, const char *tenant_id, const char *schema, const char *migration,
                           Error *error)
{
    (void)schema;
    CALL(before_migration, tenant_id, migration, error);
}

bool hook_after_migration(HookSet *hooks, const char *tenant_id, const char *schema, const char *migration,
                          int64_t duration_ms, Error *error)
{
    (void)schema;
    CALL(after_migration, tenant_id, migration, duration_ms, error);
}

bool hook_seed(HookSet *hooks, const char *tenant_id, struct pg_conn *connection, Error *error)
{
    CALL(seed, tenant_id, connection, error);
}
