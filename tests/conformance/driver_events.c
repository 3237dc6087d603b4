#include "tests/conformance/driver.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

void event_add(Driver *driver, json_t *event)
{
    pthread_mutex_lock(&driver->events.mutex);
    json_array_append_new(driver->events.list, must_json(event));
    pthread_mutex_unlock(&driver->events.mutex);
}

json_t *events_take(Driver *driver)
{
    pthread_mutex_lock(&driver->events.mutex);
    json_t *list = driver->events.list;
    driver->events.list = must_json(json_array());
    pthread_mutex_unlock(&driver->events.mutex);
    return list;
}

/* Whom an event is about: {hook, tenantId}, {onError, tenantId}, {hook, args[tenant]}, {progress[tenant]}. */
static const char *tenant_of(const json_t *event)
{
    const char *tenant = text_of(event, "tenantId");
    if (tenant == NULL)
        tenant = json_string_value(json_array_get(json_object_get(event, "args"), 0));
    if (tenant == NULL)
        tenant = json_string_value(json_array_get(json_object_get(event, "progress"), 0));
    return tenant != NULL ? tenant : "";
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* {tenant: [events in order]}, by tenant: how tenants that run side by side interleave is chance. */
json_t *events_by_tenant(const json_t *events)
{
    json_t *groups = must_json(json_object()), *event;
    size_t index, count = 0;
    const char **tenants = calloc(json_array_size(events) + 1, sizeof *tenants);
    if (tenants == NULL)
        must_json(NULL);
    json_array_foreach(events, index, event)
    {
        tenants[count++] = tenant_of(event);
    }
    qsort(tenants, count, sizeof *tenants, compare_texts);
    for (size_t i = 0; i < count; i++)
        if (json_object_get(groups, tenants[i]) == NULL)
            json_object_set_new(groups, tenants[i], must_json(json_array()));
    json_array_foreach(events, index, event)
    {
        json_array_append(json_object_get(groups, tenant_of(event)), event);
    }
    free(tenants);
    return groups;
}

/* --- a call's own callbacks --- */

pgconvoy_decision decide(void *context, const char *tenant_id, const char *message)
{
    const RunCallbacks *callbacks = context;
    const char *code;
    char *words = node_words(message, NULL, &code);
    event_add(callbacks->driver, json_pack("{ss,ss,ss}", "onError", callbacks->on_error, "tenantId",
                                           tenant_id, "message", words != NULL ? words : message));
    free(words);
    return strcmp(callbacks->on_error, "continue") == 0 ? PGCONVOY_CONTINUE : PGCONVOY_ABORT;
}

bool report_progress(void *context, const char *tenant_id, const char *status, const char *migration,
                     pgconvoy_error *error)
{
    RunCallbacks *callbacks = context;
    json_t *words = must_json(json_array());
    if (!callbacks->shared && callbacks->cloning == NULL && tenant_id != NULL)
        json_array_append_new(words, must_json(json_string(tenant_id)));
    json_array_append_new(words, must_json(json_string(status)));
    if (migration != NULL && callbacks->cloning != NULL)
        json_array_append_new(words, must_json(json_pack("{ss,sI}", "table", migration, "progress",
                                                         (json_int_t)++callbacks->cloned)));
    else if (migration != NULL)
        json_array_append_new(words, must_json(json_string(migration)));
    event_add(callbacks->driver, json_pair("progress", words));
    if (callbacks->throw_on != NULL && strcmp(callbacks->throw_on, status) == 0)
        return pgconvoy_error_set(error, "onProgress threw");
    return true;
}

void events_add_total(Driver *driver, size_t total)
{
    size_t index;
    json_t *event;
    pthread_mutex_lock(&driver->events.mutex);
    json_array_foreach(driver->events.list, index, event)
    {
        json_t *table = json_array_get(json_object_get(event, "progress"), 1);
        if (json_is_object(table))
            json_object_set_new(table, "total", must_json(json_integer((json_int_t)total)));
    }
    pthread_mutex_unlock(&driver->events.mutex);
}

/* --- the migrator's hooks --- */

/* What a hook is told to do besides reporting itself. */
static bool obey_hook(const Subject *subject, const char *hook, const char *tenant, const char *migration,
                      pgconvoy_error *error)
{
    const json_t *rule = json_object_get(json_object_get(subject->config, "hooks"), hook);
    const char *only_for = text_of(rule, "for"), *only_migration = text_of(rule, "migration");
    if (only_for != NULL && strcmp(only_for, tenant) != 0)
        return true;
    if (only_migration != NULL && (migration == NULL || strcmp(only_migration, migration) != 0))
        return true;
    int64_t pause_ms = number_of(rule, "sleepMs", 0);
    nanosleep(&(struct timespec){.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000}, NULL);
    const char *sql = text_of(rule, "sql"), *words = text_of(rule, "throw");
    char *message = NULL;
    if (sql != NULL && !sql_execute(subject->driver->url, sql, &message)) {
        pgconvoy_error_set(error, "%s", message);
        free(message);
        return false;
    }
    return words == NULL || pgconvoy_error_set(error, "%s", words);
}

static json_t *hook_event(const char *hook, const char *tenant)
{
    return must_json(json_pack("{ss,s[s]}", "hook", hook, "args", tenant));
}

static bool before_tenant(void *context, const char *tenant, pgconvoy_error *error)
{
    Subject *subject = context;
    event_add(subject->driver, hook_event("beforeTenant", tenant));
    return obey_hook(subject, "beforeTenant", tenant, NULL, error);
}

static bool after_tenant(void *context, const char *tenant, const pgconvoy_tenant_migration_result *result,
                         pgconvoy_error *error)
{
    Subject *subject = context;
    json_t *event = hook_event("afterTenant", tenant);
    Answer shown = answer_result(true, pgconvoy_tenant_migration_result_json(result), SHAPE_MIGRATION, NULL);
    json_array_append(json_object_get(event, "args"), shown.returned);
    answer_clear(&shown);
    event_add(subject->driver, event);
    return obey_hook(subject, "afterTenant", tenant, NULL, error);
}

static bool before_migration(void *context, const char *tenant, const char *migration, pgconvoy_error *error)
{
    Subject *subject = context;
    json_t *event = hook_event("beforeMigration", tenant);
    json_array_append_new(json_object_get(event, "args"), must_json(json_string(migration)));
    event_add(subject->driver, event);
    return obey_hook(subject, "beforeMigration", tenant, migration, error);
}

static bool after_migration(void *context, const char *tenant, const char *migration, int64_t duration_ms,
                            pgconvoy_error *error)
{
    (void)duration_ms; /* differs from run to run */
    Subject *subject = context;
    json_t *event = hook_event("afterMigration", tenant);
    json_array_append_new(json_object_get(event, "args"), must_json(json_string(migration)));
    json_array_append_new(json_object_get(event, "args"), must_json(json_string("<ms>")));
    event_add(subject->driver, event);
    return obey_hook(subject, "afterMigration", tenant, migration, error);
}

pgconvoy_hooks hooks_of(Subject *subject)
{
    const json_t *wanted = json_object_get(subject->config, "hooks");
    pgconvoy_hooks hooks = {.context = subject};
    if (json_object_get(wanted, "beforeTenant") != NULL)
        hooks.before_tenant = before_tenant;
    if (json_object_get(wanted, "afterTenant") != NULL)
        hooks.after_tenant = after_tenant;
    if (json_object_get(wanted, "beforeMigration") != NULL)
        hooks.before_migration = before_migration;
    if (json_object_get(wanted, "afterMigration") != NULL)
        hooks.after_migration = after_migration;
    return hooks;
}

/* --- the pools' hooks --- */

static void pool_event(Driver *driver, const char *hook, const char *tenant, const char *message)
{
    json_t *event =
        must_json(json_pack("{ss,ss*,ss*}", "hook", hook, "tenantId", tenant, "message", message));
    event_add(driver, event);
}

static void on_pool_created(void *context, const char *database, const char *tenant)
{
    (void)database;
    pool_event(context, "onPoolCreated", tenant, NULL);
}

static void on_pool_evicted(void *context, const char *database, const char *tenant)
{
    (void)database;
    pool_event(context, "onPoolEvicted", tenant, NULL);
}

static void on_pool_error(void *context, const char *database, const char *tenant,
                          const pgconvoy_error *error)
{
    (void)database;
    pool_event(context, "onError", tenant, error->message);
}

void report_retry(void *context, int64_t attempt, const pgconvoy_error *error, int64_t delay_ms)
{
    Answer failure = answer_error(error);
    event_add(context, json_pack("{sI,ss,ss*,sI}", "retry", (json_int_t)attempt, "message",
                                 text_of(failure.threw, "message"), "code", text_of(failure.threw, "code"),
                                 "delayMs", (json_int_t)delay_ms));
    answer_clear(&failure);
}

pgconvoy_pool_hooks pool_hooks_of(Driver *driver)
{
    const json_t *wanted = json_object_get(driver->pools_config, "poolHooks");
    pgconvoy_pool_hooks hooks = {.context = driver};
    if (json_object_get(wanted, "onPoolCreated") != NULL)
        hooks.on_pool_created = on_pool_created;
    if (json_object_get(wanted, "onPoolEvicted") != NULL)
        hooks.on_pool_evicted = on_pool_evicted;
    if (json_object_get(wanted, "onError") != NULL)
        hooks.on_error = on_pool_error;
    if (json_is_true(json_object_get(json_object_get(driver->pools_config, "retry"), "onRetry")))
        hooks.on_retry = report_retry;
    return hooks;
}
