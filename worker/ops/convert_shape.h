/* Convert shape: what the catalog says about a tracking table, and the statements that give it another
 * format's shape in place.
 *
 * The table stays the same table, so owner, grants, comments, further columns and its sequence stay what they
 * are; what depends on a column that changes is the server's to refuse. Columns keep their order, which is
 * that of a new table.
 */
#pragma once
#include "worker/ops/convert_rows.h"
#include "worker/pg/tracking.h"

typedef struct ConvertShape {
    TrackingTable tracking;
    const char *identifier; /* the column that will hold it: the first of "name" and "hash" */
    const char *surplus;    /* the other one, or NULL */
    const char *other_time; /* of "applied_at" and "created_at" the one that tells nothing, or NULL */
    char *identifier_type;  /* with its modifier, of `identifier` */
    char *time_type;        /* of tracking.time_column */
    char *primary_key;      /* constraint, or NULL */
    char *sequence;         /* of the id, or NULL; in the table's schema */
    TextList uniques;       /* constraints on the identifier alone */
} ConvertShape;

/* tracking.format TRACKING_NONE: there is no table. ERROR_TRACKING when it is none that can be converted. */
bool convert_shape_read(ConvertShape *shape, Connection *connection, const char *schema, const char *table,
                        Error *error) MUST_CHECK;
void convert_shape_clear(ConvertShape *shape);

/* The table has this format and nothing of another one. */
bool convert_shape_is(const ConvertShape *shape, TrackingFormat format);

/* Statements, each ended by a semicolon, that make the table one of this format with these rows. */
void convert_shape_append(Buffer *sql, const ConvertShape *shape, const ConvertRows *rows, const char *schema,
                          const char *table, TrackingFormat target);
