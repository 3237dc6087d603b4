#include "common/config_complaint.h"
#include "common/buffer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char UNEXPECTED_KEY[] = "Load: Unexpected key: ";
static const char SEEN_KEY[] = "Load: Mapping field already seen: ";

/* Where the backtrace leads to. */
typedef struct Spot {
    const YamlPlace *place;                  /* deepest value that the path reaches; NULL = nothing known */
    const YamlPlace *parent;                 /* the mapping or list that holds it */
    const cyaml_schema_field_t *fields;      /* keys known in the mapping at `place`, or NULL */
    const cyaml_schema_field_t *root_fields; /* keys known at the top */
    Buffer path;                             /* "databases[0].url" */
} Spot;

static void add_frame(Complaint *complaint, const char *line)
{
    if (complaint->depth == COMPLAINT_DEPTH_MAX)
        return;
    ComplaintFrame frame = {0};
    unsigned entry = 0;
    if (sscanf(line, "  in mapping field '%m[^']'", &frame.field) == 1 ||
        sscanf(line, "  in sequence entry '%u'", &entry) == 1) {
        frame.entry = entry;
        complaint->frames[complaint->depth++] = frame;
    }
}

void complaint_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    Complaint *complaint = context;
    char *line = NULL;
    if (level != CYAML_LOG_ERROR || vasprintf(&line, format, args) < 0)
        return;
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\n')
        line[length - 1] = '\0';
    if (complaint->sentence == NULL) {
        complaint->sentence = line;
        return;
    }
    add_frame(complaint, line);
    free(line);
}

void complaint_clear(Complaint *complaint)
{
    for (size_t i = 0; i < complaint->depth; i++)
        free(complaint->frames[i].field);
    free(complaint->sentence);
    *complaint = (Complaint){0};
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key)
{
    for (; fields != NULL && fields->key != NULL; fields++) {
        if (strcmp(fields->key, key) == 0)
            return fields;
    }
    return NULL;
}

/* The keys of a mapping, or of the mappings in a list. */
static const cyaml_schema_field_t *fields_below(const cyaml_schema_field_t *field)
{
    if (field == NULL)
        return NULL;
    if (field->value.type == CYAML_MAPPING)
        return field->value.mapping.fields;
    const cyaml_schema_value_t *entry =
        field->value.type == CYAML_SEQUENCE ? field->value.sequence.entry : NULL;
    return entry != NULL && entry->type == CYAML_MAPPING ? entry->mapping.fields : NULL;
}

/* Follows the backtrace from the outside. */
static void walk(const Complaint *complaint, const FileSchema *schema, const YamlPlaces *places, Spot *spot)
{
    spot->place = yaml_root(places);
    spot->fields = schema->root_fields;
    spot->root_fields = schema->root_fields;
    for (size_t i = complaint->depth; i-- > 0;) {
        const ComplaintFrame *frame = &complaint->frames[i];
        spot->parent = spot->place;
        if (frame->field == NULL && frame->entry == 0) { /* refused before its first item was counted */
            spot->place = spot->parent;
            continue;
        }
        if (frame->field == NULL) {
            spot->place = yaml_item(places, spot->parent, frame->entry - 1);
            buffer_appendf(&spot->path, "[%u]", frame->entry - 1);
            continue;
        }
        spot->place = yaml_child(places, spot->parent, frame->field);
        spot->fields = fields_below(find_field(spot->fields, frame->field));
        buffer_appendf(&spot->path, "%s%s", spot->path.length > 0 ? "." : "", frame->field);
    }
}

static const char *nearest_key(const cyaml_schema_field_t *fields, const char *key)
{
    const char *known[2 * SETTING_COUNT];
    size_t count = 0;
    for (; fields != NULL && fields->key != NULL && count < 2 * SETTING_COUNT; fields++)
        known[count++] = fields->key;
    return nearest_name(key, known, count);
}

/* A key that is right but stands in the wrong section. */
static bool hint_other_section(const Spot *spot, const char *key, Error *error)
{
    for (const cyaml_schema_field_t *section = spot->root_fields; section->key != NULL; section++) {
        if (section->value.type == CYAML_MAPPING && find_field(fields_below(section), key) != NULL) {
            error_set_hint(error, "%s belongs to the section %s", key, section->key);
            return true;
        }
    }
    return false;
}

static void explain_unknown_key(const Spot *spot, const YamlPlaces *places, const char *key, Error *error)
{
    char shown[PRINTABLE_SIZE];
    const char *path = buffer_text(&spot->path);
    error_set(error, ERROR_CONFIG, "unknown key %s%s%s", printable_value(key, shown), path[0] ? " in " : "",
              path);
    const char *nearest = nearest_key(spot->fields, key);
    if (nearest != NULL)
        error_set_hint(error, "did you mean %s?", nearest);
    else
        hint_other_section(spot, key, error);
    const YamlPlace *place = yaml_key(places, spot->place, key, 0);
    yaml_blame(places, place != NULL ? place : spot->place, error);
}

static void explain_second_key(const Spot *spot, const YamlPlaces *places, const char *key, Error *error)
{
    error_set(error, ERROR_CONFIG, "%s is given twice", buffer_text(&spot->path));
    yaml_blame(places, yaml_key(places, spot->parent, key, 1), error);
}

static void explain_wrong_kind(const Spot *spot, const YamlPlaces *places, const char *wanted, Error *error)
{
    error_set(error, ERROR_CONFIG, "%s must be %s, not %s",
              spot->path.length > 0 ? buffer_text(&spot->path) : "the file", wanted, yaml_kind(spot->place));
    yaml_blame(places, spot->place, error);
}

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text != NULL && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static void explain_spot(const Complaint *complaint, cyaml_err_t status, const Spot *spot,
                         const YamlPlaces *places, Error *error)
{
    static const struct {
        const char *prefix, *wanted;
    } KINDS[] = {
        {"Load: Expecting STRING", "a single value"},
        {"Load: Expecting SEQUENCE", "a list"},
        {"Load: Expecting MAPPING", "a mapping of keys and values"},
    };
    const char *key = after(complaint->sentence, UNEXPECTED_KEY);
    if (key != NULL) {
        explain_unknown_key(spot, places, key, error);
        return;
    }
    key = after(complaint->sentence, SEEN_KEY);
    if (key != NULL) {
        explain_second_key(spot, places, key, error);
        return;
    }
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (after(complaint->sentence, KINDS[i].prefix) != NULL) {
            explain_wrong_kind(spot, places, KINDS[i].wanted, error);
            return;
        }
    }
    if (status == CYAML_ERR_ALIAS)
        error_set(error, ERROR_CONFIG, "aliases (*name) are not supported");
    else /* libcyaml's fixed text; its log may quote the value */
        error_set(error, ERROR_CONFIG, "refused: %s", cyaml_strerror(status));
    if (spot->path.length > 0)
        error_prefix(error, "%s", buffer_text(&spot->path));
    /* The value of an alias stands elsewhere, so its key tells the place. */
    const char *last = complaint->depth > 0 ? complaint->frames[0].field : NULL;
    const YamlPlace *place = last != NULL ? yaml_key(places, spot->parent, last, 0) : NULL;
    yaml_blame(places, place != NULL ? place : spot->place, error);
}

void complaint_explain(const Complaint *complaint, cyaml_err_t status, const FileSchema *schema,
                       const YamlPlaces *places, Error *error)
{
    if (status == CYAML_ERR_OOM) {
        error_memory(error);
        return;
    }
    Spot spot = {0};
    walk(complaint, schema, places, &spot);
    explain_spot(complaint, status, &spot, places, error);
    buffer_clear(&spot.path);
}
