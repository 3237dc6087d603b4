/* SQL tokens: just enough of PostgreSQL's lexical rules to see where strings, comments and words begin and
 * end.
 *
 * For looking at the head and the tail of a migration file and at marker comments. It is not a parser: it
 * never decides what is valid, and text that ends inside a string or comment gives one token up to the end.
 * Plain '...' strings are read as with standard_conforming_strings = on.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef enum SqlTokenKind {
    SQL_END,
    SQL_SPACE,
    SQL_COMMENT, /* "-- ..." without its line end, or a nested C-style comment */
    SQL_WORD,    /* keyword or unquoted name */
    SQL_STRING,  /* '...', E'...' or $tag$...$tag$ */
    SQL_NAME,    /* "..." */
    SQL_NUMBER,
    SQL_SYMBOL, /* one character of anything else */
} SqlTokenKind;

typedef struct SqlToken {
    SqlTokenKind kind;
    size_t start, length; /* bytes */
} SqlToken;

/* The token that starts at byte `at` of text; SQL_END with length 0 when at == length. */
SqlToken sql_token_at(const char *text, size_t length, size_t at);

/* The first token at or after `at` that is neither space nor comment. */
SqlToken sql_token_next(const char *text, size_t length, size_t at);

/* A word (any case) or a symbol that reads exactly so. */
bool sql_token_is(const char *text, SqlToken token, const char *word);
