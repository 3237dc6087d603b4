/* Migrations: the *.sql files of one folder, read once, checked, ordered and digested into a Bundle.
 *
 * Refused with ERROR_MIGRATIONS before anything else happens: a missing or empty folder, an unreadable file,
 * text that is not UTF-8, a NUL byte, a name over 255 bytes, a broken journal. Ties of the numeric prefix are
 * a warning. Sub-folders, hidden and other files are ignored; a symbolic link counts as what it points to.
 * Immutable once loaded, so threads may share it.
 */
#pragma once
#include "common/error.h"
#include "common/record.h"
#include <stddef.h>
#include <stdint.h>

typedef struct Migration {
    char *name;      /* file name without ".sql" */
    char *hash;      /* lower-case hex SHA-256 of the file's raw bytes */
    int64_t when_ms; /* `when` of meta/_journal.json in ms since the epoch, 0 = not in a journal */
    ByteString sql;  /* raw bytes of the file, NUL-terminated after length */
} Migration;

extern const RecordType MIGRATION_RECORD;

/* Migrations in the order in which they apply, with a digest over names, order, contents and journal times.
 */
typedef struct Bundle {
    Migration *items;
    size_t count;
    char digest[65]; /* hex SHA-256 */
} Bundle;

/* Loads and checks a folder, and its meta/_journal.json when there is one. Warnings (equal prefixes, names
 * without prefix, ignored *.sql entries, journal and files that disagree) are added to *warnings, one text
 * each; NULL = not wanted. With allow_empty an empty folder gives an empty bundle. */
bool bundle_load(const char *folder, bool allow_empty, Bundle *ret_bundle, TextList *warnings,
                 Error *error) MUST_CHECK;

/* Computes bundle->digest from the items: names, hashes, journal times and contents in order, each with its
 * length. bundle_load() has done it; a receiver does it to check what arrived. */
bool bundle_digest(Bundle *bundle, Error *error) MUST_CHECK;

/* Refuses names that are empty, longer than 255 bytes, not UTF-8 or with a control character. */
bool migration_name_check(const char *name, Error *error) MUST_CHECK;

/* The text to run: sql without a leading UTF-8 byte order mark. */
const char *migration_text(const Migration *migration, size_t *ret_length);

/* Orders by leading digits as big integers (none = 0), then by the bytes of the name. */
int migration_name_compare(const char *a, const char *b);

/* The first half of that order alone: 0 for names that tie on their number. */
int migration_number_compare(const char *a, const char *b);

void bundle_clear(Bundle *bundle);
