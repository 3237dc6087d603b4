/* Results about schemas: a tenant's digest, and everything that introspection finds in its schema.
 *
 * Lists of objects are in byte order of their names; columns are in the table's order. A `canonical` form
 * travels between worker and coordinator only: two objects are the same exactly when theirs are equal, in
 * whatever schema they live. What people see is beside it.
 */
#pragma once
#include "common/record.h"

typedef struct TenantDigest {
    char *tenant_id;
    char *schema_name;
    char *digest;   /* hexadecimal; "" with an error */
    int64_t tables; /* that the digest covers */
    char *error;
    char *sqlstate;
    char *outcome; /* "no_schema" when the schema is missing, else NULL */
} TenantDigest;

extern const RecordType TENANT_DIGEST;

typedef pgconvoy_column_schema ColumnSchema;

typedef pgconvoy_index_schema IndexSchema;

typedef pgconvoy_constraint_schema ConstraintSchema;

typedef pgconvoy_table_schema TableSchema;

typedef pgconvoy_object_schema ObjectSchema;

typedef pgconvoy_tenant_schema TenantSchema;

extern const RecordType COLUMN_SCHEMA, INDEX_SCHEMA, CONSTRAINT_SCHEMA, TABLE_SCHEMA, OBJECT_SCHEMA;
extern const RecordType TENANT_SCHEMA;
