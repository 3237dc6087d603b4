/* Tracking tables: the contract's three shapes, how to recognise them, and the SQL that reads and writes
 * them.
 *
 *   name         (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, applied_at TIMESTAMPTZ DEFAULT
 * now) hash         (id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at TIMESTAMPTZ DEFAULT now)
 *   drizzle-kit  (id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at BIGINT NOT NULL)
 *
 * Detection looks at columns: `name` -> name (its time column is applied_at, else created_at); else `hash`
 * with a bigint created_at -> drizzle-kit; else `hash` -> hash; anything else is ERROR_TRACKING naming the
 * columns, never a second table. `id` and the time column must exist too. Views and further columns are fine,
 * but not one that demands a value which rows of the format do not have, such as newer drizzle's `hash`
 * beside `name`: no row could be written. A configured format other than auto skips all that, but its columns
 * must exist; what the server has against a row is then its own to say.
 */
#pragma once
#include "common/buffer.h"
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
    bool demands;     /* NOT NULL, and only the row itself can give a value */
} TrackingColumn;

typedef struct TrackingTable {
    TrackingFormat format; /* TRACKING_NONE: nothing is known of one */
    bool exists;           /* else it is still to be made */
    char time_column[64];  /* "applied_at" or "created_at" */
    bool time_bigint;      /* the time column holds milliseconds since the epoch */
} TrackingTable;

/* What the configuration says. */
typedef struct TrackingWish {
    const char *format;         /* "auto" or a format's name; NULL = "auto" */
    const char *default_format; /* of a table that is to be made; NULL = "name" */
    bool any_shape;             /* no row is to be written: one that takes none is fine */
} TrackingWish;

/* Decides the shape from a table's columns alone; ERROR_TRACKING names them when it fits none. */
bool tracking_detect(const TrackingColumn *columns, size_t count, TrackingTable *ret_table,
                     Error *error) MUST_CHECK;

/* What a tenant will use: the table's own shape, or the configured one when its columns exist. count 0 means
 * that there is no table: the configured format / default_format. */
bool tracking_resolve(const TrackingColumn *columns, size_t count, const TrackingWish *wish,
                      TrackingTable *ret_table, Error *error) MUST_CHECK;

/* Reads the columns of "schema"."table" with one query and resolves. No such schema -> ERROR_NO_SCHEMA. */
bool tracking_find(Connection *connection, const char *schema, const char *table, const TrackingWish *wish,
                   TrackingTable *ret_table, Error *error) MUST_CHECK;

/* An expression over pg_attribute for TrackingColumn.demands. */
#define TRACKING_COLUMN_DEMANDS "(attnotnull AND NOT atthasdef AND attidentity = '')"

/* The table that tracking_append_create() makes. */
void tracking_new(TrackingFormat format, TrackingTable *ret_table);

/* SQL builders. `qualified` is the quoted "schema"."table" (sql_append_qualified()). Values are literals, so
 * the text can stand in a DO block after one more quoting. */

/* CREATE TABLE IF NOT EXISTS ..., the package's own DDL for a format. */
void tracking_append_create(Buffer *sql, TrackingFormat format, const char *qualified);

/* INSERT of one row: identifier and time, as the package writes them. drizzle-kit stores the journal's
 * `when`, or the server's clock where there is none. */
void tracking_append_insert(Buffer *sql, const TrackingTable *table, const char *qualified,
                            const Migration *migration);

/* A boolean expression: is this migration recorded? Among files of equal content (hash formats), `ordinal` is
 * its place (1 = first): it counts as recorded when that many rows have the hash. */
void tracking_append_applied(Buffer *sql, const TrackingTable *table, const char *qualified,
                             const Migration *migration, int64_t ordinal);

/* The place of bundle item `index` among the items of equal hash, 1-based. */
int64_t tracking_ordinal(const Bundle *bundle, size_t index);

/* The column that identifies a migration: "name" or "hash". */
const char *tracking_identifier_column(TrackingFormat format);

/* The column with a row's time in ms, or NULL where rows do not have one that could be a journal's. */
const char *tracking_time_column(const TrackingTable *table);

/* The same to select: "NULL" for none. */
const char *tracking_time_expression(const TrackingTable *table);
