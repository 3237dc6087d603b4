/* create: a tenant's schema, and in it, unless only the schema is wanted, all migrations. */
#include "worker/ops/schema_change.h"
#include "worker/ops/tenant_migration.h"
#include "worker/ops/tenant_visit.h"
#include <stdlib.h>
#include <string.h>

enum { LOCK_WAIT_MS = 10 * 60 * 1000 }; /* the settings table's default */

/* The whole result of a tenant that has its schema and wants no migrations, or did not get the schema. */
static void report_schema(Turn *turn, bool success, Outcome outcome, TenantMigrationResult *result)
{
    result->tenant_id = strdup(turn->tenant->id);
    result->schema_name = strdup(turn->tenant->schema);
    result->attempts = turn->tenant->attempt;
    result->success = success;
    if (success)
        result->outcome = strdup(outcome_name(outcome));
    else
        tenant_result_fail(result, outcome, &turn->error);
}

/* Puts the names in front of the list; false, with the list as it was, when memory ran out. */
static bool prepend(TextList *list, TextList *front)
{
    char **items = realloc(front->items, (front->count + list->count + 1) * sizeof *items);
    if (items == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++)
        items[front->count + i] = list->items[i];
    free(list->items);
    *list = (TextList){items, front->count + list->count};
    *front = (TextList){0};
    return true;
}

/* Another run may take the tenant between two of our migrations. Whoever has written something by then waits
 * here for its end, because another turn could not tell what this one has done. */
static Outcome migrate_patiently(const Turn *turn, bool created, TenantMigrationResult *result)
{
    const OpContext *context = turn->context;
    int64_t patience_ms = context->options->lock_wait_ms > 0 ? context->options->lock_wait_ms : LOCK_WAIT_MS;
    TextList before = {0};
    Outcome outcome;
    for (;;) {
        tenant_migrate_unvisited(context, turn->tenant, BLOCK_APPLY, result, &outcome);
        if (!prepend(&result->applied_migrations, &before)) {
            text_list_clear(&before);
            free(result->error);
            result->error = strdup("out of memory while listing what was applied");
            result->success = false;
            outcome = OUTCOME_ERROR;
        }
        bool wrote = created || result->applied_migrations.count > 0;
        if (outcome != OUTCOME_BUSY || !wrote || turn_elapsed_ms(turn) >= patience_ms)
            break;
        before = result->applied_migrations;
        result->applied_migrations = (TextList){0};
        record_clear(&TENANT_MIGRATION_RESULT, result);
    }
    return outcome == OUTCOME_ALREADY && result->applied_migrations.count > 0 ? OUTCOME_APPLIED : outcome;
}

static Outcome migrate(const Turn *turn, bool created, TenantMigrationResult *result)
{
    TenantVisit visit;
    Outcome outcome;
    if (tenant_visit_begin(&visit, turn->context, turn->tenant, result, &outcome))
        outcome = migrate_patiently(turn, created, result);
    tenant_visit_end(&visit, result, &outcome);
    return outcome;
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
    turn_end(&turn); /* its connection serves the migrations */
    if (good && !context->options->create_only) {
        Outcome migrated = migrate(&turn, ret_result->created, migration);
        if (migrated != OUTCOME_ALREADY)
            outcome = migrated;
        free(migration->outcome);
        migration->outcome = strdup(outcome_name(outcome));
    }
    migration->duration_ms = turn_elapsed_ms(&turn);
    *ret_outcome = outcome;
}

void op_create(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
               Outcome *ret_outcomes)
{
    TenantCreateResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        create_tenant(context, &tenants[i], &results[i], &ret_outcomes[i]);
}
