#include "worker/pg/text.h"
#include "common/buffer.h"
#include "common/utf8.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char *text_single_line(const char *text)
{
    Buffer line = {0};
    for (const char *c = text; *c != '\0'; c++) {
        if (!is_blank(*c))
            buffer_append_char(&line, *c);
        else if (line.length > 0 && line.data[line.length - 1] != ' ')
            buffer_append_char(&line, ' ');
    }
    if (line.length > 0 && line.data[line.length - 1] == ' ')
        line.data[--line.length] = '\0';
    char *repaired = buffer_failed(&line) ? NULL : utf8_repair(buffer_text(&line));
    buffer_clear(&line);
    return repaired;
}

/* "FATAL:  28P01: " has its code here; severity and colon may be in any language. */
static const char *find_sqlstate(const char *line, size_t length)
{
    for (size_t i = 0; i + 10 <= length; i++) {
        const char *code = line + i + 3;
        if (strncmp(line + i, ":  ", 3) == 0 && strncmp(code + 5, ": ", 2) == 0 &&
            strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
            return code;
    }
    return NULL;
}

char *text_from_connect_error(const char *message, char ret_sqlstate[6])
{
    BUFFER_CLEANUP Buffer kept = {0};
    ret_sqlstate[0] = '\0';
    for (const char *line = message; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *code = find_sqlstate(line, length);
        if (code != NULL) {
            memcpy(ret_sqlstate, code, 5);
            ret_sqlstate[5] = '\0';
            buffer_append(&kept, line, (size_t)(code - line));
            buffer_append(&kept, code + 7, length - (size_t)(code + 7 - line));
        } else if (strncmp(line, "LOCATION:", 9) != 0) {
            buffer_append(&kept, line, length);
        }
        buffer_append_char(&kept, '\n');
        line += length + (line[length] == '\n');
    }
    return buffer_failed(&kept) ? NULL : text_single_line(buffer_text(&kept));
}

char *text_redact(char *text, const char *secret)
{
    Buffer clean = {0};
    const char *rest = text;
    for (const char *found; (found = strstr(rest, secret)) != NULL; rest = found + strlen(secret)) {
        buffer_append(&clean, rest, (size_t)(found - rest));
        buffer_append_text(&clean, "<redacted>");
    }
    buffer_append_text(&clean, rest);
    free(text);
    return buffer_take(&clean);
}
