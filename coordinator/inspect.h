/* Inspect: every database once, as its worker's role sees it. */
#pragma once
#include "common/results_doctor.h"
#include "coordinator/fleet.h"

typedef struct Inspections {
    TextList names;            /* of the databases */
    DatabaseInspection *found; /* one each */
} Inspections;

/* A database that does not answer is an inspection with an error; the call fails when the machinery broke. To
 * be cleared in any case. */
bool inspect_run(Fleet *fleet, Inspections *ret_inspections, Error *error) MUST_CHECK;
void inspections_clear(Inspections *inspections);
