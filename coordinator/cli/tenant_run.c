#include "coordinator/cli/tenant_run.h"
#include "coordinator/report.h"
#include <stdlib.h>
#include <string.h>

static bool fill_text(TenantRun *run, const char *name, const char *text, Error *error)
{
    char **field = record_text(run->results.type, run->result, name);
    if (field == NULL || *field != NULL)
        return true;
    *field = strdup(text);
    return *field != NULL || error_memory(error);
}

/* A worker that died says nothing of its tenant: the engine's word stands for its result. */
static bool complete_result(TenantRun *run, bool several_databases, Error *error)
{
    const Tenant *tenant = &run->tenants.items[0];
    const char *outcome = outcome_name(run->outcome);
    return fill_text(run, "tenantId", tenant->id, error) &&
           fill_text(run, "schemaName", tenant->schema, error) && fill_text(run, "outcome", outcome, error) &&
           (run->state == TENANT_SUCCEEDED || fill_text(run, "error", outcome, error)) &&
           (!several_databases || fill_text(run, "database", tenant->database, error));
}

static bool load_bundle(TenantRun *run, Error *error)
{
    const FleetRequest *request = &run->context.request;
    if (!run->migrations)
        return bundle_digest(&run->bundle, error);
    TextList warnings = {0};
    bool ok = bundle_load(config_text(request->config, SETTING_MIGRATIONS_FOLDER), false, &run->bundle,
                          &warnings, error);
    for (size_t i = 0; ok && i < warnings.count; i++)
        fleet_warn(request, warnings.items[i]);
    text_list_clear(&warnings);
    return ok;
}

static bool operate(TenantRun *run, Fleet *fleet, OperationId operation,
                    void (*set)(const CliArguments *, RunOptions *), Error *error)
{
    RunOptions options = fleet->options;
    if (set != NULL)
        set(run->context.arguments, &options);
    FleetWork work = {.operation = operation,
                      .options = &options,
                      .tenants = &run->tenants,
                      .concurrency = 1,
                      .max_failures = -1};
    bool ok = fleet_operate(fleet, &work, &run->results, error);
    const PhaseOutcome *outcome = &run->results.outcome;
    run->past_deadline = fleet->past_deadline;
    run->stopped = fleet->aborted || fleet->cancelled;
    if (!ok)
        return false;
    run->result = fleet_result(&run->results, 0);
    run->state = outcome->states[0];
    run->outcome = outcome->outcomes[0];
    return complete_result(run, fleet_databases(fleet)->count > 1, error);
}

bool tenant_run(TenantRun *run, const CliArguments *arguments, OperationId operation,
                void (*set)(const CliArguments *, RunOptions *), Error *error)
{
    Fleet fleet = {0};
    bool ok = cli_context_open(&run->context, arguments, error);
    run->context.request.tenant = option_value(arguments, "id");
    ok = ok && load_bundle(run, error) && fleet_open(&fleet, &run->context.request, &run->bundle, error) &&
         fleet_list(&fleet, &run->tenants, error) && operate(run, &fleet, operation, set, error);
    progress_clear(&run->context.progress);
    fleet_close(&fleet);
    return ok;
}

void tenant_run_close(TenantRun *run)
{
    fleet_results_clear(&run->results);
    tenant_list_clear(&run->tenants);
    bundle_clear(&run->bundle);
    cli_context_close(&run->context);
}

int tenant_run_exit_code(const TenantRun *run)
{
    if (run->state == TENANT_SUCCEEDED)
        return EXIT_DONE;
    if (run->stopped)
        return run->past_deadline ? EXIT_ABORTED : EXIT_INTERRUPTED;
    return run->outcome == OUTCOME_BUSY ? EXIT_UNAVAILABLE : EXIT_FAILED;
}

bool tenant_run_print_json(const TenantRun *run, Error *error)
{
    return report_record_json(stdout, run->results.type, run->result, error);
}

const char *tenant_run_id(const TenantRun *run)
{
    return run->tenants.items[0].id;
}

const char *tenant_run_schema(const TenantRun *run)
{
    return run->tenants.items[0].schema;
}
