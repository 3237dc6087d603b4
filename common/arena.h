/* Arena: texts packed one behind the other, which all live until their owner ends.
 *
 * For the many small texts of a fleet: a text costs its bytes and nothing else, and no text can be released
 * alone. A zeroed Arena is a valid empty one. Not thread-safe.
 */
#pragma once
#include <stddef.h>

typedef struct Arena {
    struct ArenaBlock *blocks; /* newest first */
    size_t bytes;              /* taken from memory so far */
} Arena;

/* A copy of the text; NULL when memory ran out. */
char *arena_text(Arena *arena, const char *text);
void arena_clear(Arena *arena);
