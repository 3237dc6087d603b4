/* Tenants that the host names, by id and perhaps by schema: each may be refused alone. Part of fleet_list().
 */
#pragma once
#include "coordinator/fleet.h"

/* Adds the request's one tenant, or its ids, or those of its discover callback. */
bool fleet_named_list(const FleetRequest *request, const TextList *databases, TenantList *list,
                      Error *error) MUST_CHECK;

/* Gives a tenant of the list a refusal unless it has one; with a format like printf's. */
bool fleet_refuse(TenantList *list, Tenant *tenant, Error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5), warn_unused_result));

/* Finds everybody's schema, by callback or template. Tenants that would share one are all refused. */
bool fleet_named_resolve(const FleetRequest *request, TenantList *list, Error *error) MUST_CHECK;
