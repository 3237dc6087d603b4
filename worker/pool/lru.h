/* Lru: things found by key and ordered by their last access. Pure: no clock, no lock, no memory of its own.
 *
 * Nodes are members of what they stand for and belong to the caller. Three orders are kept: by access (for
 * eviction and reports), by insertion (for lists), and a hash by key. Looking something up is no access.
 */
#pragma once
#define HASH_NONFATAL_OOM 1
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

typedef struct LruNode {
    const char *key; /* bytes, constant while the node is in */
    size_t key_length;
    int64_t accessed_ms;
    struct LruNode *prev, *next;
    UT_hash_handle hh;
} LruNode;

/* A zeroed one is empty. */
typedef struct Lru {
    LruNode *by_key;    /* iterate with lru_next_inserted() */
    LruNode *by_access; /* most recent first, linked by next */
    size_t count;
} Lru;

LruNode *lru_find(const Lru *lru, const char *key, size_t key_length);

/* Adds as the most recent one; false (nothing changed) when memory ran out. The key must not be in yet. */
bool lru_add(Lru *lru, LruNode *node, int64_t now_ms);
void lru_remove(Lru *lru, LruNode *node);

/* Makes it the most recent one. */
void lru_touch(Lru *lru, LruNode *node, int64_t now_ms);

/* The least recently accessed one while there are more than max, else NULL. */
LruNode *lru_surplus(const Lru *lru, size_t max);

/* Nodes from the least recently accessed on, NULL at the end; previous NULL begins. */
LruNode *lru_next_oldest(const Lru *lru, const LruNode *previous);
/* Nodes in order of insertion. */
LruNode *lru_next_inserted(const Lru *lru, const LruNode *previous);

/* Not accessed for longer than ttl_ms (0 = never expires). */
bool lru_is_expired(const LruNode *node, int64_t ttl_ms, int64_t now_ms);
