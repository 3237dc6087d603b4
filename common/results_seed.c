#include "common/results_seed.h"

#define ROW(name, kind, rule, member)                                    \
    {                                                                    \
        (name), (kind), (rule), offsetof(TenantSeedResult, member), NULL \
    }

/* What we add to the package's fields. */
#define OURS                                                                                              \
    ROW("database", FIELD_TEXT, FIELD_OPTIONAL, database),                                                \
        ROW("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),                                                \
        ROW("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),                                            \
        ROW("detail", FIELD_TEXT, FIELD_OPTIONAL, detail), ROW("hint", FIELD_TEXT, FIELD_OPTIONAL, hint), \
        ROW("line", FIELD_INT, FIELD_OPTIONAL, line), ROW("column", FIELD_INT, FIELD_OPTIONAL, column),   \
        ROW("attempts", FIELD_INT, FIELD_ALWAYS, attempts)

static const RecordField FIELDS[] = {
    ROW("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    ROW("schemaName", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    ROW("success", FIELD_BOOL, FIELD_ALWAYS, success),
    ROW("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    ROW("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    OURS,
};

static const RecordField CLI_FIELDS[] = {
    ROW("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),
    ROW("schema", FIELD_TEXT, FIELD_ALWAYS, schema_name),
    ROW("success", FIELD_BOOL, FIELD_ALWAYS, success),
    ROW("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    ROW("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    OURS,
};

const RecordType TENANT_SEED_RESULT = RECORD_TYPE("TenantSeedResult", TenantSeedResult, FIELDS);
const RecordType TENANT_SEED_RESULT_CLI = RECORD_TYPE("TenantSeedResultCli", TenantSeedResult, CLI_FIELDS);
