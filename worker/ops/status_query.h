/* The two messages of a set read: which tracking tables are there, and what is in them. */
#pragma once
#include "common/buffer.h"
#include "common/operation.h"
#include "worker/pg/tracking.h"

enum {
    STATUS_FIND_AT_ONCE = 100,
    STATUS_READ_AT_ONCE = 50, /* each table and its indexes are locked until the message ends */
};

/* What the first message found about one tenant. */
typedef struct StatusTenant {
    const char *schema;
    TrackingTable table; /* TRACKING_NONE: no table */
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

/* Rows (place, identifier, time in ms or NULL), each tenant's together, in the order of `members`. */
void status_append_rows(Buffer *sql, const StatusQuery *query);

/* Which member's part of status_append_rows() holds this position, in characters, 1-based? */
bool status_tenant_at(const StatusQuery *query, int64_t position, size_t *ret_place);
