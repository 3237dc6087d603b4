#include "common/buffer.h"
#include "tests/support/test.h"
#include "worker/ops/sql_token.h"

/* The kinds of a text's tokens, one letter each. */
static char *kinds_of(const char *text)
{
    static const char LETTERS[] = "!.cwsqn*";
    Buffer out = {0};
    size_t length = strlen(text);
    for (SqlToken token = sql_token_at(text, length, 0); token.kind != SQL_END;
         token = sql_token_at(text, length, token.start + token.length)) {
        assert_true(token.length > 0);
        buffer_append_char(&out, LETTERS[token.kind]);
    }
    return buffer_take(&out);
}

static void sees_where_tokens_begin_and_end(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kinds;
    } CASES[] = {
        {"", ""},
        {"select 1.5e3;", "w.n*"},
        {"a$1 \xC3\xA9t\xC3\xA9 _x", "w.w.w"},
        {"'it''s' x", "s.w"},
        {"'a\\' x", "s.w"},
        {"E'a\\' x' y", "s.w"},
        {"e'a\\\\' x", "s.w"},
        {"be'a' x", "ws.w"},
        {"\"a\"\"b\" x", "q.w"},
        {"$$a$$ $x$ $$ $x$ z", "s.s.w"},
        {"$1 $ $a b", "*n.*.*w.w"},
        {"$a$ $A$ $a$ b", "s.w"},
        {"-- a\nb", "c.w"},
        {"-- a\rb", "c.w"},
        {"/* a /* b */ c */d", "cw"},
        {"/* a /* b */ c", "c"},
        {"1-- 2", "nc"},
        {"a-/*x*/b", "w*cw"},
        {"'open", "s"},
        {"E'open\\", "s"},
        {"\"open", "q"},
        {"$x$open$x", "s"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char *kinds = kinds_of(CASES[i].text);
        assert_string_equal(kinds, CASES[i].kinds);
        free(kinds);
    }
}

static void compares_words_and_symbols_alone(void **state)
{
    (void)state;
    const char *text = "Begin 'begin' ;";
    size_t length = strlen(text);
    SqlToken word = sql_token_next(text, length, 0);
    SqlToken string = sql_token_next(text, length, word.start + word.length);
    SqlToken symbol = sql_token_next(text, length, string.start + string.length);
    assert_true(sql_token_is(text, word, "BEGIN"));
    assert_false(sql_token_is(text, word, "BEG"));
    assert_false(sql_token_is(text, string, "'begin'"));
    assert_true(sql_token_is(text, symbol, ";"));
    assert_int_equal(sql_token_next(text, length, length).kind, SQL_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_where_tokens_begin_and_end),
        cmocka_unit_test(compares_words_and_symbols_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
