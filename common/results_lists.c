#include "common/results_lists.h"
#include "common/results.h"

#define COUNT(structure, name, rule, member)                         \
    {                                                                \
        (name), FIELD_INT, (rule), offsetof(structure, member), NULL \
    }
#define TEXT(structure, name, member)                                       \
    {                                                                       \
        (name), FIELD_TEXT, FIELD_ALWAYS, offsetof(structure, member), NULL \
    }
#define DETAILS(structure, type)                                                     \
    {                                                                                \
        "details", FIELD_RECORDS, FIELD_ALWAYS, offsetof(structure, details), (type) \
    }

static const RecordField MIGRATION_RESULTS_FIELDS[] = {
    COUNT(pgconvoy_migration_results, "total", FIELD_ALWAYS, total),
    COUNT(pgconvoy_migration_results, "succeeded", FIELD_ALWAYS, succeeded),
    COUNT(pgconvoy_migration_results, "failed", FIELD_ALWAYS, failed),
    COUNT(pgconvoy_migration_results, "skipped", FIELD_ALWAYS, skipped),
    DETAILS(pgconvoy_migration_results, &TENANT_MIGRATION_RESULT),
};

static const RecordField MIGRATION_STATUSES_FIELDS[] = {
    DETAILS(pgconvoy_migration_statuses, &TENANT_MIGRATION_STATUS),
};

static const RecordField SYNC_STATUSES_FIELDS[] = {
    COUNT(pgconvoy_sync_status, "total", FIELD_ALWAYS, total),
    COUNT(pgconvoy_sync_status, "inSync", FIELD_ALWAYS, in_sync),
    COUNT(pgconvoy_sync_status, "outOfSync", FIELD_ALWAYS, out_of_sync),
    COUNT(pgconvoy_sync_status, "error", FIELD_ALWAYS, error),
    DETAILS(pgconvoy_sync_status, &TENANT_SYNC_STATUS),
};

static const RecordField SYNC_RESULTS_FIELDS[] = {
    COUNT(pgconvoy_sync_results, "total", FIELD_ALWAYS, total),
    COUNT(pgconvoy_sync_results, "succeeded", FIELD_ALWAYS, succeeded),
    COUNT(pgconvoy_sync_results, "failed", FIELD_ALWAYS, failed),
    DETAILS(pgconvoy_sync_results, &TENANT_SYNC_RESULT),
    COUNT(pgconvoy_sync_results, "skipped", FIELD_OPTIONAL, skipped),
};

static const RecordField SEED_RESULTS_FIELDS[] = {
    COUNT(pgconvoy_seed_results, "total", FIELD_ALWAYS, total),
    COUNT(pgconvoy_seed_results, "succeeded", FIELD_ALWAYS, succeeded),
    COUNT(pgconvoy_seed_results, "failed", FIELD_ALWAYS, failed),
    COUNT(pgconvoy_seed_results, "skipped", FIELD_ALWAYS, skipped),
    DETAILS(pgconvoy_seed_results, &TENANT_SEED_RESULT),
};

static const RecordField CONVERT_RESULTS_FIELDS[] = {
    COUNT(pgconvoy_convert_results, "total", FIELD_ALWAYS, total),
    COUNT(pgconvoy_convert_results, "succeeded", FIELD_ALWAYS, succeeded),
    COUNT(pgconvoy_convert_results, "failed", FIELD_ALWAYS, failed),
    COUNT(pgconvoy_convert_results, "skipped", FIELD_ALWAYS, skipped),
    DETAILS(pgconvoy_convert_results, &CONVERT_RESULT),
};

static const RecordField SCHEMA_DRIFT_FIELDS[] = {
    TEXT(pgconvoy_schema_drift_status, "referenceTenant", reference_tenant),
    COUNT(pgconvoy_schema_drift_status, "total", FIELD_ALWAYS, total),
    COUNT(pgconvoy_schema_drift_status, "noDrift", FIELD_ALWAYS, no_drift),
    COUNT(pgconvoy_schema_drift_status, "withDrift", FIELD_ALWAYS, with_drift),
    COUNT(pgconvoy_schema_drift_status, "error", FIELD_ALWAYS, error),
    DETAILS(pgconvoy_schema_drift_status, &TENANT_SCHEMA_DRIFT),
    TEXT(pgconvoy_schema_drift_status, "timestamp", timestamp),
    COUNT(pgconvoy_schema_drift_status, "durationMs", FIELD_ALWAYS, duration_ms),
};

const RecordType MIGRATION_RESULTS =
    RECORD_TYPE("MigrationResults", pgconvoy_migration_results, MIGRATION_RESULTS_FIELDS);
const RecordType MIGRATION_STATUSES =
    RECORD_TYPE("MigrationStatuses", pgconvoy_migration_statuses, MIGRATION_STATUSES_FIELDS);
const RecordType SYNC_STATUSES = RECORD_TYPE("SyncStatus", pgconvoy_sync_status, SYNC_STATUSES_FIELDS);
const RecordType SYNC_RESULTS = RECORD_TYPE("SyncResults", pgconvoy_sync_results, SYNC_RESULTS_FIELDS);
const RecordType SEED_RESULTS = RECORD_TYPE("SeedResults", pgconvoy_seed_results, SEED_RESULTS_FIELDS);
const RecordType CONVERT_RESULTS =
    RECORD_TYPE("ConvertResults", pgconvoy_convert_results, CONVERT_RESULTS_FIELDS);
const RecordType SCHEMA_DRIFT_STATUS =
    RECORD_TYPE("SchemaDriftStatus", pgconvoy_schema_drift_status, SCHEMA_DRIFT_FIELDS);
