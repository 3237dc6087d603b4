#include "common/record_set.h"
#include <stdlib.h>
#include <string.h>

typedef struct Key {
    const RecordType *type;
    const void *record;
} Key;

/* uthash hashes and compares records, not pointers to them, and reports a failed allocation by leaving hh.tbl
 * NULL instead of ending the process. */
static unsigned key_hash(const Key *key);
static int key_compare(const Key *a, const Key *b);
#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, length, hash) ((hash) = key_hash((const Key *)(key)))
#define HASH_KEYCMP(a, b, length) key_compare((const Key *)(a), (const Key *)(b))
#include <uthash.h>

typedef struct Kept {
    UT_hash_handle hh;
    Key key; /* of `record` */
    size_t keepers;
    char record[] __attribute__((aligned(8)));
} Kept;

struct RecordSet {
    const RecordType *type;
    Kept *table;
};

static unsigned key_hash(const Key *key)
{
    uint64_t hash = record_hash(key->type, key->record);
    return (unsigned)(hash ^ (hash >> 32));
}

static int key_compare(const Key *a, const Key *b)
{
    return !record_equal(a->type, a->record, b->record);
}

RecordSet *record_set_new(const RecordType *type, Error *error)
{
    RecordSet *set = calloc(1, sizeof *set);
    if (set == NULL)
        error_memory(error);
    else
        set->type = type;
    return set;
}

const void *record_set_keep(RecordSet *set, void *record)
{
    const RecordType *type = set->type;
    const Key key = {type, record};
    Kept *kept;
    HASH_FIND(hh, set->table, &key, sizeof key, kept);
    if (kept != NULL) {
        record_clear(type, record);
        kept->keepers++;
        return kept->record;
    }
    if ((kept = calloc(1, sizeof *kept + type->size)) == NULL)
        return NULL;
    memcpy(kept->record, record, type->size);
    kept->key = (Key){type, kept->record};
    kept->keepers = 1;
    HASH_ADD(hh, set->table, key, sizeof kept->key, kept);
    if (kept->hh.tbl == NULL) {
        free(kept);
        return NULL;
    }
    memset(record, 0, type->size);
    return kept->record;
}

static void kept_free(RecordSet *set, Kept *kept)
{
    HASH_DEL(set->table, kept);
    record_clear(set->type, kept->record);
    free(kept);
}

void record_set_drop(RecordSet *set, const void *record)
{
    Kept *kept = record != NULL ? (Kept *)((char *)(uintptr_t)record - offsetof(Kept, record)) : NULL;
    if (kept != NULL && --kept->keepers == 0)
        kept_free(set, kept);
}

size_t record_set_count(const RecordSet *set)
{
    return set != NULL ? HASH_COUNT(set->table) : 0;
}

void record_set_free(RecordSet *set)
{
    if (set == NULL)
        return;
    Kept *kept, *next;
    HASH_ITER(hh, set->table, kept, next)
    {
        kept_free(set, kept);
    }
    free(set);
}
