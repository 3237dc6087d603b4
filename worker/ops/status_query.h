/* The two messages of a set read: which tracking tables are there, and what is in them. */
#pragma once
#include "common/buffer.h"
#include "common/operation.h"
#include "worker/pg/tracking.h"

enum { STATUS_AT_ONCE = 100 /* each table is locked until the message ends */ };

/* What the first message found about one tenant. */
typedef struct StatusTenant {
    const char *schema;
    TrackingTable table; /* TRACKING_NONE: no table */
    bool plain;          /* a table without children, whose columns COPY gives as a SELECT does */
    Error error;         /* no schema, or a table of unknown shape */
} StatusTenant;

/* `members` are positions in `tenants`; the answers are numbered by their place in `members`, from 0. */
void status_append_columns(Buffer *sql, const RunOptions *options, const StatusTenant *tenants,
                           const size_t *members, size_t count);
void status_read_columns(const PGresult *rows, const RunOptions *options, StatusTenant *tenants,
                         const size_t *members, size_t count);

/* The second message: the tables of `members`. */
typedef struct StatusQuery {
    const RunOptions *options;
    const StatusTenant *tenants;
    const size_t *members;
    size_t count;
    bool in_order; /* each tenant's rows in the order of their ids, which costs a sort for each */
} StatusQuery;

/* One COPY to the client for each of `members`, in their order, of rows (identifier[, time in ms]). A plain
 * table is read as it is: planning a SELECT costs twice the whole read, and opens and locks the table's
 * indexes as well. */
void status_append_rows(Buffer *sql, const StatusQuery *query);
