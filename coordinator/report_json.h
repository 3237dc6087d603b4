/* Report JSON: what every command's JSON has in common. */
#pragma once
#include "common/json.h"
#include "coordinator/migrator.h"
#include <stdio.h>

/* Prints and releases a document; false when it is NULL or cannot be written. */
bool report_print_json(FILE *file, json_t *document, Error *error) MUST_CHECK;

/* A member of a document: a list of as many rows as there are tenants. */
typedef struct ReportRows {
    const char *name;
    size_t count;
    const void *report;
    json_t *(*row)(const void *report, size_t index); /* NULL when memory ran out */
} ReportRows;

/* Prints a document row by row, however many there are, in the form that report_print_json() gives to all of
 * it. `head` has the members in front of the list (NULL = none), `rest` those behind it (NULL =
 * memory ran out); both are released. */
bool report_print_rows(FILE *file, json_t *head, const ReportRows *rows, json_t *rest,
                       Error *error) MUST_CHECK;

/* report_migrate_json() with a rehearsal's figures, which are released, or NULL. */
bool report_migrate_rows(FILE *file, const RunReport *report, json_t *figures, const Error *reason,
                         Error *error) MUST_CHECK;

/* Adds error, code, suggestion, detail and sqlstate; without them when memory runs out, as the exit code
 * tells too. */
void report_add_reason(json_t *document, const Error *reason);
