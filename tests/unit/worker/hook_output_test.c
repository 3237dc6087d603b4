#include "common/utf8.h"
#include "tests/support/test.h"
#include "worker/hook_output.h"

static char *text_of(const char *bytes, size_t length)
{
    HookTail tail = {0};
    hook_tail_add(&tail, bytes, length);
    char *text = hook_tail_text(&tail);
    assert_non_null(text);
    return text;
}

static void expect(const char *bytes, size_t length, const char *expected)
{
    char *text = text_of(bytes, length);
    assert_string_equal(text, expected);
    free(text);
}

#define EXPECT(bytes, expected) expect(bytes, sizeof(bytes) - 1, expected)

static void what_was_written_stands(void **state)
{
    (void)state;
    EXPECT("", "");
    EXPECT("no such host", "no such host");
    EXPECT("\n  one\ntwo \n\n", "one\ntwo");
    EXPECT("gr\xC3\xBC\xC3\x9F"
           "e",
           "gr\xC3\xBC\xC3\x9F"
           "e");
}

static void control_characters_and_broken_bytes_are_replaced(void **state)
{
    (void)state;
    EXPECT("a\tb\rc\r\nd", "a b c\nd");
    EXPECT("\x1B[31mred\x1B[0m", "?[31mred?[0m");
    EXPECT("a\0b\x7F"
           "c\xC2\x9B"
           "d",
           "a?b?c?d");
    EXPECT("a\xFF\xC3(b", "a\xEF\xBF\xBD\xEF\xBF\xBD(b");
}

static void only_the_end_is_kept(void **state)
{
    (void)state;
    HookTail tail = {0};
    for (int i = 0; i < 100000; i++)
        hook_tail_add(&tail, "0123456789", 10);
    hook_tail_add(&tail, "\nthe end", 8);
    char *text = hook_tail_text(&tail);
    assert_int_equal(strlen(text), HOOK_TAIL_SIZE + 3);
    assert_memory_equal(text, "...", 3);
    assert_string_equal(hook_last_line(text), "the end");
    free(text);
}

static void one_large_piece_is_cut_like_many_small_ones(void **state)
{
    (void)state;
    char bytes[HOOK_TAIL_SIZE * 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 26);
    HookTail once = {0}, often = {0};
    hook_tail_add(&once, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i += 6)
        hook_tail_add(&often, bytes + i, 6);
    assert_memory_equal(once.bytes, often.bytes, HOOK_TAIL_SIZE);
    assert_memory_equal(once.bytes, bytes + sizeof bytes - HOOK_TAIL_SIZE, HOOK_TAIL_SIZE);
    assert_true(once.cut && often.cut);
}

static void what_fits_exactly_is_not_cut(void **state)
{
    (void)state;
    char bytes[HOOK_TAIL_SIZE];
    memset(bytes, 'x', sizeof bytes);
    char *text = text_of(bytes, sizeof bytes);
    assert_int_equal(strlen(text), HOOK_TAIL_SIZE);
    free(text);
}

static void a_character_cut_in_two_is_left_out(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        HookTail tail = {0};
        hook_tail_add(&tail, "xyz", shift);
        for (int i = 0; i < 1000; i++)
            hook_tail_add(&tail, "\xE2\x82\xAC", 3);
        char *text = hook_tail_text(&tail);
        assert_true(utf8_valid_text(text));
        assert_null(strstr(text, "\xEF\xBF\xBD"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_stands),
        cmocka_unit_test(control_characters_and_broken_bytes_are_replaced),
        cmocka_unit_test(only_the_end_is_kept),
        cmocka_unit_test(one_large_piece_is_cut_like_many_small_ones),
        cmocka_unit_test(what_fits_exactly_is_not_cut),
        cmocka_unit_test(a_character_cut_in_two_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
