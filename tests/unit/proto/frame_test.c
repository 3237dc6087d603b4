#include "proto/frame.h"
#include "tests/support/test.h"

static const FrameHeader HEADER = {
    .major = PROTOCOL_MAJOR,
    .minor = 7,
    .type = 9,
    .flags = FRAME_PART | FRAME_MUST_UNDERSTAND,
    .session_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .seq = UINT64_C(0x0102030405060708),
    .ack = 5,
    .window = UINT64_MAX,
};

static void the_layout_is_pinned(void **state)
{
    (void)state;
    unsigned char bytes[FRAME_HEADER_SIZE];
    frame_header_encode(&HEADER, bytes);
    assert_memory_equal(bytes,
                        "PGCV\x01\x07\x09\x03"
                        "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
                        "\x01\x02\x03\x04\x05\x06\x07\x08"
                        "\x00\x00\x00\x00\x00\x00\x00\x05"
                        "\xff\xff\xff\xff\xff\xff\xff\xff",
                        FRAME_HEADER_SIZE);
}

static void decoding_gives_back_what_was_encoded(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    unsigned char bytes[FRAME_HEADER_SIZE];
    frame_header_encode(&HEADER, bytes);
    FrameHeader header = {0};
    assert_true(frame_header_decode(bytes, sizeof bytes, &header, &error));
    assert_int_equal(header.major, HEADER.major);
    assert_int_equal(header.minor, HEADER.minor);
    assert_int_equal(header.type, HEADER.type);
    assert_int_equal(header.flags, HEADER.flags);
    assert_memory_equal(header.session_id, HEADER.session_id, SESSION_ID_SIZE);
    assert_int_equal(header.seq, HEADER.seq);
    assert_int_equal(header.ack, HEADER.ack);
    assert_int_equal(header.window, HEADER.window);
}

static void assert_refused(const unsigned char *bytes, size_t length)
{
    ERROR_CLEANUP Error error = {0};
    FrameHeader header = {.seq = 42};
    assert_false(frame_header_decode(bytes, length, &header, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    assert_int_equal(header.seq, 42);
}

static void another_size_magic_or_major_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[FRAME_HEADER_SIZE + 1] = {0};
    frame_header_encode(&HEADER, bytes);
    assert_refused(bytes, FRAME_HEADER_SIZE - 1);
    assert_refused(bytes, FRAME_HEADER_SIZE + 1);
    assert_refused(bytes, 0);
    bytes[4] = 2;
    assert_refused(bytes, FRAME_HEADER_SIZE);
    bytes[4] = PROTOCOL_MAJOR;
    bytes[3] = 'W';
    assert_refused(bytes, FRAME_HEADER_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_pinned),
        cmocka_unit_test(decoding_gives_back_what_was_encoded),
        cmocka_unit_test(another_size_magic_or_major_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
