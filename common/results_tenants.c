#include "common/results_tenants.h"

#define ROW(structure, name, kind, rule, member)                  \
    {                                                             \
        (name), (kind), (rule), offsetof(structure, member), NULL \
    }

#define EXISTS(name, kind, rule, member) ROW(TenantExistsResult, name, kind, rule, member)

static const RecordField EXISTS_FIELDS[] = {
    EXISTS("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    EXISTS("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    EXISTS("exists", FIELD_BOOL, FIELD_ALWAYS, exists),
    EXISTS("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    EXISTS("database", FIELD_TEXT, FIELD_OPTIONAL, database),
    EXISTS("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),
    EXISTS("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),
    EXISTS("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),
};

const RecordType TENANT_EXISTS_RESULT = RECORD_TYPE("TenantExistsResult", TenantExistsResult, EXISTS_FIELDS);

#define CREATED(name, kind, rule, member) ROW(TenantCreateResult, name, kind, rule, member)

static const RecordField CREATE_FIELDS[] = {
    CREATED("tenantId", FIELD_TEXT, FIELD_ALWAYS, migration.tenant_id),
    CREATED("schemaName", FIELD_TEXT, FIELD_ALWAYS, migration.schema_name),
    CREATED("success", FIELD_BOOL, FIELD_ALWAYS, migration.success),
    CREATED("created", FIELD_BOOL, FIELD_ALWAYS, created),
    CREATED("appliedMigrations", FIELD_TEXTS, FIELD_ALWAYS, migration.applied_migrations),
    CREATED("error", FIELD_TEXT, FIELD_OPTIONAL, migration.error),
    CREATED("durationMs", FIELD_INT, FIELD_ALWAYS, migration.duration_ms),
    CREATED("format", FIELD_TEXT, FIELD_OPTIONAL, migration.format),
    CREATED("database", FIELD_TEXT, FIELD_OPTIONAL, migration.database),
    CREATED("outcome", FIELD_TEXT, FIELD_ALWAYS, migration.outcome),
    CREATED("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, migration.sqlstate),
    CREATED("detail", FIELD_TEXT, FIELD_OPTIONAL, migration.detail),
    CREATED("hint", FIELD_TEXT, FIELD_OPTIONAL, migration.hint),
    CREATED("migration", FIELD_TEXT, FIELD_OPTIONAL, migration.migration),
    CREATED("line", FIELD_INT, FIELD_OPTIONAL, migration.line),
    CREATED("column", FIELD_INT, FIELD_OPTIONAL, migration.column),
    CREATED("attempts", FIELD_INT, FIELD_ALWAYS, migration.attempts),
    CREATED("recovered", FIELD_TEXTS, FIELD_OPTIONAL, migration.recovered),
    CREATED("already", FIELD_TEXTS, FIELD_WIRE, migration.already),
};

const RecordType TENANT_CREATE_RESULT = RECORD_TYPE("TenantCreateResult", TenantCreateResult, CREATE_FIELDS);

#define DROPPED(name, kind, rule, member) ROW(TenantDropResult, name, kind, rule, member)

static const RecordField DROP_FIELDS[] = {
    DROPPED("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    DROPPED("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    DROPPED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    DROPPED("dropped", FIELD_BOOL, FIELD_ALWAYS, dropped),
    DROPPED("dependents", FIELD_TEXTS, FIELD_ALWAYS, dependents),
    DROPPED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    DROPPED("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),
    DROPPED("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),
    DROPPED("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),
    DROPPED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    DROPPED("database", FIELD_TEXT, FIELD_OPTIONAL, database),
    DROPPED("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),
    DROPPED("attempts", FIELD_INT, FIELD_ALWAYS, attempts),
};

const RecordType TENANT_DROP_RESULT = RECORD_TYPE("TenantDropResult", TenantDropResult, DROP_FIELDS);
