#include "common/config.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 64 };

static int smallest(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Damerau-Levenshtein with adjacent swaps (optimal string alignment), blind to case and to "-" against "_".
 */
static int edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int rows[3][NAME_MAX_LENGTH + 1];
    int *before = rows[0];
    int *above = rows[1];
    int *current = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        above[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        current[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            int cost = a[i - 1] != b[j - 1];
            current[j] = smallest(above[j] + 1, current[j - 1] + 1, above[j - 1] + cost);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < current[j])
                current[j] = before[j - 2] + 1;
        }
        int *spare = before;
        before = above;
        above = current;
        current = spare;
    }
    return above[b_length];
}

static size_t fold(const char *name, char ret_folded[NAME_MAX_LENGTH + 1])
{
    size_t length = strnlen(name, NAME_MAX_LENGTH);
    for (size_t i = 0; i < length; i++)
        ret_folded[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    ret_folded[length] = '\0';
    return length;
}

const char *nearest_name(const char *name, const char *const *known, size_t count)
{
    if (strlen(name) > NAME_MAX_LENGTH)
        return NULL;
    char wanted[NAME_MAX_LENGTH + 1];
    size_t wanted_length = fold(name, wanted);
    const char *nearest = NULL;
    /* One slip in a short word, two in a longer one; more would suggest strangers. */
    int nearest_distance = wanted_length <= 1 ? 0 : wanted_length <= 5 ? 1 : wanted_length <= 9 ? 2 : 3;
    nearest_distance++;
    for (size_t i = 0; i < count; i++) {
        char candidate[NAME_MAX_LENGTH + 1];
        size_t length = fold(known[i], candidate);
        if (length == 0)
            continue;
        int distance = edit_distance(wanted, wanted_length, candidate, length);
        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = known[i];
        }
    }
    if (nearest != NULL)
        return nearest;
    /* A word cut short is as good a guess, when only one continues it. */
    for (size_t i = 0; i < count && wanted_length >= 3; i++) {
        char candidate[NAME_MAX_LENGTH + 1];
        fold(known[i], candidate);
        if (strncmp(candidate, wanted, wanted_length) != 0)
            continue;
        if (nearest != NULL)
            return NULL;
        nearest = known[i];
    }
    return nearest;
}
