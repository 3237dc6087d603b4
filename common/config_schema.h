/* FileSchema: the layout of pgconvoy.yaml for libcyaml, built from the settings table.
 *
 * One mapping per section, in which every setting is an optional text or list of texts, plus `databases`.
 * libcyaml checks the structure and loads; what a text means is not its business, since it reads 010 as 8 and
 * knows no ${NAME}. What libcyaml logs when it refuses a file becomes one Error with the place in the file.
 */
#pragma once
#include "common/config_internal.h"
#include <cyaml/cyaml.h>

enum { SECTION_NAME_MAX = 31 };

/* What libcyaml stores for one setting. */
typedef struct SectionSlot {
    union {
        char *text;   /* NULL = not in the file */
        char **items; /* SETTING_LIST */
    };
    uint32_t count; /* SETTING_LIST: number of items */
} SectionSlot;

typedef struct SchemaData {
    SectionSlot *sections[SETTING_COUNT]; /* one per section, NULL = not in the file */
    DatabaseEntry *databases;
    uint32_t database_count;
} SchemaData;

typedef struct SchemaSection {
    char name[SECTION_NAME_MAX + 1];
    size_t first; /* its settings stand together in the table */
    size_t count;
    const cyaml_schema_field_t *fields;
} SchemaSection;

typedef struct FileSchema {
    size_t section_count;
    SchemaSection sections[SETTING_COUNT];
    cyaml_schema_field_t fields[2 * SETTING_COUNT]; /* of all sections, each ended by a NULL key */
    cyaml_schema_field_t root_fields[SETTING_COUNT + 2];
    cyaml_schema_value_t root;
} FileSchema;

FileSchema *schema_new(Error *error) MUST_CHECK;
void schema_free(FileSchema *schema);

/* The part of the path after the dot. */
const char *schema_key(const Setting *setting);

/* Loads a text that `places` was opened on. */
SchemaData *schema_load(const FileSchema *schema, const YamlPlaces *places, const char *text, size_t length,
                        Error *error) MUST_CHECK;
void schema_data_free(const FileSchema *schema, SchemaData *data);
