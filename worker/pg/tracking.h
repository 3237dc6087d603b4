/* Tracking tables: the contract's three shapes, how to recognise them, and the SQL that reads and writes
 * them.
 *
 *   name         (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, applied_at TIMESTAMPTZ DEFAULT
 * now) hash         (id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at TIMESTAMPTZ DEFAULT now)
 *   drizzle-kit  (id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at BIGINT NOT NULL)
 *
 * Detection looks at columns: `name` -> name (its time column is applied_at, else created_at); else `hash`
 * with a bigint created_at -> drizzle-kit; else `hash` -> hash; anything else is ERROR_TRACKING naming the
 * columns, never a second table. A configured format other than auto skips detection but must fit the
 * columns.
 */
#pragma once
#include "common/error.h"
#include "common/migration.h"
#include "worker/pg/connection.h"

typedef enum TrackingFormat {
    TRACKING_NONE,
    TRACKING_NAME,
    TRACKING_HASH,
    TRACKING_DRIZZLE_KIT
} TrackingFormat;

const char *tracking_format_name(TrackingFormat format); /* NULL for TRACKING_NONE */
bool tracking_format_from_name(const char *name, TrackingFormat *ret_format);

/* One column as read from pg_attribute. */
typedef struct TrackingColumn {
    const char *name;
    const char *type; /* format_type(): "bigint", "timestamp with time zone", ... */
} TrackingColumn;

typedef struct TrackingTable {
    TrackingFormat format;
    char time_column[64]; /* "applied_at" or "created_at" */
} TrackingTable;

/* Decides the shape from a table's columns; ERROR_TRACKING names them when it fits none. */
bool tracking_detect(const TrackingColumn *columns, size_t count, TrackingTable *ret_table,
                     Error *error) MUST_CHECK;

/* Reads the columns of "schema"."table" with one query and detects. No such table -> format TRACKING_NONE. No
 * such schema -> ERROR_NO_SCHEMA. */
bool tracking_find(Connection *connection, const char *schema, const char *table, TrackingTable *ret_table,
                   Error *error) MUST_CHECK;

/* What a tenant will use: the table's own format, or, without a table, configured format / default_format. A
 * table that contradicts an explicitly configured format is ERROR_TRACKING. `format` is "auto" or a format's
 * name. */
bool tracking_choose(const TrackingTable *found, const char *format, const char *default_format,
                     TrackingTable *ret_table, Error *error) MUST_CHECK;
