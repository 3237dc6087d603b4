/* Results of comparing schemas: what one tenant has, lacks, or has otherwise than the reference.
 *
 * `expected` is the reference's, `actual` the tenant's; a side that has nothing is absent.
 */
#pragma once
#include "common/record.h"

typedef struct ColumnDrift {
    char *column;
    char *type;     /* "missing", "extra", "type_mismatch", "nullable_mismatch", "default_mismatch",
                       "collation_mismatch", "identity_mismatch", "generated_mismatch", "order_mismatch" */
    char *expected; /* a nullable_mismatch has "true" or "false", in JSON a boolean */
    char *actual;
    char *description;
} ColumnDrift;

/* Of an index or a constraint: "missing", "extra", "definition_mismatch". */
typedef struct NamedDrift {
    char *name;
    char *type;
    char *expected;
    char *actual;
    char *description;
} NamedDrift;

/* Of everything else. */
typedef struct ObjectDrift {
    char *object;
    char *kind;  /* "table", "view", "function", "enum", "type", "sequence", "trigger", "policy", "other",
                    "schema" */
    char *table; /* of a trigger or policy */
    char *type;
    char *expected;
    char *actual;
    char *description;
} ObjectDrift;

typedef struct TableDrift {
    char *table;
    char *status; /* "missing", "extra", "drifted" */
    RecordList columns;
    RecordList indexes;     /* NamedDrift */
    RecordList constraints; /* NamedDrift */
    RecordList objects;     /* ObjectDrift: the table itself, its triggers and policies */
} TableDrift;

typedef struct TenantSchemaDrift {
    char *tenant_id;
    char *schema_name;
    bool has_drift;
    RecordList tables;
    int64_t issue_count;
    char *error;
    RecordList objects; /* ObjectDrift: what belongs to no table */
    char *database;
    char *sqlstate;
    char *outcome;
} TenantSchemaDrift;

extern const RecordType COLUMN_DRIFT, INDEX_DRIFT, CONSTRAINT_DRIFT, OBJECT_DRIFT, TABLE_DRIFT;
extern const RecordType TENANT_SCHEMA_DRIFT;     /* the library's names */
extern const RecordType TENANT_SCHEMA_DRIFT_CLI; /* the CLI's: id, schema, and "name" of a table */
