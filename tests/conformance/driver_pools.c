#include "tests/conformance/driver.h"
#include <stdlib.h>
#include <string.h>

static Answer finish(bool ok, const char *text, pgconvoy_error *error)
{
    Answer answer = ok ? answer_text(text) : answer_error(error);
    pgconvoy_error_clear(error);
    return answer;
}

/* --- pools of tenants --- */

static Answer get_db(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_db(driver->pools, NULL, text_argument(args, 0), &error);
    pgconvoy_db_unref(db);
    return finish(db != NULL, "<Db>", &error);
}

static Answer get_db_async(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    pgconvoy_db *db =
        pgconvoy_pool_manager_get_db_validated(driver->pools, NULL, text_argument(args, 0), &error);
    pgconvoy_db_unref(db);
    return finish(db != NULL, "<Db>", &error);
}

static Answer get_shared_db(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_shared_db(driver->pools, NULL, &error);
    pgconvoy_db_unref(db);
    return finish(db != NULL, "<Db>", &error);
}

static Answer get_shared_db_async(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_error error = {0};
    pgconvoy_db *db = pgconvoy_pool_manager_get_shared_db_validated(driver->pools, NULL, &error);
    pgconvoy_db_unref(db);
    return finish(db != NULL, "<Db>", &error);
}

static Answer get_schema_name(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    char *name = pgconvoy_pool_manager_get_schema_name(driver->pools, text_argument(args, 0), &error);
    Answer answer = finish(name != NULL, name, &error);
    free(name);
    return answer;
}

static Answer has_pool(Driver *driver, const json_t *args)
{
    return answer_bool(pgconvoy_pool_manager_has_pool(driver->pools, NULL, text_argument(args, 0)));
}

static Answer get_pool_count(Driver *driver, const json_t *args)
{
    (void)args;
    return answer_value(json_integer((json_int_t)pgconvoy_pool_manager_get_pool_count(driver->pools)));
}

static Answer get_active_tenant_ids(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_texts ids = {0};
    pgconvoy_error error = {0};
    if (!pgconvoy_pool_manager_get_active_tenant_ids(driver->pools, &ids, &error))
        return finish(false, NULL, &error);
    json_t *array = must_json(json_array());
    for (size_t i = 0; i < ids.count; i++)
        json_array_append_new(array, must_json(json_string(ids.items[i])));
    pgconvoy_texts_clear(&ids);
    return answer_value(array);
}

static Answer evict_pool(Driver *driver, const json_t *args)
{
    pgconvoy_error error = {0};
    bool ok = pgconvoy_pool_manager_evict_pool(driver->pools, NULL, text_argument(args, 0), &error);
    return finish(ok, "<undefined>", &error);
}

static Answer dispose(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_pool_manager_dispose(driver->pools);
    return answer_text("<undefined>");
}

static Answer start_cleanup(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_error error = {0};
    bool ok = pgconvoy_pool_manager_start_cleanup(driver->pools, &error);
    return finish(ok, "<undefined>", &error);
}

static Answer stop_cleanup(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_pool_manager_stop_cleanup(driver->pools);
    return answer_text("<undefined>");
}

static Answer cleanup_running(Driver *driver, const json_t *args)
{
    (void)args;
    return answer_bool(pgconvoy_pool_manager_cleanup_runs(driver->pools));
}

static Answer cleanup_now(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_pool_manager_cleanup(driver->pools);
    return answer_text("<undefined>");
}

/* --- reports --- */

static json_t *metrics_json(Driver *driver, pgconvoy_error *error)
{
    pgconvoy_metrics_result metrics = {0};
    if (!pgconvoy_pool_manager_get_metrics(driver->pools, &metrics, error))
        return NULL;
    Answer answer = answer_result(true, pgconvoy_metrics_result_json(&metrics), SHAPE_METRICS, error);
    pgconvoy_metrics_result_clear(&metrics);
    return answer.returned;
}

static Answer get_metrics(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_error error = {0};
    json_t *metrics = metrics_json(driver, &error);
    return metrics != NULL ? answer_value(metrics) : finish(false, NULL, &error);
}

/* Schemas of the pools, the one used last first: the order of the metrics. */
static Answer lru_keys(Driver *driver, const json_t *args)
{
    (void)args;
    pgconvoy_error error = {0};
    json_t *metrics = metrics_json(driver, &error), *pool;
    if (metrics == NULL)
        return finish(false, NULL, &error);
    json_t *keys = must_json(json_array());
    size_t index;
    json_array_foreach(json_object_get(json_object_get(metrics, "pools"), "tenants"), index, pool)
    {
        json_array_append(keys, json_object_get(pool, "schemaName"));
    }
    json_decref(metrics);
    return answer_value(keys);
}

static Answer health_check(Driver *driver, const json_t *args)
{
    const json_t *given = argument_at(args, 0);
    pgconvoy_health_options options = {.no_ping = !flag_of(given, "ping", true),
                                       .no_shared = !flag_of(given, "includeShared", true),
                                       .ping_timeout_ms = number_of(given, "pingTimeoutMs", 0)};
    const char **ids = texts_of(json_object_get(given, "tenantIds"), &options.tenant_count);
    options.tenant_ids = ids;
    pgconvoy_health_check_result health = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_pool_manager_health_check(driver->pools, &options, &health, &error);
    Answer answer =
        answer_result(ok, ok ? pgconvoy_health_check_result_json(&health) : NULL, SHAPE_HEALTH, &error);
    free(ids);
    pgconvoy_health_check_result_clear(&health);
    pgconvoy_error_clear(&error);
    return answer;
}

static void warmup_progress(void *context, const char *tenant_id, const char *status)
{
    event_add(context, json_pack("{s[ss]}", "progress", tenant_id, status));
}

static Answer warmup(Driver *driver, const json_t *args)
{
    const json_t *given = argument_at(args, 1), *width = json_object_get(given, "concurrency");
    size_t count;
    const char **ids = texts_of(argument_at(args, 0), &count);
    pgconvoy_warmup_options options = {
        /* Theirs has no default for 0; ours has. */
        .concurrency = width == NULL                    ? 0
                       : json_integer_value(width) != 0 ? json_integer_value(width)
                                                        : -1,
        .no_ping = !flag_of(given, "ping", true),
        .context = driver,
        .on_progress = json_is_true(json_object_get(given, "onProgress")) ? warmup_progress : NULL,
    };
    pgconvoy_warmup_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_pool_manager_warmup(driver->pools, NULL, ids, count, &options, &result, &error);
    Answer answer = answer_result(ok, ok ? pgconvoy_warmup_result_json(&result) : NULL, SHAPE_WARMUP, &error);
    free(ids);
    pgconvoy_warmup_result_clear(&result);
    pgconvoy_error_clear(&error);
    return answer;
}

static const struct {
    const char *name;
    Answer (*function)(Driver *driver, const json_t *args);
} CALLS[] = {
    {"getDb", get_db},
    {"getDbAsync", get_db_async},
    {"getSharedDb", get_shared_db},
    {"getSharedDbAsync", get_shared_db_async},
    {"getSchemaName", get_schema_name},
    {"hasPool", has_pool},
    {"getPoolCount", get_pool_count},
    {"getActiveTenantIds", get_active_tenant_ids},
    {"evictPool", evict_pool},
    {"dispose", dispose},
    {"startCleanup", start_cleanup},
    {"stopCleanup", stop_cleanup},
    {"cleanupRunning", cleanup_running},
    {"cleanupNow", cleanup_now},
    {"getMetrics", get_metrics},
    {"lruKeysMRUFirst", lru_keys},
    {"healthCheck", health_check},
    {"warmup", warmup},
};

Answer pool_call(Driver *driver, const char *name, const json_t *args)
{
    if (json_holds_nul(args)) /* cannot be said in C */
        return answer_unsupported();
    pgconvoy_error error = {0};
    if (!driver_open_pools(driver, &error))
        return finish(false, NULL, &error);
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++)
        if (strcmp(CALLS[i].name, name) == 0)
            return CALLS[i].function(driver, args);
    return handle_call(driver, name, args);
}
