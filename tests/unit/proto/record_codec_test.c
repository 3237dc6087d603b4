#include "common/results.h"
#include "proto/msgpack_walk.h"
#include "proto/record_codec.h"
#include "tests/unit/proto/fill.h"
#include <msgpack.h>

typedef struct Leaf {
    int64_t number;
    char *text;
} Leaf;

typedef struct Tree {
    bool flag;
    int64_t number;
    char *text;
    char *maybe;
    char *nullable;
    ByteString bytes;
    TextList texts;
    RecordList leaves;
} Tree;

static const RecordField LEAF_FIELDS[] = {
    {"number", FIELD_INT, FIELD_ALWAYS, offsetof(Leaf, number), NULL},
    {"text", FIELD_TEXT, FIELD_OPTIONAL, offsetof(Leaf, text), NULL},
};
static const RecordType LEAF = RECORD_TYPE("leaf", Leaf, LEAF_FIELDS);
static const RecordField TREE_FIELDS[] = {
    {"flag", FIELD_BOOL, FIELD_ALWAYS, offsetof(Tree, flag), NULL},
    {"number", FIELD_INT, FIELD_ALWAYS, offsetof(Tree, number), NULL},
    {"text", FIELD_TEXT, FIELD_ALWAYS, offsetof(Tree, text), NULL},
    {"maybe", FIELD_TEXT, FIELD_OPTIONAL, offsetof(Tree, maybe), NULL},
    {"nullable", FIELD_TEXT, FIELD_NULLABLE, offsetof(Tree, nullable), NULL},
    {"bytes", FIELD_BYTES, FIELD_WIRE, offsetof(Tree, bytes), NULL},
    {"texts", FIELD_TEXTS, FIELD_ALWAYS, offsetof(Tree, texts), NULL},
    {"leaves", FIELD_RECORDS, FIELD_ALWAYS, offsetof(Tree, leaves), &LEAF},
};
static const RecordType TREE = RECORD_TYPE("tree", Tree, TREE_FIELDS);

static void every_kind_of_field_comes_back(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer bytes = {0};
    Tree sent = {0}, received = {0};
    fill_record(&TREE, &sent, 1);
    assert_true(record_pack(&TREE, &sent, &bytes, &error));
    assert_true(record_unpack(&TREE, bytes.data, bytes.length, &received, &error));
    assert_record_equal(&TREE, &sent, &received);
    assert_int_equal(received.bytes.data[received.bytes.length], '\0');
    record_clear(&TREE, &sent);
    record_clear(&TREE, &received);
}

static void extreme_integers_come_back(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer bytes = {0};
    static const int64_t NUMBERS[] = {INT64_MIN, INT32_MIN, -32769, -129, -33,   -32,        -1,       1,
                                      127,       128,       255,    256,  65535, UINT32_MAX, INT64_MAX};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        Leaf sent = {.number = NUMBERS[i]}, received = {0};
        assert_true(record_pack(&LEAF, &sent, &bytes, &error));
        assert_true(record_unpack(&LEAF, bytes.data, bytes.length, &received, &error));
        assert_true(received.number == NUMBERS[i]);
    }
}

static void fields_at_rest_are_left_out(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer bytes = {0};
    char empty[] = "";
    Tree sent = {.text = empty, .maybe = empty}, received = {0};
    assert_true(record_pack(&TREE, &sent, &bytes, &error));
    assert_int_equal(bytes.length, 1);
    assert_true(record_unpack(&TREE, bytes.data, bytes.length, &received, &error));
    assert_string_equal(received.text, "");
    assert_null(received.maybe);
    assert_null(received.nullable);
    record_clear(&TREE, &received);

    sent.nullable = empty;
    assert_true(record_pack(&TREE, &sent, &bytes, &error));
    assert_true(record_unpack(&TREE, bytes.data, bytes.length, &received, &error));
    assert_string_equal(received.nullable, "");
    record_clear(&TREE, &received);
}

static void packing_refuses_what_the_peer_would(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer bytes = {0};
    char latin1[] = "caf\xe9";
    assert_false(record_pack(&TREE, &(Tree){.text = latin1}, &bytes, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    assert_string_equal(error.message, "tree: \"text\" is not UTF-8");

    char *large = malloc(RECORD_TEXT_MAX + 2);
    memset(large, 'x', RECORD_TEXT_MAX + 1);
    large[RECORD_TEXT_MAX + 1] = '\0';
    assert_false(record_pack(&TREE, &(Tree){.text = large}, &bytes, &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);
    large[RECORD_TEXT_MAX] = '\0';
    assert_true(record_pack(&TREE, &(Tree){.text = large}, &bytes, &error));
    Tree received = {0};
    assert_true(record_unpack(&TREE, bytes.data, bytes.length, &received, &error));
    record_clear(&TREE, &received);
    free(large);
}

#define BYTES(literal) (literal), sizeof(literal) - 1

typedef struct Refusal {
    const char *what;
    const char *bytes;
    size_t length;
    ErrorCode code;
} Refusal;

static const Refusal REFUSALS[] = {
    {"nothing", BYTES(""), ERROR_PROTOCOL},
    {"not a map", BYTES("\x90"), ERROR_PROTOCOL},
    {"nil", BYTES("\xc0"), ERROR_PROTOCOL},
    {"trailing byte", BYTES("\x80\xc0"), ERROR_PROTOCOL},
    {"truncated map", BYTES("\x81"), ERROR_PROTOCOL},
    {"truncated key", BYTES("\x81\xa6num"), ERROR_PROTOCOL},
    {"value missing", BYTES("\x81\xa6number"), ERROR_PROTOCOL},
    {"truncated integer", BYTES("\x81\xa6number\xcd\x01"), ERROR_PROTOCOL},
    {"map32 that lies", BYTES("\xdf\xff\xff\xff\xff"), ERROR_PROTOCOL},
    {"array32 that lies", BYTES("\x81\xa6leaves\xdd\x0f\xff\xff\xff"), ERROR_PROTOCOL},
    {"str32 that lies",
     BYTES("\x81\xa4text\xdb\xff\xff\xff\xff"
           "abc"),
     ERROR_PROTOCOL},
    {"bin16 that lies",
     BYTES("\x81\xa5"
           "bytes\xc5\xff\xff"
           "abc"),
     ERROR_PROTOCOL},
    {"map with room for half",
     BYTES("\x82\xa1"
           "a\xc0"),
     ERROR_PROTOCOL},
    {"reserved byte", BYTES("\x81\xa6number\xc1"), ERROR_PROTOCOL},
    {"fixext", BYTES("\x81\xa1z\xd4\x01\x00"), ERROR_PROTOCOL},
    {"ext8", BYTES("\x81\xa1z\xc7\x00\x01"), ERROR_PROTOCOL},
    {"duplicate key", BYTES("\x82\xa6number\x01\xa6number\x02"), ERROR_PROTOCOL},
    {"duplicate unknown key", BYTES("\x82\xa1z\x01\xa1z\x02"), ERROR_PROTOCOL},
    {"key is nil", BYTES("\x81\xc0\xc0"), ERROR_PROTOCOL},
    {"key is bytes", BYTES("\x81\xc4\x06number\x01"), ERROR_PROTOCOL},
    {"integer is a float", BYTES("\x81\xa6number\xca\x3f\x80\x00\x00"), ERROR_PROTOCOL},
    {"integer is text",
     BYTES("\x81\xa6number\xa1"
           "1"),
     ERROR_PROTOCOL},
    {"integer is a boolean", BYTES("\x81\xa6number\xc3"), ERROR_PROTOCOL},
    {"integer is nil", BYTES("\x81\xa6number\xc0"), ERROR_PROTOCOL},
    {"integer above int64", BYTES("\x81\xa6number\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), ERROR_PROTOCOL},
    {"unknown integer above int64", BYTES("\x81\xa1z\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), ERROR_PROTOCOL},
    {"boolean is an integer",
     BYTES("\x81\xa4"
           "flag\x01"),
     ERROR_PROTOCOL},
    {"boolean is nil",
     BYTES("\x81\xa4"
           "flag\xc0"),
     ERROR_PROTOCOL},
    {"text is bytes", BYTES("\x81\xa4text\xc4\x01x"), ERROR_PROTOCOL},
    {"text is nil", BYTES("\x81\xa4text\xc0"), ERROR_PROTOCOL},
    {"text holds NUL",
     BYTES("\x81\xa4text\xa3"
           "a\0b"),
     ERROR_PROTOCOL},
    {"text is Latin-1", BYTES("\x81\xa4text\xa1\xe9"), ERROR_PROTOCOL},
    {"text is an overlong slash", BYTES("\x81\xa4text\xa2\xc0\xaf"), ERROR_PROTOCOL},
    {"text is a surrogate", BYTES("\x81\xa4text\xa3\xed\xa0\x80"), ERROR_PROTOCOL},
    {"text is above U+10FFFF", BYTES("\x81\xa4text\xa4\xf4\x90\x80\x80"), ERROR_PROTOCOL},
    {"unknown text is Latin-1", BYTES("\x81\xa1z\xa1\xe9"), ERROR_PROTOCOL},
    {"bytes are text",
     BYTES("\x81\xa5"
           "bytes\xa1x"),
     ERROR_PROTOCOL},
    {"list of texts is a text", BYTES("\x81\xa5texts\xa1x"), ERROR_PROTOCOL},
    {"list of texts holds nil", BYTES("\x81\xa5texts\x92\xa1x\xc0"), ERROR_PROTOCOL},
    {"list of records is a map", BYTES("\x81\xa6leaves\x80"), ERROR_PROTOCOL},
    {"list of records holds an int", BYTES("\x81\xa6leaves\x92\x80\x01"), ERROR_PROTOCOL},
    {"error in a nested record", BYTES("\x82\xa4text\xa1x\xa6leaves\x91\x82\xa4text\xa1x\xa6number\xc3"),
     ERROR_PROTOCOL},
    {"17 levels", BYTES("\x81\xa1z\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0"),
     ERROR_PROTOCOL},
};

static void whatever_is_not_exactly_right_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof REFUSALS / sizeof REFUSALS[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        Tree record = {.number = 42};
        /* A copy of exact size, so that a read beyond the end is seen by the address sanitizer. */
        char *copy = malloc(REFUSALS[i].length > 0 ? REFUSALS[i].length : 1);
        memcpy(copy, REFUSALS[i].bytes, REFUSALS[i].length);
        if (record_unpack(&TREE, copy, REFUSALS[i].length, &record, &error))
            fail_msg("%s was accepted", REFUSALS[i].what);
        free(copy);
        if (error.code != REFUSALS[i].code)
            fail_msg("%s: %s", REFUSALS[i].what, error.message);
        assert_int_equal(record.number, 42);
        assert_int_equal(strncmp(error.message, "tree: ", 6), 0);
    }
}

static void unknown_keys_are_skipped_with_all_below_them(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    static const char MESSAGE[] = "\x84\xa1y\x82\xa1q\x93\x01\xc3\xca\x3f\x80\x00\x00\xc0\xc4\x01x"
                                  "\xa6number\x07\xa1z\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xa8nullable\xc0";
    Tree record = {0};
    assert_true(record_unpack(&TREE, MESSAGE, sizeof MESSAGE - 1, &record, &error));
    assert_int_equal(record.number, 7);
    record_clear(&TREE, &record);
}

static void every_width_of_count_and_number_is_read(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    static const struct {
        const char *bytes;
        size_t length;
    } SAME[] = {
        {BYTES("\xde\x00\x01\xd9\x06number\xd1\xff\xfe")},
        {BYTES("\xdf\x00\x00\x00\x01\xda\x00\x06number\xd2\xff\xff\xff\xfe")},
        {BYTES("\x81\xdb\x00\x00\x00\x06number\xd3\xff\xff\xff\xff\xff\xff\xff\xfe")},
        {BYTES("\x81\xa6number\xd0\xfe")},
        {BYTES("\x81\xa6number\xfe")},
        {BYTES("\x82\xa6number\xfe\xa6leaves\xdc\x00\x00")},
        {BYTES("\x82\xa6number\xfe\xa5"
               "bytes\xc6\x00\x00\x00\x00")},
    };
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++) {
        Tree record = {0};
        assert_true(record_unpack(&TREE, SAME[i].bytes, SAME[i].length, &record, &error));
        assert_int_equal(record.number, -2);
        record_clear(&TREE, &record);
    }
}

static void sixteen_levels_are_accepted(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    char nested[WALK_DEPTH_MAX + 1];
    memset(nested, '\x91', sizeof nested);
    nested[WALK_DEPTH_MAX] = '\xc0';
    assert_true(walk_check(nested, sizeof nested, &error));
}

/* A message of few bytes must not make the receiver allocate much more than it has received. */
static void memory_is_bounded_by_what_was_received(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    enum { COUNT = WALK_ITEMS_MAX + 1 };
    char *bytes = malloc(COUNT + 16);
    memcpy(bytes, "\x81\xa5texts\xdd", 8);
    bytes[8] = 0, bytes[9] = (char)(COUNT >> 16), bytes[10] = (char)(COUNT >> 8), bytes[11] = (char)COUNT;
    memset(bytes + 12, '\xa0', COUNT);
    Tree record = {0};
    assert_false(record_unpack(&TREE, bytes, COUNT + 12, &record, &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);

    static const RecordField WIDE_FIELDS[] = {{"number", FIELD_INT, FIELD_ALWAYS, 0, NULL}};
    static const RecordType WIDE = {.name = "wide", .size = 1000, .field_count = 1, .fields = WIDE_FIELDS};
    static const RecordField LIST_FIELDS[] = {{"l", FIELD_RECORDS, FIELD_ALWAYS, 0, &WIDE}};
    static const RecordType LIST = {
        .name = "list", .size = sizeof(RecordList), .field_count = 1, .fields = LIST_FIELDS};
    memcpy(bytes, "\x81\xa1l\xdc\x00\xff", 6);
    memset(bytes + 6, '\x80', 255);
    RecordList list = {0};
    assert_false(record_unpack(&LIST, bytes, 6 + 255, &list, &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);
    bytes[5] = 60;
    assert_true(record_unpack(&LIST, bytes, 6 + 60, &list, &error));
    assert_int_equal(list.count, 60);
    free(list.items);
    free(bytes);
}

static void too_many_unknown_keys_are_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer bytes = {0};
    for (int count = RECORD_UNKNOWN_MAX; count <= RECORD_UNKNOWN_MAX + 1; count++) {
        buffer_reset(&bytes);
        buffer_append(&bytes, "\xde\x00", 2);
        buffer_append_char(&bytes, (char)count);
        for (int i = 0; i < count; i++) {
            buffer_append_char(&bytes, '\xa4');
            buffer_appendf(&bytes, "u%03d", i);
            buffer_append_char(&bytes, '\xc0');
        }
        Tree record = {0};
        assert_int_equal(record_unpack(&TREE, bytes.data, bytes.length, &record, &error),
                         count == RECORD_UNKNOWN_MAX);
        record_clear(&TREE, &record);
    }
    assert_int_equal(error.code, ERROR_TOO_LARGE);
}

/* Every prefix and every single changed byte of a good message: refused or accepted, but never read beyond
 * its end, and what is accepted is msgpack to msgpack-c too. */
static void damaged_messages_are_survived(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer bytes = {0};
    ERROR_CLEANUP Error error = {0};
    Tree sent = {0};
    fill_record(&TREE, &sent, 1);
    assert_true(record_pack(&TREE, &sent, &bytes, &error));
    record_clear(&TREE, &sent);
    for (size_t length = 0; length < bytes.length; length++) {
        Tree record;
        char *copy = malloc(length + 1);
        memcpy(copy, bytes.data, length);
        assert_false(record_unpack(&TREE, copy, length, &record, &error));
        free(copy);
    }
    for (size_t at = 0; at < bytes.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            char *copy = malloc(bytes.length);
            memcpy(copy, bytes.data, bytes.length);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            Tree record;
            if (record_unpack(&TREE, copy, bytes.length, &record, &error)) {
                record_clear(&TREE, &record);
                msgpack_unpacked unpacked;
                msgpack_unpacked_init(&unpacked);
                size_t offset = 0;
                assert_int_equal(msgpack_unpack_next(&unpacked, copy, bytes.length, &offset),
                                 MSGPACK_UNPACK_SUCCESS);
                assert_int_equal(offset, bytes.length);
                msgpack_unpacked_destroy(&unpacked);
            }
            free(copy);
        }
    }
}

/* Discovery answers for a whole database at once. */
static void the_ids_of_a_million_tenants_are_one_result(void **state)
{
    (void)state;
    enum { TENANTS = 1000000 };
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer bytes = {0};
    DiscoverResult received = {0};
    DiscoverResult sent = {.ids = {calloc(TENANTS, sizeof(char *)), TENANTS}};
    char id[37];
    for (int i = 0; i < TENANTS; i++) {
        snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", i);
        sent.ids.items[i] = strdup(id);
    }
    assert_true(record_pack(&DISCOVER_RESULT, &sent, &bytes, &error));
    assert_true(bytes.length < 40 << 20); /* far below what one message may be */
    if (!record_unpack(&DISCOVER_RESULT, bytes.data, bytes.length, &received, &error))
        fail_msg("%s", error.message);
    assert_int_equal(received.ids.count, TENANTS);
    assert_string_equal(received.ids.items[TENANTS - 1], id);
    record_clear(&DISCOVER_RESULT, &sent);
    record_clear(&DISCOVER_RESULT, &received);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_field_comes_back),
        cmocka_unit_test(extreme_integers_come_back),
        cmocka_unit_test(fields_at_rest_are_left_out),
        cmocka_unit_test(packing_refuses_what_the_peer_would),
        cmocka_unit_test(whatever_is_not_exactly_right_is_refused),
        cmocka_unit_test(unknown_keys_are_skipped_with_all_below_them),
        cmocka_unit_test(every_width_of_count_and_number_is_read),
        cmocka_unit_test(sixteen_levels_are_accepted),
        cmocka_unit_test(memory_is_bounded_by_what_was_received),
        cmocka_unit_test(too_many_unknown_keys_are_refused),
        cmocka_unit_test(damaged_messages_are_survived),
        cmocka_unit_test(the_ids_of_a_million_tenants_are_one_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
