#include "common/json.h"
#include <stdlib.h>
#include <string.h>

typedef struct Reading {
    const RecordType *type;
    const RecordField *field;
    Error *error;
} Reading;

static bool wrong_kind(const Reading *reading)
{
    return error_set(reading->error, ERROR_CONFIG, "\"%s\" of a %s is not what it should be",
                     reading->field->name, reading->type->name);
}

static bool read_bool(const Reading *reading, const json_t *value, void *member)
{
    *(bool *)member = json_is_true(value);
    return json_is_boolean(value) || wrong_kind(reading);
}

static bool read_int(const Reading *reading, const json_t *value, void *member)
{
    bool is_null = reading->field->rule == FIELD_NULLABLE && json_is_null(value);
    *(int64_t *)member = is_null ? -1 : json_integer_value(value);
    return is_null || json_is_integer(value) || wrong_kind(reading);
}

/* A text without NUL inside; NULL with the error set otherwise. */
static char *copied(const Reading *reading, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) != json_string_length(value)) {
        wrong_kind(reading);
        return NULL;
    }
    char *copy = strdup(text);
    if (copy == NULL)
        error_memory(reading->error);
    return copy;
}

static bool read_text(const Reading *reading, const json_t *value, void *member)
{
    if (reading->field->rule == FIELD_NULLABLE && json_is_null(value))
        return true;
    return (*(char **)member = copied(reading, value)) != NULL;
}

static bool read_texts(const Reading *reading, const json_t *value, void *member)
{
    if (!json_is_array(value))
        return wrong_kind(reading);
    for (size_t i = 0; i < json_array_size(value); i++) {
        char *text = copied(reading, json_array_get(value, i));
        bool added = text != NULL && text_list_add(member, text);
        if (text != NULL && !added)
            error_memory(reading->error);
        free(text);
        if (!added)
            return false;
    }
    return true;
}

static bool read_records(const Reading *reading, const json_t *value, void *member)
{
    if (!json_is_array(value))
        return wrong_kind(reading);
    for (size_t i = 0; i < json_array_size(value); i++) {
        void *record = record_list_add(reading->field->of, member);
        if (record == NULL)
            return error_memory(reading->error);
        if (!record_from_json(reading->field->of, json_array_get(value, i), record, reading->error))
            return false;
    }
    return true;
}

static bool read_nothing(const Reading *reading, const json_t *value, void *member)
{
    (void)value;
    (void)member;
    return wrong_kind(reading);
}

static bool (*const READERS[])(const Reading *reading, const json_t *value, void *member) = {
    [FIELD_BOOL] = read_bool,     [FIELD_INT] = read_int,     [FIELD_TEXT] = read_text,
    [FIELD_BYTES] = read_nothing, [FIELD_TEXTS] = read_texts, [FIELD_RECORDS] = read_records,
};

bool record_from_json(const RecordType *type, const json_t *object, void *ret_record, Error *error)
{
    if (!json_is_object(object))
        return error_set(error, ERROR_CONFIG, "a %s is not a JSON object", type->name);
    char *record = calloc(1, type->size);
    if (record == NULL)
        return error_memory(error);
    bool good = true;
    for (size_t i = 0; good && i < type->field_count; i++) {
        Reading reading = {type, &type->fields[i], error};
        const json_t *value = json_object_get(object, type->fields[i].name);
        if (value != NULL && type->fields[i].rule != FIELD_WIRE)
            good = READERS[type->fields[i].kind](&reading, value, record + type->fields[i].offset);
    }
    if (good)
        memcpy(ret_record, record, type->size);
    else
        record_clear(type, record);
    free(record);
    return good;
}
