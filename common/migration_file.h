/* Migration file: starts the next *.sql file of a migrations folder.
 *
 * Only names are looked at; whether the files in the folder are any good is bundle_load()'s to say. Nothing
 * is ever overwritten. Two people who start a file at the same moment under different names may get the same
 * number, which bundle_load() warns of.
 */
#pragma once
#include "common/error.h"

/* "Add Users!" -> "0004_add_users", malloc'ed: the number after the highest one there is, with at least four
 * digits; ASCII letters and digits in lower case, an underscore for every run of anything else, none at the
 * ends. Words without a letter or digit make "migration". NULL with ERROR_USAGE or ERROR_MIGRATIONS. */
char *migration_file_name(const char *folder, const char *words, Error *error) MUST_CHECK;

/* Makes folder/NAME.sql, which holds nothing but a comment, and returns its path, malloc'ed. A folder that
 * does not exist, or that drizzle-kit keeps (meta/_journal.json), is ERROR_MIGRATIONS. */
char *migration_file_create(const char *folder, const char *words, Error *error) MUST_CHECK;
