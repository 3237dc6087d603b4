/* Who a command is about: explicit lists, configuration, discovery, exclusions. fleet_list() lives here. */
#pragma once
#include "coordinator/fleet.h"

/* For each tenant the index of its previous occurrence in the list, or ENGINE_NONE; malloc'ed. */
uint32_t *fleet_tenants_predecessors(const TenantList *list, Error *error) MUST_CHECK;
