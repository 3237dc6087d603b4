#include "common/schema_drift_json.h"
#include <string.h>

/* "expected" or "actual": nullability is a boolean, and having no default is null. */
static json_t *side_value(const char *type, json_t *value)
{
    if (strcmp(type, "nullable_mismatch") == 0)
        return json_boolean(strcmp(json_string_value(value), "true") == 0);
    return value != NULL ? json_incref(value) : json_null();
}

/* Both sides stay in their places: an object's keys keep the order in which they were first set. */
static bool fix_column(json_t *column)
{
    static const char *const KEYS[] = {"column", "type", "expected", "actual", "description"};
    const char *type = json_string_value(json_object_get(column, "type"));
    const char *mismatch = strstr(type, "_mismatch");
    json_t *fixed = json_object();
    bool good = fixed != NULL;
    for (size_t i = 0; good && mismatch != NULL && i < sizeof KEYS / sizeof KEYS[0]; i++)
        good = json_object_set_new(
                   fixed, KEYS[i],
                   side_value(i == 2 || i == 3 ? type : "", json_object_get(column, KEYS[i]))) == 0;
    if (good && mismatch != NULL)
        good = json_object_clear(column) == 0 && json_object_update(column, fixed) == 0;
    json_decref(fixed);
    return good;
}

json_t *schema_drift_to_json(const RecordType *type, const TenantSchemaDrift *drift)
{
    json_t *object = record_to_json(type, drift), *table, *column;
    size_t at, place;
    bool good = object != NULL;
    json_array_foreach(json_object_get(object, "tables"), at, table)
        json_array_foreach(json_object_get(table, "columns"), place, column) good =
            good && fix_column(column);
    if (good)
        return object;
    json_decref(object);
    return NULL;
}
