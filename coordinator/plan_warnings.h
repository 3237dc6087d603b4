/* Plan warnings: what a plan shows that an operator should know before, or instead of, being surprised later.
 */
#pragma once
#include "common/migration.h"
#include "coordinator/migrator.h"

/* Files changed after they were applied (as far as a format can tell) or that may be, and pending files that
 * are older than applied ones. One warning of each kind, with a count and an example, however many tenants
 * there are. */
void plan_warn(const FleetRequest *request, const RunReport *report, const Bundle *bundle);
