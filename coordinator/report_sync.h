/* Report of sync: JSON in the shapes of the npm package's CLI, tables for people, last words. */
#pragma once
#include "coordinator/sync.h"
#include <stdio.h>

/* {tenants:[...], summary:{...}} of a status, {action, results:[...], summary:{...}} of an action; of one
 * that broke off also why (`reason`, else NULL). */
bool report_sync_json(FILE *file, const SyncReport *report, const Error *reason, Error *error) MUST_CHECK;

/* Grouped by what is missing, orphaned or was done; every tenant by name when there are few or `details`. */
bool report_sync_text(FILE *file, const SyncReport *report, bool dry_run, bool details,
                      Error *error) MUST_CHECK;

/* Totals, errors and how to run the failed again; of a status how many are in sync. */
void report_sync_last_words(FILE *file, const SyncReport *report);
