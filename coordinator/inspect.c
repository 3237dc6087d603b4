#include "coordinator/inspect.h"
#include <stdlib.h>
#include <string.h>

static uint64_t keep(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    (void)attempt;
    DatabaseInspection *kept = &((Inspections *)host)->found[index];
    if (outcome == OUTCOME_NOT_STARTED || (kept->server_version != NULL && kept->error == NULL))
        return 0; /* given back, or another attempt's answer is here already */
    record_clear(&DATABASE_INSPECTION, kept);
    *kept = *(DatabaseInspection *)record;
    memset(record, 0, sizeof *kept);
    return 0;
}

/* Whoever was not heard of gets an error too. */
static bool fill_silence(Inspections *inspections)
{
    for (size_t i = 0; i < inspections->names.count; i++) {
        DatabaseInspection *found = &inspections->found[i];
        if (found->server_version == NULL && found->error == NULL &&
            (found->error = strdup("no worker answered")) == NULL)
            return false;
    }
    return true;
}

bool inspect_run(Fleet *fleet, Inspections *ret_inspections, Error *error)
{
    const TextList *databases = fleet_databases(fleet);
    *ret_inspections = (Inspections){.found = calloc(databases->count + 1, sizeof *ret_inspections->found)};
    bool ok = ret_inspections->found != NULL;
    for (size_t i = 0; ok && i < databases->count; i++)
        ok = text_list_add(&ret_inspections->names, databases->items[i]);
    if (!ok)
        return error_memory(error);
    Phase phase = {
        .operation = OPERATION_INSPECT, .max_failures = -1, .on_result = keep, .host = ret_inspections};
    PhaseOutcome outcome = {0};
    ok = fleet_run_databases(fleet, &phase, &outcome, error);
    phase_outcome_clear(&outcome);
    return ok && !fill_silence(ret_inspections) ? error_memory(error) : ok;
}

void inspections_clear(Inspections *inspections)
{
    for (size_t i = 0; inspections->found != NULL && i < inspections->names.count; i++)
        record_clear(&DATABASE_INSPECTION, &inspections->found[i]);
    free(inspections->found);
    text_list_clear(&inspections->names);
    *inspections = (Inspections){0};
}
