/* Record: a struct described once. The one description serves memory (clear, copy), JSON (common/json.h) and
 * the wire (proto/record_codec.h), so a new field is one row and cannot be forgotten in one of them.
 *
 * Members are bool, int64_t, char *, TextList, ByteString or RecordList; what they point to belongs to the
 * struct and is released by record_clear(). Several descriptions ("views") may describe one struct, for
 * example the library's and the CLI's names for the same fields.
 */
#pragma once
#include "common/error.h"
#include "common/pgconvoy/results.h"
#include <stddef.h>
#include <stdint.h>

typedef pgconvoy_texts TextList;

typedef struct ByteString {
    char *data;
    size_t length;
} ByteString;

/* An array of structs of one record type, stored inline, one after the other. */
typedef pgconvoy_list RecordList;

typedef enum FieldKind {
    FIELD_BOOL,    /* bool */
    FIELD_INT,     /* int64_t */
    FIELD_TEXT,    /* char *, UTF-8 without NUL */
    FIELD_BYTES,   /* ByteString; never in JSON */
    FIELD_TEXTS,   /* TextList */
    FIELD_RECORDS, /* RecordList of `of` */
} FieldKind;

typedef enum FieldRule {
    FIELD_ALWAYS,   /* present in every form; a NULL text is "" */
    FIELD_OPTIONAL, /* absent while NULL, zero, false or empty */
    FIELD_NULLABLE, /* null while NULL (text) or negative (integer) */
    FIELD_WIRE,     /* on the wire only, never in JSON */
    FIELD_ASKED,    /* an integer that is absent in JSON while negative: nobody asked for it */
} FieldRule;

typedef struct RecordType RecordType;

typedef struct RecordField {
    const char *name; /* JSON name and wire key */
    FieldKind kind;
    FieldRule rule;
    size_t offset;
    const RecordType *of; /* FIELD_RECORDS only */
} RecordField;

struct RecordType {
    const char *name;
    size_t size;
    size_t field_count;
    const RecordField *fields;
};

#define RECORD_TYPE(title, structure, rows)                                                          \
    {                                                                                                \
        .name = (title), .size = sizeof(structure), .field_count = sizeof(rows) / sizeof((rows)[0]), \
        .fields = (rows)                                                                             \
    }

/* Releases everything the struct owns and zeroes it. */
void record_clear(const RecordType *type, void *record);

/* Deep copy into *ret_record, which is overwritten; untouched when memory runs out. */
bool record_copy(const RecordType *type, void *ret_record, const void *record, Error *error) MUST_CHECK;

/* Whether two records say the same, and a number that is the same when they do. */
bool record_equal(const RecordType *type, const void *a, const void *b);
uint64_t record_hash(const RecordType *type, const void *record);

/* Where a record keeps the text that the type calls `name`; NULL when it has none. */
char **record_text(const RecordType *type, void *record, const char *name);

/* Appends a copy of text; false when memory ran out (the list is unchanged). */
bool text_list_add(TextList *list, const char *text) MUST_CHECK;
void text_list_clear(TextList *list);
bool text_list_has(const TextList *list, const char *text);

/* Sets *text to a copy of `value` unless it has one already; false when memory ran out. NULL is no value. */
bool text_fill(char **text, const char *value) MUST_CHECK;

/* Grows the list by one zeroed struct of this type and returns it; NULL when memory ran out. */
void *record_list_add(const RecordType *type, RecordList *list) MUST_CHECK;
