#include "common/migration.h"

#define ROW(name, kind, rule, member)                             \
    {                                                             \
        (name), (kind), (rule), offsetof(Migration, member), NULL \
    }

static const RecordField MIGRATION_FIELDS[] = {
    ROW("name", FIELD_TEXT, FIELD_ALWAYS, name),
    ROW("hash", FIELD_TEXT, FIELD_ALWAYS, hash),
    ROW("when", FIELD_INT, FIELD_OPTIONAL, when_ms),
    ROW("sql", FIELD_BYTES, FIELD_WIRE, sql),
};

const RecordType MIGRATION_RECORD = RECORD_TYPE("Migration", Migration, MIGRATION_FIELDS);
