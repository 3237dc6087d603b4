/* Operations of a worker that has no database: every file is fine, every tenant is behind, and whatever is
 * applied to it is applied at once. Linked in front of the worker's own, so that all else of a real run is
 * what it is: bench-idle_worker.
 */
#include "worker/ops/op.h"
#include <stdlib.h>
#include <string.h>

static char *copy(const char *text)
{
    char *copied = strdup(text);
    if (copied == NULL)
        abort();
    return copied;
}

static void add_bundle(TextList *list, const Bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        if (!text_list_add(list, bundle->items[i].name))
            abort();
}

void op_parse(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
              Outcome *ret_outcomes)
{
    (void)context, (void)tenants, (void)count, (void)ret_results;
    ret_outcomes[0] = OUTCOME_ALREADY;
}

void op_status(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
               Outcome *ret_outcomes)
{
    TenantMigrationStatus *results = ret_results;
    for (size_t i = 0; i < count; i++) {
        results[i] = (TenantMigrationStatus){.tenant_id = copy(tenants[i].id),
                                             .schema_name = copy(tenants[i].schema),
                                             .pending_count = (int64_t)context->bundle->count,
                                             .status = copy("behind"),
                                             .format = copy("name")};
        add_bundle(&results[i].pending_migrations, context->bundle);
        ret_outcomes[i] = OUTCOME_ALREADY;
    }
}

void op_migrate(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                Outcome *ret_outcomes)
{
    (void)count;
    TenantMigrationResult *result = ret_results;
    *result = (TenantMigrationResult){.tenant_id = copy(tenants->id),
                                      .schema_name = copy(tenants->schema),
                                      .success = true,
                                      .duration_ms = 1,
                                      .format = copy("name")};
    add_bundle(&result->applied_migrations, context->bundle);
    ret_outcomes[0] = OUTCOME_APPLIED;
}
