#include "worker/ops/tenant_migration.h"

void op_migrate(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                Outcome *ret_outcomes)
{
    TenantMigrationResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        tenant_migrate(context, &tenants[i], BLOCK_APPLY, &results[i], &ret_outcomes[i]);
}
