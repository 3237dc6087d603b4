/* Fills and compares records by their description alone, so that a new field is tested the day it appears. */
#pragma once
#include "common/record.h"
#include "tests/support/test.h"
#include <stdio.h>

/* A value that differs from field to field and from item to item. */
static inline char *fill_text(const RecordField *field, int64_t salt)
{
    char *text = NULL;
    assert_true(
        asprintf(&text, "%s-%lld-\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98", field->name, (long long)salt) > 0);
    return text;
}

static inline void fill_record(const RecordType *type, void *record, int64_t salt)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        void *at = (char *)record + field->offset;
        int64_t value = salt * 100 + (int64_t)i + 1;
        switch (field->kind) {
        case FIELD_BOOL:
            *(bool *)at = true;
            break;
        case FIELD_INT:
            *(int64_t *)at = i % 3 == 0 ? -value : i % 3 == 1 ? value << 33 : value;
            break;
        case FIELD_TEXT:
            *(char **)at = fill_text(field, value);
            break;
        case FIELD_BYTES:
            *(ByteString *)at = (ByteString){.data = calloc(1, 6), .length = 5};
            memcpy(((ByteString *)at)->data, "\0\xff\x01\x02\x03", 5);
            break;
        case FIELD_TEXTS:
            for (int64_t k = 0; k < 3; k++) {
                char *text = fill_text(field, value + k);
                assert_true(text_list_add(at, text));
                free(text);
            }
            break;
        case FIELD_RECORDS:
            for (int64_t k = 0; k < 2; k++) {
                void *item = record_list_add(field->of, at);
                assert_non_null(item);
                fill_record(field->of, item, value + k);
            }
            break;
        }
    }
}

static inline void assert_text_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static inline void assert_record_equal(const RecordType *type, const void *a, const void *b)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const RecordField *field = &type->fields[i];
        const void *left = (const char *)a + field->offset, *right = (const char *)b + field->offset;
        switch (field->kind) {
        case FIELD_BOOL:
            assert_int_equal(*(const bool *)left, *(const bool *)right);
            break;
        case FIELD_INT:
            assert_true(*(const int64_t *)left == *(const int64_t *)right);
            break;
        case FIELD_TEXT:
            assert_text_equal(*(char *const *)left, *(char *const *)right);
            break;
        case FIELD_BYTES: {
            const ByteString *x = left, *y = right;
            assert_int_equal(x->length, y->length);
            assert_true(x->length == 0 || memcmp(x->data, y->data, x->length) == 0);
            break;
        }
        case FIELD_TEXTS: {
            const TextList *x = left, *y = right;
            assert_int_equal(x->count, y->count);
            for (size_t k = 0; k < x->count; k++)
                assert_string_equal(x->items[k], y->items[k]);
            break;
        }
        case FIELD_RECORDS: {
            const RecordList *x = left, *y = right;
            assert_int_equal(x->count, y->count);
            for (size_t k = 0; k < x->count; k++)
                assert_record_equal(field->of, (const char *)x->items + k * field->of->size,
                                    (const char *)y->items + k * field->of->size);
            break;
        }
        }
    }
}
