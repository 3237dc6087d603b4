#include "worker/ops/migration_plan.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/sql.h"

static bool read_rows(MigrationPlan *plan, Connection *connection, const char *schema,
                      const RunOptions *options, Error *error)
{
    const RunDefaults run = run_defaults(options);
    const TrackingTable *tracking = &plan->tracking;
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "SELECT pg_catalog.set_config('lock_timeout', '%lld', true); SELECT %s, %s FROM ",
                   (long long)run.lock_timeout_ms, tracking_identifier_column(tracking->format),
                   tracking_time_expression(tracking));
    sql_append_qualified(&sql, schema, run.migrations_table);
    buffer_append_text(&sql, " ORDER BY id");
    if (buffer_failed(&sql))
        return error_memory(error);
    if (!connection_exec(connection, buffer_text(&sql), &plan->rows, error))
        return false;
    const RecordedRows rows = migration_plan_rows(plan);
    recorded_count(plan->recorded, &rows);
    return true;
}

RecordedRows migration_plan_rows(const MigrationPlan *plan)
{
    return (RecordedRows){.rows = plan->rows, .count = plan->rows != NULL ? PQntuples(plan->rows) : 0};
}

bool migration_plan_find_table(MigrationPlan *plan, Connection *connection, const char *schema,
                               const RunOptions *options, Error *error)
{
    const TrackingWish wish = {options->format, options->default_format, .any_shape = plan->any_shape};
    if (!tracking_find(connection, schema, run_defaults(options).migrations_table, &wish, &plan->tracking,
                       error))
        return false;
    plan->create = !plan->tracking.exists;
    return true;
}

bool migration_plan_read(MigrationPlan *plan, Connection *connection, const char *schema,
                         const RunOptions *options, const Bundle *bundle, Error *error)
{
    if (plan->recorded == NULL && (plan->recorded = recorded_index_new(bundle, error)) == NULL)
        return false;
    PQclear(plan->rows);
    plan->rows = NULL;
    if (!migration_plan_find_table(plan, connection, schema, options, error))
        return false;
    recorded_begin(plan->recorded, plan->tracking.format);
    return plan->create || read_rows(plan, connection, schema, options, error);
}

void migration_plan_clear(MigrationPlan *plan)
{
    recorded_index_free(plan->recorded);
    PQclear(plan->rows);
    *plan = (MigrationPlan){0};
}

bool migration_plan_is_pending(const MigrationPlan *plan, size_t item)
{
    return !recorded_has(plan->recorded, item) && !recorded_changed(plan->recorded, item);
}
