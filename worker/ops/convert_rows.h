/* Convert rows: which migration each row of a tracking table records, and what it will say in another format.
 *
 * Refused is every table whose rows cannot be carried over without changing what counts as applied: orphans,
 * migrations recorded twice, and a changed file that only its journal time still explains.
 */
#pragma once
#include "worker/ops/recorded.h"
#include "worker/pg/connection.h"

typedef struct ConvertRows {
    PGresult *result; /* id, identifier, journal time; by id */
    size_t count;
    size_t *items; /* of the bundle, one for each row */
    const Bundle *bundle;
} ConvertRows;

/* Reads the rows of "schema"."table", whose shape is known, and counts them into `recorded`, an index over
 * the bundle. */
bool convert_rows_read(ConvertRows *rows, Connection *connection, const char *qualified,
                       const TrackingTable *tracking, RecordedIndex *recorded, Error *error) MUST_CHECK;

/* Finds everybody's item; ERROR_TRACKING names what stands in the way. `recorded` speaks of the new table
 * afterwards. */
bool convert_rows_match(ConvertRows *rows, const Bundle *bundle, RecordedIndex *recorded,
                        TrackingFormat target, Error *error) MUST_CHECK;
void convert_rows_clear(ConvertRows *rows);

const char *convert_rows_id(const ConvertRows *rows, size_t i);

/* What the row says in a format: its migration's name or hash, and its journal time (0 = none). */
const char *convert_rows_identifier(const ConvertRows *rows, size_t i, TrackingFormat format);
int64_t convert_rows_when(const ConvertRows *rows, size_t i);

/* Every row says that already. */
bool convert_rows_agree(const ConvertRows *rows, TrackingFormat format);
