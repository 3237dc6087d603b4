/* What a hook's program wrote, in pieces of any size: the text is bounded, valid UTF-8 and harmless to print.
 */
#include "common/utf8.h"
#include "worker/hook_output.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_printable(char *text)
{
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (utf8_has_control(line))
            return false;
    return true;
}

/* The first byte says how large the pieces are; the rest is written often enough to run over. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t piece = (size_t)data[0] + 1, length = size - 1;
    const char *bytes = (const char *)data + 1;
    HookTail tail = {0};
    for (size_t written = 0; written < 2 * HOOK_TAIL_SIZE; written += length)
        for (size_t at = 0; at < length; at += piece)
            hook_tail_add(&tail, bytes + at, length - at < piece ? length - at : piece);
    char *text = hook_tail_text(&tail);
    if (text == NULL || tail.length > HOOK_TAIL_SIZE || strlen(text) > 3 * HOOK_TAIL_SIZE + 3 ||
        !utf8_valid_text(text) || hook_last_line(text) < text || !is_printable(text))
        abort();
    free(text);
    return 0;
}
