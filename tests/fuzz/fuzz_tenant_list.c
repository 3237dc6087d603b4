/* The list parser on any bytes: what it lets through is checked, and a refusal leaves the list as it was. */
#include "common/tenant.h"
#include "common/utf8.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Anything that passed must pass again, and its schema must name the same tenant. */
static void check_tenant(const Tenant *tenant)
{
    ERROR_CLEANUP Error error = {0};
    if (!tenant_id_check(tenant->id, &error) || tenant->schema[0] != '\0' ||
        utf8_has_control(tenant->database))
        abort();
    char *schema = schema_from_template("t_{id}", tenant->id, &error);
    if (schema == NULL)
        return;
    char *id = tenant_id_from_schema("t_{id}", schema);
    if (id == NULL || strcmp(id, tenant->id) != 0)
        abort();
    free(id);
    free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    bool read = tenant_list_read_bytes(&list, (const char *)data, size, "list", &error);
    if (read != (error.code == ERROR_NONE) || (!read && (list.count > 0 || error.message == NULL)))
        abort();
    for (size_t i = 0; i < list.count; i++)
        check_tenant(&list.items[i]);
    size_t count = list.count;
    if (tenant_list_unique(&list) + list.count != count)
        abort();
    tenant_list_clear(&list);
    return 0;
}
