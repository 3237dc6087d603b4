/* Report table: tenants for people, each in a row of its own or, when there are many, one row for all that
 * look the same.
 */
#pragma once
#include "common/record.h"
#include <stdbool.h>
#include <stdio.h>

enum { REPORT_CELLS_MAX = 8 };

typedef struct ReportTable {
    const char *const *columns; /* titles of the cells; that of the tenant's id comes before them */
    size_t column_count;        /* at most REPORT_CELLS_MAX */
    size_t count;               /* tenants */
    bool details;               /* each by its name, however many there are */
    const void *report;
    const char *(*id)(const void *report, size_t index);
    /* Fills malloc'ed texts, or NULL for an empty cell; the table frees them. */
    void (*fill)(const void *report, size_t index, char **cells);
} ReportTable;

bool report_table_print(FILE *file, const ReportTable *table, Error *error) MUST_CHECK;

/* "first_name .. last_name (n)", malloc'ed. */
char *report_describe_list(const TextList *names);
/* A copy, or NULL of NULL. */
char *report_cell(const char *text);
