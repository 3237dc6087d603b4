#include "coordinator/drift.h"

static bool introspect_listed(Fleet *fleet, TenantSchema *ret_schema, Error *error)
{
    TenantList list = {0};
    FleetResults results = {0};
    bool ok = fleet_list(fleet, &list, error);
    if (ok && list.count != 1)
        ok = error_set(error, ERROR_USAGE, "introspect looks at one tenant, not at %zu", list.count);
    ok = ok && fleet_operate(fleet,
                             &(FleetWork){.operation = OPERATION_INTROSPECT,
                                          .tenants = &list,
                                          .schedule = ENGINE_ROLLING,
                                          .max_failures = -1},
                             &results, error);
    if (ok) {
        TenantSchema *schema = fleet_result(&results, 0);
        *ret_schema = *schema;
        *schema = (TenantSchema){0};
    }
    fleet_results_clear(&results);
    tenant_list_clear(&list);
    return ok;
}

bool introspect_run(const FleetRequest *request, TenantSchema *ret_schema, Error *error)
{
    Fleet fleet;
    bool ok = fleet_open(&fleet, request, NULL, error) && introspect_listed(&fleet, ret_schema, error);
    fleet_close(&fleet);
    return ok;
}
