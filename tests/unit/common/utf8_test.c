#include "common/utf8.h"
#include "tests/support/test.h"
#include <stdio.h>

static void valid_texts_are_taken_whole(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",
                                        "plain",
                                        "\xC2\x80",
                                        "\xDF\xBF",
                                        "\xE0\xA0\x80",
                                        "\xED\x9F\xBF",
                                        "\xEE\x80\x80",
                                        "\xF0\x90\x80\x80",
                                        "\xF4\x8F\xBF\xBF",
                                        "a\xC3\xA9z"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_true(utf8_valid_text(TEXTS[i]));
    assert_int_equal(utf8_valid_prefix("a\0b", 3), 3);
}

static void bad_sequences_end_the_valid_prefix(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "\x80",     /* a continuation alone */
        "\xC0\xAF", /* overlong */
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80",     /* a surrogate */
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xC3",
        "\xE2\x82", /* cut short */
        "\xE2\x28\xA1",
        "\xF0\x9F\x92\x28",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        char text[16];
        snprintf(text, sizeof(text), "ok%s", TEXTS[i]);
        assert_int_equal(utf8_valid_prefix(text, strlen(text)), 2);
        assert_false(utf8_valid_text(text));
    }
}

static void control_characters_are_found(void **state)
{
    (void)state;
    assert_true(utf8_has_control("a\tb"));
    assert_true(utf8_has_control("\x7f"));
    assert_true(utf8_has_control("a\xC2\x85"));
    assert_false(utf8_has_control("a b\xC2\xA0\xC3\x85"));
    assert_false(utf8_has_control(""));
}

static void repair_replaces_bad_bytes_only(void **state)
{
    (void)state;
    char *text = utf8_repair("a\xff\xC3\xA9\xE2\x82");
    assert_string_equal(text, "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD");
    free(text);
    text = utf8_repair("");
    assert_string_equal(text, "");
    free(text);
}

static void shown_text_is_safe_and_bounded(void **state)
{
    (void)state;
    char shown[UTF8_SHOWN_SIZE];
    assert_string_equal(utf8_show("a\x1b[31m\xff\xC2\x85\xC3\xA9", shown),
                        "\"a\\x1b[31m\\xff\\xc2\\x85\xC3\xA9\"");
    assert_string_equal(utf8_show("", shown), "\"\"");
    char text[400];
    for (int filler = 0; filler < 3; filler++) {
        static const char *const FILLERS[] = {"x", "\x01", "\xF0\x9F\x92\xA9"};
        text[0] = '\0';
        for (int i = 0; i < 90; i++)
            strcat(text, FILLERS[filler]);
        utf8_show(text, shown);
        assert_true(strlen(shown) < UTF8_SHOWN_SIZE);
        assert_true(utf8_valid_text(shown));
        assert_string_equal(shown + strlen(shown) - 4, "...\"");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_taken_whole),
        cmocka_unit_test(bad_sequences_end_the_valid_prefix),
        cmocka_unit_test(control_characters_are_found),
        cmocka_unit_test(repair_replaces_bad_bytes_only),
        cmocka_unit_test(shown_text_is_safe_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
