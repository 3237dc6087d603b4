#include "common/json.h"
#include "common/buffer.h"
#include "common/utf8.h"
#include <stdlib.h>

/* Texts from servers and peers may be in any encoding; JSON has only one. */
static json_t *json_from_text(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL || utf8_valid_text(text))
        return value;
    char *repaired = utf8_repair(text);
    value = repaired != NULL ? json_string(repaired) : NULL;
    free(repaired);
    return value;
}

static json_t *bool_value(const RecordField *field, const void *member)
{
    (void)field;
    return json_boolean(*(const bool *)member);
}

static json_t *int_value(const RecordField *field, const void *member)
{
    int64_t value = *(const int64_t *)member;
    return field->rule == FIELD_NULLABLE && value < 0 ? json_null() : json_integer(value);
}

static json_t *text_value(const RecordField *field, const void *member)
{
    const char *text = *(char *const *)member;
    if (text == NULL)
        return field->rule == FIELD_NULLABLE ? json_null() : json_string("");
    return json_from_text(text);
}

/* Appends an owned value, also when it is NULL because memory ran out. */
static bool append_value(json_t *array, json_t *value)
{
    return json_array_append_new(array, value) == 0;
}

static json_t *texts_value(const RecordField *field, const void *member)
{
    (void)field;
    const TextList *list = member;
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < list->count; i++) {
        if (!append_value(array, json_from_text(list->items[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *records_value(const RecordField *field, const void *member)
{
    const RecordList *list = member;
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < list->count; i++) {
        const void *item = (const char *)list->items + i * field->of->size;
        if (!append_value(array, record_to_json(field->of, item))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool bool_rests(const void *member)
{
    return !*(const bool *)member;
}

static bool int_rests(const void *member)
{
    return *(const int64_t *)member == 0;
}

static bool text_rests(const void *member)
{
    return *(char *const *)member == NULL;
}

static bool texts_rest(const void *member)
{
    return ((const TextList *)member)->count == 0;
}

static bool records_rest(const void *member)
{
    return ((const RecordList *)member)->count == 0;
}

static const struct {
    json_t *(*value)(const RecordField *field, const void *member);
    bool (*rests)(const void *member); /* an optional field at rest is absent */
} KINDS[] = {
    [FIELD_BOOL] = {bool_value, bool_rests},         [FIELD_INT] = {int_value, int_rests},
    [FIELD_TEXT] = {text_value, text_rests},         [FIELD_TEXTS] = {texts_value, texts_rest},
    [FIELD_RECORDS] = {records_value, records_rest},
};

json_t *record_to_json(const RecordType *type, const void *record)
{
    json_t *object = json_object();
    if (object == NULL)
        return NULL;
    for (size_t i = 0; i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        const void *member = (const char *)record + field->offset;
        if (field->kind == FIELD_BYTES || field->rule == FIELD_WIRE)
            continue;
        if (field->rule == FIELD_OPTIONAL && KINDS[field->kind].rests(member))
            continue;
        if (field->rule == FIELD_ASKED && *(const int64_t *)member < 0)
            continue;
        if (json_object_set_new(object, field->name, KINDS[field->kind].value(field, member)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* Fails for good once it has failed. */
static int append_part(const char *part, size_t length, void *text_pointer)
{
    Buffer *text = text_pointer;
    buffer_append(text, part, length);
    return text->failed ? -1 : 0;
}

char *json_text(const json_t *value, size_t flags)
{
    Buffer text = {0};
    if (value == NULL || json_dump_callback(value, append_part, &text, flags) != 0)
        text.failed = true;
    return buffer_take(&text);
}

char *record_to_json_text(const RecordType *type, const void *record)
{
    json_t *object = record_to_json(type, record);
    char *text = json_text(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
