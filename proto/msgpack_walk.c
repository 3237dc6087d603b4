#include "proto/msgpack_walk.h"
#include "common/utf8.h"
#include <string.h>

/* Formats 0xc0 to 0xdf; the others keep their value or count inside the first byte. `width` bytes follow:
 * the value of a scalar, the count of anything else. */
static const struct {
    uint8_t kind, width;
    bool is_signed;
} FORMATS[32] = {
    [0x00] = {WALK_NIL, 0, false},      [0x01] = {WALK_RESERVED, 0, false},
    [0x02] = {WALK_BOOL, 0, false},     [0x03] = {WALK_BOOL, 0, false},
    [0x04] = {WALK_BYTES, 1, false},    [0x05] = {WALK_BYTES, 2, false},
    [0x06] = {WALK_BYTES, 4, false},    [0x07] = {WALK_RESERVED, 0, false},
    [0x08] = {WALK_RESERVED, 0, false}, [0x09] = {WALK_RESERVED, 0, false},
    [0x0a] = {WALK_FLOAT, 4, false},    [0x0b] = {WALK_FLOAT, 8, false},
    [0x0c] = {WALK_INT, 1, false},      [0x0d] = {WALK_INT, 2, false},
    [0x0e] = {WALK_INT, 4, false},      [0x0f] = {WALK_INT, 8, false},
    [0x10] = {WALK_INT, 1, true},       [0x11] = {WALK_INT, 2, true},
    [0x12] = {WALK_INT, 4, true},       [0x13] = {WALK_INT, 8, true},
    [0x14] = {WALK_RESERVED, 0, false}, [0x15] = {WALK_RESERVED, 0, false},
    [0x16] = {WALK_RESERVED, 0, false}, [0x17] = {WALK_RESERVED, 0, false},
    [0x18] = {WALK_RESERVED, 0, false}, [0x19] = {WALK_TEXT, 1, false},
    [0x1a] = {WALK_TEXT, 2, false},     [0x1b] = {WALK_TEXT, 4, false},
    [0x1c] = {WALK_ARRAY, 2, false},    [0x1d] = {WALK_ARRAY, 4, false},
    [0x1e] = {WALK_MAP, 2, false},      [0x1f] = {WALK_MAP, 4, false},
};

static bool truncated(Error *error)
{
    return error_set(error, ERROR_PROTOCOL, "msgpack ends in the middle of a value");
}

/* The first byte of an item whose value or count it holds itself. */
static WalkItem read_short(unsigned char head)
{
    if (head <= 0x7f)
        return (WalkItem){.kind = WALK_INT, .integer = head};
    if (head >= 0xe0)
        return (WalkItem){.kind = WALK_INT, .integer = (int64_t)head - 0x100};
    if (head <= 0x8f)
        return (WalkItem){.kind = WALK_MAP, .count = head & 0x0f};
    if (head <= 0x9f)
        return (WalkItem){.kind = WALK_ARRAY, .count = head & 0x0f};
    return (WalkItem){.kind = WALK_TEXT, .count = head & 0x1f};
}

static uint64_t read_number(const unsigned char *bytes, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | bytes[i];
    return number;
}

static bool set_integer(WalkItem *item, uint64_t number, size_t width, bool is_signed, Error *error)
{
    if (is_signed) {
        unsigned unused_bits = 64 - 8 * (unsigned)width;
        item->integer = (int64_t)(number << unused_bits) >> unused_bits;
        return true;
    }
    if (number > INT64_MAX)
        return error_set(error, ERROR_PROTOCOL, "msgpack integer does not fit 64 bits with a sign");
    item->integer = (int64_t)number;
    return true;
}

static bool read_long(WalkCursor *cursor, unsigned char head, WalkItem *item, Error *error)
{
    size_t width = FORMATS[head - 0xc0].width;
    if ((size_t)(cursor->end - cursor->at) < width)
        return truncated(error);
    uint64_t number = read_number(cursor->at, width);
    cursor->at += width;
    *item = (WalkItem){.kind = FORMATS[head - 0xc0].kind};
    if (item->kind == WALK_RESERVED)
        return error_set(error, ERROR_PROTOCOL, "msgpack format 0x%02x is not allowed", head);
    if (item->kind == WALK_BOOL)
        item->integer = head == 0xc3;
    else if (item->kind == WALK_INT)
        return set_integer(item, number, width, FORMATS[head - 0xc0].is_signed, error);
    else if (item->kind >= WALK_TEXT)
        item->count = (size_t)number;
    return true;
}

bool walk_next(WalkCursor *cursor, WalkItem *ret_item, Error *error)
{
    if (cursor->at == cursor->end)
        return truncated(error);
    unsigned char head = *cursor->at++;
    WalkItem item;
    if (head < 0xc0 || head >= 0xe0)
        item = read_short(head);
    else if (!read_long(cursor, head, &item, error))
        return false;

    /* Every element takes at least one byte, so a count above what is left is a lie that must not reach an
     * allocation. */
    size_t left = (size_t)(cursor->end - cursor->at);
    if (item.count > (item.kind == WALK_MAP ? left / 2 : left))
        return truncated(error);
    if (item.kind == WALK_TEXT || item.kind == WALK_BYTES) {
        item.data = (const char *)cursor->at;
        cursor->at += item.count;
    }
    *ret_item = item;
    return true;
}

/* Reads one value and all below it, looking into text only when `check_text`. */
static bool walk_value(WalkCursor *cursor, bool check_text, Error *error)
{
    size_t left[WALK_DEPTH_MAX]; /* items still to come on each level */
    size_t depth = 0, items = 0;
    do {
        WalkItem item;
        if (!walk_next(cursor, &item, error))
            return false;
        if (++items > WALK_ITEMS_MAX)
            return error_set(error, ERROR_TOO_LARGE, "msgpack has more than %d items", WALK_ITEMS_MAX);
        if (check_text && item.kind == WALK_TEXT && !walk_text_valid(item.data, item.count))
            return error_set(error, ERROR_PROTOCOL, "msgpack text is not UTF-8 or holds a NUL byte");
        if (depth > 0)
            left[depth - 1]--;
        if (item.kind == WALK_ARRAY || item.kind == WALK_MAP) {
            if (depth == WALK_DEPTH_MAX)
                return error_set(error, ERROR_PROTOCOL, "msgpack is nested deeper than %d levels",
                                 WALK_DEPTH_MAX);
            left[depth++] = item.kind == WALK_MAP ? 2 * item.count : item.count;
        }
        while (depth > 0 && left[depth - 1] == 0)
            depth--;
    } while (depth > 0);
    return true;
}

bool walk_check(const void *bytes, size_t length, Error *error)
{
    WalkCursor cursor = {.at = bytes, .end = (const unsigned char *)bytes + length};
    if (!walk_value(&cursor, true, error))
        return false;
    if (cursor.at != cursor.end)
        return error_set(error, ERROR_PROTOCOL, "msgpack is followed by %zu bytes too many",
                         (size_t)(cursor.end - cursor.at));
    return true;
}

bool walk_skip(WalkCursor *cursor, Error *error)
{
    return walk_value(cursor, false, error);
}

bool walk_text_valid(const char *text, size_t length)
{
    return utf8_valid_prefix(text, length) == length && (length == 0 || memchr(text, '\0', length) == NULL);
}
