#include "coordinator/clone.h"
#include <stdlib.h>
#include <string.h>

/* A fleet, and the two tenants in it. */
typedef struct Pair {
    const CloneRequest *request;
    FleetRequest who; /* for whom fleet_list() is asked */
    Fleet fleet;
    Bundle bundle;
    TenantList source, target;
} Pair;

static bool resolve(Pair *pair, const char *id, TenantList *ret_list, Error *error)
{
    pair->who.tenant = id;
    if (!fleet_list(&pair->fleet, ret_list, error))
        return false;
    const char *refusal = ret_list->items[0].refusal;
    return refusal == NULL || error_set(error, ERROR_TENANTS, "%s", refusal);
}

/* An id without a database means the source's. */
static bool resolve_target(Pair *pair, Error *error)
{
    TenantList named = {0};
    const char *id = pair->request->to, *database = pair->source.items[0].database;
    bool ok = tenant_list_add_named(&named, id, fleet_databases(&pair->fleet), error);
    if (ok && named.items[0].database[0] == '\0') {
        BUFFER_CLEANUP Buffer full = {0};
        buffer_appendf(&full, "%s/%s", database, id);
        ok = buffer_failed(&full) ? error_memory(error)
                                  : resolve(pair, buffer_text(&full), &pair->target, error);
    } else if (ok) {
        ok = resolve(pair, id, &pair->target, error);
    }
    tenant_list_clear(&named);
    return ok;
}

static bool check_databases(const Pair *pair, Error *error)
{
    const Tenant *source = &pair->source.items[0], *target = &pair->target.items[0];
    if (strcmp(source->database, target->database) == 0)
        return true;
    error_set(error, ERROR_USAGE, "tenant \"%s\" of database \"%s\" cannot be cloned into database \"%s\"",
              source->id, source->database, target->database);
    error_set_hint(error, "a clone stays in its database; between databases use pg_dump and pg_restore");
    return false;
}

static bool fill(char **text, const char *value, Error *error)
{
    if (*text != NULL)
        return true;
    *text = strdup(value);
    return *text != NULL || error_memory(error);
}

/* Of a worker that died nothing may have been heard but the engine's word. */
static bool complete(const Pair *pair, CloneRun *run, Error *error)
{
    CloneResult *result = &run->result;
    const Tenant *source = &pair->source.items[0], *target = &pair->target.items[0];
    const char *outcome = outcome_name(run->outcome), *reason = fleet_outcome_text(run->state, run->outcome);
    if (result->outcome == NULL)
        result->rows_copied = -1;
    return fill(&result->source_tenant, source->id, error) &&
           fill(&result->target_tenant, target->id, error) &&
           fill(&result->target_schema, target->schema, error) && fill(&result->outcome, outcome, error) &&
           (run->state == TENANT_SUCCEEDED ||
            fill(&result->error, reason != NULL ? reason : outcome, error)) &&
           (fleet_databases(&pair->fleet)->count < 2 || fill(&result->database, target->database, error));
}

static bool operate(Pair *pair, CloneRun *run, Error *error)
{
    const CloneRequest *request = pair->request;
    const Tenant *source = &pair->source.items[0];
    RunOptions options = pair->fleet.options;
    options.source_id = source->id;
    options.source_schema = source->schema;
    options.with_data = request->with_data;
    options.strict = request->strict;
    options.exclude_tables = request->exclude_tables;
    options.anonymize = request->anonymize;
    FleetWork work = {.operation = OPERATION_CLONE,
                      .options = &options,
                      .tenants = &pair->target,
                      .concurrency = 1,
                      .max_failures = -1};
    FleetResults results = {0};
    bool ok = fleet_operate(&pair->fleet, &work, &results, error);
    if (ok) {
        CloneResult *result = fleet_result(&results, 0);
        run->result = *result;
        *result = (CloneResult){0};
        run->state = results.outcome.states[0];
        run->outcome = results.outcome.outcomes[0];
    }
    fleet_results_clear(&results);
    run->past_deadline = pair->fleet.past_deadline;
    run->stopped = pair->fleet.aborted || pair->fleet.cancelled;
    return ok && complete(pair, run, error);
}

bool clone_run(const CloneRequest *request, CloneRun *ret_run, Error *error)
{
    Pair pair = {.request = request, .who = request->fleet};
    pair.who.tenants = pair.who.tenants_file = NULL;
    bool ok = bundle_digest(&pair.bundle, error) && fleet_open(&pair.fleet, &pair.who, &pair.bundle, error) &&
              resolve(&pair, request->from, &pair.source, error) && resolve_target(&pair, error) &&
              check_databases(&pair, error) && operate(&pair, ret_run, error);
    fleet_close(&pair.fleet);
    tenant_list_clear(&pair.source);
    tenant_list_clear(&pair.target);
    bundle_clear(&pair.bundle);
    return ok;
}

void clone_run_clear(CloneRun *run)
{
    record_clear(&CLONE_RESULT, &run->result);
}
