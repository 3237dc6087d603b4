/* Outcome: how one attempt at one tenant ended, and the one table that maps outcomes to the contract's
 * states.
 *
 * States merge upwards (pending < skipped < failed < succeeded), so duplicate, late and reordered results of
 * several attempts cannot change a total once it is right.
 */
#pragma once
#include <stdbool.h>

typedef enum Outcome {
    OUTCOME_NOT_STARTED, /* the worker never began (abort, drain) */
    OUTCOME_APPLIED,     /* done, something was written */
    OUTCOME_ALREADY,     /* done, nothing was left to do */
    OUTCOME_ERROR,
    OUTCOME_UNKNOWN,     /* COMMIT sent, its result could not be learned */
    OUTCOME_BUSY,        /* the lock is held elsewhere; the engine tries again until lock_wait_ms */
    OUTCOME_QUARANTINED, /* took part in three worker deaths */
    OUTCOME_CANCELLED,
    OUTCOME_NO_SCHEMA,
    OUTCOME_COUNT,
} Outcome;

typedef enum TenantState { TENANT_PENDING, TENANT_SKIPPED, TENANT_FAILED, TENANT_SUCCEEDED } TenantState;

const char *outcome_name(Outcome outcome);
bool outcome_from_name(const char *name, Outcome *ret_outcome);
TenantState outcome_state(Outcome outcome);

/* The state after merging a newly learned one into the one held. */
TenantState tenant_state_merge(TenantState held, TenantState learned);
