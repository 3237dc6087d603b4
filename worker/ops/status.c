/* status: what is applied and pending, for many tenants by one set read. */
#include "worker/ops/attempt.h"
#include "worker/ops/migration_plan.h"
#include "worker/ops/set_read.h"
#include <stdlib.h>
#include <string.h>

typedef struct Status {
    const OpContext *context;
    TenantMigrationStatus *results;
    Outcome *outcomes;
} Status;

static void take_error(void *host, size_t at, const Error *error)
{
    Status *status = host;
    TenantMigrationStatus *result = &status->results[at];
    result->error = strdup(error->message != NULL ? error->message : "");
    result->sqlstate = error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL;
    status->outcomes[at] = op_outcome(error);
    if (error->code == ERROR_NO_SCHEMA)
        result->outcome = strdup(outcome_name(OUTCOME_NO_SCHEMA));
}

static bool take_rows(void *host, size_t at, const SetRows *rows)
{
    Status *status = host;
    TenantMigrationStatus *result = &status->results[at];
    const Bundle *bundle = status->context->bundle;
    const char *format = tracking_format_name(rows->table->format);
    for (size_t i = 0; bundle != NULL && i < bundle->count; i++) {
        TextList *list = recorded_changed(rows->recorded, i) ? &result->changed
                         : recorded_has(rows->recorded, i)   ? NULL
                                                             : &result->pending_migrations;
        if (list != NULL && !text_list_add(list, bundle->items[i].name))
            return false;
    }
    result->applied_count = rows->rows.count;
    result->pending_count = (int64_t)result->pending_migrations.count;
    result->unexplained = result->pending_count > 0 ? recorded_unexplained(rows->recorded, &rows->rows) : 0;
    result->format = format != NULL ? strdup(format) : NULL;
    if (result->unexplained == 0)
        result->plan = migration_plan_word(rows->table, rows->recorded, bundle);
    status->outcomes[at] = OUTCOME_ALREADY;
    return true;
}

/* The contract's words, last: a tenant with an error shows nothing else. */
static void finish_result(TenantMigrationStatus *result, const OpTenant *tenant)
{
    const char *word = result->pending_count > 0 ? "behind" : "ok";
    if (result->error != NULL) {
        word = "error";
        result->applied_count = result->pending_count = result->unexplained = 0;
        text_list_clear(&result->pending_migrations);
        text_list_clear(&result->changed);
    }
    result->tenant_id = strdup(tenant->id);
    result->schema_name = strdup(tenant->schema);
    result->status = strdup(word);
}

void op_status(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
               Outcome *ret_outcomes)
{
    Status status = {.context = context, .results = ret_results, .outcomes = ret_outcomes};
    set_read(&(SetRead){.context = context,
                        .tenants = tenants,
                        .count = count,
                        .take_rows = take_rows,
                        .take_error = take_error,
                        .host = &status});
    for (size_t i = 0; i < count; i++)
        finish_result(&status.results[i], &tenants[i]);
}
