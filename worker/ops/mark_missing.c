/* mark-missing: records every file that a tenant's tracking table lacks, without running any. */
#include "worker/ops/sync_repair.h"

static bool list_missing(const MigrationPlan *plan, const Bundle *bundle, TextList *ret_names)
{
    for (size_t i = 0; i < bundle->count; i++)
        if (!recorded_has(plan->recorded, i) && !text_list_add(ret_names, bundle->items[i].name))
            return false;
    return true;
}

static void append_records(Buffer *sql, const MigrationPlan *plan, const Bundle *bundle,
                           const char *qualified)
{
    if (plan->create) {
        tracking_append_create(sql, plan->tracking.format, qualified);
        buffer_append_text(sql, "; ");
    }
    for (size_t i = 0; i < bundle->count; i++) {
        if (recorded_has(plan->recorded, i))
            continue;
        tracking_append_insert(sql, &plan->tracking, qualified, &bundle->items[i]);
        buffer_append_text(sql, "; ");
    }
}

void op_mark_missing(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                     Outcome *ret_outcomes)
{
    static const Repair REPAIR = {.list = list_missing, .append = append_records};
    TenantSyncResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        sync_repair(context, &tenants[i], &REPAIR, &results[i].marked_migrations, &results[i],
                    &ret_outcomes[i]);
}
