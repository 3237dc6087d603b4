/* Journal: meta/_journal.json of a folder written by drizzle-kit, as far as migrations need it.
 *
 * Only the entries' `tag` (a migration's name) and `when` (ms since the epoch, what the drizzle-kit format
 * stores) are kept; everything else in the file may be whatever it likes.
 */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct JournalEntry {
    char *tag;
    int64_t when_ms;
} JournalEntry;

typedef struct Journal {
    JournalEntry *entries; /* sorted by tag, without duplicates */
    size_t count;
} Journal;

/* `path` names the file in errors, which are ERROR_MIGRATIONS with a line where the JSON itself is broken. */
bool journal_parse(Journal *ret_journal, const char *bytes, size_t length, const char *path,
                   Error *error) MUST_CHECK;

const JournalEntry *journal_find(const Journal *journal, const char *tag);
void journal_clear(Journal *journal);

#define JOURNAL_CLEANUP __attribute__((cleanup(journal_clear)))
