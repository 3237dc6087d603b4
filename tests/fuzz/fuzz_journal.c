/* The journal parser on any bytes: every entry it returns can be found again under a name that may be one. */
#include "common/journal.h"
#include "common/migration.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ERROR_CLEANUP Error error = {0};
    JOURNAL_CLEANUP Journal journal = {0};
    bool parsed = journal_parse(&journal, (const char *)data, size, "meta/_journal.json", &error);
    if (parsed != (error.code == ERROR_NONE) || (!parsed && journal.entries != NULL))
        abort();
    for (size_t i = 0; i < journal.count; i++) {
        const JournalEntry *entry = &journal.entries[i];
        if (!migration_name_check(entry->tag, &error) || entry->when_ms < 0 ||
            journal_find(&journal, entry->tag) != entry)
            abort();
    }
    return 0;
}
