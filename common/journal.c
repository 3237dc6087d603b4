#include "common/journal.h"
#include "common/migration.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool refuse_entry(const char *path, size_t position, const char *problem, Error *error)
{
    return error_set(error, ERROR_MIGRATIONS, "migration journal %s: entries[%zu] %s", path, position,
                     problem);
}

static bool add_entry(Journal *journal, json_t *value, const char *path, Error *error)
{
    const char *tag = json_string_value(json_object_get(value, "tag"));
    json_t *when = json_object_get(value, "when");
    if (tag == NULL)
        return refuse_entry(path, journal->count, "has no text \"tag\"", error);
    if (!json_is_integer(when) || json_integer_value(when) < 0)
        return refuse_entry(path, journal->count, "has no \"when\" in milliseconds", error);
    if (!migration_name_check(tag, error)) {
        error_prefix(error, "migration journal %s: entries[%zu]", path, journal->count);
        return false;
    }
    char *copy = strdup(tag);
    if (copy == NULL)
        return error_memory(error);
    journal->entries[journal->count++] = (JournalEntry){copy, json_integer_value(when)};
    return true;
}

static int compare_tags(const void *a, const void *b)
{
    return strcmp(((const JournalEntry *)a)->tag, ((const JournalEntry *)b)->tag);
}

static bool add_entries(Journal *journal, json_t *root, const char *path, Error *error)
{
    json_t *entries = json_object_get(root, "entries");
    if (!json_is_array(entries))
        return error_set(error, ERROR_MIGRATIONS, "migration journal %s has no list \"entries\"", path);
    journal->entries = calloc(json_array_size(entries) + 1, sizeof(*journal->entries));
    if (journal->entries == NULL)
        return error_memory(error);
    size_t position;
    json_t *value;
    json_array_foreach(entries, position, value)
    {
        if (!add_entry(journal, value, path, error))
            return false;
    }
    qsort(journal->entries, journal->count, sizeof(*journal->entries), compare_tags);
    for (size_t i = 1; i < journal->count; i++)
        if (strcmp(journal->entries[i - 1].tag, journal->entries[i].tag) == 0)
            return error_set(error, ERROR_MIGRATIONS, "migration journal %s lists \"%s\" twice", path,
                             journal->entries[i].tag);
    return true;
}

bool journal_parse(Journal *ret_journal, const char *bytes, size_t length, const char *path, Error *error)
{
    json_error_t broken;
    json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &broken);
    if (root == NULL && json_error_code(&broken) == json_error_out_of_memory)
        return error_memory(error);
    if (root == NULL) {
        error_set(error, ERROR_MIGRATIONS, "migration journal %s:%d:%d is not JSON", path, broken.line,
                  broken.column);
        error_set_detail(error, "%s", broken.text);
        return false;
    }
    Journal journal = {0};
    bool parsed = add_entries(&journal, root, path, error);
    json_decref(root);
    if (parsed)
        *ret_journal = journal;
    else
        journal_clear(&journal);
    return parsed;
}

const JournalEntry *journal_find(const Journal *journal, const char *tag)
{
    if (journal->count == 0)
        return NULL;
    JournalEntry wanted = {(char *)tag, 0};
    return bsearch(&wanted, journal->entries, journal->count, sizeof(wanted), compare_tags);
}

void journal_clear(Journal *journal)
{
    for (size_t i = 0; i < journal->count; i++)
        free(journal->entries[i].tag);
    free(journal->entries);
    *journal = (Journal){0};
}
