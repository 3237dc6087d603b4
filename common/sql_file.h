/* SQL file: one file whose text goes to the servers, read with the checks that every such file passes.
 *
 * `kind` says in messages what the file is, as in "migration file \"x.sql\" is not UTF-8". Failures are
 * ERROR_MIGRATIONS. Files of 1 GiB or more are refused: no server takes such a text.
 */
#pragma once
#include "common/error.h"
#include "common/migration.h"

/* Reads a file below the open folder (AT_FDCWD = the working directory) into malloc'ed, NUL-terminated bytes.
 */
bool sql_file_read(int folder, const char *kind, const char *file, ByteString *ret_content,
                   Error *error) MUST_CHECK;

/* Refuses NUL bytes and what is not UTF-8. */
bool sql_file_check(const char *kind, const char *file, const ByteString *content, Error *error) MUST_CHECK;

/* The lower-case hex SHA-256 of the raw bytes, malloc'ed. */
bool sql_file_hash(const ByteString *content, char **ret_hash, Error *error) MUST_CHECK;

/* Says why a file could not be read: `reason` is an errno. Returns false. */
bool sql_file_unreadable(const char *kind, const char *file, int reason, Error *error);

/* A bundle with one item: the seed at this path, named after the file without ".sql". Refuses, besides what
 * the checks above do, a file without any text (ERROR_MIGRATIONS) and the source of another language
 * (ERROR_USAGE). */
bool bundle_load_seed(const char *path, Bundle *ret_bundle, Error *error) MUST_CHECK;
