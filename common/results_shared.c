#include "common/results_shared.h"

#define MIGRATED(name, kind, rule, member)                                    \
    {                                                                         \
        (name), (kind), (rule), offsetof(SharedMigrationResult, member), NULL \
    }
#define STATUS(name, kind, rule, member)                                      \
    {                                                                         \
        (name), (kind), (rule), offsetof(SharedMigrationStatus, member), NULL \
    }

/* What we add to the contract's fields. */
#define MIGRATED_OURS                                                 \
    MIGRATED("database", FIELD_TEXT, FIELD_OPTIONAL, database),       \
        MIGRATED("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),       \
        MIGRATED("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),   \
        MIGRATED("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),       \
        MIGRATED("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),           \
        MIGRATED("migration", FIELD_TEXT, FIELD_OPTIONAL, migration), \
        MIGRATED("line", FIELD_INT, FIELD_OPTIONAL, line),            \
        MIGRATED("column", FIELD_INT, FIELD_OPTIONAL, column)

static const RecordField MIGRATED_FIELDS[] = {
    MIGRATED("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    MIGRATED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    MIGRATED("appliedMigrations", FIELD_TEXTS, FIELD_ALWAYS, applied_migrations),
    MIGRATED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    MIGRATED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    MIGRATED("format", FIELD_TEXT, FIELD_OPTIONAL, format),
    MIGRATED_OURS,
};

static const RecordField MIGRATED_CLI_FIELDS[] = {
    MIGRATED("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    MIGRATED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    MIGRATED("appliedMigrations", FIELD_TEXTS, FIELD_ALWAYS, applied_migrations),
    MIGRATED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    MIGRATED("format", FIELD_TEXT, FIELD_OPTIONAL, format),
    MIGRATED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    MIGRATED_OURS,
};

static const RecordField STATUS_FIELDS[] = {
    STATUS("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    STATUS("appliedCount", FIELD_INT, FIELD_ALWAYS, applied_count),
    STATUS("pendingCount", FIELD_INT, FIELD_ALWAYS, pending_count),
    STATUS("pendingMigrations", FIELD_TEXTS, FIELD_ALWAYS, pending_migrations),
    STATUS("status", FIELD_TEXT, FIELD_ALWAYS, status),
    STATUS("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    STATUS("format", FIELD_TEXT, FIELD_NULLABLE, format),
    STATUS("database", FIELD_TEXT, FIELD_OPTIONAL, database),
    STATUS("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),
};

const RecordType SHARED_MIGRATION_RESULT =
    RECORD_TYPE("SharedMigrationResult", SharedMigrationResult, MIGRATED_FIELDS);
const RecordType SHARED_MIGRATION_RESULT_CLI =
    RECORD_TYPE("SharedMigrationResultCli", SharedMigrationResult, MIGRATED_CLI_FIELDS);
const RecordType SHARED_MIGRATION_STATUS =
    RECORD_TYPE("SharedMigrationStatus", SharedMigrationStatus, STATUS_FIELDS);

#define SEEDED(name, kind, rule, member)                                 \
    {                                                                    \
        (name), (kind), (rule), offsetof(SharedSeedResult, member), NULL \
    }

#define SEEDED_OURS                                                                                        \
    SEEDED("database", FIELD_TEXT, FIELD_OPTIONAL, database),                                              \
        SEEDED("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),                                              \
        SEEDED("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),                                          \
        SEEDED("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),                                              \
        SEEDED("hint", FIELD_TEXT, FIELD_OPTIONAL, hint), SEEDED("line", FIELD_INT, FIELD_OPTIONAL, line), \
        SEEDED("column", FIELD_INT, FIELD_OPTIONAL, column)

static const RecordField SEED_FIELDS[] = {
    SEEDED("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    SEEDED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    SEEDED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    SEEDED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    SEEDED_OURS,
};

static const RecordField SEED_CLI_FIELDS[] = {
    SEEDED("schema", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    SEEDED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    SEEDED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    SEEDED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    SEEDED_OURS,
};

const RecordType SHARED_SEED_RESULT = RECORD_TYPE("SharedSeedResult", SharedSeedResult, SEED_FIELDS);
const RecordType SHARED_SEED_RESULT_CLI =
    RECORD_TYPE("SharedSeedResultCli", SharedSeedResult, SEED_CLI_FIELDS);
