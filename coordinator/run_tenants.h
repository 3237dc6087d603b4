/* Who a run is about: explicit lists, configuration, discovery, exclusions. */
#pragma once
#include "coordinator/migrator.h"

/* Fills list from the request and the configuration; runs a discover phase when the configuration says so.
 * Every tenant has a database and a checked schema afterwards. Warnings go to the request's on_warning. */
bool run_tenants_collect(const RunRequest *request, Dispatcher *dispatcher, TenantList *list,
                         Error *error) MUST_CHECK;

/* For each tenant the index of its previous occurrence in the list, or ENGINE_NONE; malloc'ed. */
uint32_t *run_tenants_predecessors(const TenantList *list, Error *error) MUST_CHECK;
