#include "coordinator/fleet_named.h"
#include "common/buffer.h"
#include "common/tenant_index.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One id, or db/id of a database that there is. */
static bool add(TenantList *list, const char *text, const TextList *databases, Error *error)
{
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : 0;
    for (size_t i = 0; slash != NULL && i < databases->count; i++) {
        const char *name = databases->items[i];
        if (strlen(name) == length && strncmp(name, text, length) == 0)
            return tenant_list_add_any(list, name, slash + 1, error);
    }
    return tenant_list_add_any(list, "", text, error);
}

static bool add_all(TenantList *list, const TextList *ids, const TextList *databases, Error *error)
{
    for (size_t i = 0; i < ids->count; i++)
        if (!add(list, ids->items[i], databases, error))
            return false;
    return true;
}

bool fleet_named_list(const FleetRequest *request, const TextList *databases, TenantList *list, Error *error)
{
    if (request->tenant != NULL)
        return add(list, request->tenant, databases, error);
    if (request->ids != NULL)
        return add_all(list, request->ids, databases, error);
    TextList found = {0};
    bool ok = request->discover(request->host, &found, error) && add_all(list, &found, databases, error);
    text_list_clear(&found);
    return ok;
}

bool fleet_refuse(TenantList *list, Tenant *tenant, Error *error, const char *format, ...)
{
    if (tenant->refusal != NULL)
        return true;
    BUFFER_CLEANUP Buffer reason = {0};
    va_list args;
    va_start(args, format);
    buffer_append_vf(&reason, format, args);
    va_end(args);
    return buffer_failed(&reason) ? error_memory(error)
                                  : tenant_list_set_text(list, &tenant->refusal, buffer_text(&reason), error);
}

/* A template's words stay in the result also when they make no good schema. */
static char *expand(const char *schema_template, const char *id)
{
    static const char PLACEHOLDER[] = "{id}";
    Buffer schema = {0};
    const char *at = schema_template;
    for (const char *next; (next = strstr(at, PLACEHOLDER)) != NULL; at = next + strlen(PLACEHOLDER)) {
        buffer_append(&schema, at, (size_t)(next - at));
        buffer_append_text(&schema, id);
    }
    buffer_append_text(&schema, at);
    return buffer_take(&schema);
}

static bool resolve(const FleetRequest *request, TenantList *list, Tenant *tenant, Error *error)
{
    ERROR_CLEANUP Error refused = {0};
    bool asked = request->schema_name != NULL;
    if (tenant->refusal != NULL)
        return true;
    char *schema = asked ? request->schema_name(request->host, tenant->id, &refused)
                         : expand(config_text(request->config, SETTING_TENANTS_SCHEMA), tenant->id);
    if (schema == NULL && !asked)
        return error_memory(error);
    if (schema == NULL)
        return fleet_refuse(list, tenant, error, "%s",
                            refused.message != NULL ? refused.message
                                                    : "schema_name failed and did not say why");
    bool set = tenant_list_set_text(list, &tenant->schema, schema, error);
    free(schema);
    return set && (schema_name_check(tenant->schema, &refused) ||
                   fleet_refuse(list, tenant, error, "%s", refused.message));
}

/* Which of them the schema belongs to, nobody can tell. */
static bool refuse_both(TenantList *list, Tenant *first, Tenant *second, Error *error)
{
    return fleet_refuse(list, first, error, "tenants \"%s\" and \"%s\" would share schema \"%s\"", first->id,
                        second->id, second->schema) &&
           fleet_refuse(list, second, error, "tenants \"%s\" and \"%s\" would share schema \"%s\"", first->id,
                        second->id, second->schema);
}

bool fleet_named_resolve(const FleetRequest *request, TenantList *list, Error *error)
{
    TENANT_INDEX_CLEANUP TenantIndex *owners = tenant_index_new(list->count, error);
    if (owners == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        Tenant *tenant = &list->items[i];
        if (!resolve(request, list, tenant, error))
            return false;
        if (tenant->refusal != NULL)
            continue;
        size_t owner = tenant_index_find(owners, tenant->database, tenant->schema);
        if (owner == TENANT_INDEX_NONE) {
            if (!tenant_index_add(owners, tenant->database, tenant->schema, i, error))
                return false;
        } else if (strcmp(list->items[owner].id, tenant->id) != 0 &&
                   !refuse_both(list, &list->items[owner], tenant, error))
            return false;
    }
    return true;
}
