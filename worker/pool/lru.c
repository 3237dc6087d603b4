#include "worker/pool/lru.h"
#include <utlist.h>

LruNode *lru_find(const Lru *lru, const char *key, size_t key_length)
{
    LruNode *node = NULL;
    HASH_FIND(hh, lru->by_key, key, key_length, node);
    return node;
}

bool lru_add(Lru *lru, LruNode *node, int64_t now_ms)
{
    size_t before = HASH_COUNT(lru->by_key);
    HASH_ADD_KEYPTR(hh, lru->by_key, node->key, node->key_length, node);
    if (HASH_COUNT(lru->by_key) == before)
        return false;
    node->accessed_ms = now_ms;
    DL_PREPEND(lru->by_access, node);
    lru->count++;
    return true;
}

void lru_remove(Lru *lru, LruNode *node)
{
    HASH_DEL(lru->by_key, node);
    DL_DELETE(lru->by_access, node);
    lru->count--;
}

void lru_touch(Lru *lru, LruNode *node, int64_t now_ms)
{
    node->accessed_ms = now_ms;
    DL_DELETE(lru->by_access, node);
    DL_PREPEND(lru->by_access, node);
}

LruNode *lru_surplus(const Lru *lru, size_t max)
{
    return lru->count > max ? lru_next_oldest(lru, NULL) : NULL;
}

LruNode *lru_next_oldest(const Lru *lru, const LruNode *previous)
{
    if (lru->by_access == NULL || previous == lru->by_access)
        return NULL;
    /* utlist: the head's prev is the tail */
    return previous == NULL ? lru->by_access->prev : previous->prev;
}

LruNode *lru_next_inserted(const Lru *lru, const LruNode *previous)
{
    return previous == NULL ? lru->by_key : previous->hh.next;
}

bool lru_is_expired(const LruNode *node, int64_t ttl_ms, int64_t now_ms)
{
    return ttl_ms > 0 && now_ms - node->accessed_ms > ttl_ms;
}
