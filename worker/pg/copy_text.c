#include "worker/pg/copy_text.h"
#include <stdbool.h>
#include <string.h>

/* The character behind a backslash: a letter of these, or itself. */
static char unescaped(char letter)
{
    static const char LETTERS[] = "bfnrtv", MEANINGS[] = "\b\f\n\r\t\v";
    const char *at = letter != '\0' ? strchr(LETTERS, letter) : NULL;
    return at != NULL ? MEANINGS[at - LETTERS] : letter;
}

/* One field, NUL-terminated in place. */
static char *field_read(char *field, size_t length)
{
    if (length == 2 && field[0] == '\\' && field[1] == 'N')
        return NULL;
    char *out = field;
    for (size_t i = 0; i < length; i++) {
        bool escape = field[i] == '\\' && i + 1 < length;
        *out++ = escape ? unescaped(field[++i]) : field[i];
    }
    *out = '\0';
    return field;
}

size_t copy_text_cut(char *row, size_t length, char **ret_fields, size_t most)
{
    size_t count = 0;
    char *end = row + length;
    if (length > 0 && end[-1] == '\n')
        end--;
    for (char *field = row; field != NULL; count++) {
        char *tab = memchr(field, '\t', (size_t)(end - field));
        size_t size = (size_t)((tab != NULL ? tab : end) - field);
        if (count < most)
            ret_fields[count] = field_read(field, size);
        field = tab != NULL ? tab + 1 : NULL;
    }
    return count;
}
