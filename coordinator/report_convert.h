/* Report of convert-format: JSON in the style of the other commands, a table for people, last words. */
#pragma once
#include "coordinator/convert.h"
#include <stdio.h>

/* {results:[...], summary:{...}}, a note when the configuration must follow, and for a run that broke off why
 * (`reason`, else NULL). */
bool report_convert_json(FILE *file, const ConvertReport *report, const Error *reason,
                         Error *error) MUST_CHECK;

/* Grouped by what was found and done; every tenant by name when there are few or `details`. */
bool report_convert_text(FILE *file, const ConvertReport *report, bool dry_run, bool details,
                         Error *error) MUST_CHECK;

/* Totals, errors, how to run the failed again, and the note. */
void report_convert_last_words(FILE *file, const ConvertReport *report);
