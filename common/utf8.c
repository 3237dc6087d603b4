#include "common/utf8.h"
#include "common/buffer.h"
#include <stdio.h>
#include <string.h>

/* Lead bytes, the length of their sequences, and the range of the second byte, which is where overlong forms,
 * surrogates and values above U+10FFFF show; all later bytes are 80..BF. */
static const struct {
    unsigned char first, last;
    unsigned char length;
    unsigned char second_first, second_last;
} SEQUENCES[] = {
    {0x00, 0x7F, 1, 0x00, 0x00}, {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

/* The length of the sequence that starts here, 0 when it is not valid. */
static size_t sequence_length(const unsigned char *bytes, size_t available)
{
    for (size_t i = 0; i < sizeof(SEQUENCES) / sizeof(SEQUENCES[0]); i++) {
        if (bytes[0] < SEQUENCES[i].first || bytes[0] > SEQUENCES[i].last)
            continue;
        size_t length = SEQUENCES[i].length;
        if (length > available)
            return 0;
        if (length > 1 && (bytes[1] < SEQUENCES[i].second_first || bytes[1] > SEQUENCES[i].second_last))
            return 0;
        for (size_t k = 2; k < length; k++)
            if (bytes[k] < 0x80 || bytes[k] > 0xBF)
                return 0;
        return length;
    }
    return 0;
}

size_t utf8_valid_prefix(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    size_t offset = 0;
    while (offset < length) {
        size_t step = sequence_length(at + offset, length - offset);
        if (step == 0)
            break;
        offset += step;
    }
    return offset;
}

bool utf8_valid_text(const char *text)
{
    size_t length = strlen(text);
    return utf8_valid_prefix(text, length) == length;
}

bool utf8_has_control(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    for (; *at != '\0'; at++)
        if (*at < 0x20 || *at == 0x7F || (*at == 0xC2 && at[1] >= 0x80 && at[1] <= 0x9F))
            return true;
    return false;
}

const char *utf8_show(const char *text, char ret_shown[UTF8_SHOWN_SIZE])
{
    const size_t room = UTF8_SHOWN_SIZE - sizeof("\"...\"") - sizeof("\\x00");
    size_t length = 0;
    size_t left = strlen(text);
    ret_shown[length++] = '"';
    while (left > 0 && length < room) {
        size_t step = sequence_length((const unsigned char *)text, left);
        char character[5] = {0};
        memcpy(character, text, step);
        if (step == 0 || utf8_has_control(character)) {
            step = 1;
            length += (size_t)snprintf(ret_shown + length, 5, "\\x%02x", (unsigned char)*text);
        } else {
            memcpy(ret_shown + length, text, step);
            length += step;
        }
        text += step;
        left -= step;
    }
    snprintf(ret_shown + length, UTF8_SHOWN_SIZE - length, "%s\"", left > 0 ? "..." : "");
    return ret_shown;
}

char *utf8_repair(const char *text)
{
    Buffer repaired = {0};
    size_t left = strlen(text);
    while (left > 0) {
        size_t valid = utf8_valid_prefix(text, left);
        buffer_append(&repaired, text, valid);
        text += valid;
        left -= valid;
        if (left > 0) {
            buffer_append_text(&repaired, "\xEF\xBF\xBD");
            text++;
            left--;
        }
    }
    return buffer_take(&repaired);
}
