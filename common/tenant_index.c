#include "common/tenant_index.h"
#include "common/hash.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct TenantEntry {
    const char *database, *name;
    size_t position;
} TenantEntry;

typedef struct Slot {
    uint32_t hash;
    uint32_t entry; /* its number from 1; 0 = the slot is free */
} Slot;

/* Open addressing: a fleet's index comes and goes several times in a run, and a hash with a header for each
 * element takes more memory than the tenants. Never more than half full. */
struct TenantIndex {
    TenantEntry *entries;
    size_t count, capacity;
    Slot *slots;
    size_t slot_count; /* a power of two */
};

static uint32_t hash_of(const char *database, const char *name)
{
    uint64_t hash = fnv_add_text(fnv_add_text(FNV_START, database), name);
    return (uint32_t)(hash ^ (hash >> 32));
}

TenantIndex *tenant_index_new(size_t capacity, Error *error)
{
    TenantIndex *index = calloc(1, sizeof(*index));
    size_t slots = 16;
    while (slots / 2 < capacity && slots < UINT32_MAX)
        slots *= 2;
    bool possible = index != NULL && slots / 2 >= capacity;
    if (possible) {
        *index = (TenantIndex){.capacity = capacity, .slot_count = slots};
        index->entries = calloc(capacity + 1, sizeof(*index->entries));
        index->slots = calloc(slots, sizeof(*index->slots));
    }
    if (!possible || index->entries == NULL || index->slots == NULL) {
        error_memory(error);
        tenant_index_free(index);
        return NULL;
    }
    return index;
}

void tenant_index_free(TenantIndex *index)
{
    if (index == NULL)
        return;
    free(index->entries);
    free(index->slots);
    free(index);
}

void tenant_index_release(TenantIndex **index)
{
    tenant_index_free(*index);
}

/* The pair's slot, or the free one where it belongs. */
static Slot *find_slot(const TenantIndex *index, uint32_t hash, const char *database, const char *name)
{
    for (size_t at = hash;; at++) {
        Slot *slot = &index->slots[at & (index->slot_count - 1)];
        if (slot->entry == 0)
            return slot;
        const TenantEntry *entry = &index->entries[slot->entry - 1];
        if (slot->hash == hash && strcmp(entry->name, name) == 0 && strcmp(entry->database, database) == 0)
            return slot;
    }
}

size_t tenant_index_find(const TenantIndex *index, const char *database, const char *name)
{
    const Slot *slot = find_slot(index, hash_of(database, name), database, name);
    return slot->entry != 0 ? index->entries[slot->entry - 1].position : TENANT_INDEX_NONE;
}

bool tenant_index_add(TenantIndex *index, const char *database, const char *name, size_t position,
                      Error *error)
{
    if (index->count == index->capacity)
        return error_set(error, ERROR_MEMORY, "the index of tenants is full at %zu", index->capacity);
    uint32_t hash = hash_of(database, name);
    Slot *slot = find_slot(index, hash, database, name);
    index->entries[index->count++] = (TenantEntry){database, name, position};
    *slot = (Slot){hash, (uint32_t)index->count};
    return true;
}
