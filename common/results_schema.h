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

typedef struct ColumnSchema {
    char *name;
    char *data_type; /* information_schema's words: "integer", "ARRAY", "USER-DEFINED" */
    char *udt_name;
    bool is_nullable;
    char *column_default;             /* NULL without one, like all texts below */
    int64_t character_maximum_length; /* negative = null, like the two below */
    int64_t numeric_precision;
    int64_t numeric_scale;
    int64_t ordinal_position;
    char *type; /* with modifiers: "character varying(100)" */
    char *collation;
    char *identity;  /* "ALWAYS", "BY DEFAULT" */
    char *generated; /* the expression */
} ColumnSchema;

typedef struct IndexSchema {
    char *name;
    TextList columns; /* expressions as text; INCLUDE columns last */
    bool is_unique;
    bool is_primary;
    char *definition;
    bool invalid; /* left behind by a failed CREATE INDEX CONCURRENTLY */
    char *canonical;
} IndexSchema;

typedef struct ConstraintSchema {
    char *name;
    char *type; /* "PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK", "EXCLUDE" */
    TextList columns;
    char *foreign_table;
    TextList foreign_columns;
    char *check_expression;
    char *definition;
    char *canonical;
} ConstraintSchema;

typedef struct TableSchema {
    char *name;
    RecordList columns;     /* ColumnSchema */
    RecordList indexes;     /* IndexSchema */
    RecordList constraints; /* ConstraintSchema */
    char *definition; /* partitioning, row level security, storage options, ...; NULL for a plain table */
} TableSchema;

/* A view, function, enum, other type, sequence, trigger, policy, or something rarer. */
typedef struct ObjectSchema {
    char *name;
    char *table; /* of a trigger or policy, else NULL */
    char *definition;
    char *canonical;
} ObjectSchema;

typedef struct TenantSchema {
    char *tenant_id;
    char *schema_name;
    RecordList tables;
    char *introspected_at; /* ISO 8601, UTC */
    RecordList views;      /* ObjectSchema, like all below */
    RecordList functions;
    RecordList enums;
    RecordList types;
    RecordList sequences;
    RecordList triggers;
    RecordList policies;
    RecordList others;
    char *error; /* NULL on success, like all below */
    char *sqlstate;
    char *detail;
    char *hint;
    char *outcome; /* "no_schema" when the schema is missing */
} TenantSchema;

extern const RecordType COLUMN_SCHEMA, INDEX_SCHEMA, CONSTRAINT_SCHEMA, TABLE_SCHEMA, OBJECT_SCHEMA;
extern const RecordType TENANT_SCHEMA;
