/* pgconvoy/pool_manager.h, the calls that report: warmup, health, metrics. */
#include "common/json.h"
#include "worker/pool/pool_manager.h"
#include "worker/pool/pool_public.h"

static bool read_tenants(const char *database, const char *const *ids, size_t count, TenantList *list,
                         Error *error)
{
    const char *name = database != NULL ? database : "";
    for (size_t i = 0; i < count; i++) {
        if (!pool_argument_check(ids[i], "a tenant id", error) || !tenant_list_add(list, name, ids[i], error))
            return false;
    }
    return true;
}

static void tell_progress(void *context, const Tenant *tenant, const char *status)
{
    const pgconvoy_warmup_options *options = context;
    options->on_progress(options->context, tenant->id, status);
}

bool pgconvoy_pool_manager_warmup(pgconvoy_pool_manager *manager, const char *database,
                                  const char *const *tenant_ids, size_t count,
                                  const pgconvoy_warmup_options *options, pgconvoy_warmup_result *ret_result,
                                  pgconvoy_error *error)
{
    static const pgconvoy_warmup_options NONE = {0};
    if (!pool_argument_check(manager, "manager", error) ||
        !pool_argument_check(ret_result, "ret_result", error) ||
        (count > 0 && !pool_argument_check(tenant_ids, "tenant_ids", error)))
        return false;
    const pgconvoy_warmup_options *given = options != NULL ? options : &NONE;
    WarmupOptions inner = {.concurrency = given->concurrency,
                           .no_ping = given->no_ping,
                           .context = (void *)given,
                           .on_progress = given->on_progress != NULL ? tell_progress : NULL};
    TenantList tenants = {0};
    bool good = read_tenants(database, tenant_ids, count, &tenants, error) &&
                pool_manager_warmup(manager, &tenants, &inner, ret_result, error);
    tenant_list_clear(&tenants);
    return good;
}

bool pgconvoy_pool_manager_health_check(pgconvoy_pool_manager *manager,
                                        const pgconvoy_health_options *options,
                                        pgconvoy_health_check_result *ret_result, pgconvoy_error *error)
{
    static const pgconvoy_health_options NONE = {0};
    if (!pool_argument_check(manager, "manager", error) ||
        !pool_argument_check(ret_result, "ret_result", error))
        return false;
    const pgconvoy_health_options *given = options != NULL ? options : &NONE;
    if (given->tenant_count > 0 && !pool_argument_check(given->tenant_ids, "tenant_ids", error))
        return false;
    TenantList tenants = {0};
    HealthCheckOptions inner = {.no_ping = given->no_ping,
                                .no_shared = given->no_shared,
                                .ping_timeout_ms = given->ping_timeout_ms,
                                .tenants = &tenants};
    bool good = read_tenants(given->database, given->tenant_ids, given->tenant_count, &tenants, error) &&
                pool_manager_health_check(manager, &inner, ret_result, error);
    tenant_list_clear(&tenants);
    return good;
}

bool pgconvoy_pool_manager_get_metrics(pgconvoy_pool_manager *manager, pgconvoy_metrics_result *ret_result,
                                       pgconvoy_error *error)
{
    return pool_argument_check(manager, "manager", error) &&
           pool_argument_check(ret_result, "ret_result", error) &&
           pool_manager_metrics(manager, ret_result, error);
}

void pgconvoy_warmup_result_clear(pgconvoy_warmup_result *result)
{
    if (result != NULL)
        record_clear(&WARMUP_RESULT, result);
}

char *pgconvoy_warmup_result_json(const pgconvoy_warmup_result *result)
{
    return record_to_json_text(&WARMUP_RESULT, result);
}

void pgconvoy_health_check_result_clear(pgconvoy_health_check_result *result)
{
    if (result != NULL)
        record_clear(&HEALTH_CHECK_RESULT, result);
}

char *pgconvoy_health_check_result_json(const pgconvoy_health_check_result *result)
{
    return record_to_json_text(&HEALTH_CHECK_RESULT, result);
}

void pgconvoy_metrics_result_clear(pgconvoy_metrics_result *result)
{
    if (result != NULL)
        record_clear(&METRICS_RESULT, result);
}

char *pgconvoy_metrics_result_json(const pgconvoy_metrics_result *result)
{
    return metrics_result_json(result);
}
