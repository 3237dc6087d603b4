/* Msgpack walk: reads msgpack from bytes that a stranger sent, without allocating and within limits.
 *
 * walk_check() looks at a whole document once: every count fits the bytes that are left, at most
 * WALK_DEPTH_MAX levels and WALK_ITEMS_MAX items, text is UTF-8 without NUL, integers fit int64, no ext
 * types, nothing after the value. Afterwards walk_next() and walk_skip() may be trusted to stay inside.
 */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

enum {
    WALK_DEPTH_MAX = 16,
    WALK_ITEMS_MAX = 2 << 20,
};

typedef enum WalkKind {
    WALK_RESERVED, /* ext types and the byte 0xc1: never accepted */
    WALK_NIL,
    WALK_BOOL,
    WALK_INT,
    WALK_FLOAT, /* its value is not read: no record has one */
    WALK_TEXT,
    WALK_BYTES,
    WALK_ARRAY,
    WALK_MAP,
} WalkKind;

typedef struct WalkItem {
    WalkKind kind;
    int64_t integer; /* WALK_INT; WALK_BOOL as 0 or 1 */
    const char *data;
    size_t count; /* bytes of text and bytes, elements of an array, pairs of a map */
} WalkItem;

typedef struct WalkCursor {
    const unsigned char *at, *end;
} WalkCursor;

/* Checks one document that fills exactly `length` bytes. ERROR_PROTOCOL, or ERROR_TOO_LARGE for too many
 * items. */
bool walk_check(const void *bytes, size_t length, Error *error) MUST_CHECK;

/* Reads one item: a scalar whole, of an array or map only the head. Bounds are checked, text is not. */
bool walk_next(WalkCursor *cursor, WalkItem *ret_item, Error *error) MUST_CHECK;

/* Steps over one value with everything in it. */
bool walk_skip(WalkCursor *cursor, Error *error) MUST_CHECK;

/* UTF-8 as RFC 3629 has it, and no NUL. */
bool walk_text_valid(const char *text, size_t length);
