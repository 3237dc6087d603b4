/* Report of the shared schema: by itself, or as a part of the tenants' report. */
#pragma once
#include "coordinator/migrator.h"
#include "coordinator/report_json.h"
#include "coordinator/seed.h"
#include <stdio.h>

/* A migrate or mark-applied: the package's object, of several databases {results:[...]}. */
bool report_shared_json(FILE *file, const RunReport *shared, Error *error) MUST_CHECK;

/* Adds `shared` to the tenants' document: an object, of several databases an array. Does nothing to a NULL
 * document or when the report has no shared schema; false when memory ran out. */
bool report_add_shared(json_t *document, const RunReport *report, bool status) MUST_CHECK;

/* A seed of the shared schema: {result:{...}}, of several databases {results:[...]}. */
bool report_shared_seed_json(FILE *file, const SeedReport *shared, Error *error) MUST_CHECK;

/* With the tenants: {shared:{...}, tenants:{...}, totalDurationMs}, and for a run that broke off why. */
bool report_seed_both_json(FILE *file, const SeedReport *report, const Error *reason,
                           Error *error) MUST_CHECK;

/* A line for each database: what was or would be applied, or its status. */
void report_shared_text(FILE *file, const RunReport *shared, bool dry_run);
void report_shared_status_text(FILE *file, const RunReport *shared);

void report_shared_seed_text(FILE *file, const SeedReport *shared);

/* The errors in full. */
void report_shared_errors(FILE *file, const RunReport *shared);
void report_shared_seed_errors(FILE *file, const SeedReport *shared);
