#include "worker/hook_output.h"
#include "common/buffer.h"
#include "common/utf8.h"
#include <stdlib.h>
#include <string.h>

void hook_tail_add(HookTail *tail, const char *bytes, size_t length)
{
    if (length > HOOK_TAIL_SIZE) {
        bytes += length - HOOK_TAIL_SIZE;
        length = HOOK_TAIL_SIZE;
        tail->cut = true;
    }
    size_t room = HOOK_TAIL_SIZE - tail->length;
    if (length > room) {
        size_t gone = length - room;
        memmove(tail->bytes, tail->bytes + gone, tail->length - gone);
        tail->length -= gone;
        tail->cut = true;
    }
    memcpy(tail->bytes + tail->length, bytes, length);
    tail->length += length;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The kept bytes without white space at their ends and without the rest of a character that was cut in two.
 */
static void trim(const HookTail *tail, const char **ret_start, const char **ret_end)
{
    const char *start = tail->bytes, *end = tail->bytes + tail->length;
    for (int i = 0; tail->cut && i < 3 && start < end && ((unsigned char)*start & 0xC0) == 0x80; i++)
        start++;
    while (start < end && is_space(*start))
        start++;
    while (end > start && is_space(end[-1]))
        end--;
    *ret_start = start;
    *ret_end = end;
}

/* Whether a control character of two bytes (U+0080 to U+009F) stands here. */
static bool is_wide_control(const char *at)
{
    return (unsigned char)at[0] == 0xC2 && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] <= 0x9F;
}

/* Control characters, but for newlines, become blanks and question marks. */
static void append_without_controls(Buffer *text, const char *repaired)
{
    for (const char *at = repaired; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (is_wide_control(at)) {
            buffer_append_char(text, '?');
            at++;
        } else if (c == '\t' || (c == '\r' && at[1] != '\n')) {
            buffer_append_char(text, ' ');
        } else if (c != '\r') {
            buffer_append_char(text, (c < 0x20 && c != '\n') || c == 0x7F ? '?' : *at);
        }
    }
}

char *hook_tail_text(const HookTail *tail)
{
    BUFFER_CLEANUP Buffer raw = {0};
    Buffer text = {0};
    const char *start, *end;
    trim(tail, &start, &end);
    for (const char *at = start; at < end; at++)
        buffer_append_char(&raw, *at != '\0' ? *at : '?');
    char *repaired = buffer_failed(&raw) ? NULL : utf8_repair(buffer_text(&raw));
    if (repaired == NULL)
        return NULL;
    if (tail->cut)
        buffer_append_text(&text, "...");
    append_without_controls(&text, repaired);
    free(repaired);
    return buffer_take(&text);
}

const char *hook_last_line(const char *text)
{
    const char *newline = strrchr(text, '\n');
    return newline != NULL ? newline + 1 : text;
}
