#include "worker/ops/migration_plan.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/sql.h"
#include <stdlib.h>

static bool read_rows(MigrationPlan *plan, Connection *connection, const char *schema,
                      const RunOptions *options, Error *error)
{
    const RunDefaults run = run_defaults(options);
    const TrackingTable *tracking = &plan->tracking;
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "SELECT pg_catalog.set_config('lock_timeout', '%lld', true); SELECT %s, %s FROM ",
                   (long long)run.lock_timeout_ms, tracking_identifier_column(tracking->format),
                   tracking->time_column);
    sql_append_qualified(&sql, schema, run.migrations_table);
    if (buffer_failed(&sql))
        return error_memory(error);
    PGresult *rows;
    if (!connection_exec(connection, buffer_text(&sql), &rows, error))
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *identifier = PQgetisnull(rows, i, 0) ? NULL : PQgetvalue(rows, i, 0);
        int64_t when_ms = tracking->time_bigint ? strtoll(PQgetvalue(rows, i, 1), NULL, 10) : 0;
        recorded_row(plan->recorded, identifier, when_ms);
    }
    PQclear(rows);
    return true;
}

bool migration_plan_find_table(MigrationPlan *plan, Connection *connection, const char *schema,
                               const RunOptions *options, Error *error)
{
    const RunDefaults run = run_defaults(options);
    TrackingTable found;
    if (!tracking_find(connection, schema, run.migrations_table, &found, error) ||
        !tracking_choose(&found, options->format, options->default_format, &plan->tracking, error))
        return false;
    plan->create = found.format == TRACKING_NONE;
    return true;
}

bool migration_plan_read(MigrationPlan *plan, Connection *connection, const char *schema,
                         const RunOptions *options, const Bundle *bundle, Error *error)
{
    if (plan->recorded == NULL && (plan->recorded = recorded_index_new(bundle, error)) == NULL)
        return false;
    if (!migration_plan_find_table(plan, connection, schema, options, error))
        return false;
    recorded_begin(plan->recorded, plan->tracking.format);
    return plan->create || read_rows(plan, connection, schema, options, error);
}

void migration_plan_clear(MigrationPlan *plan)
{
    recorded_index_free(plan->recorded);
    *plan = (MigrationPlan){0};
}

bool migration_plan_is_pending(const MigrationPlan *plan, size_t item)
{
    return !recorded_has(plan->recorded, item) && !recorded_changed(plan->recorded, item);
}
