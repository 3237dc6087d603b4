#include "common/buffer.h"
#include "tests/support/test.h"

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer buffer = {0};
    assert_string_equal(buffer_text(&buffer), "");
    for (int i = 0; i < 1000; i++)
        buffer_appendf(&buffer, "%d,", i);
    buffer_append(&buffer, "\0x", 2);
    assert_int_equal(buffer.length, 3890 + 2);
    assert_int_equal(buffer.data[buffer.length], '\0');
    assert_memory_equal(buffer.data, "0,1,2,", 6);
}

static void take_hands_over_and_empties(void **state)
{
    (void)state;
    Buffer buffer = {0};
    char *text = buffer_take(&buffer);
    assert_string_equal(text, "");
    free(text);
    buffer_append_text(&buffer, "abc");
    text = buffer_take(&buffer);
    assert_string_equal(text, "abc");
    assert_null(buffer.data);
    free(text);
}

static void failure_sticks_until_reset(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer buffer = {0};
    buffer_append_text(&buffer, "abc");
    buffer_append(&buffer, "", SIZE_MAX - 1);
    assert_true(buffer_failed(&buffer));
    buffer_append_text(&buffer, "more");
    assert_string_equal(buffer_text(&buffer), "abc");
    buffer_reset(&buffer);
    assert_false(buffer_failed(&buffer));
    buffer_append(&buffer, "", SIZE_MAX - 1);
    assert_null(buffer_take(&buffer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(take_hands_over_and_empties),
        cmocka_unit_test(failure_sticks_until_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
