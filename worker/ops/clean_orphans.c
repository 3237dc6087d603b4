/* clean-orphans: removes the rows of a tenant's tracking table that no file explains. */
#include "worker/ops/sync_repair.h"
#include "worker/pg/sql.h"

static bool list_orphans(const MigrationPlan *plan, const Bundle *bundle, TextList *ret_names)
{
    (void)bundle;
    const RecordedRows rows = migration_plan_rows(plan);
    return recorded_list_orphans(plan->recorded, &rows, ret_names);
}

/* The rows that were seen and no others: somebody who knows nothing of our lock may have added some. */
static bool append_identifiers(Buffer *sql, const MigrationPlan *plan)
{
    const RecordedRows rows = migration_plan_rows(plan);
    bool nulls = false, first = true;
    for (int i = 0; i < rows.count; i++) {
        const char *identifier = recorded_identifier(&rows, i);
        nulls |= identifier == NULL;
        if (identifier == NULL || !recorded_is_orphan(plan->recorded, &rows, i))
            continue;
        buffer_append_text(sql, first ? "" : ",");
        sql_append_literal(sql, identifier);
        first = false;
    }
    return nulls;
}

/* A hash of an earlier content may stand in several rows: the one at its file's journal time stays. */
static void append_proofs(Buffer *sql, const MigrationPlan *plan, const Bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++) {
        int64_t when_ms = recorded_changed_when(plan->recorded, i);
        if (when_ms != 0)
            buffer_appendf(sql, " AND %s IS DISTINCT FROM %lld", plan->tracking.time_column,
                           (long long)when_ms);
    }
}

static void append_removal(Buffer *sql, const MigrationPlan *plan, const Bundle *bundle,
                           const char *qualified)
{
    const char *column = tracking_identifier_column(plan->tracking.format);
    buffer_appendf(sql, "WITH removed AS (DELETE FROM %s WHERE (%s::text = ANY (ARRAY[", qualified, column);
    bool nulls = append_identifiers(sql, plan);
    buffer_append_text(sql, "]::text[])");
    append_proofs(sql, plan, bundle);
    buffer_append_char(sql, ')');
    if (nulls)
        buffer_appendf(sql, " OR %s IS NULL", column);
    buffer_appendf(sql, " RETURNING id, %s::text AS identifier) SELECT identifier FROM removed ORDER BY id; ",
                   column);
}

void op_clean_orphans(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                      Outcome *ret_outcomes)
{
    static const Repair REPAIR = {.list = list_orphans, .append = append_removal};
    TenantSyncResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        sync_repair(context, &tenants[i], &REPAIR, &results[i].removed_orphans, &results[i],
                    &ret_outcomes[i]);
}
