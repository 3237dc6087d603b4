#include "worker/ops/op.h"

void op_null(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
             Outcome *ret_outcomes)
{
    (void)context;
    (void)tenants;
    (void)ret_results;
    for (size_t i = 0; i < count; i++)
        ret_outcomes[i] = OUTCOME_APPLIED;
}
