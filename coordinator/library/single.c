#include "coordinator/library/single.h"
#include <stdlib.h>
#include <string.h>

static bool fill_text(const RecordType *type, void *record, const char *name, const char *text, Error *error)
{
    char **field = record_text(type, record, name);
    if (field == NULL || *field != NULL || text == NULL)
        return true;
    return (*field = strdup(text)) != NULL || error_memory(error);
}

/* A worker that died says nothing of its tenant: the engine's word stands for its result. */
static bool complete(const RecordType *type, void *record, const Tenant *tenant, bool several_databases,
                     const PhaseOutcome *outcome, Error *error)
{
    const char *reason = fleet_outcome_text(outcome->states[0], outcome->outcomes[0]);
    return fill_text(type, record, "tenantId", tenant->id, error) &&
           fill_text(type, record, "schemaName", tenant->schema, error) &&
           fill_text(type, record, "error", reason, error) &&
           (!several_databases || fill_text(type, record, "database", tenant->database, error));
}

static bool operate(Call *call, const Single *single, Fleet *fleet, TenantList *list, FleetResults *results)
{
    RunOptions options = fleet->options;
    if (single->set != NULL)
        single->set(single->wishes, &options);
    return fleet_list(fleet, list, call->error) &&
           fleet_operate(fleet,
                         &(FleetWork){.operation = single->operation,
                                      .options = &options,
                                      .tenants = list,
                                      .concurrency = 1,
                                      .max_failures = -1},
                         results, call->error) &&
           complete(results->type, fleet_result(results, 0), &list->items[0],
                    fleet_databases(fleet)->count > 1, &results->outcome, call->error);
}

static bool load_files(Call *call, bool needed, FleetFiles *files)
{
    return needed ? fleet_load_files(&call->fleet, false, files, call->error)
                  : fleet_no_files(files, call->error);
}

bool single_run(Call *call, const Single *single, void *ret_record, Outcome *ret_outcome)
{
    Fleet fleet = {0};
    FleetFiles files = {0};
    TenantList list = {0};
    FleetResults results = {0};
    bool ok = load_files(call, single->needs_files, &files) &&
              fleet_open(&fleet, &call->fleet, files.bundle, call->error) &&
              operate(call, single, &fleet, &list, &results);
    if (ok) {
        *ret_outcome = results.outcome.outcomes[0];
        memcpy(ret_record, fleet_result(&results, 0), results.type->size);
        memset(fleet_result(&results, 0), 0, results.type->size);
    }
    fleet_results_clear(&results);
    tenant_list_clear(&list);
    fleet_close(&fleet);
    fleet_files_clear(&files);
    return ok;
}

static const char *text_of(const RecordType *type, void *record, const char *name)
{
    char **field = record_text(type, record, name);
    return field != NULL ? *field : NULL;
}

static char *copy_of(const RecordType *type, void *record, const char *name)
{
    const char *text = text_of(type, record, name);
    return text != NULL ? strdup(text) : NULL;
}

static ErrorCode code_of(Outcome outcome, const char *sqlstate)
{
    static const ErrorCode CODES[OUTCOME_COUNT] = {
        [OUTCOME_UNKNOWN] = ERROR_UNKNOWN,     [OUTCOME_BUSY] = ERROR_BUSY,
        [OUTCOME_CANCELLED] = ERROR_CANCELLED, [OUTCOME_NO_SCHEMA] = ERROR_NO_SCHEMA,
        [OUTCOME_NOT_STARTED] = ERROR_ABORTED,
    };
    if (CODES[outcome] != ERROR_NONE)
        return CODES[outcome];
    if (sqlstate == NULL)
        return ERROR_TENANTS;
    return strncmp(sqlstate, "08", 2) == 0 ? ERROR_CONNECT : ERROR_SERVER;
}

bool single_failed(const RecordType *type, void *record, Outcome outcome, Error *error)
{
    const char *sqlstate = text_of(type, record, "sqlstate");
    const char *message = text_of(type, record, "error");
    error_set(error, code_of(outcome, sqlstate), "%s", message != NULL ? message : outcome_name(outcome));
    if (sqlstate != NULL)
        strncpy(error->sqlstate, sqlstate, sizeof error->sqlstate - 1);
    error->detail = copy_of(type, record, "detail");
    error->hint = copy_of(type, record, "hint");
    error->tenant = copy_of(type, record, "tenantId");
    error->migration = copy_of(type, record, "migration");
    return false;
}
