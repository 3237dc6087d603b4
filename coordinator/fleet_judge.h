/* Fleet judge: lets the tenants' own servers parse the fleet's files before any tenant is touched. */
#pragma once
#include "coordinator/fleet.h"

/* Every database's server reads every file of the fleet's bundle; ParseFailure records of the refused ones
 * are put into the empty list. False: the check itself could not be made. `what` names the files in messages,
 * as in "migration files". */
bool fleet_judge_files(Fleet *fleet, const char *what, RecordList *ret_refused, Error *error) MUST_CHECK;
