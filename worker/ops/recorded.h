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

/* About bundle item i, after all rows: it is recorded as it is now, or its file has changed since. The latter
 * only drizzle-kit tells: a row has the item's journal time, which no other item has, and a hash that no file
 * gives. Never both. */
bool recorded_has(const RecordedIndex *index, size_t item);
bool recorded_changed(const RecordedIndex *index, size_t item);
