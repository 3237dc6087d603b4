#include "worker/ops/script_head.h"
#include "worker/ops/sql_token.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static SqlToken next_token(const MigrationScript *script, size_t at)
{
    return sql_token_next(script->text, script->length, at);
}

static SqlToken token_after(const MigrationScript *script, SqlToken token)
{
    return next_token(script, token.start + token.length);
}

static bool is(const MigrationScript *script, SqlToken token, const char *word)
{
    return sql_token_is(script->text, token, word);
}

static bool ends_statement(const MigrationScript *script, SqlToken token)
{
    return token.kind == SQL_END || is(script, token, ";");
}

/* Does the comment, after its dashes, begin with these words, however they are spaced? */
static bool comment_says(const char *comment, size_t length, const char *words)
{
    size_t at = strspn(comment, "-");
    while (*words != '\0') {
        while (at < length && (comment[at] == ' ' || comment[at] == '\t'))
            at++;
        size_t word = strcspn(words, " ");
        if (length - at < word || memcmp(comment + at, words, word) != 0)
            return false;
        at += word;
        if (at < length && comment[at] != ' ' && comment[at] != '\t')
            return false;
        words += word + strspn(words + word, " ");
    }
    return true;
}

int64_t script_no_transaction_line(const MigrationScript *script)
{
    static const char *const SPELLINGS[] = {"pgconvoy:transaction off", "+goose NO TRANSACTION",
                                            "migrate:up transaction:false", "atlas:txmode none"};
    size_t at = 0;
    for (;;) {
        SqlToken token = sql_token_at(script->text, script->length, at);
        if (token.kind != SQL_SPACE && token.kind != SQL_COMMENT)
            return 0;
        for (size_t i = 0; token.kind == SQL_COMMENT && i < sizeof SPELLINGS / sizeof SPELLINGS[0]; i++)
            if (comment_says(script->text + token.start, token.length, SPELLINGS[i]))
                return migration_script_line(script, token.start);
        at = token.start + token.length;
    }
}

/* The range from a statement's first token to behind its semicolon. */
static ScriptPiece range_to(const MigrationScript *script, SqlToken first, SqlToken last)
{
    size_t end = is(script, last, ";") ? last.start + last.length : last.start;
    return (ScriptPiece){.start = first.start, .length = end - first.start};
}

static bool find_begin(const MigrationScript *script, ScriptPiece *ret_begin)
{
    SqlToken first = next_token(script, 0), token = token_after(script, first);
    bool starts = is(script, first, "START") && is(script, token, "TRANSACTION");
    if (!starts && !is(script, first, "BEGIN"))
        return false;
    while (token.kind == SQL_WORD || is(script, token, ","))
        token = token_after(script, token);
    if (!is(script, token, ";"))
        return false;
    *ret_begin = range_to(script, first, token);
    return true;
}

/* The first token of the last statement that is not empty. */
static SqlToken last_statement(const MigrationScript *script)
{
    SqlToken last = {SQL_END, script->length, 0};
    bool at_start = true;
    for (SqlToken token = next_token(script, 0); token.kind != SQL_END; token = token_after(script, token)) {
        bool semicolon = is(script, token, ";");
        if (at_start && !semicolon)
            last = token;
        at_start = semicolon;
    }
    return last;
}

bool script_find_wrapper(const MigrationScript *script, ScriptWrapper *ret_wrapper)
{
    ScriptWrapper wrapper = {0};
    if (!find_begin(script, &wrapper.begin))
        return false;
    SqlToken last = last_statement(script), token = token_after(script, last);
    wrapper.by_end = is(script, last, "END");
    if (!wrapper.by_end && !is(script, last, "COMMIT"))
        return false;
    if (is(script, token, "WORK") || is(script, token, "TRANSACTION"))
        token = token_after(script, token);
    if (!ends_statement(script, token))
        return false;
    wrapper.commit = range_to(script, last, token);
    *ret_wrapper = wrapper;
    return true;
}

static bool names_timeout(const char *name, size_t length)
{
    static const char *const NAMES[] = {"statement_timeout", "lock_timeout"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strlen(NAMES[i]) == length && strncasecmp(NAMES[i], name, length) == 0)
            return true;
    return false;
}

/* A plain '...' that reads the same with any standard_conforming_strings. */
static bool is_plain_string(const MigrationScript *script, SqlToken token)
{
    return token.kind == SQL_STRING && script->text[token.start] == '\'' &&
           memchr(script->text + token.start, '\\', token.length) == NULL;
}

/* Values that are sure to be one, so that the statement is sure to be one. */
static bool is_plain_value(const MigrationScript *script, SqlToken token)
{
    if (token.kind == SQL_NUMBER)
        return strspn(script->text + token.start, "0123456789") >= token.length;
    return is_plain_string(script, token) || is(script, token, "DEFAULT");
}

/* SET [SESSION | LOCAL] name {= | TO} value, and whether that is a timeout's. Returns the token that ends the
 * statement. */
static SqlToken read_set(const MigrationScript *script, SqlToken set, bool *ret_timeout)
{
    SqlToken name = token_after(script, set);
    if (is(script, name, "SESSION") || is(script, name, "LOCAL"))
        name = token_after(script, name);
    SqlToken equals = token_after(script, name), value = token_after(script, equals);
    bool timeout = name.kind == SQL_WORD && names_timeout(script->text + name.start, name.length) &&
                   (is(script, equals, "=") || is(script, equals, "TO")) && is_plain_value(script, value) &&
                   ends_statement(script, token_after(script, value));
    SqlToken token = name;
    while (!ends_statement(script, token))
        token = token_after(script, token);
    *ret_timeout = timeout;
    return token;
}

/* SELECT [pg_catalog.]set_config('name', 'value', bool), and nothing else. SQL_SYMBOL that ends it, or
 * SQL_SPACE when it is something else. */
static SqlToken read_set_config(const MigrationScript *script, SqlToken select, bool *ret_timeout)
{
    static const SqlToken OTHER = {SQL_SPACE, 0, 0};
    SqlToken token = token_after(script, select);
    if (is(script, token, "pg_catalog")) {
        token = token_after(script, token);
        if (!is(script, token, "."))
            return OTHER;
        token = token_after(script, token);
    }
    if (!is(script, token, "set_config"))
        return OTHER;
    SqlToken parts[6];
    for (size_t i = 0; i < 6; i++)
        parts[i] = token = token_after(script, token);
    token = token_after(script, token);
    SqlToken closing = token;
    bool call = is(script, parts[0], "(") && is_plain_string(script, parts[1]) && is(script, parts[2], ",") &&
                is_plain_string(script, parts[3]) && is(script, parts[4], ",") &&
                (is(script, parts[5], "true") || is(script, parts[5], "false")) && is(script, closing, ")");
    token = token_after(script, closing);
    if (!call || !ends_statement(script, token))
        return OTHER;
    *ret_timeout = names_timeout(script->text + parts[1].start + 1, parts[1].length - 2);
    return token;
}

static bool take_setting(MigrationScript *script, SqlToken first, SqlToken end, Error *error)
{
    size_t stop = end.start;
    while (stop > first.start && strchr(" \t\r\n\f\v", script->text[stop - 1]) != NULL)
        stop--;
    ScriptPiece setting = {.start = first.start, .length = stop - first.start};
    if (!script_pieces_add(&script->settings, setting, error))
        return false;
    ScriptPiece range = range_to(script, first, end);
    script_blank(script, range.start, range.length);
    return true;
}

bool script_take_settings(MigrationScript *script, Error *error)
{
    SqlToken first = next_token(script, 0);
    while (first.kind == SQL_WORD) {
        bool timeout = false;
        SqlToken end;
        if (is(script, first, "SET"))
            end = read_set(script, first, &timeout);
        else if (is(script, first, "SELECT"))
            end = read_set_config(script, first, &timeout);
        else
            return true;
        if (end.kind == SQL_SPACE)
            return true;
        SqlToken following = token_after(script, end);
        if (timeout && !take_setting(script, first, end, error))
            return false;
        first = following;
    }
    return true;
}

bool script_is_transaction(const MigrationScript *script, size_t offset)
{
    static const char *const WORDS[] = {"BEGIN",    "START", "COMMIT",    "END",
                                        "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"};
    SqlToken first = next_token(script, offset);
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (is(script, first, WORDS[i]))
            return true;
    return is(script, first, "PREPARE") && is(script, token_after(script, first), "TRANSACTION");
}

void script_blank(MigrationScript *script, size_t start, size_t length)
{
    for (size_t i = start; i < start + length; i++)
        if (script->text[i] != '\n' && script->text[i] != '\r')
            script->text[i] = ' ';
}

bool script_pieces_add(ScriptPieces *pieces, ScriptPiece piece, Error *error)
{
    if (pieces->count == pieces->capacity) {
        size_t capacity = pieces->capacity == 0 ? 8 : pieces->capacity * 2;
        ScriptPiece *items = reallocarray(pieces->items, capacity, sizeof *items);
        if (items == NULL)
            return error_memory(error);
        pieces->items = items;
        pieces->capacity = capacity;
    }
    pieces->items[pieces->count++] = piece;
    return true;
}
