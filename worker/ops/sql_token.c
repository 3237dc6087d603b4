#include "worker/ops/sql_token.h"
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static size_t span_spaces(const char *text, size_t length, size_t at)
{
    while (at < length && is_space(text[at]))
        at++;
    return at;
}

static size_t span_word(const char *text, size_t length, size_t at)
{
    while (at < length && (starts_word(text[at]) || is_digit(text[at]) || text[at] == '$'))
        at++;
    return at;
}

static size_t span_number(const char *text, size_t length, size_t at)
{
    while (at < length && (starts_word(text[at]) || is_digit(text[at]) || text[at] == '.'))
        at++;
    return at;
}

static size_t span_line_comment(const char *text, size_t length, size_t at)
{
    while (at < length && text[at] != '\n' && text[at] != '\r')
        at++;
    return at;
}

static size_t span_block_comment(const char *text, size_t length, size_t at)
{
    size_t depth = 0;
    while (at + 1 < length) {
        if (text[at] == '/' && text[at + 1] == '*') {
            depth++;
            at += 2;
        } else if (text[at] == '*' && text[at + 1] == '/') {
            depth--;
            at += 2;
            if (depth == 0)
                return at;
        } else
            at++;
    }
    return length;
}

/* From the opening quote to behind the closing one; a doubled quote stands for itself. */
static size_t span_quoted(const char *text, size_t length, size_t at, bool backslashes)
{
    char quote = text[at++];
    while (at < length) {
        if (backslashes && text[at] == '\\')
            at += 2;
        else if (text[at] != quote)
            at++;
        else if (at + 1 < length && text[at + 1] == quote)
            at += 2;
        else
            return at + 1;
    }
    return length;
}

/* Behind the closing $tag$, or `at` itself when no dollar quote opens here. */
static size_t span_dollar_string(const char *text, size_t length, size_t at)
{
    size_t end = at + 1;
    while (end < length && (starts_word(text[end]) || (is_digit(text[end]) && end > at + 1)))
        end++;
    if (end >= length || text[end] != '$')
        return at;
    size_t tag = end + 1 - at;
    const char *close = memmem(text + at + tag, length - at - tag, text + at, tag);
    return close != NULL ? (size_t)(close - text) + tag : length;
}

SqlToken sql_token_at(const char *text, size_t length, size_t at)
{
    if (at >= length)
        return (SqlToken){SQL_END, length, 0};
    char c = text[at], following = at + 1 < length ? text[at + 1] : '\0';
    SqlTokenKind kind = SQL_SYMBOL;
    size_t end = at + 1;
    if (is_space(c)) {
        kind = SQL_SPACE;
        end = span_spaces(text, length, at);
    } else if (c == '-' && following == '-') {
        kind = SQL_COMMENT;
        end = span_line_comment(text, length, at);
    } else if (c == '/' && following == '*') {
        kind = SQL_COMMENT;
        end = span_block_comment(text, length, at);
    } else if (c == '\'') {
        kind = SQL_STRING;
        end = span_quoted(text, length, at, false);
    } else if ((c == 'e' || c == 'E') && following == '\'') {
        kind = SQL_STRING;
        end = span_quoted(text, length, at + 1, true);
    } else if (c == '"') {
        kind = SQL_NAME;
        end = span_quoted(text, length, at, false);
    } else if (c == '$' && span_dollar_string(text, length, at) > at) {
        kind = SQL_STRING;
        end = span_dollar_string(text, length, at);
    } else if (starts_word(c)) {
        kind = SQL_WORD;
        end = span_word(text, length, at);
    } else if (is_digit(c)) {
        kind = SQL_NUMBER;
        end = span_number(text, length, at);
    }
    return (SqlToken){kind, at, end - at};
}

SqlToken sql_token_next(const char *text, size_t length, size_t at)
{
    for (;;) {
        SqlToken token = sql_token_at(text, length, at);
        if (token.kind != SQL_SPACE && token.kind != SQL_COMMENT)
            return token;
        at = token.start + token.length;
    }
}

bool sql_token_is(const char *text, SqlToken token, const char *word)
{
    return (token.kind == SQL_WORD || token.kind == SQL_SYMBOL) && token.length == strlen(word) &&
           strncasecmp(text + token.start, word, token.length) == 0;
}
