#include "common/tenant.h"
#include "common/tenant_index.h"
#include <stdlib.h>
#include <string.h>

static bool list_reserve(TenantList *list)
{
    if (list->count < list->capacity)
        return true;
    size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
    Tenant *items = reallocarray(list->items, capacity, sizeof(*items));
    if (items == NULL)
        return false;
    list->items = items;
    list->capacity = capacity;
    return true;
}

bool tenant_list_set_text(TenantList *list, char **text, const char *value, Error *error)
{
    char *copy = arena_text(&list->texts, value);
    if (copy == NULL)
        return error_memory(error);
    *text = copy;
    return true;
}

/* Lists go by database, mostly: a tenant shares the name with the one before it. */
bool tenant_list_set_database(TenantList *list, size_t index, const char *name, Error *error)
{
    Tenant *tenant = &list->items[index];
    if (index == 0 || strcmp(tenant[-1].database, name) != 0)
        return tenant_list_set_text(list, &tenant->database, name, error);
    tenant->database = tenant[-1].database;
    return true;
}

static bool append(TenantList *list, const char *database, const char *id, Error *error)
{
    if (!list_reserve(list))
        return error_memory(error);
    Tenant *tenant = &list->items[list->count];
    *tenant = (Tenant){.schema = (char *)""};
    if (!tenant_list_set_database(list, list->count, database, error) ||
        !tenant_list_set_text(list, &tenant->id, id, error))
        return false;
    list->count++;
    return true;
}

bool tenant_list_add_copy(TenantList *list, const Tenant *tenant, Error *error)
{
    const Tenant copied = *tenant; /* it may stand in this list, which may move */
    if (!append(list, copied.database, copied.id, error))
        return false;
    Tenant *added = &list->items[list->count - 1];
    return tenant_list_set_text(list, &added->schema, copied.schema, error) &&
           (copied.refusal == NULL || tenant_list_set_text(list, &added->refusal, copied.refusal, error));
}

bool tenant_list_add(TenantList *list, const char *database, const char *id, Error *error)
{
    return tenant_id_check(id, error) && append(list, database, id, error);
}

bool tenant_list_add_any(TenantList *list, const char *database, const char *id, Error *error)
{
    ERROR_CLEANUP Error refused = {0};
    if (!append(list, database, id, error))
        return false;
    if (tenant_id_check(id, &refused))
        return true;
    Tenant *tenant = &list->items[list->count - 1];
    return refused.message != NULL ? tenant_list_set_text(list, &tenant->refusal, refused.message, error)
                                   : error_memory(error);
}

static bool refuse_shared_schema(const Tenant *first, const Tenant *second, const char *schema_template,
                                 Error *error)
{
    error_set(error, ERROR_TENANTS, "tenants \"%s\" and \"%s\" would share schema \"%s\"", first->id,
              second->id, second->schema);
    error_set_hint(error, "put {id} into the schema template \"%s\"", schema_template);
    return false;
}

bool tenant_list_resolve(TenantList *list, const char *schema_template, Error *error)
{
    TENANT_INDEX_CLEANUP TenantIndex *owners = tenant_index_new(list->count, error);
    if (owners == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        Tenant *tenant = &list->items[i];
        char *schema = schema_from_template(schema_template, tenant->id, error);
        bool set = schema != NULL && tenant_list_set_text(list, &tenant->schema, schema, error);
        free(schema);
        if (!set)
            return false;
        size_t owner = tenant_index_find(owners, tenant->database, tenant->schema);
        if (owner == TENANT_INDEX_NONE) {
            if (!tenant_index_add(owners, tenant->database, tenant->schema, i, error))
                return false;
        } else if (strcmp(list->items[owner].id, tenant->id) != 0) {
            return refuse_shared_schema(&list->items[owner], tenant, schema_template, error);
        }
    }
    return true;
}

/* Keeps the items whose flag is false, in order. */
static size_t drop_flagged(TenantList *list, const bool *dropped)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!dropped[i])
            list->items[kept++] = list->items[i];
    size_t count = list->count - kept;
    list->count = kept;
    return count;
}

size_t tenant_list_unique(TenantList *list)
{
    ERROR_CLEANUP Error ignored = {0};
    TENANT_INDEX_CLEANUP TenantIndex *seen = tenant_index_new(list->count, &ignored);
    bool *dropped = calloc(list->count + 1, sizeof(*dropped));
    size_t count = 0;
    if (seen == NULL || dropped == NULL)
        goto done;
    for (size_t i = 0; i < list->count; i++) {
        const Tenant *tenant = &list->items[i];
        dropped[i] = tenant_index_find(seen, tenant->database, tenant->id) != TENANT_INDEX_NONE;
        if (!dropped[i] && !tenant_index_add(seen, tenant->database, tenant->id, i, &ignored))
            goto done;
    }
    count = drop_flagged(list, dropped);
done:
    free(dropped);
    return count;
}

bool tenant_list_exclude(TenantList *list, const TenantList *excluded, Error *error)
{
    TENANT_INDEX_CLEANUP TenantIndex *index = tenant_index_new(excluded->count, error);
    if (index == NULL)
        return false;
    for (size_t i = 0; i < excluded->count; i++) {
        const Tenant *tenant = &excluded->items[i];
        if (tenant_index_find(index, tenant->database, tenant->id) == TENANT_INDEX_NONE &&
            !tenant_index_add(index, tenant->database, tenant->id, i, error))
            return false;
    }
    bool *dropped = calloc(list->count + 1, sizeof(*dropped));
    if (dropped == NULL)
        return error_memory(error);
    for (size_t i = 0; i < list->count; i++) {
        const Tenant *tenant = &list->items[i];
        dropped[i] = tenant_index_find(index, tenant->database, tenant->id) != TENANT_INDEX_NONE ||
                     tenant_index_find(index, "", tenant->id) != TENANT_INDEX_NONE;
    }
    drop_flagged(list, dropped);
    free(dropped);
    return true;
}

void tenant_list_truncate(TenantList *list, size_t limit)
{
    if (list->count > limit)
        list->count = limit;
}

void tenant_list_clear(TenantList *list)
{
    arena_clear(&list->texts);
    free(list->items);
    *list = (TenantList){0};
}
