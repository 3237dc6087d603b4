/* State: our own table in a tenant's schema, for what no tracking table has a place for.
 *
 * "<schema>".__pgconvoy_state holds one row for each (kind, name), such as a seed that is to run once. It is
 * made when the first row is written, under the tenant's lock, and is no part of a tenant's drift. Texts here
 * go into the body of a DO block; `qualified` is "schema"."__pgconvoy_state".
 */
#pragma once
#include "common/buffer.h"
#include <stdbool.h>

extern const char STATE_TABLE[];

typedef struct StateRow {
    const char *kind; /* "seed" */
    const char *name;
    const char *digest; /* of the content, in hex */
} StateRow;

/* Conditions: is there the table? A row of this kind and name, `same` = with this digest as well? */
void state_append_exists(Buffer *sql, const char *qualified);
void state_append_recorded(Buffer *sql, const char *qualified, const StateRow *row, bool same);

/* Statements: makes the table when it is missing, and writes the row as done. */
void state_append_record(Buffer *sql, const char *qualified, const StateRow *row);
