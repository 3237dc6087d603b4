#include "common/results_drift.h"

#define ROW(structure, name, kind, rule, member)                  \
    {                                                             \
        (name), (kind), (rule), offsetof(structure, member), NULL \
    }
#define ROWS_OF(structure, name, rule, member, type)                       \
    {                                                                      \
        (name), FIELD_RECORDS, (rule), offsetof(structure, member), (type) \
    }

/* Every kind of drift ends in the same words. */
#define DRIFT_WORDS(structure)                                            \
    ROW(structure, "type", FIELD_TEXT, FIELD_ALWAYS, type),               \
        ROW(structure, "expected", FIELD_TEXT, FIELD_OPTIONAL, expected), \
        ROW(structure, "actual", FIELD_TEXT, FIELD_OPTIONAL, actual),     \
        ROW(structure, "description", FIELD_TEXT, FIELD_ALWAYS, description)

static const RecordField COLUMN_FIELDS[] = {
    ROW(ColumnDrift, "column", FIELD_TEXT, FIELD_ALWAYS, column),
    DRIFT_WORDS(ColumnDrift),
};

static const RecordField INDEX_FIELDS[] = {
    ROW(NamedDrift, "index", FIELD_TEXT, FIELD_ALWAYS, name),
    DRIFT_WORDS(NamedDrift),
};

static const RecordField CONSTRAINT_FIELDS[] = {
    ROW(NamedDrift, "constraint", FIELD_TEXT, FIELD_ALWAYS, name),
    DRIFT_WORDS(NamedDrift),
};

static const RecordField OBJECT_FIELDS[] = {
    ROW(ObjectDrift, "object", FIELD_TEXT, FIELD_ALWAYS, object),
    ROW(ObjectDrift, "kind", FIELD_TEXT, FIELD_ALWAYS, kind),
    ROW(ObjectDrift, "table", FIELD_TEXT, FIELD_OPTIONAL, table),
    DRIFT_WORDS(ObjectDrift),
};

const RecordType COLUMN_DRIFT = RECORD_TYPE("ColumnDrift", ColumnDrift, COLUMN_FIELDS);
const RecordType INDEX_DRIFT = RECORD_TYPE("IndexDrift", NamedDrift, INDEX_FIELDS);
const RecordType CONSTRAINT_DRIFT = RECORD_TYPE("ConstraintDrift", NamedDrift, CONSTRAINT_FIELDS);
const RecordType OBJECT_DRIFT = RECORD_TYPE("ObjectDrift", ObjectDrift, OBJECT_FIELDS);

#define TABLE_ROWS(title)                                                                 \
    ROW(TableDrift, title, FIELD_TEXT, FIELD_ALWAYS, table),                              \
        ROW(TableDrift, "status", FIELD_TEXT, FIELD_ALWAYS, status),                      \
        ROWS_OF(TableDrift, "columns", FIELD_ALWAYS, columns, &COLUMN_DRIFT),             \
        ROWS_OF(TableDrift, "indexes", FIELD_ALWAYS, indexes, &INDEX_DRIFT),              \
        ROWS_OF(TableDrift, "constraints", FIELD_ALWAYS, constraints, &CONSTRAINT_DRIFT), \
        ROWS_OF(TableDrift, "objects", FIELD_OPTIONAL, objects, &OBJECT_DRIFT)

static const RecordField TABLE_FIELDS[] = {TABLE_ROWS("table")};
static const RecordField TABLE_CLI_FIELDS[] = {TABLE_ROWS("name")};

const RecordType TABLE_DRIFT = RECORD_TYPE("TableDrift", TableDrift, TABLE_FIELDS);
static const RecordType TABLE_DRIFT_CLI = RECORD_TYPE("TableDriftCli", TableDrift, TABLE_CLI_FIELDS);

#define TENANT(name, kind, rule, member) ROW(TenantSchemaDrift, name, kind, rule, member)
#define TENANT_OURS                                                                \
    ROWS_OF(TenantSchemaDrift, "objects", FIELD_OPTIONAL, objects, &OBJECT_DRIFT), \
        TENANT("database", FIELD_TEXT, FIELD_OPTIONAL, database),                  \
        TENANT("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),                  \
        TENANT("outcome", FIELD_TEXT, FIELD_OPTIONAL, outcome),                    \
        TENANT("detail", FIELD_TEXT, FIELD_OPTIONAL, detail)

static const RecordField TENANT_FIELDS[] = {
    TENANT("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    TENANT("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    TENANT("hasDrift", FIELD_BOOL, FIELD_ALWAYS, has_drift),
    ROWS_OF(TenantSchemaDrift, "tables", FIELD_ALWAYS, tables, &TABLE_DRIFT),
    TENANT("issueCount", FIELD_INT, FIELD_ALWAYS, issue_count),
    TENANT("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    TENANT_OURS,
};

static const RecordField TENANT_CLI_FIELDS[] = {
    TENANT("id", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    TENANT("schema", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    TENANT("hasDrift", FIELD_BOOL, FIELD_ALWAYS, has_drift),
    TENANT("issueCount", FIELD_INT, FIELD_ALWAYS, issue_count),
    ROWS_OF(TenantSchemaDrift, "tables", FIELD_ALWAYS, tables, &TABLE_DRIFT_CLI),
    TENANT("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    TENANT_OURS,
};

const RecordType TENANT_SCHEMA_DRIFT = RECORD_TYPE("TenantSchemaDrift", TenantSchemaDrift, TENANT_FIELDS);
const RecordType TENANT_SCHEMA_DRIFT_CLI =
    RECORD_TYPE("TenantSchemaDriftCli", TenantSchemaDrift, TENANT_CLI_FIELDS);
