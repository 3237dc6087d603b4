#include "common/results_sync.h"

#define STATUS(name, kind, rule, member)                                 \
    {                                                                    \
        (name), (kind), (rule), offsetof(TenantSyncStatus, member), NULL \
    }
#define RESULT(name, kind, rule, member)                                 \
    {                                                                    \
        (name), (kind), (rule), offsetof(TenantSyncResult, member), NULL \
    }

/* What we add to the contract's fields. */
#define STATUS_OURS                                               \
    STATUS("database", FIELD_TEXT, FIELD_OPTIONAL, database),     \
        STATUS("outcome", FIELD_TEXT, FIELD_OPTIONAL, outcome),   \
        STATUS("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate), \
        STATUS("changed", FIELD_TEXTS, FIELD_OPTIONAL, changed)

static const RecordField STATUS_FIELDS[] = {
    STATUS("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    STATUS("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    STATUS("missing", FIELD_TEXTS, FIELD_ALWAYS, missing),
    STATUS("orphans", FIELD_TEXTS, FIELD_ALWAYS, orphans),
    STATUS("inSync", FIELD_BOOL, FIELD_ALWAYS, in_sync),
    STATUS("format", FIELD_TEXT, FIELD_NULLABLE, format),
    STATUS("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    STATUS_OURS,
};

static const RecordField STATUS_CLI_FIELDS[] = {
    STATUS("id", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    STATUS("schema", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    STATUS("format", FIELD_TEXT, FIELD_NULLABLE, format),
    STATUS("inSync", FIELD_BOOL, FIELD_ALWAYS, in_sync),
    STATUS("missing", FIELD_TEXTS, FIELD_ALWAYS, missing),
    STATUS("orphans", FIELD_TEXTS, FIELD_ALWAYS, orphans),
    STATUS("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    STATUS_OURS,
};

const RecordType TENANT_SYNC_STATUS = RECORD_TYPE("TenantSyncStatus", TenantSyncStatus, STATUS_FIELDS);
const RecordType TENANT_SYNC_STATUS_CLI =
    RECORD_TYPE("TenantSyncStatusCli", TenantSyncStatus, STATUS_CLI_FIELDS);

#define RESULT_OURS                                                  \
    RESULT("database", FIELD_TEXT, FIELD_OPTIONAL, database),        \
        RESULT("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),        \
        RESULT("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),    \
        RESULT("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),        \
        RESULT("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),            \
        RESULT("attempts", FIELD_INT, FIELD_ALWAYS, attempts),       \
        RESULT("recovered", FIELD_TEXTS, FIELD_OPTIONAL, recovered), \
        RESULT("afterLoss", FIELD_BOOL, FIELD_WIRE, after_loss)

static const RecordField RESULT_FIELDS[] = {
    RESULT("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    RESULT("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    RESULT("success", FIELD_BOOL, FIELD_ALWAYS, success),
    RESULT("markedMigrations", FIELD_TEXTS, FIELD_ALWAYS, marked_migrations),
    RESULT("removedOrphans", FIELD_TEXTS, FIELD_ALWAYS, removed_orphans),
    RESULT("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    RESULT("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    RESULT_OURS,
};

#define RESULT_CLI(list, member)                                    \
    RESULT("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),        \
        RESULT("schema", FIELD_TEXT, FIELD_ALWAYS, schema_name),    \
        RESULT("success", FIELD_BOOL, FIELD_ALWAYS, success),       \
        RESULT(list, FIELD_TEXTS, FIELD_ALWAYS, member),            \
        RESULT("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms), \
        RESULT("error", FIELD_TEXT, FIELD_OPTIONAL, error), RESULT_OURS

static const RecordField MARKED_CLI_FIELDS[] = {RESULT_CLI("markedMigrations", marked_migrations)};
static const RecordField CLEANED_CLI_FIELDS[] = {RESULT_CLI("removedOrphans", removed_orphans)};

const RecordType TENANT_SYNC_RESULT = RECORD_TYPE("TenantSyncResult", TenantSyncResult, RESULT_FIELDS);
const RecordType TENANT_SYNC_MARKED_CLI =
    RECORD_TYPE("TenantSyncMarkedCli", TenantSyncResult, MARKED_CLI_FIELDS);
const RecordType TENANT_SYNC_CLEANED_CLI =
    RECORD_TYPE("TenantSyncCleanedCli", TenantSyncResult, CLEANED_CLI_FIELDS);
