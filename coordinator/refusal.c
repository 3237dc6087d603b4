#include "coordinator/refusal.h"
#include <stdlib.h>
#include <string.h>

static bool fill(const RecordType *type, void *record, const char *field, const char *text)
{
    char **member = record_text(type, record, field);
    return member == NULL || *member != NULL || (*member = strdup(text)) != NULL;
}

/* What results call these things; a type has some of them. */
static bool fill_all(const RecordType *type, void *record, const Tenant *tenant)
{
    const struct {
        const char *field, *text;
    } FIELDS[] = {
        {"tenantId", tenant->id},         {"schemaName", tenant->schema}, {"targetTenant", tenant->id},
        {"targetSchema", tenant->schema}, {"error", tenant->refusal},     {"status", "error"},
    };
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++)
        if (!fill(type, record, FIELDS[i].field, FIELDS[i].text))
            return false;
    return true;
}

void *refusal_result(const RecordType *type, const Tenant *tenant, Error *error)
{
    void *record = calloc(1, type->size);
    if (record != NULL && fill_all(type, record, tenant))
        return record;
    if (record != NULL)
        record_clear(type, record);
    free(record);
    error_memory(error);
    return NULL;
}
