#include "common/tenant.h"

#define ROW(name, member)                                                \
    {                                                                    \
        (name), FIELD_TEXT, FIELD_ALWAYS, offsetof(Tenant, member), NULL \
    }

static const RecordField TENANT_FIELDS[] = {
    ROW("database", database),
    ROW("id", id),
    ROW("schema", schema),
};

const RecordType TENANT_RECORD = RECORD_TYPE("Tenant", Tenant, TENANT_FIELDS);
