/* Schema drift, inside: what its files share. */
#pragma once
#include "common/schema_drift.h"

/* What is being compared. Everything found is appended to a list of `drift` and counted there. */
typedef struct Comparison {
    TenantSchemaDrift *drift;
    bool failed; /* memory ran out */
} Comparison;

/* Malloc'ed; NULL for NULL, or when memory ran out, which the comparison remembers. */
char *drift_copied(Comparison *comparison, const char *text);
char *drift_sentence(Comparison *comparison, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* NULL and "" are the same: nothing. */
bool drift_same(const char *a, const char *b);

/* A new, counted entry of a list; NULL when memory ran out. */
void *drift_add(Comparison *comparison, const RecordType *type, RecordList *list);

/* schema_drift_columns.c */
void drift_compare_columns(Comparison *comparison, RecordList *list, const RecordList *expected,
                           const RecordList *actual);
void drift_column_missing(Comparison *comparison, RecordList *list, const ColumnSchema *column);
void drift_column_extra(Comparison *comparison, RecordList *list, const ColumnSchema *column);
