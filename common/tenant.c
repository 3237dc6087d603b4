#include "common/tenant.h"
#include "common/buffer.h"
#include "common/utf8.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_MAX = 255,
    SCHEMA_MAX = 63, /* NAMEDATALEN - 1: the server cuts longer names off and meets another tenant's */
};

static const char PLACEHOLDER[] = "{id}";
static const size_t PLACEHOLDER_LENGTH = sizeof(PLACEHOLDER) - 1;

/* What ids, schema names and templates have in common. */
static bool name_check(const char *what, const char *name, size_t max, Error *error)
{
    char shown[UTF8_SHOWN_SIZE];
    size_t length = strlen(name);
    if (length == 0)
        return error_set(error, ERROR_TENANTS, "%s is empty", what);
    if (length > max)
        return error_set(error, ERROR_TENANTS, "%s %s is %zu bytes long, the limit is %zu", what,
                         utf8_show(name, shown), length, max);
    if (!utf8_valid_text(name))
        return error_set(error, ERROR_TENANTS, "%s %s is not UTF-8", what, utf8_show(name, shown));
    if (utf8_has_control(name))
        return error_set(error, ERROR_TENANTS, "%s %s holds a control character", what,
                         utf8_show(name, shown));
    return true;
}

bool tenant_id_check(const char *id, Error *error)
{
    return name_check("tenant id", id, ID_MAX, error);
}

static bool schema_is_reserved(const char *schema)
{
    return strcmp(schema, SHARED_SCHEMA) == 0 || strcmp(schema, "information_schema") == 0 ||
           strncmp(schema, "pg_", 3) == 0;
}

bool schema_name_check(const char *schema, Error *error)
{
    if (!name_check("schema name", schema, SCHEMA_MAX, error))
        return false;
    if (schema_is_reserved(schema))
        return error_set(error, ERROR_TENANTS, "schema name \"%s\" is reserved", schema);
    return true;
}

bool schema_template_check(const char *schema_template, Error *error)
{
    if (!name_check("schema template", schema_template, SIZE_MAX, error))
        return false;
    size_t literal = 0;
    for (const char *at = schema_template; *at != '\0';) {
        bool placeholder = strncmp(at, PLACEHOLDER, PLACEHOLDER_LENGTH) == 0;
        literal += placeholder ? 0 : 1;
        at += placeholder ? PLACEHOLDER_LENGTH : 1;
    }
    char shown[UTF8_SHOWN_SIZE];
    if (literal > SCHEMA_MAX)
        return error_set(error, ERROR_TENANTS, "schema template %s leaves no room within %d bytes",
                         utf8_show(schema_template, shown), SCHEMA_MAX);
    if (schema_is_reserved(schema_template))
        return error_set(error, ERROR_TENANTS, "schema template %s gives reserved schema names",
                         utf8_show(schema_template, shown));
    return true;
}

char *schema_from_template(const char *schema_template, const char *id, Error *error)
{
    if (!tenant_id_check(id, error))
        return NULL;
    BUFFER_CLEANUP Buffer schema = {0};
    const char *at = schema_template;
    for (const char *next; (next = strstr(at, PLACEHOLDER)) != NULL; at = next + PLACEHOLDER_LENGTH) {
        buffer_append(&schema, at, (size_t)(next - at));
        buffer_append_text(&schema, id);
    }
    buffer_append_text(&schema, at);
    if (buffer_failed(&schema)) {
        error_memory(error);
        return NULL;
    }
    if (!schema_name_check(buffer_text(&schema), error)) {
        error_prefix(error, "tenant \"%s\"", id);
        error_set_hint(error, "change the schema template \"%s\" or leave this tenant out", schema_template);
        return NULL;
    }
    return buffer_take(&schema);
}

char *tenant_id_from_schema(const char *schema_template, const char *schema)
{
    errno = 0;
    const char *placeholder = strstr(schema_template, PLACEHOLDER);
    if (placeholder == NULL || strstr(placeholder + PLACEHOLDER_LENGTH, PLACEHOLDER) != NULL)
        return NULL;
    size_t prefix = (size_t)(placeholder - schema_template);
    const char *ending = placeholder + PLACEHOLDER_LENGTH;
    size_t suffix = strlen(ending);
    size_t length = strlen(schema);
    if (length <= prefix + suffix || strncmp(schema, schema_template, prefix) != 0 ||
        strcmp(schema + length - suffix, ending) != 0)
        return NULL;
    char *id = strndup(schema + prefix, length - prefix - suffix);
    ERROR_CLEANUP Error refused = {0};
    if (id == NULL || tenant_id_check(id, &refused))
        return id;
    free(id);
    errno = 0;
    return NULL;
}

char *quote_identifier(const char *name)
{
    Buffer quoted = {0};
    buffer_append_char(&quoted, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"')
            buffer_append_char(&quoted, '"');
        buffer_append_char(&quoted, *name);
    }
    buffer_append_char(&quoted, '"');
    return buffer_take(&quoted);
}
