#include "common/operation.h"
#include <string.h>

static const Operation OPERATIONS[OPERATION_COUNT] = {
    [OPERATION_NULL] = {"null", OPERATION_TENANT, false, false, 50, &TENANT_MIGRATION_RESULT},
    [OPERATION_DISCOVER] = {"discover", OPERATION_DATABASE, false, false, 1, &DISCOVER_RESULT},
    [OPERATION_PARSE] = {"parse", OPERATION_DATABASE, false, true, 1, &PARSE_RESULT},
    [OPERATION_STATUS] = {"status", OPERATION_SET, false, true, 100, &TENANT_MIGRATION_STATUS},
    [OPERATION_MIGRATE] = {"migrate", OPERATION_TENANT, true, true, 50, &TENANT_MIGRATION_RESULT},
    [OPERATION_MARK_APPLIED] = {"mark-applied", OPERATION_TENANT, true, true, 50, &TENANT_MIGRATION_RESULT},
    [OPERATION_SYNC_STATUS] = {"sync-status", OPERATION_SET, false, true, 100, &TENANT_SYNC_STATUS},
    [OPERATION_MARK_MISSING] = {"mark-missing", OPERATION_TENANT, true, true, 50, &TENANT_SYNC_RESULT},
    [OPERATION_CLEAN_ORPHANS] = {"clean-orphans", OPERATION_TENANT, true, true, 50, &TENANT_SYNC_RESULT},
    [OPERATION_EXISTS] = {"exists", OPERATION_SET, false, false, 500, &TENANT_EXISTS_RESULT},
    [OPERATION_CREATE] = {"create", OPERATION_TENANT, true, true, 50, &TENANT_CREATE_RESULT},
    [OPERATION_DROP] = {"drop", OPERATION_TENANT, true, false, 50, &TENANT_DROP_RESULT},
    [OPERATION_DIGEST] = {"digest", OPERATION_SET, false, false, 250, &TENANT_DIGEST},
    [OPERATION_INSPECT] = {"inspect", OPERATION_DATABASE, false, false, 1, &DATABASE_INSPECTION},
    [OPERATION_INTROSPECT] = {"introspect", OPERATION_TENANT, false, false, 10, &TENANT_SCHEMA},
    [OPERATION_SEED] = {"seed", OPERATION_TENANT, true, true, 50, &TENANT_SEED_RESULT},
    [OPERATION_CONVERT] = {"convert-format", OPERATION_TENANT, true, true, 50, &CONVERT_RESULT},
    [OPERATION_CLONE] = {"clone", OPERATION_TENANT, true, false, 50, &CLONE_RESULT},
};

const Operation *operation_get(OperationId id)
{
    return &OPERATIONS[(unsigned)id < OPERATION_COUNT ? id : OPERATION_NULL];
}

bool operation_from_name(const char *name, OperationId *ret_id)
{
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (strcmp(OPERATIONS[i].name, name) == 0) {
            *ret_id = (OperationId)i;
            return true;
        }
    }
    return false;
}

bool operation_takes_shared(OperationId id)
{
    return id == OPERATION_PARSE || id == OPERATION_STATUS || id == OPERATION_MIGRATE ||
           id == OPERATION_MARK_APPLIED || id == OPERATION_SEED;
}

#define OPTION(name, kind, member)                                         \
    {                                                                      \
        (name), (kind), FIELD_OPTIONAL, offsetof(RunOptions, member), NULL \
    }

#define RULE(name, rule, member)                                          \
    {                                                                     \
        (name), FIELD_TEXT, (rule), offsetof(AnonymizeRule, member), NULL \
    }

static const RecordField ANONYMIZE_RULE_FIELDS[] = {
    RULE("table", FIELD_ALWAYS, table),
    RULE("column", FIELD_ALWAYS, column),
    RULE("value", FIELD_NULLABLE, value),
};

const RecordType ANONYMIZE_RULE = RECORD_TYPE("AnonymizeRule", AnonymizeRule, ANONYMIZE_RULE_FIELDS);

static const RecordField RUN_OPTION_FIELDS[] = {
    OPTION("migrationsTable", FIELD_TEXT, migrations_table),
    OPTION("format", FIELD_TEXT, format),
    OPTION("defaultFormat", FIELD_TEXT, default_format),
    OPTION("lockTimeoutMs", FIELD_INT, lock_timeout_ms),
    OPTION("lockAttempts", FIELD_INT, lock_attempts),
    OPTION("lockWaitMs", FIELD_INT, lock_wait_ms),
    OPTION("statementTimeoutMs", FIELD_INT, statement_timeout_ms),
    OPTION("retryMaxAttempts", FIELD_INT, retry_max_attempts),
    OPTION("retryInitialDelayMs", FIELD_INT, retry_initial_delay_ms),
    OPTION("retryMaxDelayMs", FIELD_INT, retry_max_delay_ms),
    OPTION("connectTimeoutMs", FIELD_INT, connect_timeout_ms),
    OPTION("setLockTimeoutMs", FIELD_INT, set_lock_timeout_ms),
    OPTION("strict", FIELD_BOOL, strict),
    OPTION("dryRun", FIELD_BOOL, dry_run),
    OPTION("discoverQuery", FIELD_TEXT, discover_query),
    OPTION("schemaTemplate", FIELD_TEXT, schema_template),
    OPTION("createOnly", FIELD_BOOL, create_only),
    OPTION("noCascade", FIELD_BOOL, no_cascade),
    OPTION("cascadeForeign", FIELD_BOOL, cascade_foreign),
    OPTION("excludeTables", FIELD_TEXTS, exclude_tables),
    OPTION("noIndexes", FIELD_BOOL, no_indexes),
    OPTION("noConstraints", FIELD_BOOL, no_constraints),
    OPTION("shared", FIELD_BOOL, shared),
    OPTION("once", FIELD_BOOL, once),
    OPTION("byCallback", FIELD_BOOL, by_callback),
    OPTION("sourceId", FIELD_TEXT, source_id),
    OPTION("sourceSchema", FIELD_TEXT, source_schema),
    OPTION("withData", FIELD_BOOL, with_data),
    {"anonymize", FIELD_RECORDS, FIELD_OPTIONAL, offsetof(RunOptions, anonymize), &ANONYMIZE_RULE},
    OPTION("toFormat", FIELD_TEXT, to_format),
};

const RecordType RUN_OPTIONS = RECORD_TYPE("RunOptions", RunOptions, RUN_OPTION_FIELDS);
