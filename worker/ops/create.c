/* create: a tenant's schema, and in it, unless only the schema is wanted, all migrations. */
#include "worker/ops/schema_change.h"
#include "worker/ops/tenant_migration.h"
#include <stdlib.h>
#include <string.h>

static void report_error(Turn *turn, TenantMigrationResult *result)
{
    Error *error = &turn->error;
    result->error = error->message != NULL ? error->message : strdup(error_class(error->code)->doc);
    result->detail = error->detail;
    result->hint = error->hint;
    error->message = error->detail = error->hint = NULL;
    result->sqlstate = error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL;
}

/* The whole result of a tenant that has its schema and wants no migrations, or did not get the schema. */
static void report_schema(Turn *turn, bool success, Outcome outcome, TenantMigrationResult *result)
{
    result->tenant_id = strdup(turn->tenant->id);
    result->schema_name = strdup(turn->tenant->schema);
    result->attempts = turn->tenant->attempt;
    result->success = success;
    result->outcome = strdup(outcome_name(outcome));
    if (!success)
        report_error(turn, result);
}

static void create_tenant(const OpContext *context, const OpTenant *tenant, TenantCreateResult *ret_result,
                          Outcome *ret_outcome)
{
    Turn turn;
    turn_begin(&turn, context, tenant);
    bool good = schema_change(&turn, SCHEMA_CREATE, &ret_result->created);
    Outcome outcome = !good ? turn_outcome(&turn) : ret_result->created ? OUTCOME_APPLIED : OUTCOME_ALREADY;
    TenantMigrationResult *migration = &ret_result->migration;
    if (!good || context->options->create_only)
        report_schema(&turn, good, outcome, migration);
    int64_t elapsed_ms = turn_elapsed_ms(&turn);
    turn_end(&turn);
    if (good && !context->options->create_only) {
        Outcome migrated;
        tenant_migrate(context, tenant, BLOCK_APPLY, migration, &migrated);
        if (migrated != OUTCOME_ALREADY)
            outcome = migrated;
        free(migration->outcome);
        migration->outcome = strdup(outcome_name(outcome));
    }
    migration->duration_ms += elapsed_ms;
    *ret_outcome = outcome;
}

void op_create(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
               Outcome *ret_outcomes)
{
    TenantCreateResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        create_tenant(context, &tenants[i], &results[i], &ret_outcomes[i]);
}
