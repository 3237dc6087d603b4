#include "common/results_schema.h"

#define ROW(structure, name, kind, rule, member)                  \
    {                                                             \
        (name), (kind), (rule), offsetof(structure, member), NULL \
    }
#define ROWS_OF(structure, name, rule, member, type)                       \
    {                                                                      \
        (name), FIELD_RECORDS, (rule), offsetof(structure, member), (type) \
    }

#define DIGEST(name, kind, rule, member) ROW(TenantDigest, name, kind, rule, member)

static const RecordField DIGEST_FIELDS[] = {
    DIGEST("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    DIGEST("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    DIGEST("digest", FIELD_TEXT, FIELD_ALWAYS, digest),
    DIGEST("tables", FIELD_INT, FIELD_ALWAYS, tables),
    DIGEST("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    DIGEST("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),
    DIGEST("outcome", FIELD_TEXT, FIELD_OPTIONAL, outcome),
};

const RecordType TENANT_DIGEST = RECORD_TYPE("TenantDigest", TenantDigest, DIGEST_FIELDS);

#define COLUMN(name, kind, rule, member) ROW(ColumnSchema, name, kind, rule, member)

static const RecordField COLUMN_FIELDS[] = {
    COLUMN("name", FIELD_TEXT, FIELD_ALWAYS, name),
    COLUMN("dataType", FIELD_TEXT, FIELD_ALWAYS, data_type),
    COLUMN("udtName", FIELD_TEXT, FIELD_ALWAYS, udt_name),
    COLUMN("isNullable", FIELD_BOOL, FIELD_ALWAYS, is_nullable),
    COLUMN("columnDefault", FIELD_TEXT, FIELD_NULLABLE, column_default),
    COLUMN("characterMaximumLength", FIELD_INT, FIELD_NULLABLE, character_maximum_length),
    COLUMN("numericPrecision", FIELD_INT, FIELD_NULLABLE, numeric_precision),
    COLUMN("numericScale", FIELD_INT, FIELD_NULLABLE, numeric_scale),
    COLUMN("ordinalPosition", FIELD_INT, FIELD_ALWAYS, ordinal_position),
    COLUMN("type", FIELD_TEXT, FIELD_ALWAYS, type),
    COLUMN("collation", FIELD_TEXT, FIELD_OPTIONAL, collation),
    COLUMN("identity", FIELD_TEXT, FIELD_OPTIONAL, identity),
    COLUMN("generated", FIELD_TEXT, FIELD_OPTIONAL, generated),
};

const RecordType COLUMN_SCHEMA = RECORD_TYPE("ColumnSchema", ColumnSchema, COLUMN_FIELDS);

static const RecordField INDEX_FIELDS[] = {
    ROW(IndexSchema, "name", FIELD_TEXT, FIELD_ALWAYS, name),
    ROW(IndexSchema, "columns", FIELD_TEXTS, FIELD_ALWAYS, columns),
    ROW(IndexSchema, "isUnique", FIELD_BOOL, FIELD_ALWAYS, is_unique),
    ROW(IndexSchema, "isPrimary", FIELD_BOOL, FIELD_ALWAYS, is_primary),
    ROW(IndexSchema, "definition", FIELD_TEXT, FIELD_ALWAYS, definition),
    ROW(IndexSchema, "invalid", FIELD_BOOL, FIELD_OPTIONAL, invalid),
    ROW(IndexSchema, "canonical", FIELD_TEXT, FIELD_WIRE, canonical),
};

const RecordType INDEX_SCHEMA = RECORD_TYPE("IndexSchema", IndexSchema, INDEX_FIELDS);

#define CONSTRAINT(name, kind, rule, member) ROW(ConstraintSchema, name, kind, rule, member)

static const RecordField CONSTRAINT_FIELDS[] = {
    CONSTRAINT("name", FIELD_TEXT, FIELD_ALWAYS, name),
    CONSTRAINT("type", FIELD_TEXT, FIELD_ALWAYS, type),
    CONSTRAINT("columns", FIELD_TEXTS, FIELD_ALWAYS, columns),
    CONSTRAINT("foreignTable", FIELD_TEXT, FIELD_OPTIONAL, foreign_table),
    CONSTRAINT("foreignColumns", FIELD_TEXTS, FIELD_OPTIONAL, foreign_columns),
    CONSTRAINT("checkExpression", FIELD_TEXT, FIELD_OPTIONAL, check_expression),
    CONSTRAINT("definition", FIELD_TEXT, FIELD_ALWAYS, definition),
    CONSTRAINT("canonical", FIELD_TEXT, FIELD_WIRE, canonical),
};

const RecordType CONSTRAINT_SCHEMA = RECORD_TYPE("ConstraintSchema", ConstraintSchema, CONSTRAINT_FIELDS);

static const RecordField TABLE_FIELDS[] = {
    ROW(TableSchema, "name", FIELD_TEXT, FIELD_ALWAYS, name),
    ROWS_OF(TableSchema, "columns", FIELD_ALWAYS, columns, &COLUMN_SCHEMA),
    ROWS_OF(TableSchema, "indexes", FIELD_ALWAYS, indexes, &INDEX_SCHEMA),
    ROWS_OF(TableSchema, "constraints", FIELD_ALWAYS, constraints, &CONSTRAINT_SCHEMA),
    ROW(TableSchema, "definition", FIELD_TEXT, FIELD_OPTIONAL, definition),
};

const RecordType TABLE_SCHEMA = RECORD_TYPE("TableSchema", TableSchema, TABLE_FIELDS);

static const RecordField OBJECT_FIELDS[] = {
    ROW(ObjectSchema, "name", FIELD_TEXT, FIELD_ALWAYS, name),
    ROW(ObjectSchema, "table", FIELD_TEXT, FIELD_OPTIONAL, table),
    ROW(ObjectSchema, "definition", FIELD_TEXT, FIELD_ALWAYS, definition),
    ROW(ObjectSchema, "canonical", FIELD_TEXT, FIELD_WIRE, canonical),
};

const RecordType OBJECT_SCHEMA = RECORD_TYPE("ObjectSchema", ObjectSchema, OBJECT_FIELDS);

#define OBJECTS(name, member) ROWS_OF(TenantSchema, name, FIELD_ALWAYS, member, &OBJECT_SCHEMA)

static const RecordField SCHEMA_FIELDS[] = {
    ROW(TenantSchema, "tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    ROW(TenantSchema, "schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    ROWS_OF(TenantSchema, "tables", FIELD_ALWAYS, tables, &TABLE_SCHEMA),
    ROW(TenantSchema, "introspectedAt", FIELD_TEXT, FIELD_ALWAYS, introspected_at),
    OBJECTS("views", views),
    OBJECTS("functions", functions),
    OBJECTS("enums", enums),
    OBJECTS("types", types),
    OBJECTS("sequences", sequences),
    OBJECTS("triggers", triggers),
    OBJECTS("policies", policies),
    OBJECTS("others", others),
    ROW(TenantSchema, "error", FIELD_TEXT, FIELD_OPTIONAL, error),
    ROW(TenantSchema, "sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),
    ROW(TenantSchema, "detail", FIELD_TEXT, FIELD_OPTIONAL, detail),
    ROW(TenantSchema, "hint", FIELD_TEXT, FIELD_OPTIONAL, hint),
    ROW(TenantSchema, "outcome", FIELD_TEXT, FIELD_OPTIONAL, outcome),
};

const RecordType TENANT_SCHEMA = RECORD_TYPE("TenantSchema", TenantSchema, SCHEMA_FIELDS);
