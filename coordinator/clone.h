/* Clone: one tenant as another, in the same database. */
#pragma once
#include "coordinator/fleet.h"

typedef struct CloneRequest {
    FleetRequest fleet;    /* with whom; its choice of tenants is not looked at */
    const char *from, *to; /* ids, "db/id" too; the target is in the source's database unless it says so */
    bool with_data;
    bool strict; /* refuse a rule or a table to leave out that names nothing, instead of a warning */
    TextList exclude_tables; /* not owned, like the rules */
    RecordList anonymize;    /* AnonymizeRule */
} CloneRequest;

typedef struct CloneRun {
    CloneResult result; /* complete, also when nothing was heard of the tenant */
    TenantState state;
    Outcome outcome;
    bool stopped, past_deadline; /* by the operator; by run.deadline_ms */
} CloneRun;

/* False when it could not be tried. clone_run_clear() is due in any case. */
bool clone_run(const CloneRequest *request, CloneRun *ret_run, Error *error) MUST_CHECK;
void clone_run_clear(CloneRun *run);
