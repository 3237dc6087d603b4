#include "common/tenant_index.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct TenantKey {
    const char *database;
    const char *name;
} TenantKey;

/* uthash hashes and compares the texts of a key, not its two pointers, and reports a failed allocation by
 * leaving hh.tbl NULL instead of ending the process. */
static unsigned key_hash(const TenantKey *key);
static int key_compare(const TenantKey *a, const TenantKey *b);
#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, length, hash) ((hash) = key_hash((const TenantKey *)(key)))
#define HASH_KEYCMP(a, b, length) key_compare((const TenantKey *)(a), (const TenantKey *)(b))
#include <uthash.h>

typedef struct TenantEntry {
    TenantKey key;
    size_t position;
    UT_hash_handle hh;
} TenantEntry;

struct TenantIndex {
    TenantEntry *table; /* head of the hash; entries live in `entries` */
    TenantEntry *entries;
    size_t count, capacity;
};

static unsigned key_hash(const TenantKey *key)
{
    unsigned database, name;
    HASH_JEN(key->database, strlen(key->database), database);
    HASH_JEN(key->name, strlen(key->name), name);
    return database * 31 + name;
}

static int key_compare(const TenantKey *a, const TenantKey *b)
{
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->database, b->database);
}

TenantIndex *tenant_index_new(size_t capacity, Error *error)
{
    TenantIndex *index = calloc(1, sizeof(*index));
    if (index == NULL || (index->entries = calloc(capacity + 1, sizeof(*index->entries))) == NULL) {
        error_memory(error);
        tenant_index_free(index);
        return NULL;
    }
    index->capacity = capacity;
    return index;
}

void tenant_index_free(TenantIndex *index)
{
    if (index == NULL)
        return;
    HASH_CLEAR(hh, index->table);
    free(index->entries);
    free(index);
}

void tenant_index_release(TenantIndex **index)
{
    tenant_index_free(*index);
}

size_t tenant_index_find(const TenantIndex *index, const char *database, const char *name)
{
    TenantKey key = {database, name};
    TenantEntry *found;
    HASH_FIND(hh, index->table, &key, sizeof(key), found);
    return found != NULL ? found->position : TENANT_INDEX_NONE;
}

bool tenant_index_add(TenantIndex *index, const char *database, const char *name, size_t position,
                      Error *error)
{
    if (index->count == index->capacity)
        return error_set(error, ERROR_MEMORY, "the index of tenants is full at %zu", index->capacity);
    TenantEntry *entry = &index->entries[index->count];
    *entry = (TenantEntry){.key = {database, name}, .position = position};
    HASH_ADD(hh, index->table, key, sizeof(entry->key), entry);
    if (entry->hh.tbl == NULL)
        return error_memory(error);
    index->count++;
    return true;
}
