/* drop: a tenant's schema with everything in it, and nothing of anybody else's. */
#include "worker/ops/attempt.h"
#include "worker/ops/schema_change.h"
#include <stdlib.h>
#include <string.h>

/* DETAIL has one object a line; what PostgreSQL itself says of dependent objects keeps its words. */
static bool take_dependents(TenantDropResult *result, Error *error)
{
    char *rest = NULL;
    for (char *name = strtok_r(error->detail, "\n", &rest); name != NULL; name = strtok_r(NULL, "\n", &rest))
        if (!text_list_add(&result->dependents, name))
            return error_memory(error);
    free(error->detail);
    error->detail = NULL;
    strcpy(error->sqlstate, "2BP01"); /* dependent_objects_still_exist */
    error_set_hint(error,
                   "drop or change these objects first, or drop them with the tenant by --cascade-foreign");
    return true;
}

static void report_error(Turn *turn, TenantDropResult *result)
{
    Error *error = &turn->error;
    if (strcmp(error->sqlstate, SCHEMA_DEPENDENTS_SQLSTATE) == 0 && !take_dependents(result, error))
        text_list_clear(&result->dependents);
    op_take_error(error, &result->error, &result->sqlstate, &result->detail, &result->hint);
}

static void drop_tenant(const OpContext *context, const OpTenant *tenant, TenantDropResult *ret_result,
                        Outcome *ret_outcome)
{
    Turn turn;
    turn_begin(&turn, context, tenant);
    ret_result->success = schema_change(&turn, SCHEMA_DROP, &ret_result->dropped);
    *ret_outcome = !ret_result->success  ? turn_outcome(&turn)
                   : ret_result->dropped ? OUTCOME_APPLIED
                                         : OUTCOME_ALREADY;
    if (!ret_result->success)
        report_error(&turn, ret_result);
    ret_result->tenant_id = strdup(tenant->id);
    ret_result->schema_name = strdup(tenant->schema);
    ret_result->attempts = tenant->attempt;
    ret_result->outcome = strdup(outcome_name(*ret_outcome));
    ret_result->duration_ms = turn_elapsed_ms(&turn);
    turn_end(&turn);
}

void op_drop(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
             Outcome *ret_outcomes)
{
    TenantDropResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        drop_tenant(context, &tenants[i], &results[i], &ret_outcomes[i]);
}
