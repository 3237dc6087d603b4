#include "common/config_schema.h"
#include "common/buffer.h"
#include "common/config_complaint.h"
#include <stdlib.h>
#include <string.h>

#define DATABASE_TEXT(key)                                                                        \
    CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, DatabaseEntry, key, 0, \
                           CYAML_UNLIMITED)

static const cyaml_schema_field_t DATABASE_FIELDS[] = {
    DATABASE_TEXT(name), DATABASE_TEXT(url),      DATABASE_TEXT(service),
    DATABASE_TEXT(host), DATABASE_TEXT(port),     DATABASE_TEXT(dbname),
    DATABASE_TEXT(user), DATABASE_TEXT(password), DATABASE_TEXT(max_connections),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t DATABASE_VALUE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, DatabaseEntry, DATABASE_FIELDS),
};

static const cyaml_schema_value_t LIST_ITEM = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

/* An empty section or list, as left behind when all its lines are commented out, is a null. */
static const enum cyaml_flag MAY_BE_ABSENT = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL_STR;

static const cyaml_schema_field_t DATABASES_FIELD = CYAML_FIELD_SEQUENCE_COUNT(
    "databases", MAY_BE_ABSENT, SchemaData, databases, database_count, &DATABASE_VALUE, 0, CYAML_UNLIMITED);

const char *schema_key(const Setting *setting)
{
    return strchr(setting->path, '.') + 1;
}

static cyaml_schema_field_t setting_field(const Setting *setting, size_t position)
{
    cyaml_schema_field_t field = {
        .key = schema_key(setting),
        .data_offset = (uint32_t)(position * sizeof(SectionSlot)),
    };
    if (setting->type == SETTING_LIST) {
        field.count_offset = field.data_offset + (uint32_t)offsetof(SectionSlot, count);
        field.count_size = sizeof(((SectionSlot *)NULL)->count);
        field.value = (cyaml_schema_value_t){
            .type = CYAML_SEQUENCE,
            .flags = MAY_BE_ABSENT,
            .data_size = sizeof(char *),
            .sequence = {.entry = &LIST_ITEM, .min = 0, .max = CYAML_UNLIMITED},
        };
        return field;
    }
    field.value = (cyaml_schema_value_t){
        .type = CYAML_STRING,
        .flags = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER,
        .data_size = sizeof(char),
        .string = {.min = 0, .max = CYAML_UNLIMITED},
    };
    return field;
}

/* Describes the section that starts at setting `first`; returns the id after it. */
static size_t add_section(FileSchema *schema, size_t first, cyaml_schema_field_t **next_field)
{
    size_t index = schema->section_count++;
    SchemaSection *section = &schema->sections[index];
    const char *path = setting_get((SettingId)first)->path;
    size_t length = strcspn(path, ".");
    memcpy(section->name, path, length < SECTION_NAME_MAX ? length : SECTION_NAME_MAX);
    section->first = first;
    section->fields = *next_field;
    size_t id = first;
    for (; id < SETTING_COUNT && strncmp(setting_get((SettingId)id)->path, path, length + 1) == 0; id++)
        *(*next_field)++ = setting_field(setting_get((SettingId)id), id - first);
    section->count = id - first;
    (*next_field)++; /* stays zero: a NULL key ends the section */
    schema->root_fields[index] = (cyaml_schema_field_t){
        .key = section->name,
        .data_offset = (uint32_t)(offsetof(SchemaData, sections) + index * sizeof(SectionSlot *)),
        .value =
            {
                .type = CYAML_MAPPING,
                .flags = MAY_BE_ABSENT,
                .data_size = (uint32_t)(section->count * sizeof(SectionSlot)),
                .mapping = {.fields = section->fields},
            },
    };
    return id;
}

FileSchema *schema_new(Error *error)
{
    FileSchema *schema = calloc(1, sizeof(*schema));
    if (schema == NULL) {
        error_memory(error);
        return NULL;
    }
    cyaml_schema_field_t *next_field = schema->fields;
    for (size_t id = 0; id < SETTING_COUNT;)
        id = add_section(schema, id, &next_field);
    schema->root_fields[schema->section_count] = DATABASES_FIELD;
    schema->root = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER,
        .data_size = sizeof(SchemaData),
        .mapping = {.fields = schema->root_fields},
    };
    return schema;
}

void schema_free(FileSchema *schema)
{
    free(schema);
}

/* Aliases are refused because expanding them can make any amount of data of a few lines. */
static cyaml_config_t loader(Complaint *complaint)
{
    return (cyaml_config_t){
        .log_fn = complaint_log,
        .log_ctx = complaint,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

SchemaData *schema_load(const FileSchema *schema, const YamlPlaces *places, const char *text, size_t length,
                        Error *error)
{
    Complaint complaint = {0};
    cyaml_config_t config = loader(&complaint);
    cyaml_data_t *data = NULL;
    cyaml_err_t status = cyaml_load_data((const uint8_t *)text, length, &config, &schema->root, &data, NULL);
    if (status != CYAML_OK)
        complaint_explain(&complaint, status, schema, places, error);
    complaint_clear(&complaint);
    if (status != CYAML_OK)
        return NULL;
    if (data == NULL) /* an empty mapping */
        data = calloc(1, sizeof(SchemaData));
    if (data == NULL)
        error_memory(error);
    return data;
}

void schema_data_free(const FileSchema *schema, SchemaData *data)
{
    if (data == NULL)
        return;
    Complaint ignored = {0};
    cyaml_config_t config = loader(&ignored);
    cyaml_free(&config, &schema->root, data, 0);
    complaint_clear(&ignored);
}
