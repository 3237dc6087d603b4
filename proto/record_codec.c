#include "proto/record_codec.h"
#include "proto/msgpack_walk.h"
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* ---- packing ---- */

typedef struct Encoder {
    msgpack_packer packer;
    Error *error;
} Encoder;

static const void *field_at(const RecordField *field, const void *record)
{
    return (const char *)record + field->offset;
}

static bool text_at_rest(const RecordField *field, const char *text)
{
    return text == NULL || (*text == '\0' && field->rule != FIELD_NULLABLE);
}

static bool field_at_rest(const RecordField *field, const void *record)
{
    const void *at = field_at(field, record);
    switch (field->kind) {
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_INT:
        return *(const int64_t *)at == 0;
    case FIELD_TEXT:
        return text_at_rest(field, *(char *const *)at);
    case FIELD_BYTES:
        return ((const ByteString *)at)->length == 0;
    case FIELD_TEXTS:
        return ((const TextList *)at)->count == 0;
    case FIELD_RECORDS:
        return ((const RecordList *)at)->count == 0;
    }
    return true;
}

static int append_packed(void *buffer, const char *bytes, size_t length)
{
    buffer_append(buffer, bytes, length);
    return 0;
}

static bool pack_text(Encoder *encoder, const RecordField *field, const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;
    if (length > RECORD_TEXT_MAX)
        return error_set(encoder->error, ERROR_TOO_LARGE, "\"%s\" has %zu bytes, the limit is %d",
                         field->name, length, RECORD_TEXT_MAX);
    if (!walk_text_valid(text, length))
        return error_set(encoder->error, ERROR_PROTOCOL, "\"%s\" is not UTF-8", field->name);
    msgpack_pack_str_with_body(&encoder->packer, text, length);
    return true;
}

static bool pack_record(Encoder *encoder, const RecordType *type, const void *record);

static bool pack_bool(Encoder *encoder, const RecordField *field, const void *at)
{
    (void)field;
    if (*(const bool *)at)
        msgpack_pack_true(&encoder->packer);
    else
        msgpack_pack_false(&encoder->packer);
    return true;
}

static bool pack_int(Encoder *encoder, const RecordField *field, const void *at)
{
    (void)field;
    msgpack_pack_int64(&encoder->packer, *(const int64_t *)at);
    return true;
}

static bool pack_text_field(Encoder *encoder, const RecordField *field, const void *at)
{
    return pack_text(encoder, field, *(char *const *)at);
}

static bool pack_bytes(Encoder *encoder, const RecordField *field, const void *at)
{
    const ByteString *bytes = at;
    if (bytes->length > UINT32_MAX)
        return error_set(encoder->error, ERROR_TOO_LARGE, "\"%s\" has %zu bytes", field->name, bytes->length);
    msgpack_pack_bin_with_body(&encoder->packer, bytes->data, bytes->length);
    return true;
}

static bool pack_count(Encoder *encoder, const RecordField *field, size_t count)
{
    if (count > WALK_ITEMS_MAX)
        return error_set(encoder->error, ERROR_TOO_LARGE, "\"%s\" has %zu elements", field->name, count);
    msgpack_pack_array(&encoder->packer, count);
    return true;
}

static bool pack_texts(Encoder *encoder, const RecordField *field, const void *at)
{
    const TextList *list = at;
    if (!pack_count(encoder, field, list->count))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        if (!pack_text(encoder, field, list->items[i]))
            return false;
    }
    return true;
}

static bool pack_records(Encoder *encoder, const RecordField *field, const void *at)
{
    const RecordList *list = at;
    if (!pack_count(encoder, field, list->count))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        if (!pack_record(encoder, field->of, (const char *)list->items + i * field->of->size))
            return false;
    }
    return true;
}

static bool (*const PACK[])(Encoder *, const RecordField *, const void *) = {
    [FIELD_BOOL] = pack_bool,   [FIELD_INT] = pack_int,     [FIELD_TEXT] = pack_text_field,
    [FIELD_BYTES] = pack_bytes, [FIELD_TEXTS] = pack_texts, [FIELD_RECORDS] = pack_records,
};

static bool pack_record(Encoder *encoder, const RecordType *type, const void *record)
{
    size_t count = 0;
    for (size_t i = 0; i < type->field_count; i++)
        count += !field_at_rest(&type->fields[i], record);
    msgpack_pack_map(&encoder->packer, count);
    for (size_t i = 0; i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        if (field_at_rest(field, record))
            continue;
        msgpack_pack_str_with_body(&encoder->packer, field->name, strlen(field->name));
        if (!PACK[field->kind](encoder, field, field_at(field, record)))
            return false;
    }
    return true;
}

bool record_pack(const RecordType *type, const void *record, Buffer *ret_bytes, Error *error)
{
    buffer_reset(ret_bytes);
    Encoder encoder = {.error = error};
    msgpack_packer_init(&encoder.packer, ret_bytes, append_packed);
    if (!pack_record(&encoder, type, record)) {
        error_prefix(error, "%s", type->name);
        return false;
    }
    return buffer_failed(ret_bytes) ? error_memory(error) : true;
}

/* ---- unpacking: only after walk_check() has accepted the bytes ---- */

typedef struct Decoder {
    WalkCursor cursor;
    size_t budget; /* bytes that lists may still allocate */
    Error *error;
} Decoder;

static bool wrong_type(Decoder *decoder, const RecordField *field, const char *wanted)
{
    return error_set(decoder->error, ERROR_PROTOCOL, "\"%s\" is not %s", field->name, wanted);
}

static bool decode_record(Decoder *decoder, const RecordType *type, void *record);

static bool decode_bool(Decoder *decoder, const RecordField *field, const WalkItem *item, void *at)
{
    if (item->kind != WALK_BOOL)
        return wrong_type(decoder, field, "a boolean");
    *(bool *)at = item->integer != 0;
    return true;
}

static bool decode_int(Decoder *decoder, const RecordField *field, const WalkItem *item, void *at)
{
    if (item->kind != WALK_INT)
        return wrong_type(decoder, field, "an integer");
    *(int64_t *)at = item->integer;
    return true;
}

static bool decode_text(Decoder *decoder, const RecordField *field, const WalkItem *item, void *at)
{
    if (item->kind == WALK_NIL && field->rule == FIELD_NULLABLE)
        return true;
    if (item->kind != WALK_TEXT)
        return wrong_type(decoder, field, "text");
    if (item->count > RECORD_TEXT_MAX)
        return error_set(decoder->error, ERROR_TOO_LARGE, "\"%s\" has %zu bytes, the limit is %d",
                         field->name, item->count, RECORD_TEXT_MAX);
    char *text = strndup(item->data, item->count);
    if (text == NULL)
        return error_memory(decoder->error);
    *(char **)at = text;
    return true;
}

/* With a NUL after the end, which is not counted, so that bytes known to be text can be used as such. */
static bool decode_bytes(Decoder *decoder, const RecordField *field, const WalkItem *item, void *at)
{
    if (item->kind != WALK_BYTES)
        return wrong_type(decoder, field, "bytes");
    if (item->count == 0)
        return true;
    char *data = malloc(item->count + 1);
    if (data == NULL)
        return error_memory(decoder->error);
    memcpy(data, item->data, item->count);
    data[item->count] = '\0';
    *(ByteString *)at = (ByteString){.data = data, .length = item->count};
    return true;
}

/* Zeroed room for a list; NULL without an error for an empty one. A list of large structs may be claimed by
 * one byte an element, hence the budget. */
static bool allocate_list(Decoder *decoder, const RecordField *field, size_t count, size_t size,
                          void **ret_items)
{
    if (count > decoder->budget / size)
        return error_set(decoder->error, ERROR_TOO_LARGE, "\"%s\" with %zu elements takes too much memory",
                         field->name, count);
    decoder->budget -= count * size;
    void *items = count > 0 ? calloc(count, size) : NULL;
    if (items == NULL && count > 0)
        return error_memory(decoder->error);
    *ret_items = items;
    return true;
}

static bool decode_texts(Decoder *decoder, const RecordField *field, const WalkItem *item, void *at)
{
    TextList *list = at;
    if (item->kind != WALK_ARRAY)
        return wrong_type(decoder, field, "a list");
    void *items;
    if (!allocate_list(decoder, field, item->count, sizeof(char *), &items))
        return false;
    *list = (TextList){.items = items};
    for (; list->count < item->count; list->count++) {
        WalkItem element;
        if (!walk_next(&decoder->cursor, &element, decoder->error))
            return false;
        if (element.kind != WALK_TEXT)
            return wrong_type(decoder, field, "a list of texts");
        if (!decode_text(decoder, field, &element, &list->items[list->count]))
            return false;
    }
    return true;
}

static bool decode_records(Decoder *decoder, const RecordField *field, const WalkItem *item, void *at)
{
    RecordList *list = at;
    if (item->kind != WALK_ARRAY)
        return wrong_type(decoder, field, "a list");
    void *items;
    if (!allocate_list(decoder, field, item->count, field->of->size, &items))
        return false;
    *list = (RecordList){.items = items, .count = item->count};
    for (size_t i = 0; i < item->count; i++) {
        if (!decode_record(decoder, field->of, (char *)items + i * field->of->size)) {
            error_prefix(decoder->error, "%s[%zu]", field->name, i);
            return false;
        }
    }
    return true;
}

static bool (*const DECODE[])(Decoder *, const RecordField *, const WalkItem *, void *) = {
    [FIELD_BOOL] = decode_bool,   [FIELD_INT] = decode_int,     [FIELD_TEXT] = decode_text,
    [FIELD_BYTES] = decode_bytes, [FIELD_TEXTS] = decode_texts, [FIELD_RECORDS] = decode_records,
};

static bool same_key(const WalkItem *key, const char *name, size_t length)
{
    return key->count == length && memcmp(key->data, name, length) == 0;
}

/* The row with this name, or field_count. Our own peers send fields in the order of the rows, so the search
 * begins at `hint`. */
static size_t find_field(const RecordType *type, const WalkItem *key, size_t hint)
{
    for (size_t i = 0; i < type->field_count; i++) {
        size_t row = (hint + i) % type->field_count;
        if (same_key(key, type->fields[row].name, strlen(type->fields[row].name)))
            return row;
    }
    return type->field_count;
}

/* Keys of one map: which rows were seen, and the names that no row has. */
typedef struct KeysSeen {
    uint64_t rows;
    size_t unknown_count;
    WalkItem unknown[RECORD_UNKNOWN_MAX];
} KeysSeen;

static bool note_key(Decoder *decoder, KeysSeen *seen, const RecordType *type, const WalkItem *key,
                     size_t row)
{
    bool again = false;
    if (row < type->field_count) {
        again = seen->rows >> row & 1;
        seen->rows |= UINT64_C(1) << row;
    } else {
        for (size_t i = 0; i < seen->unknown_count && !again; i++)
            again = same_key(key, seen->unknown[i].data, seen->unknown[i].count);
        if (seen->unknown_count == RECORD_UNKNOWN_MAX)
            return error_set(decoder->error, ERROR_TOO_LARGE, "map has more than %d unknown keys",
                             RECORD_UNKNOWN_MAX);
        seen->unknown[seen->unknown_count++] = *key;
    }
    if (again)
        return error_set(decoder->error, ERROR_PROTOCOL, "key \"%.*s\" occurs twice",
                         key->count > 100 ? 100 : (int)key->count, key->data);
    return true;
}

/* A text that the peer left out is "", where its rule promises one. */
static bool fill_absent_texts(Decoder *decoder, const RecordType *type, void *record)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        char **text = (char **)((char *)record + field->offset);
        if (field->kind != FIELD_TEXT || field->rule != FIELD_ALWAYS || *text != NULL)
            continue;
        *text = strdup("");
        if (*text == NULL)
            return error_memory(decoder->error);
    }
    return true;
}

static bool decode_record(Decoder *decoder, const RecordType *type, void *record)
{
    WalkItem map;
    if (!walk_next(&decoder->cursor, &map, decoder->error))
        return false;
    if (map.kind != WALK_MAP)
        return error_set(decoder->error, ERROR_PROTOCOL, "%s is not a map", type->name);
    KeysSeen seen;
    seen.rows = 0;
    seen.unknown_count = 0;
    size_t hint = 0;
    for (size_t i = 0; i < map.count; i++) {
        WalkItem key, value;
        if (!walk_next(&decoder->cursor, &key, decoder->error))
            return false;
        if (key.kind != WALK_TEXT)
            return error_set(decoder->error, ERROR_PROTOCOL, "a key of %s is not text", type->name);
        size_t row = find_field(type, &key, hint);
        if (!note_key(decoder, &seen, type, &key, row))
            return false;
        if (row == type->field_count) {
            if (!walk_skip(&decoder->cursor, decoder->error))
                return false;
            continue;
        }
        const RecordField *field = &type->fields[row];
        hint = row + 1;
        if (!walk_next(&decoder->cursor, &value, decoder->error) ||
            !DECODE[field->kind](decoder, field, &value, (char *)record + field->offset))
            return false;
    }
    return fill_absent_texts(decoder, type, record);
}

bool record_unpack(const RecordType *type, const void *bytes, size_t length, void *ret_record, Error *error)
{
    if (type->field_count > RECORD_FIELDS_MAX)
        return error_set(error, ERROR_TOO_LARGE, "%s has more than %d fields", type->name, RECORD_FIELDS_MAX);
    Decoder decoder = {
        .cursor = {.at = bytes, .end = (const unsigned char *)bytes + length},
        .budget = RECORD_DECODED_BASE + length * RECORD_DECODED_FACTOR,
        .error = error,
    };
    void *record = calloc(1, type->size);
    if (record == NULL)
        return error_memory(error);
    bool done = walk_check(bytes, length, error) && decode_record(&decoder, type, record);
    if (done)
        memcpy(ret_record, record, type->size);
    else {
        record_clear(type, record);
        error_prefix(error, "%s", type->name);
    }
    free(record);
    return done;
}
