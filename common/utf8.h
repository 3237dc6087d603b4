/* UTF-8: the one check that names, ids, files and messages from elsewhere pass through.
 *
 * Strict as in RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Nothing here knows
 * about characters beyond their encoding: no case, no normalisation.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define UTF8_BOM "\xEF\xBB\xBF"

/* The length of the longest valid prefix: `length` when all of it is valid, else the offset of the first bad
 * byte. NUL is a valid byte. */
size_t utf8_valid_prefix(const void *bytes, size_t length);
bool utf8_valid_text(const char *text);

/* Whether the valid text holds U+0000..U+001F, U+007F or U+0080..U+009F. */
bool utf8_has_control(const char *text);

/* A malloc'ed copy in which each bad byte became U+FFFD; NULL when memory ran out. */
char *utf8_repair(const char *text);

#define UTF8_SHOWN_SIZE 96

/* For messages about refused text: writes it in double quotes, control characters and bad bytes as \xNN and
 * cut off with "..." after about 60 bytes, and returns ret_shown. */
const char *utf8_show(const char *text, char ret_shown[UTF8_SHOWN_SIZE]);
