/* Schema rows: the results of schema_append_introspection() as a TenantSchema. */
#pragma once
#include "common/results_schema.h"
#include <libpq-fe.h>

typedef struct SchemaRows {
    const char *schema;
    TenantSchema *result; /* filled as results come */
    Error error;          /* the first one: no schema, no right to it, no memory */
} SchemaRows;

/* A ResultVisitor; `context` is the SchemaRows. Results of other statements are passed over. */
void schema_rows_take(void *context, const PGresult *rows);
