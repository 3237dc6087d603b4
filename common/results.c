#include "common/results.h"
#include "common/tenant.h"

#define ROW(structure, name, kind, rule, member)                  \
    {                                                             \
        (name), (kind), (rule), offsetof(structure, member), NULL \
    }
#define ROWS_OF(structure, name, rule, member, type)                       \
    {                                                                      \
        (name), FIELD_RECORDS, (rule), offsetof(structure, member), (type) \
    }

#define MIGRATED(name, kind, rule, member) ROW(TenantMigrationResult, name, kind, rule, member)

/* What we add to the contract's fields; the same in every view of a TenantMigrationResult. */
#define MIGRATED_OURS                                                  \
    MIGRATED("database", FIELD_TEXT, FIELD_OPTIONAL, database),        \
        MIGRATED("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),        \
        MIGRATED("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),    \
        MIGRATED("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),        \
        MIGRATED("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),            \
        MIGRATED("migration", FIELD_TEXT, FIELD_OPTIONAL, migration),  \
        MIGRATED("line", FIELD_INT, FIELD_OPTIONAL, line),             \
        MIGRATED("column", FIELD_INT, FIELD_OPTIONAL, column),         \
        MIGRATED("attempts", FIELD_INT, FIELD_ALWAYS, attempts),       \
        MIGRATED("recovered", FIELD_TEXTS, FIELD_OPTIONAL, recovered), \
        MIGRATED("already", FIELD_TEXTS, FIELD_WIRE, already)

static const RecordField MIGRATED_FIELDS[] = {
    MIGRATED("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    MIGRATED("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    MIGRATED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    MIGRATED("appliedMigrations", FIELD_TEXTS, FIELD_ALWAYS, applied_migrations),
    MIGRATED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    MIGRATED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    MIGRATED("format", FIELD_TEXT, FIELD_OPTIONAL, format),
    MIGRATED_OURS,
};

static const RecordField MIGRATED_CLI_FIELDS[] = {
    MIGRATED("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    MIGRATED("schema", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    MIGRATED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    MIGRATED("appliedMigrations", FIELD_TEXTS, FIELD_ALWAYS, applied_migrations),
    MIGRATED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    MIGRATED("format", FIELD_TEXT, FIELD_OPTIONAL, format),
    MIGRATED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    MIGRATED_OURS,
};

const RecordType TENANT_MIGRATION_RESULT =
    RECORD_TYPE("TenantMigrationResult", TenantMigrationResult, MIGRATED_FIELDS);
const RecordType TENANT_MIGRATION_RESULT_CLI =
    RECORD_TYPE("TenantMigrationResultCli", TenantMigrationResult, MIGRATED_CLI_FIELDS);

#define STATUS(name, kind, rule, member) ROW(TenantMigrationStatus, name, kind, rule, member)

#define STATUS_OURS                                                    \
    STATUS("database", FIELD_TEXT, FIELD_OPTIONAL, database),          \
        STATUS("outcome", FIELD_TEXT, FIELD_OPTIONAL, outcome),        \
        STATUS("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),      \
        STATUS("changed", FIELD_TEXTS, FIELD_OPTIONAL, changed),       \
        STATUS("unexplained", FIELD_INT, FIELD_OPTIONAL, unexplained), \
        STATUS("plan", FIELD_TEXT, FIELD_WIRE, plan)

static const RecordField STATUS_FIELDS[] = {
    STATUS("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    STATUS("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    STATUS("appliedCount", FIELD_INT, FIELD_ALWAYS, applied_count),
    STATUS("pendingCount", FIELD_INT, FIELD_ALWAYS, pending_count),
    STATUS("pendingMigrations", FIELD_TEXTS, FIELD_ALWAYS, pending_migrations),
    STATUS("status", FIELD_TEXT, FIELD_ALWAYS, status),
    STATUS("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    STATUS("format", FIELD_TEXT, FIELD_NULLABLE, format),
    STATUS_OURS,
};

static const RecordField STATUS_CLI_FIELDS[] = {
    STATUS("id", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    STATUS("schema", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    STATUS("format", FIELD_TEXT, FIELD_NULLABLE, format),
    STATUS("applied", FIELD_INT, FIELD_ALWAYS, applied_count),
    STATUS("pending", FIELD_INT, FIELD_ALWAYS, pending_count),
    STATUS("status", FIELD_TEXT, FIELD_ALWAYS, status),
    STATUS("pendingMigrations", FIELD_TEXTS, FIELD_ALWAYS, pending_migrations),
    STATUS("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    STATUS_OURS,
};

const RecordType TENANT_MIGRATION_STATUS =
    RECORD_TYPE("TenantMigrationStatus", TenantMigrationStatus, STATUS_FIELDS);
const RecordType TENANT_MIGRATION_STATUS_CLI =
    RECORD_TYPE("TenantMigrationStatusCli", TenantMigrationStatus, STATUS_CLI_FIELDS);

/* Why an operation on a whole database failed. */
#define FAILURE(structure)                                                \
    ROW(structure, "error", FIELD_TEXT, FIELD_OPTIONAL, error),           \
        ROW(structure, "sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate), \
        ROW(structure, "detail", FIELD_TEXT, FIELD_OPTIONAL, detail),     \
        ROW(structure, "hint", FIELD_TEXT, FIELD_OPTIONAL, hint)

static const RecordField DISCOVER_FIELDS[] = {
    ROW(DiscoverResult, "ids", FIELD_TEXTS, FIELD_ALWAYS, ids),
    FAILURE(DiscoverResult),
};

const RecordType DISCOVER_RESULT = RECORD_TYPE("DiscoverResult", DiscoverResult, DISCOVER_FIELDS);

static const RecordField PARSE_FAILURE_FIELDS[] = {
    ROW(ParseFailure, "migration", FIELD_TEXT, FIELD_ALWAYS, migration),
    FAILURE(ParseFailure),
    ROW(ParseFailure, "line", FIELD_INT, FIELD_OPTIONAL, line),
    ROW(ParseFailure, "column", FIELD_INT, FIELD_OPTIONAL, column),
};

const RecordType PARSE_FAILURE = RECORD_TYPE("ParseFailure", ParseFailure, PARSE_FAILURE_FIELDS);

static const RecordField PARSE_FIELDS[] = {
    ROWS_OF(ParseResult, "failures", FIELD_ALWAYS, failures, &PARSE_FAILURE),
    FAILURE(ParseResult),
    ROW(ParseResult, "serverVersion", FIELD_TEXT, FIELD_OPTIONAL, server_version),
};

const RecordType PARSE_RESULT = RECORD_TYPE("ParseResult", ParseResult, PARSE_FIELDS);
