/* Report of a rehearsal: the tenants as a migrate's report tells of them, and what the machinery can do. */
#pragma once
#include "coordinator/migrator.h"
#include <stdio.h>

typedef struct Rehearsal {
    int64_t tenants_per_second;
    int64_t first_result_ms;
    int64_t starts;           /* of attempts, that workers told of */
    int64_t bytes_per_tenant; /* in the run table and the engine's */
    int64_t peak_kb;          /* most memory that this process had */
} Rehearsal;

/* {results:[...], summary:{...}, rehearsal:{...}}, and for one that broke off why (`reason`, else NULL). */
bool report_rehearsal_json(FILE *file, const RunReport *report, const Rehearsal *rehearsal,
                           const Error *reason, Error *error) MUST_CHECK;
/* The figures alone: whoever did not come back is named by the last words. */
bool report_rehearsal_text(FILE *file, const Rehearsal *rehearsal, Error *error) MUST_CHECK;
