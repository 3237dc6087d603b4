#include "common/outcome.h"
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    TenantState state;
} OUTCOMES[OUTCOME_COUNT] = {
    [OUTCOME_NOT_STARTED] = {"not_started", TENANT_SKIPPED},
    [OUTCOME_APPLIED] = {"applied", TENANT_SUCCEEDED},
    [OUTCOME_ALREADY] = {"already", TENANT_SUCCEEDED},
    [OUTCOME_ERROR] = {"error", TENANT_FAILED},
    [OUTCOME_UNKNOWN] = {"unknown", TENANT_FAILED},
    [OUTCOME_BUSY] = {"busy", TENANT_FAILED},
    [OUTCOME_QUARANTINED] = {"quarantined", TENANT_FAILED},
    [OUTCOME_CANCELLED] = {"cancelled", TENANT_FAILED},
    [OUTCOME_NO_SCHEMA] = {"no_schema", TENANT_FAILED},
};

/* A value out of range is a bug or a peer's mistake: it reads as "unknown", which never counts as success. */
static Outcome outcome_known(Outcome outcome)
{
    return (unsigned)outcome < OUTCOME_COUNT ? outcome : OUTCOME_UNKNOWN;
}

const char *outcome_name(Outcome outcome)
{
    return OUTCOMES[outcome_known(outcome)].name;
}

bool outcome_from_name(const char *name, Outcome *ret_outcome)
{
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        if (strcmp(OUTCOMES[i].name, name) == 0) {
            *ret_outcome = (Outcome)i;
            return true;
        }
    }
    return false;
}

TenantState outcome_state(Outcome outcome)
{
    return OUTCOMES[outcome_known(outcome)].state;
}

TenantState tenant_state_merge(TenantState held, TenantState learned)
{
    return learned > held ? learned : held;
}
