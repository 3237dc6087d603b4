#include "common/results_clone.h"

#define CLONED(name, kind, rule, member)                            \
    {                                                               \
        (name), (kind), (rule), offsetof(CloneResult, member), NULL \
    }

static const RecordField CLONE_FIELDS[] = {
    CLONED("sourceTenant", FIELD_TEXT, FIELD_ALWAYS, source_tenant),
    CLONED("targetTenant", FIELD_TEXT, FIELD_ALWAYS, target_tenant),
    CLONED("targetSchema", FIELD_TEXT, FIELD_ALWAYS, target_schema),
    CLONED("success", FIELD_BOOL, FIELD_ALWAYS, success),
    CLONED("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    CLONED("tables", FIELD_TEXTS, FIELD_ALWAYS, tables),
    CLONED("durationMs", FIELD_INT, FIELD_ALWAYS, duration_ms),
    CLONED("rowsCopied", FIELD_INT, FIELD_ASKED, rows_copied),
    CLONED("database", FIELD_TEXT, FIELD_OPTIONAL, database),
    CLONED("outcome", FIELD_TEXT, FIELD_ALWAYS, outcome),
    CLONED("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),
    CLONED("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),
    CLONED("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),
    CLONED("warnings", FIELD_TEXTS, FIELD_OPTIONAL, warnings),
};

const RecordType CLONE_RESULT = RECORD_TYPE("CloneTenantResult", CloneResult, CLONE_FIELDS);
