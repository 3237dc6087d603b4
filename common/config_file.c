#include "common/buffer.h"
#include "common/config_internal.h"
#include "common/config_schema.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What one section of the file says, while it is applied. */
typedef struct SectionReader {
    Config *config;
    const YamlPlaces *places;
    const YamlPlace *place; /* of the section */
} SectionReader;

static bool is_variable_name(const char *name, size_t length)
{
    if (length == 0 || isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    }
    return true;
}

/* Reads "${NAME}" at text; returns its length, or 0 with a filled error. */
static size_t append_variable(Buffer *expanded, const char *text, Error *error)
{
    const char *name = text + strlen("${");
    size_t length = strcspn(name, "}");
    if (name[length] == '\0' || !is_variable_name(name, length)) {
        error_set(error, ERROR_CONFIG, "has a ${ that no variable name and } follow");
        error_set_hint(error, "write $${ for a literal ${");
        return 0;
    }
    char *variable = strndup(name, length);
    if (variable == NULL) {
        error_memory(error);
        return 0;
    }
    const char *value = getenv(variable);
    if (value == NULL)
        error_set(error, ERROR_CONFIG, "environment variable %s is not set", variable);
    else
        buffer_append_text(expanded, value);
    free(variable);
    return value != NULL ? strlen("${}") + length : 0;
}

char *expand_variables(const char *text, Error *error)
{
    BUFFER_CLEANUP Buffer expanded = {0};
    while (*text != '\0') {
        size_t used = 1;
        if (strncmp(text, "$${", 3) == 0) {
            buffer_append_text(&expanded, "${");
            used = 3;
        } else if (strncmp(text, "${", 2) == 0) {
            used = append_variable(&expanded, text, error);
            if (used == 0)
                return NULL;
        } else {
            buffer_append_char(&expanded, *text);
        }
        text += used;
    }
    char *result = buffer_take(&expanded);
    if (result == NULL)
        error_memory(error);
    return result;
}

void hide_expansion(const char *raw, const char *expanded, Error *error)
{
    char shown[PRINTABLE_SIZE];
    if (error->code == ERROR_CONFIG && strcmp(raw, expanded) != 0)
        error_set(error, ERROR_CONFIG, "does not accept what %s stands for", printable_value(raw, shown));
}

static bool blame_setting(const SectionReader *reader, SettingId id, const YamlPlace *place, Error *error)
{
    error_prefix(error, "%s", setting_get(id)->path);
    return yaml_blame(reader->places, place, error);
}

static bool apply_scalar(const SectionReader *reader, SettingId id, const char *text, const YamlPlace *place,
                         Error *error)
{
    if (yaml_is_null(place))
        return true;
    char *expanded = expand_variables(text, error);
    if (expanded == NULL)
        return blame_setting(reader, id, place, error);
    bool good = config_store(reader->config, id, expanded, SOURCE_FILE, error);
    if (!good)
        hide_expansion(text, expanded, error);
    free(expanded);
    return good || blame_setting(reader, id, place, error);
}

static bool apply_list(const SectionReader *reader, SettingId id, const SectionSlot *slot,
                       const YamlPlace *place, Error *error)
{
    TextList parts = {0};
    const YamlPlace *item = NULL;
    size_t i = 0;
    bool good = !yaml_is_null(place);
    if (!good)
        return true;
    for (; good && i < slot->count; i++) {
        item = yaml_item(reader->places, place, i);
        if (yaml_is_null(item) || slot->items[i][0] == '\0') {
            good = error_set(error, ERROR_CONFIG, "must not be %s",
                             slot->items[i][0] == '\0' ? "empty" : "null");
            if (slot->items[i][0] != '\0')
                error_set_hint(error, "put it in quotes if it is meant as text");
            break;
        }
        char *expanded = expand_variables(slot->items[i], error);
        good = expanded != NULL && (text_list_add(&parts, expanded) || error_memory(error));
        free(expanded);
        if (!good)
            break;
    }
    if (!good) {
        error_prefix(error, "%s[%zu]", setting_get(id)->path, i);
        yaml_blame(reader->places, item, error);
    } else if (!config_store_list(reader->config, id, &parts, SOURCE_FILE, error)) {
        good = blame_setting(reader, id, place, error);
    }
    text_list_clear(&parts);
    return good;
}

static bool apply_section(const SectionReader *reader, const SchemaSection *section, const SectionSlot *slots,
                          Error *error)
{
    for (size_t i = 0; i < section->count; i++) {
        SettingId id = (SettingId)(section->first + i);
        const Setting *setting = setting_get(id);
        const YamlPlace *place = yaml_child(reader->places, reader->place, schema_key(setting));
        bool good = true;
        if (setting->type != SETTING_LIST && slots[i].text != NULL)
            good = apply_scalar(reader, id, slots[i].text, place, error);
        else if (setting->type == SETTING_LIST && place != NULL) /* libcyaml has no array for [] */
            good = apply_list(reader, id, &slots[i], place, error);
        if (!good)
            return false;
    }
    return true;
}

static bool apply_databases(Config *config, const SchemaData *data, const YamlPlaces *places, Error *error)
{
    const YamlPlace *list = yaml_child(places, yaml_root(places), "databases");
    for (size_t i = 0; i < data->database_count; i++) {
        if (!config_add_database(config, &data->databases[i], i, places, yaml_item(places, list, i), error))
            return false;
    }
    return true;
}

static bool apply_data(Config *config, const FileSchema *schema, const SchemaData *data,
                       const YamlPlaces *places, Error *error)
{
    const YamlPlace *root = yaml_root(places);
    for (size_t i = 0; i < schema->section_count; i++) {
        SectionReader reader = {config, places, yaml_child(places, root, schema->sections[i].name)};
        if (data->sections[i] != NULL &&
            !apply_section(&reader, &schema->sections[i], data->sections[i], error))
            return false;
    }
    SettingId extra;
    if (!config_settle_tenants(config, SOURCE_FILE, &extra, error)) {
        const YamlPlace *tenants = yaml_child(places, root, "tenants");
        return yaml_blame(places, yaml_child(places, tenants, schema_key(setting_get(extra))), error);
    }
    return apply_databases(config, data, places, error);
}

bool config_read_yaml(Config *config, const char *name, const char *text, size_t length, Error *error)
{
    YamlPlaces places;
    if (!yaml_places_open(&places, name, text, length, error))
        return false;
    const YamlPlace *root = yaml_root(&places);
    bool good = true;
    if (root != NULL && !yaml_is_null(root)) {
        FileSchema *schema = schema_new(error);
        SchemaData *data = schema != NULL ? schema_load(schema, &places, text, length, error) : NULL;
        good = data != NULL && apply_data(config, schema, data, &places, error);
        schema_data_free(schema, data);
        schema_free(schema);
    }
    yaml_places_close(&places);
    return good;
}
