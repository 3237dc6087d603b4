#include "proto/message.h"
#include "proto/record_codec.h"
#include "tests/unit/proto/fill.h"

enum { FREE_NUMBER = 9 };

static void every_message_comes_back_with_all_its_fields(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer bytes = {0};
    for (uint8_t type = 1; type < MESSAGE_TYPE_COUNT; type++) {
        const MessageSpec *spec = message_spec(type);
        if (type == FREE_NUMBER)
            continue;
        assert_non_null(spec);
        void *sent = calloc(1, spec->body->size);
        fill_record(spec->body, sent, type);
        assert_true(record_pack(spec->body, sent, &bytes, &error));
        Message received = {0};
        assert_true(message_unpack(type, bytes.data, bytes.length, &received, &error));
        assert_int_equal(received.type, type);
        assert_record_equal(spec->body, sent, received.record);
        message_clear(&received);
        record_clear(spec->body, sent);
        free(sent);
    }
}

static void unknown_types_have_no_spec(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Message message = {0};
    assert_null(message_spec(0));
    assert_null(message_spec(FREE_NUMBER));
    assert_null(message_spec(MESSAGE_TYPE_COUNT));
    assert_null(message_spec(255));
    assert_false(message_unpack(255, "\x80", 1, &message, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    message_clear(&message);
}

static void a_greeting_carries_its_session_and_no_numbers(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer body = {0};
    const uint8_t session_id[SESSION_ID_SIZE] = {1, 2, 3};
    char name[] = "host/1";
    OutgoingFrame frame;
    assert_true(message_greeting(MESSAGE_HELLO, session_id, &(HelloMessage){.slots = 4, .name = name}, &body,
                                 &frame, &error));
    assert_int_equal(frame.header.type, MESSAGE_HELLO);
    assert_memory_equal(frame.header.session_id, session_id, SESSION_ID_SIZE);
    assert_int_equal(frame.header.seq, 0);
    assert_int_equal(frame.header.ack, 0);
    assert_int_equal(frame.header.window, 0);
    Message message;
    assert_true(message_unpack(frame.header.type, frame.body, frame.body_length, &message, &error));
    const HelloMessage *hello = message.record;
    assert_int_equal(hello->slots, 4);
    assert_string_equal(hello->name, "host/1");
    message_clear(&message);

    assert_true(message_greeting(MESSAGE_WHO, session_id, NULL, &body, &frame, &error));
    assert_int_equal(frame.body_length, 1);
}

static void what_is_no_greeting_or_too_large_is_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer body = {0};
    OutgoingFrame frame;
    assert_false(message_greeting(MESSAGE_JOB, (uint8_t[SESSION_ID_SIZE]){0}, NULL, &body, &frame, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    char *large = malloc(FRAME_PART_SIZE + 1);
    memset(large, 'x', FRAME_PART_SIZE);
    large[FRAME_PART_SIZE] = '\0';
    assert_false(message_greeting(MESSAGE_REJECT, (uint8_t[SESSION_ID_SIZE]){0},
                                  &(RejectMessage){.message = large}, &body, &frame, &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);
    free(large);
}

/* ---- the protocol page ---- */

static char *read_page(void)
{
    FILE *file = fopen("proto/README.md", "r");
    assert_non_null(file);
    BUFFER_CLEANUP Buffer page = {0};
    char chunk[4096];
    for (size_t length; (length = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buffer_append(&page, chunk, length);
    fclose(file);
    return buffer_take(&page);
}

static void assert_named(const char *page, size_t length, const char *name, const char *where)
{
    char quoted[128];
    snprintf(quoted, sizeof quoted, "`%s`", name);
    if (memmem(page, length, quoted, strlen(quoted)) == NULL)
        fail_msg("proto/README.md does not name %s in %s", quoted, where);
}

/* The section of a message is the table row that begins with its name. */
static void the_page_names_every_message_class_and_field(void **state)
{
    (void)state;
    static const char *const CLASSES[] = {[MESSAGE_GREETING] = "greeting",
                                          [MESSAGE_UNRELIABLE] = "unreliable",
                                          [MESSAGE_RELIABLE] = "reliable"};
    char *page = read_page();
    for (uint8_t type = 1; type < MESSAGE_TYPE_COUNT; type++) {
        const MessageSpec *spec = message_spec(type);
        char start[64];
        if (type == FREE_NUMBER)
            continue;
        snprintf(start, sizeof start, "\n| %d | `%s` | %s |", type, spec->name, CLASSES[spec->class]);
        const char *row = strstr(page, start);
        if (row == NULL)
            fail_msg("proto/README.md has no row \"%s\"", start + 1);
        size_t length = strcspn(row + 1, "\n") + 1;
        for (size_t i = 0; i < spec->body->field_count; i++) {
            const RecordField *field = &spec->body->fields[i];
            assert_named(row, length, field->name, spec->name);
            for (size_t k = 0; field->kind == FIELD_RECORDS && k < field->of->field_count; k++)
                assert_named(page, strlen(page), field->of->fields[k].name, field->of->name);
        }
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_with_all_its_fields),
        cmocka_unit_test(unknown_types_have_no_spec),
        cmocka_unit_test(a_greeting_carries_its_session_and_no_numbers),
        cmocka_unit_test(what_is_no_greeting_or_too_large_is_refused),
        cmocka_unit_test(the_page_names_every_message_class_and_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
