/* Visit: what hooks and the progress callback hear around the work on one tenant.
 *
 * begin tells "starting" and calls before_tenant; end calls after_tenant, once for each before_tenant that
 * was called, also for one that failed, and tells "completed" or "failed". Whichever of them fails, fails the
 * tenant, unless it has failed already: then its own reason stays and the hook's goes to the detail. When
 * "completed" cannot be told, "failed" follows it. A dry run is no visit: nobody hears of it.
 */
#pragma once
#include "worker/ops/op.h"

typedef struct TenantVisit {
    const OpContext *context;
    const OpTenant *tenant;
    bool began; /* before_tenant was called */
} TenantVisit;

HookSite tenant_hook_site(const OpContext *context, const OpTenant *tenant);

/* False when the tenant failed by it: *ret_result is complete then, and only the visit's end is due. */
bool tenant_visit_begin(TenantVisit *visit, const OpContext *context, const OpTenant *tenant,
                        TenantMigrationResult *ret_result, Outcome *ret_outcome) MUST_CHECK;

/* `result` and `outcome` are what became of the tenant, and changed when a hook fails. Hold no connection. */
void tenant_visit_end(const TenantVisit *visit, TenantMigrationResult *result, Outcome *outcome);

/* Makes it a failure with the error's texts, which are moved out; what was applied stays. */
void tenant_result_fail(TenantMigrationResult *result, Outcome outcome, Error *error);
