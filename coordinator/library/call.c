#include "coordinator/library/call.h"
#include <string.h>

enum { CONCURRENCY = 10, CONCURRENCY_MAX = 10000 };

static bool discover(void *host, TextList *ret_ids, Error *error)
{
    Call *call = host;
    pthread_mutex_lock(&call->mutex);
    bool ok = call->migrator->discover(call->migrator->context, ret_ids, error);
    pthread_mutex_unlock(&call->mutex);
    if (!ok && error->code == ERROR_NONE)
        error_set(error, ERROR_CALLBACK, "discover failed and did not say why");
    return ok;
}

static char *schema_name(void *host, const char *tenant_id, Error *error)
{
    Call *call = host;
    pthread_mutex_lock(&call->mutex);
    char *schema = call->migrator->schema_name(call->migrator->context, tenant_id, error);
    pthread_mutex_unlock(&call->mutex);
    return schema;
}

bool call_says_abort(Call *call, const char *tenant_id, const char *message)
{
    if (call->options.on_error == NULL)
        return false;
    pthread_mutex_lock(&call->mutex);
    pgconvoy_decision decision = call->options.on_error(call->options.context, tenant_id,
                                                        message != NULL ? message : "no result was received");
    pthread_mutex_unlock(&call->mutex);
    return decision == PGCONVOY_ABORT;
}

static bool tell_progress(void *context, const char *tenant_id, const char *status, const char *migration,
                          Error *error)
{
    Call *call = context;
    if (call->tells_migrations && migration == NULL)
        return true;
    pthread_mutex_lock(&call->mutex);
    bool ok = call->options.on_progress(call->options.context, call->shared ? NULL : tenant_id, status,
                                        migration, error);
    pthread_mutex_unlock(&call->mutex);
    return ok;
}

bool call_progress(Call *call, const char *tenant_id, const char *status, Error *error)
{
    if (call->options.on_progress == NULL || tell_progress(call, tenant_id, status, NULL, error))
        return true;
    if (error->code == ERROR_NONE)
        error_set(error, ERROR_CALLBACK, "on_progress failed and did not say why");
    return false;
}

/* Of whoever is worked on; to be asked for under the lock. */
static const pgconvoy_hooks *hooks_of(const Call *call)
{
    return call->shared ? &call->migrator->shared_hooks : &call->migrator->hooks;
}

static bool before_tenant(void *context, const char *tenant_id, Error *error)
{
    Call *call = context;
    pthread_mutex_lock(&call->mutex);
    const pgconvoy_hooks *hooks = hooks_of(call);
    bool ok = hooks->before_tenant == NULL ||
              hooks->before_tenant(hooks->context, call->shared ? NULL : tenant_id, error);
    pthread_mutex_unlock(&call->mutex);
    return ok;
}

static bool after_tenant(void *context, const char *tenant_id, const pgconvoy_tenant_migration_result *result,
                         Error *error)
{
    Call *call = context;
    pthread_mutex_lock(&call->mutex);
    const pgconvoy_hooks *hooks = hooks_of(call);
    bool ok = hooks->after_tenant == NULL ||
              hooks->after_tenant(hooks->context, call->shared ? NULL : tenant_id, result, error);
    pthread_mutex_unlock(&call->mutex);
    return ok;
}

static bool before_migration(void *context, const char *tenant_id, const char *migration, Error *error)
{
    Call *call = context;
    pthread_mutex_lock(&call->mutex);
    const pgconvoy_hooks *hooks = hooks_of(call);
    bool ok = hooks->before_migration == NULL ||
              hooks->before_migration(hooks->context, call->shared ? NULL : tenant_id, migration, error);
    pthread_mutex_unlock(&call->mutex);
    return ok;
}

static bool after_migration(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            Error *error)
{
    Call *call = context;
    pthread_mutex_lock(&call->mutex);
    const pgconvoy_hooks *hooks = hooks_of(call);
    bool ok = hooks->after_migration == NULL ||
              hooks->after_migration(hooks->context, call->shared ? NULL : tenant_id, migration, duration_ms,
                                     error);
    pthread_mutex_unlock(&call->mutex);
    return ok;
}

/* The caller's seed may use the connection for long: it waits for nobody but the worker's other callbacks. */
static bool seed(void *context, const char *tenant_id, struct pg_conn *connection, Error *error)
{
    Call *call = context;
    pthread_mutex_lock(&call->mutex);
    pgconvoy_seed *fill = call->shared ? call->shared_seed : call->seed;
    bool ok = fill(call->seed_context, call->shared ? NULL : tenant_id, connection, error);
    pthread_mutex_unlock(&call->mutex);
    return ok;
}

/* The caller's callbacks have contexts of their own, the worker's have one: the call. */
static HostCallbacks lead_back(Call *call)
{
    const pgconvoy_hooks *hooks = &call->migrator->hooks, *shared = &call->migrator->shared_hooks;
#define EITHER(name) (hooks->name != NULL || shared->name != NULL ? name : NULL)
    return (HostCallbacks){
        .context = call,
        .on_progress = call->options.on_progress != NULL ? tell_progress : NULL,
        .before_tenant = EITHER(before_tenant),
        .after_tenant = EITHER(after_tenant),
        .before_migration = EITHER(before_migration),
        .after_migration = EITHER(after_migration),
    };
#undef EITHER
}

/* The shared schema has its turn before the tenants. */
static void follow(void *host, FleetStep step, size_t tenants)
{
    Call *call = host;
    (void)tenants;
    if (step != STEP_SHARED && step != STEP_DONE)
        return;
    pthread_mutex_lock(&call->mutex);
    call->shared = step == STEP_SHARED;
    pthread_mutex_unlock(&call->mutex);
}

/* The contract's ten, unless somebody says otherwise: also with workers elsewhere. */
static int64_t concurrency_of(const Call *call)
{
    if (call->options.concurrency > 0)
        return call->options.concurrency;
    bool silent = config_source(call->migrator->config, SETTING_RUN_CONCURRENCY) == SOURCE_DEFAULT;
    return silent ? CONCURRENCY : 0;
}

bool call_begin(Call *call, const pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                Error *error)
{
    *call = (Call){.migrator = migrator, .error = error};
    if (error == NULL)
        call->error = &call->unwanted;
    error_clear(call->error);
    pthread_mutex_init(&call->mutex, NULL);
    if (options != NULL)
        call->options = *options;
    if (migrator == NULL)
        return error_set(call->error, ERROR_USAGE, "there is no migrator");
    if (call->options.concurrency < 0 || call->options.concurrency > CONCURRENCY_MAX)
        return error_set(call->error, ERROR_USAGE, "concurrency must be 1 to %d, or 0 for the default",
                         CONCURRENCY_MAX);
    const Config *config = migrator->config;
    const char *listen = config_text(config, SETTING_COORDINATOR_LISTEN);
    call->callbacks = lead_back(call);
    call->fleet = (FleetRequest){
        .config = config,
        .discover = migrator->discover != NULL ? discover : NULL,
        .schema_name = migrator->schema_name != NULL ? schema_name : NULL,
        .refuse_alone = true,
        .go_on_alike = true,
        .concurrency = concurrency_of(call),
        .workers = config_worker_endpoints(config),
        .listen = listen[0] != '\0' ? listen : NULL,
        .plain = config_bool(config, SETTING_COORDINATOR_PLAIN),
        .hooks = &call->callbacks,
        .interrupt_fd = -1,
        .on_step = follow,
        .host = call,
    };
    return true;
}

bool call_needs_host(const Call *call, bool hooks)
{
    const HostCallbacks *own = &call->callbacks;
    bool hosted = call->fleet.listen == NULL && call->fleet.workers->count == 0;
    bool any_hook = own->before_tenant != NULL || own->after_tenant != NULL ||
                    own->before_migration != NULL || own->after_migration != NULL;
    if (hosted || (own->on_progress == NULL && own->seed == NULL && !(hooks && any_hook)))
        return true;
    error_set(call->error, ERROR_USAGE, "callbacks need a worker in this process, but others do the work");
    error_set_hint(call->error, "leave the callbacks out, or coordinator.workers and coordinator.listen");
    return false;
}

bool call_end(Call *call, bool ok)
{
    bundle_clear(&call->files);
    pthread_mutex_destroy(&call->mutex);
    error_clear(&call->unwanted);
    return ok;
}

bool call_seed(Call *call, pgconvoy_seed *fill, pgconvoy_seed *shared_fill, void *context)
{
    if (fill == NULL && shared_fill == NULL)
        return error_set(call->error, ERROR_USAGE, "there is no seed");
    call->seed = fill;
    call->shared_seed = shared_fill;
    call->seed_context = context;
    call->callbacks.seed = seed;
    return true;
}

bool call_name(Call *call, const char *const *tenant_ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tenant_ids == NULL || tenant_ids[i] == NULL)
            return error_set(call->error, ERROR_USAGE, "tenant id %zu is NULL", i);
    call->ids = (TextList){(char **)tenant_ids, count};
    call->fleet.ids = &call->ids;
    return true;
}

bool call_name_one(Call *call, const char *tenant_id)
{
    call->one[0] = (char *)tenant_id;
    return call_name(call, (const char *const *)call->one, 1);
}
