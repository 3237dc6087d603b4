#include "common/results_convert.h"

#define CONVERT(name, kind, rule, member)                             \
    {                                                                 \
        (name), (kind), (rule), offsetof(ConvertResult, member), NULL \
    }

#define CONVERT_FIELDS(schema)                                                                          \
    CONVERT("tenantId", FIELD_TEXT, FIELD_ALWAYS, tenant_id),                                           \
        CONVERT(schema, FIELD_TEXT, FIELD_ALWAYS, schema_name),                                         \
        CONVERT("success", FIELD_BOOL, FIELD_ALWAYS, success),                                          \
        CONVERT("from", FIELD_TEXT, FIELD_OPTIONAL, from), CONVERT("to", FIELD_TEXT, FIELD_ALWAYS, to), \
        CONVERT("converted", FIELD_INT, FIELD_ALWAYS, converted),                                       \
        CONVERT("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),                                    \
        CONVERT("error", FIELD_TEXT, FIELD_OPTIONAL, error),                                            \
        CONVERT("database", FIELD_TEXT, FIELD_OPTIONAL, database),                                      \
        CONVERT("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),                                          \
        CONVERT("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),                                      \
        CONVERT("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),                                          \
        CONVERT("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),                                              \
        CONVERT("attempts", FIELD_INT, FIELD_ALWAYS, attempts)

static const RecordField FIELDS[] = {CONVERT_FIELDS("schemaName")};
static const RecordField CLI_FIELDS[] = {CONVERT_FIELDS("schema")};

const RecordType CONVERT_RESULT = RECORD_TYPE("ConvertResult", ConvertResult, FIELDS);
const RecordType CONVERT_RESULT_CLI = RECORD_TYPE("ConvertResultCli", ConvertResult, CLI_FIELDS);
