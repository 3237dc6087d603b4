#include "worker/ops/recorded.h"
#include "common/utf8.h"
#include <stdlib.h>
#include <string.h>

/* A name, a hash or a time of the bundle. */
typedef struct Entry {
    const char *text;
    int64_t when_ms;
    size_t items; /* bundle items that share it */
    size_t item;  /* one of them */
    int64_t rows; /* that have it; for a time only those whose identifier is in no file */
} Entry;

typedef struct Entries {
    Entry *items; /* sorted, without duplicates */
    size_t count;
} Entries;

/* Where a bundle item's entries are. */
typedef struct Slot {
    Entry *name;
    Entry *hash;
    Entry *when; /* NULL without a journal time of its own */
    int64_t ordinal;
} Slot;

struct RecordedIndex {
    const Bundle *bundle;
    TrackingFormat format;
    Entries names, hashes, whens;
    Slot *slots;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->text, ((const Entry *)b)->text);
}

static int by_when(const void *a, const void *b)
{
    int64_t left = ((const Entry *)a)->when_ms, right = ((const Entry *)b)->when_ms;
    return left < right ? -1 : left > right;
}

/* Sorts and folds equal entries into one. */
static void fold(Entries *entries, int (*compare)(const void *, const void *))
{
    if (entries->count == 0)
        return;
    qsort(entries->items, entries->count, sizeof *entries->items, compare);
    size_t kept = 0;
    for (size_t i = 1; i < entries->count; i++) {
        if (compare(&entries->items[kept], &entries->items[i]) == 0)
            entries->items[kept].items++;
        else
            entries->items[++kept] = entries->items[i];
    }
    entries->count = kept + 1;
}

static Entry *find(const Entries *entries, const Entry *key, int (*compare)(const void *, const void *))
{
    if (entries->count == 0)
        return NULL;
    return bsearch(key, entries->items, entries->count, sizeof *entries->items, compare);
}

static void index_fill(RecordedIndex *index)
{
    const Bundle *bundle = index->bundle;
    for (size_t i = 0; i < bundle->count; i++) {
        const Migration *migration = &bundle->items[i];
        index->names.items[index->names.count++] = (Entry){.text = migration->name, .items = 1, .item = i};
        index->hashes.items[index->hashes.count++] = (Entry){.text = migration->hash, .items = 1, .item = i};
        if (migration->when_ms > 0)
            index->whens.items[index->whens.count++] =
                (Entry){.when_ms = migration->when_ms, .items = 1, .item = i};
    }
    fold(&index->names, by_text);
    fold(&index->hashes, by_text);
    fold(&index->whens, by_when);
    for (size_t i = 0; i < bundle->count; i++) {
        const Migration *migration = &bundle->items[i];
        Slot *slot = &index->slots[i];
        slot->name = find(&index->names, &(Entry){.text = migration->name}, by_text);
        slot->hash = find(&index->hashes, &(Entry){.text = migration->hash}, by_text);
        Entry *when = find(&index->whens, &(Entry){.when_ms = migration->when_ms}, by_when);
        slot->when = when != NULL && when->items == 1 ? when : NULL;
        slot->ordinal = ++slot->hash->rows; /* counts up; recorded_begin() clears it */
    }
}

RecordedIndex *recorded_index_new(const Bundle *bundle, Error *error)
{
    static const Bundle EMPTY;
    RecordedIndex *index = calloc(1, sizeof *index);
    if (index == NULL) {
        error_memory(error);
        return NULL;
    }
    index->bundle = bundle != NULL ? bundle : &EMPTY;
    size_t count = index->bundle->count + 1; /* calloc(0) may be NULL */
    index->names.items = calloc(count, sizeof(Entry));
    index->hashes.items = calloc(count, sizeof(Entry));
    index->whens.items = calloc(count, sizeof(Entry));
    index->slots = calloc(count, sizeof *index->slots);
    if (index->names.items == NULL || index->hashes.items == NULL || index->whens.items == NULL ||
        index->slots == NULL) {
        recorded_index_free(index);
        error_memory(error);
        return NULL;
    }
    index_fill(index);
    return index;
}

void recorded_index_free(RecordedIndex *index)
{
    if (index == NULL)
        return;
    free(index->names.items);
    free(index->hashes.items);
    free(index->whens.items);
    free(index->slots);
    free(index);
}

static void forget_rows(Entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        entries->items[i].rows = 0;
}

void recorded_begin(RecordedIndex *index, TrackingFormat format)
{
    index->format = format;
    forget_rows(&index->names);
    forget_rows(&index->hashes);
    forget_rows(&index->whens);
}

/* Whether any item has this name or hash. */
static bool count_row(const Entries *entries, const char *identifier)
{
    Entry *entry = find(entries, &(Entry){.text = identifier}, by_text);
    if (entry != NULL)
        entry->rows++;
    return entry != NULL;
}

void recorded_row(RecordedIndex *index, const char *identifier, int64_t when_ms)
{
    if (identifier == NULL)
        return;
    bool known = count_row(&index->names, identifier);
    if (index->format == TRACKING_NAME)
        return;
    known = count_row(&index->hashes, identifier) || known;
    if (known || index->format != TRACKING_DRIZZLE_KIT || when_ms <= 0)
        return;
    Entry *when = find(&index->whens, &(Entry){.when_ms = when_ms}, by_when);
    if (when != NULL)
        when->rows++;
}

bool recorded_has(const RecordedIndex *index, size_t item)
{
    const Slot *slot = &index->slots[item];
    if (slot->name->rows > 0)
        return true;
    return index->format != TRACKING_NAME && slot->hash->rows >= slot->ordinal;
}

bool recorded_changed(const RecordedIndex *index, size_t item)
{
    const Slot *slot = &index->slots[item];
    return !recorded_has(index, item) && slot->when != NULL && slot->when->rows > 0;
}

int64_t recorded_changed_when(const RecordedIndex *index, size_t item)
{
    return recorded_changed(index, item) ? index->slots[item].when->when_ms : 0;
}

const char *recorded_identifier(const RecordedRows *rows, int i)
{
    int row = rows->first + i;
    return PQgetisnull(rows->rows, row, rows->column) ? NULL : PQgetvalue(rows->rows, row, rows->column);
}

static int64_t when_at(const RecordedRows *rows, int i)
{
    return strtoll(PQgetvalue(rows->rows, rows->first + i, rows->column + 1), NULL, 10);
}

void recorded_count(RecordedIndex *index, const RecordedRows *rows)
{
    for (int i = 0; i < rows->count; i++)
        recorded_row(index, recorded_identifier(rows, i), when_at(rows, i));
}

static bool is_explained(const RecordedIndex *index, const char *identifier, int64_t when_ms)
{
    const Entry key = {.text = identifier, .when_ms = when_ms};
    if (find(&index->names, &key, by_text) != NULL)
        return true;
    if (index->format == TRACKING_NAME)
        return false;
    if (find(&index->hashes, &key, by_text) != NULL)
        return true;
    const Entry *when = index->format == TRACKING_DRIZZLE_KIT ? find(&index->whens, &key, by_when) : NULL;
    return when != NULL && recorded_changed(index, when->item);
}

bool recorded_is_orphan(const RecordedIndex *index, const RecordedRows *rows, int i)
{
    const char *identifier = recorded_identifier(rows, i);
    return identifier == NULL || !is_explained(index, identifier, when_at(rows, i));
}

int64_t recorded_unexplained(const RecordedIndex *index, const RecordedRows *rows)
{
    int64_t count = 0;
    for (int i = 0; index->format != TRACKING_NAME && i < rows->count; i++)
        count += recorded_identifier(rows, i) != NULL && recorded_is_orphan(index, rows, i);
    return count;
}

static bool take_item(const bool *taken, size_t item, size_t *ret_item)
{
    if (taken[item])
        return false;
    *ret_item = item;
    return true;
}

static bool take_by_hash(const RecordedIndex *index, const Entry *hash, const bool *taken, size_t *ret_item)
{
    if (hash->items == 1)
        return take_item(taken, hash->item, ret_item);
    for (size_t i = 0; i < index->bundle->count; i++)
        if (index->slots[i].hash == hash && take_item(taken, i, ret_item))
            return true;
    return false;
}

bool recorded_match(const RecordedIndex *index, const RecordedRows *rows, int i, const bool *taken,
                    size_t *ret_item)
{
    if (recorded_is_orphan(index, rows, i))
        return false;
    const Entry key = {.text = recorded_identifier(rows, i), .when_ms = when_at(rows, i)};
    const Entry *name = find(&index->names, &key, by_text);
    if (name != NULL)
        return take_item(taken, name->item, ret_item);
    const Entry *hash = find(&index->hashes, &key, by_text);
    if (hash != NULL)
        return take_by_hash(index, hash, taken, ret_item);
    return take_item(taken, find(&index->whens, &key, by_when)->item, ret_item);
}

/* A result travels as UTF-8, which an SQL_ASCII database does not promise. */
bool recorded_add_identifier(TextList *list, const char *identifier)
{
    if (identifier == NULL)
        return text_list_add(list, "NULL");
    if (utf8_valid_text(identifier))
        return text_list_add(list, identifier);
    char *repaired = utf8_repair(identifier);
    bool good = repaired != NULL && text_list_add(list, repaired);
    free(repaired);
    return good;
}

bool recorded_list_orphans(const RecordedIndex *index, const RecordedRows *rows, TextList *ret_orphans)
{
    for (int i = 0; i < rows->count; i++)
        if (recorded_is_orphan(index, rows, i) &&
            !recorded_add_identifier(ret_orphans, recorded_identifier(rows, i)))
            return false;
    return true;
}
