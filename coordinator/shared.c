#include "coordinator/shared.h"
#include "common/clock.h"
#include "coordinator/migrator_internal.h"
#include "coordinator/run_table.h"
#include <stdlib.h>

const char SHARED_HAS_FAILED[] = "Skipped because the shared schema failed";
static const char SKIPPED_BY_ABORT[] = "Skipped due to abort";

bool shared_is_configured(const Config *config, Error *error)
{
    if (config_text(config, SETTING_SHARED_FOLDER)[0] != '\0')
        return true;
    error_set(error, ERROR_CONFIG, "no shared schema is configured");
    error_set_hint(error, "set shared.folder, the folder of its migrations, in pgconvoy.yaml");
    return false;
}

static bool all_succeeded(const RunReport *report)
{
    return report->totals.succeeded == report->totals.total;
}

/* What is wrong with the tenants' files and with a list that the caller gave is learned before the shared
 * schema is touched; tenants of whom the databases tell may be there only afterwards. */
static bool prepare(MigratorRun *shared, MigratorRun *tenants, Error *error)
{
    const RunRequest *request = tenants->request;
    return migrator_load(tenants, error) && migrator_load(shared, error) &&
           fleet_open(tenants->fleet, &request->fleet, tenants->files.bundle, error) &&
           (fleet_discovers(&request->fleet) || migrator_list(tenants, error)) &&
           (!request->judge_files || migrator_judge(tenants, error));
}

static bool run_shared(MigratorRun *shared, MigratorRun *tenants, Error *error)
{
    fleet_use(shared->fleet, true, shared->files.bundle);
    shared->started_ms = clock_now_ms(&SYSTEM_CLOCK);
    bool ok = migrator_steps(shared, error);
    fleet_use(tenants->fleet, false, tenants->files.bundle); /* the other one will not last */
    if (ok)
        return true;
    tenants->report->refused_files = shared->report->refused_files;
    shared->report->refused_files = (RecordList){0};
    error_prefix(error, "shared schema");
    return false;
}

/* What becomes of the tenants after the shared schema. */
static bool go_on(MigratorRun *tenants, const RunReport *shared, Error *error)
{
    const Fleet *fleet = tenants->fleet;
    bool stopped = fleet->aborted || fleet->cancelled;
    if (tenants->request->action == RUN_STATUS || (!stopped && all_succeeded(shared)))
        return migrator_steps(tenants, error);
    if (!stopped)
        return migrator_withhold(tenants, SHARED_HAS_FAILED, error);
    return !tenants->listed || run_table_skip(tenants->report, SKIPPED_BY_ABORT, error);
}

bool shared_and_tenants(MigratorRun *tenants, Error *error)
{
    RunReport *report = calloc(1, sizeof *report);
    if (report == NULL)
        return error_memory(error);
    MigratorRun shared = {
        .request = tenants->request, .fleet = tenants->fleet, .report = report, .shared = true};
    tenants->report->shared = report;
    bool ok = prepare(&shared, tenants, error) && run_shared(&shared, tenants, error);
    migrator_finish(&shared);
    if (ok && go_on(tenants, report, error))
        return true;
    ERROR_CLEANUP Error unfilled = {0};
    if (tenants->listed && !tenants->report->applying &&
        !run_table_skip(tenants->report, SKIPPED_BY_ABORT, &unfilled))
        error_set_detail(error, "%s", unfilled.message);
    return false;
}

SharedMigrationResult shared_result(const RunReport *report, size_t index)
{
    const TenantMigrationResult result = run_report_result(report, index);
    return (SharedMigrationResult){
        .schema_name = result.schema_name,
        .success = result.success,
        .applied_migrations = result.applied_migrations,
        .error = result.error,
        .duration_ms = result.duration_ms,
        .format = result.format,
        .database = result.database,
        .outcome = result.outcome,
        .sqlstate = result.sqlstate,
        .detail = result.detail,
        .hint = result.hint,
        .migration = result.migration,
        .line = result.line,
        .column = result.column,
    };
}

SharedMigrationStatus shared_status(const RunReport *report, size_t index)
{
    const TenantMigrationStatus status = run_report_status(report, index);
    return (SharedMigrationStatus){
        .schema_name = status.schema_name,
        .applied_count = status.applied_count,
        .pending_count = status.pending_count,
        .pending_migrations = status.pending_migrations,
        .status = status.status,
        .error = status.error,
        .format = status.format,
        .database = status.database,
        .sqlstate = status.sqlstate,
    };
}

SharedSeedResult shared_seed_result(const SeedEntry *entry)
{
    const TenantSeedResult *result = &entry->result;
    return (SharedSeedResult){
        .schema_name = result->schema_name,
        .success = result->success,
        .error = result->error,
        .duration_ms = result->duration_ms,
        .database = result->database,
        .outcome = result->outcome,
        .sqlstate = result->sqlstate,
        .detail = result->detail,
        .hint = result->hint,
        .line = result->line,
        .column = result->column,
    };
}

SharedSeedResult shared_seed_result_take(SeedEntry *entry)
{
    TenantSeedResult *result = &entry->result;
    SharedSeedResult taken = shared_seed_result(entry);
    free(result->tenant_id);
    *result = (TenantSeedResult){0};
    return taken;
}
