/* Schema SQL: what a tenant's schema consists of, read from the raw catalogs.
 *
 * Every kind of object has one expression for its canonical form, used by the digest and by introspection, so
 * that two schemas have equal digests exactly when introspection finds nothing to tell them apart. A
 * canonical form never holds an OID, a position that dropped columns leave behind, or the schema's own name:
 * while a tenant is read, search_path is its schema alone, so the server itself leaves the name out where it
 * deparses, and writes it where an object of somebody else's is meant. Only the bodies of functions are text
 * that nobody deparses; own objects that are named there with their schema lose it.
 *
 * What belongs to a schema is found by pg_depend, because the catalogs themselves have no index on their
 * schema: the cost of a tenant does not depend on how many others there are. Owners, privileges, comments,
 * statistics targets, storage and the state of sequences are not looked at.
 */
#pragma once
#include "common/buffer.h"
#include "common/operation.h"
#include <libpq-fe.h>

enum { SCHEMA_DIGEST_AT_ONCE = 250 };

/* One row for each schema: place (from 0), does it exist, is it first in search_path, "digest tables" (NULL
 * unless both). A schema that the role may not use is never first. The message is one read transaction.
 * `version` is the server's. */
void schema_append_digests(Buffer *sql, const RunOptions *options, int version, const char *const *schemas,
                           size_t count);

/* The message whose results schema_rows.c reads, told apart by the name of their first column. */
void schema_append_introspection(Buffer *sql, const RunOptions *options, int version, const char *schema);

/* Rows (place from 0, in order): schemas of this list in which somebody holds or awaits a lock that readers
 * wait for. */
void schema_append_locked(Buffer *sql, const RunOptions *options, int version, const char *const *schemas,
                          size_t count);

/* Does the second column of this row say that the schema exists, and the third (not NULL) that the role may
 * use it? */
bool schema_row_check(const PGresult *rows, int row, const char *schema, Error *error) MUST_CHECK;
