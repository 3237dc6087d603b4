#include "coordinator/fleet_judge.h"
#include <string.h>

/* A check in progress. */
typedef struct Judging {
    RecordList *refused;
    Error error;     /* of the last database that could not make the check, ... */
    uint32_t failed; /* ... and its phase index */
} Judging;

static void keep_error(Judging *judging, uint32_t index, Outcome outcome, const ParseResult *result)
{
    if (outcome == OUTCOME_NOT_STARTED)
        return;
    Error *error = &judging->error;
    judging->failed = index;
    error_set(error, ERROR_CONNECT, "%s", result->error != NULL ? result->error : outcome_name(outcome));
    if (result->sqlstate != NULL)
        strncpy(error->sqlstate, result->sqlstate, sizeof error->sqlstate - 1);
    if (result->detail != NULL)
        error_set_detail(error, "%s", result->detail);
    if (result->hint != NULL)
        error_set_hint(error, "%s", result->hint);
}

static uint64_t keep_parse(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    (void)attempt;
    Judging *judging = host;
    ParseResult *result = record;
    if (outcome_state(outcome) != TENANT_SUCCEEDED) {
        keep_error(judging, index, outcome, result);
    } else if (judging->refused->count == 0) {
        /* One server's word is enough, and several databases mostly say the same. */
        *judging->refused = result->failures;
        result->failures = (RecordList){0};
    }
    return 0;
}

bool fleet_judge_files(Fleet *fleet, const char *what, RecordList *ret_refused, Error *error)
{
    Judging judging = {.refused = ret_refused};
    Phase phase = {
        .operation = OPERATION_PARSE, .max_failures = -1, .on_result = keep_parse, .host = &judging};
    PhaseOutcome outcome = {0};
    bool ok = fleet_run_databases(fleet, &phase, &outcome, error);
    bool all = ok && outcome.totals.succeeded == outcome.totals.total;
    if (ok && !all && outcome.aborted)
        error_set(error, ERROR_CANCELLED, "stopped while the %s were checked; nothing was changed", what);
    else if (ok && !all && judging.error.code != ERROR_NONE &&
             outcome.states[judging.failed] != TENANT_SUCCEEDED)
        error_move(error, &judging.error);
    else if (ok && !all)
        error_set(error, ERROR_CONNECT, "the %s could not be checked on every database", what);
    phase_outcome_clear(&outcome);
    error_clear(&judging.error);
    return all;
}
