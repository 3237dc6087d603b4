/* sync-status: what tracking tables and files do not have in common, for many tenants by one set read. */
#include "worker/ops/attempt.h"
#include "worker/ops/set_read.h"
#include <string.h>

typedef struct SyncStatus {
    const OpContext *context;
    TenantSyncStatus *results;
    Outcome *outcomes;
} SyncStatus;

static void take_error(void *host, size_t at, const Error *error)
{
    SyncStatus *status = host;
    TenantSyncStatus *result = &status->results[at];
    result->error = strdup(error->message != NULL ? error->message : "");
    result->sqlstate = error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL;
    status->outcomes[at] = op_outcome(error);
    if (error->code == ERROR_NO_SCHEMA)
        result->outcome = strdup(outcome_name(OUTCOME_NO_SCHEMA));
}

static bool take_rows(void *host, size_t at, const SetRows *rows)
{
    SyncStatus *status = host;
    TenantSyncStatus *result = &status->results[at];
    const Bundle *bundle = status->context->bundle;
    const char *format = tracking_format_name(rows->table->format);
    for (size_t i = 0; bundle != NULL && i < bundle->count; i++) {
        const char *name = bundle->items[i].name;
        if ((!recorded_has(rows->recorded, i) && !text_list_add(&result->missing, name)) ||
            (recorded_changed(rows->recorded, i) && !text_list_add(&result->changed, name)))
            return false;
    }
    result->format = format != NULL ? strdup(format) : NULL;
    status->outcomes[at] = OUTCOME_ALREADY;
    return recorded_list_orphans(rows->recorded, &rows->rows, &result->orphans);
}

/* A tenant with an error shows nothing else. */
static void finish_result(TenantSyncStatus *result, const OpTenant *tenant)
{
    if (result->error != NULL) {
        text_list_clear(&result->missing);
        text_list_clear(&result->orphans);
        text_list_clear(&result->changed);
    }
    result->in_sync = result->error == NULL && result->missing.count == 0 && result->orphans.count == 0;
    result->tenant_id = strdup(tenant->id);
    result->schema_name = strdup(tenant->schema);
}

void op_sync_status(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                    Outcome *ret_outcomes)
{
    SyncStatus status = {.context = context, .results = ret_results, .outcomes = ret_outcomes};
    set_read(&(SetRead){.context = context,
                        .tenants = tenants,
                        .count = count,
                        .in_order = true,
                        .take_rows = take_rows,
                        .take_error = take_error,
                        .host = &status});
    for (size_t i = 0; i < count; i++)
        finish_result(&status.results[i], &tenants[i]);
}
