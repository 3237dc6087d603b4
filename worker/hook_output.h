/* Hook output: the end of what a hook's program wrote, made fit for an error message.
 *
 * However much a program writes, only the last HOOK_TAIL_SIZE bytes are kept. The text is valid UTF-8 without
 * control characters other than newlines, whatever the bytes were. Pure: nothing here knows of processes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { HOOK_TAIL_SIZE = 2048 };

/* A zeroed one is empty. */
typedef struct HookTail {
    char bytes[HOOK_TAIL_SIZE];
    size_t length;
    bool cut; /* more came before what is kept */
} HookTail;

void hook_tail_add(HookTail *tail, const char *bytes, size_t length);

/* Malloc'ed, without white space at its ends, begun with "..." when it is not all; NULL when memory ran out.
 */
char *hook_tail_text(const HookTail *tail);

/* Where the last line of such a text begins. */
const char *hook_last_line(const char *text);
