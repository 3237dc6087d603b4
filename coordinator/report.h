/* Report: a finished run as JSON (the contract's shapes) or as tables for people, on stdout; its last words
 * on stderr.
 */
#pragma once
#include "coordinator/migrator.h"
#include <stdio.h>

/* {results:[...], summary:{...}}, with `shared` when the run was with it, and for a run that broke off why
 * (`reason`, else NULL) as report_error_json() says it. */
bool report_migrate_json(FILE *file, const RunReport *report, const Error *reason, Error *error) MUST_CHECK;

/* {tenants:[...], summary:{...}}, and `shared` */
bool report_status_json(FILE *file, const RunReport *report, Error *error) MUST_CHECK;

/* {error, suggestion, ...}: what --json prints when a command could not do its work; with the files
 * that a server refused (ParseFailure; may be NULL). */
void report_error_json(FILE *file, const Error *error, const RecordList *refused_files);

/* One record, such as the result of a command about one tenant. */
bool report_record_json(FILE *file, const RecordType *type, const void *record, Error *error) MUST_CHECK;

/* Grouped by outcome and error; every tenant by name when there are few or `details`. */
bool report_migrate_text(FILE *file, const RunReport *report, bool dry_run, bool details,
                         Error *error) MUST_CHECK;
bool report_status_text(FILE *file, const RunReport *report, bool details, Error *error) MUST_CHECK;

/* Files that a server refused, one entry each with place and hint. */
void report_refused_files(FILE *file, const RecordList *refused_files);

/* Totals, the five most frequent errors, and the command that runs only the failed again (`command`: how it
 * was called up to the selection, such as "pgconvoy migrate"). */
void report_last_words(FILE *file, const RunReport *report, const char *command);
