/* Recorded: which migrations of a bundle a tracking table holds, judged from its rows alone.
 *
 * The index over the bundle is built once and shared by all tenants of a job; each tenant's rows are then
 * counted in. The same rules as tracking_append_applied(): by name, or in hash formats by hash or name, files
 * of equal content by their number.
 */
#pragma once
#include "common/migration.h"
#include "worker/pg/tracking.h"

typedef struct RecordedIndex RecordedIndex;

/* bundle must outlive the index; NULL is an empty one. */
RecordedIndex *recorded_index_new(const Bundle *bundle, Error *error) MUST_CHECK;
void recorded_index_free(RecordedIndex *index);

/* Forgets all rows: a new tenant begins. */
void recorded_begin(RecordedIndex *index, TrackingFormat format);

/* One row: its identifier (may be NULL) and, when the table has milliseconds, its time (0 = none). */
void recorded_row(RecordedIndex *index, const char *identifier, int64_t when_ms);

/* A tenant's rows within a result: `count` of them, identifier in `column` and time in the next one. */
typedef struct RecordedRows {
    const PGresult *rows;
    int first, count;
    int column;
} RecordedRows;

/* recorded_row() for each of them. */
void recorded_count(RecordedIndex *index, const RecordedRows *rows);

/* Of one of them, after all were counted. */
const char *recorded_identifier(const RecordedRows *rows, int i); /* may be NULL */

/* No bundle item explains it: not by name, not (in hash formats) by hash. The row of a changed file is
 * explained for as long as it is the only proof that the file was applied. */
bool recorded_is_orphan(const RecordedIndex *index, const RecordedRows *rows, int i);

/* How many hashes are recorded that no file has; 0 for the format "name". A pending file beside one of them
 * may be a changed version of what was applied. */
int64_t recorded_unexplained(const RecordedIndex *index, const RecordedRows *rows);

/* Adds an identifier as a result shows it: NULL reads "NULL". False when memory ran out. */
bool recorded_add_identifier(TextList *list, const char *identifier) MUST_CHECK;

/* Adds those of all orphans, in the order of the rows; false when memory ran out. */
bool recorded_list_orphans(const RecordedIndex *index, const RecordedRows *rows,
                           TextList *ret_orphans) MUST_CHECK;

/* The bundle item whose row this is, given the items that other rows have already (`taken`, one for each
 * item): by name, in hash formats by hash (of files with equal content the first that is free), or by the
 * journal time of a file that has changed since. False: it is an orphan, or its item is taken. */
bool recorded_match(const RecordedIndex *index, const RecordedRows *rows, int i, const bool *taken,
                    size_t *ret_item);

/* The journal time whose rows prove that item i was applied before it changed; 0 = it has not changed. */
int64_t recorded_changed_when(const RecordedIndex *index, size_t item);

/* About bundle item i, after all rows: it is recorded as it is now, or its file has changed since. The latter
 * only drizzle-kit tells: a row has the item's journal time, which no other item has, and a hash that no file
 * gives. Never both. */
bool recorded_has(const RecordedIndex *index, size_t item);
bool recorded_changed(const RecordedIndex *index, size_t item);
