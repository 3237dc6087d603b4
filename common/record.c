#include "common/record.h"
#include "common/hash.h"
#include <stdlib.h>
#include <string.h>

static void *field_at(const RecordField *field, void *record)
{
    return (char *)record + field->offset;
}

static const void *field_of(const RecordField *field, const void *record)
{
    return (const char *)record + field->offset;
}

static void clear_plain(const RecordField *field, void *member)
{
    if (field->kind == FIELD_BOOL)
        *(bool *)member = false;
    else
        *(int64_t *)member = 0;
}

static void clear_text(const RecordField *field, void *member)
{
    (void)field;
    char **text = member;
    free(*text);
    *text = NULL;
}

static void clear_bytes(const RecordField *field, void *member)
{
    (void)field;
    ByteString *bytes = member;
    free(bytes->data);
    *bytes = (ByteString){0};
}

static void clear_texts(const RecordField *field, void *member)
{
    (void)field;
    text_list_clear(member);
}

static void clear_records(const RecordField *field, void *member)
{
    RecordList *list = member;
    for (size_t i = 0; i < list->count; i++)
        record_clear(field->of, (char *)list->items + i * field->of->size);
    free(list->items);
    *list = (RecordList){0};
}

static bool copy_plain(const RecordField *field, void *target, const void *source)
{
    if (field->kind == FIELD_BOOL)
        *(bool *)target = *(const bool *)source;
    else
        *(int64_t *)target = *(const int64_t *)source;
    return true;
}

static bool copy_text(const RecordField *field, void *target, const void *source)
{
    (void)field;
    const char *text = *(char *const *)source;
    if (text == NULL)
        return true;
    return (*(char **)target = strdup(text)) != NULL;
}

/* Keeps a NUL after the bytes, which owners of text in a ByteString count on. */
static bool copy_bytes(const RecordField *field, void *target, const void *source)
{
    (void)field;
    const ByteString *bytes = source;
    if (bytes->data == NULL)
        return true;
    char *data = malloc(bytes->length + 1);
    if (data == NULL)
        return false;
    memcpy(data, bytes->data, bytes->length);
    data[bytes->length] = '\0';
    *(ByteString *)target = (ByteString){data, bytes->length};
    return true;
}

static bool copy_texts(const RecordField *field, void *target, const void *source)
{
    (void)field;
    const TextList *list = source;
    for (size_t i = 0; i < list->count; i++)
        if (!text_list_add(target, list->items[i]))
            return false;
    return true;
}

static bool record_fill(const RecordType *type, void *target, const void *source);

static bool copy_records(const RecordField *field, void *target, const void *source)
{
    const RecordList *list = source;
    for (size_t i = 0; i < list->count; i++) {
        void *item = record_list_add(field->of, target);
        if (item == NULL || !record_fill(field->of, item, (const char *)list->items + i * field->of->size))
            return false;
    }
    return true;
}

static bool equal_plain(const RecordField *field, const void *a, const void *b)
{
    return field->kind == FIELD_BOOL ? *(const bool *)a == *(const bool *)b
                                     : *(const int64_t *)a == *(const int64_t *)b;
}

/* NULL and "" are two things. */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool equal_text(const RecordField *field, const void *a, const void *b)
{
    (void)field;
    return same_text(*(char *const *)a, *(char *const *)b);
}

static bool equal_bytes(const RecordField *field, const void *a, const void *b)
{
    (void)field;
    const ByteString *one = a, *other = b;
    return one->length == other->length &&
           (one->length == 0 || memcmp(one->data, other->data, one->length) == 0);
}

static bool equal_texts(const RecordField *field, const void *a, const void *b)
{
    (void)field;
    const TextList *one = a, *other = b;
    bool same = one->count == other->count;
    for (size_t i = 0; same && i < one->count; i++)
        same = same_text(one->items[i], other->items[i]);
    return same;
}

static bool equal_records(const RecordField *field, const void *a, const void *b)
{
    const RecordList *one = a, *other = b;
    bool same = one->count == other->count;
    for (size_t i = 0; same && i < one->count; i++)
        same = record_equal(field->of, (const char *)one->items + i * field->of->size,
                            (const char *)other->items + i * field->of->size);
    return same;
}

static uint64_t hash_plain(uint64_t hash, const RecordField *field, const void *member)
{
    uint64_t value = field->kind == FIELD_BOOL ? *(const bool *)member : *(const uint64_t *)member;
    return fnv_add(hash, &value, sizeof value);
}

/* So that an absent text, or the end of a list, is not the same as nothing. */
static uint64_t hash_end(uint64_t hash)
{
    return fnv_add(hash, "", 1);
}

static uint64_t hash_text(uint64_t hash, const RecordField *field, const void *member)
{
    (void)field;
    const char *text = *(char *const *)member;
    return text != NULL ? fnv_add_text(hash, text) : hash_end(hash);
}

static uint64_t hash_byte_string(uint64_t hash, const RecordField *field, const void *member)
{
    (void)field;
    const ByteString *bytes = member;
    return fnv_add(hash, bytes->data, bytes->length);
}

static uint64_t hash_texts(uint64_t hash, const RecordField *field, const void *member)
{
    const TextList *list = member;
    for (size_t i = 0; i < list->count; i++)
        hash = hash_text(hash, field, &list->items[i]);
    return hash_end(hash);
}

static uint64_t hash_records(uint64_t hash, const RecordField *field, const void *member)
{
    const RecordList *list = member;
    for (size_t i = 0; i < list->count; i++)
        hash ^= record_hash(field->of, (const char *)list->items + i * field->of->size) + i;
    return hash_end(hash);
}

static const struct {
    void (*clear)(const RecordField *field, void *member);
    bool (*copy)(const RecordField *field, void *target, const void *source); /* target is zeroed */
    bool (*equal)(const RecordField *field, const void *a, const void *b);
    uint64_t (*hash)(uint64_t hash, const RecordField *field, const void *member); /* continued */
} KINDS[] = {
    [FIELD_BOOL] = {clear_plain, copy_plain, equal_plain, hash_plain},
    [FIELD_INT] = {clear_plain, copy_plain, equal_plain, hash_plain},
    [FIELD_TEXT] = {clear_text, copy_text, equal_text, hash_text},
    [FIELD_BYTES] = {clear_bytes, copy_bytes, equal_bytes, hash_byte_string},
    [FIELD_TEXTS] = {clear_texts, copy_texts, equal_texts, hash_texts},
    [FIELD_RECORDS] = {clear_records, copy_records, equal_records, hash_records},
};

void record_clear(const RecordType *type, void *record)
{
    for (size_t i = 0; i < type->field_count; i++)
        KINDS[type->fields[i].kind].clear(&type->fields[i], field_at(&type->fields[i], record));
}

/* On failure the zeroed target holds what was copied so far. */
static bool record_fill(const RecordType *type, void *target, const void *source)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        if (!KINDS[field->kind].copy(field, field_at(field, target), field_of(field, source)))
            return false;
    }
    return true;
}

bool record_copy(const RecordType *type, void *ret_record, const void *record, Error *error)
{
    void *copy = calloc(1, type->size);
    if (copy == NULL)
        return error_memory(error);
    bool done = record_fill(type, copy, record);
    if (done)
        memcpy(ret_record, copy, type->size);
    else
        record_clear(type, copy);
    free(copy);
    return done || error_memory(error);
}

bool record_equal(const RecordType *type, const void *a, const void *b)
{
    bool same = true;
    for (size_t i = 0; same && i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        same = KINDS[field->kind].equal(field, field_of(field, a), field_of(field, b));
    }
    return same;
}

uint64_t record_hash(const RecordType *type, const void *record)
{
    uint64_t hash = FNV_START;
    for (size_t i = 0; i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        hash = KINDS[field->kind].hash(hash, field, field_of(field, record));
    }
    return hash;
}

char **record_text(const RecordType *type, void *record, const char *name)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].kind == FIELD_TEXT && strcmp(type->fields[i].name, name) == 0)
            return field_at(&type->fields[i], record);
    return NULL;
}

/* Room for one more item. The size asked for is the next power of two, and it is asked for every time:
 * a list may come from elsewhere with exactly `count` items, and asking for the size a block already has
 * costs next to nothing. */
static void *grow(void *items, size_t count, size_t item_size)
{
    size_t capacity = 4;
    while (capacity <= count) {
        if (capacity > SIZE_MAX / 2 / item_size)
            return NULL;
        capacity *= 2;
    }
    return realloc(items, capacity * item_size);
}

bool text_list_add(TextList *list, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return false;
    char **items = grow(list->items, list->count, sizeof(*items));
    if (items == NULL) {
        free(copy);
        return false;
    }
    list->items = items;
    list->items[list->count++] = copy;
    return true;
}

void text_list_clear(TextList *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (TextList){0};
}

bool text_list_has(const TextList *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

bool text_fill(char **text, const char *value)
{
    if (*text == NULL && value != NULL)
        *text = strdup(value);
    return *text != NULL || value == NULL;
}

void *record_list_add(const RecordType *type, RecordList *list)
{
    char *items = grow(list->items, list->count, type->size);
    if (items == NULL)
        return NULL;
    list->items = items;
    return memset(items + list->count++ * type->size, 0, type->size);
}
