/* metrics: a command has no pools but its own, which are new; pools live in programs that use the library. So
 * all numbers are zero, in the shape that scripts know, unless --health asks the databases. */
#include "common/clock.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/inspect.h"
#include "coordinator/report_json.h"

enum { PING_TIMEOUT_MS = 5000 }; /* an answer that takes half of it is a bad sign */

typedef struct CliMetrics {
    CliContext context;
    bool asked; /* --health */
    Inspections inspections;
    size_t degraded, unhealthy;
    int64_t duration_ms;
} CliMetrics;

static const char *status_of(const DatabaseInspection *found)
{
    return found->error != NULL ? "unhealthy" : found->latency_ms > PING_TIMEOUT_MS / 2 ? "degraded" : "ok";
}

static bool ask(CliMetrics *metrics, Error *error)
{
    Fleet fleet;
    bool ok = fleet_open(&fleet, &metrics->context.request, NULL, error) &&
              inspect_run(&fleet, &metrics->inspections, error);
    fleet_close(&fleet);
    for (size_t i = 0; ok && i < metrics->inspections.names.count; i++) {
        const DatabaseInspection *found = &metrics->inspections.found[i];
        metrics->unhealthy += found->error != NULL;
        metrics->degraded += found->error == NULL && found->latency_ms > PING_TIMEOUT_MS / 2;
    }
    return ok;
}

static json_t *database_json(const CliMetrics *metrics, size_t index)
{
    const DatabaseInspection *found = &metrics->inspections.found[index];
    json_t *database =
        json_pack("{s:s,s:s}", "name", metrics->inspections.names.items[index], "status", status_of(found));
    if (found->error != NULL)
        json_object_set_new(database, "error", json_string(found->error));
    else
        json_object_set_new(database, "responseTimeMs", json_integer(found->latency_ms));
    return database;
}

static json_t *health_json(const CliMetrics *metrics)
{
    const char *worst = metrics->unhealthy > 0 ? "unhealthy" : metrics->degraded > 0 ? "degraded" : "ok";
    json_t *databases = json_array();
    for (size_t i = 0; i < metrics->inspections.names.count; i++)
        json_array_append_new(databases, database_json(metrics, i));
    return json_pack("{s:b,s:i,s:i,s:i,s:s,s:[],s:o}", "healthy", metrics->unhealthy == 0, "totalPools", 0,
                     "degradedPools", 0, "unhealthyPools", 0, "sharedDbStatus", worst, "pools", "databases",
                     databases);
}

static bool print_json(const CliMetrics *metrics, Error *error)
{
    char timestamp[32];
    clock_timestamp(timestamp);
    int64_t max_pools = config_int(metrics->context.request.config, SETTING_POOLS_MAX_POOLS);
    json_t *document = json_pack("{s:{s:i,s:I,s:[]},s:{s:b,s:n}}", "pools", "total", 0, "maxPools",
                                 (json_int_t)max_pools, "tenants", "shared", "initialized", 0, "connections");
    if (document != NULL && metrics->asked)
        json_object_set_new(document, "health", health_json(metrics));
    json_t *rest = json_pack("{s:{s:i,s:i,s:i,s:i,s:i,s:i,s:i},s:s,s:I}", "summary", "activePools", 0,
                             "totalConnections", 0, "idleConnections", 0, "waitingRequests", 0,
                             "healthyPools", 0, "degradedPools", 0, "unhealthyPools", 0, "timestamp",
                             timestamp, "durationMs", (json_int_t)metrics->duration_ms);
    bool whole = document != NULL && rest != NULL && json_object_update(document, rest) == 0;
    json_decref(rest);
    if (whole)
        return report_print_json(stdout, document, error);
    json_decref(document);
    return error_memory(error);
}

static void print_text(const CliMetrics *metrics)
{
    printf("pools: 0 of %lld; a command keeps none, they live in the programs that use the library\n",
           (long long)config_int(metrics->context.request.config, SETTING_POOLS_MAX_POOLS));
    for (size_t i = 0; i < metrics->inspections.names.count; i++) {
        const DatabaseInspection *found = &metrics->inspections.found[i];
        printf("database \"%s\": %s, ", metrics->inspections.names.items[i], status_of(found));
        if (found->error != NULL)
            printf("%s\n", found->error);
        else
            printf("%lld ms\n", (long long)found->latency_ms);
    }
    if (!metrics->asked)
        puts("--health asks the databases");
}

int cli_metrics(const CliArguments *arguments)
{
    CliMetrics metrics = {.asked = option_given(arguments, "health")};
    ERROR_CLEANUP Error error = {0};
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    bool ok =
        cli_context_open(&metrics.context, arguments, &error) && (!metrics.asked || ask(&metrics, &error));
    metrics.duration_ms = clock_now_ms(&SYSTEM_CLOCK) - started_ms;
    progress_clear(&metrics.context.progress);
    if (ok && option_given(arguments, "json"))
        ok = print_json(&metrics, &error);
    else if (ok)
        print_text(&metrics);
    int code = !ok ? cli_failed(arguments, &error) : metrics.unhealthy > 0 ? EXIT_FAILED : EXIT_DONE;
    inspections_clear(&metrics.inspections);
    cli_context_close(&metrics.context);
    return code;
}
