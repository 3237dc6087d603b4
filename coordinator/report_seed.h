/* Report of seed: JSON in the shape of the npm package's CLI, a table for people, last words. */
#pragma once
#include "coordinator/report_json.h"
#include "coordinator/seed.h"
#include <stdio.h>

/* {results:[...], summary:{...}}; of a run that broke off also why (`reason`, else NULL). */
bool report_seed_json(FILE *file, const SeedReport *report, const Error *reason, Error *error) MUST_CHECK;

/* The same for a document that has more, without the duration; NULL when memory ran out. */
json_t *report_seed_document(const SeedReport *report);
/* Ours: says of a dry run's document that nothing in it has happened. */
void report_add_dry_run(json_t *document, const SeedReport *report);

/* What became of an entry, such as "seeded". */
const char *report_seed_word(const SeedReport *report, const SeedEntry *entry);

/* Grouped by what became of the tenants; every tenant by name when there are few or `details`. */
bool report_seed_text(FILE *file, const SeedReport *report, bool details, Error *error) MUST_CHECK;

/* Totals, errors and how to run the failed again; `command`: how it was called up to the selection. */
void report_seed_last_words(FILE *file, const SeedReport *report, const char *command);
