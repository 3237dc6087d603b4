#include "common/arena.h"
#include <stdlib.h>
#include <string.h>

/* Blocks grow with what they hold, so that a list of one tenant is as fine as one of a million. */
enum { BLOCK_FIRST = 1024, BLOCK_MOST = 1 << 20 };

struct ArenaBlock {
    struct ArenaBlock *next;
    size_t used, size;
    char texts[];
};

static struct ArenaBlock *add_block(Arena *arena, size_t needed)
{
    size_t size = arena->bytes < BLOCK_FIRST ? BLOCK_FIRST : arena->bytes;
    if (size > BLOCK_MOST)
        size = BLOCK_MOST;
    if (size < needed)
        size = needed;
    struct ArenaBlock *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    *block = (struct ArenaBlock){.next = arena->blocks, .size = size};
    arena->blocks = block;
    arena->bytes += sizeof *block + size;
    return block;
}

char *arena_text(Arena *arena, const char *text)
{
    size_t length = strlen(text) + 1;
    struct ArenaBlock *block = arena->blocks;
    if ((block == NULL || block->size - block->used < length) && (block = add_block(arena, length)) == NULL)
        return NULL;
    char *copy = block->texts + block->used;
    block->used += length;
    return memcpy(copy, text, length);
}

void arena_clear(Arena *arena)
{
    for (struct ArenaBlock *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (Arena){0};
}
