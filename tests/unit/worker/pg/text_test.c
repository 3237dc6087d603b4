#include "tests/support/test.h"
#include "worker/pg/sql.h"
#include "worker/pg/text.h"

static void assert_freed(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void texts_become_one_line_of_utf8(void **state)
{
    (void)state;
    assert_freed(text_single_line(" a\n\tb  c\r\n"), "a b c");
    assert_freed(text_single_line(""), "");
    assert_freed(text_single_line("\xE9t\xC3\xA9 \xF0\x9F\x98\x80"),
                 "\xEF\xBF\xBDt\xC3\xA9 \xF0\x9F\x98\x80");
}

static void sqlstate_is_moved_out_of_a_refusal(void **state)
{
    (void)state;
    char sqlstate[6] = "?";
    assert_freed(
        text_from_connect_error("connection to server at \"h\", port 1 failed: FATAL:  28P01: password "
                                "authentication failed\nLOCATION:  auth_failed, auth.c:334\n",
                                sqlstate),
        "connection to server at \"h\", port 1 failed: FATAL: password authentication failed");
    assert_string_equal(sqlstate, "28P01");
    assert_freed(text_from_connect_error("failed: Connection refused\n\tIs it running?\n", sqlstate),
                 "failed: Connection refused Is it running?");
    assert_string_equal(sqlstate, "");
    assert_freed(text_from_connect_error("a: FATAL:  57P03: x\nb: FATAL:  53300: y", sqlstate),
                 "a: FATAL: x b: FATAL: y");
    assert_string_equal(sqlstate, "53300");
    assert_freed(text_from_connect_error(":  28P0: x:  abcde: y:  28P01", sqlstate),
                 ": 28P0: x: abcde: y: 28P01");
    assert_string_equal(sqlstate, "");
}

static void secrets_are_replaced_wherever_they_stand(void **state)
{
    (void)state;
    assert_freed(text_redact(strdup("s3cret is s3cret, s3cre"), "s3cret"), "<redacted> is <redacted>, s3cre");
    assert_freed(text_redact(strdup(""), "x"), "");
}

static void names_and_values_are_quoted(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer sql = {0};
    sql_append_qualified(&sql, "a\"b", "c");
    sql_append_literal(&sql, "it's");
    sql_append_literal(&sql, "a\\'b");
    assert_string_equal(buffer_text(&sql), "\"a\"\"b\".\"c\"'it''s' E'a\\\\''b'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_one_line_of_utf8),
        cmocka_unit_test(sqlstate_is_moved_out_of_a_refusal),
        cmocka_unit_test(secrets_are_replaced_wherever_they_stand),
        cmocka_unit_test(names_and_values_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
