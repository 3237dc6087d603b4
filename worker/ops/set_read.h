/* Set read: the tracking tables of many tenants, with two round trips instead of several for each.
 *
 * One message tells which schemas and tracking tables exist and what columns they have, the next reads all
 * tables. Whatever spoils a read for everybody, a lock or a missing right, is narrowed down to the tenants
 * that it belongs to. Nothing is written and no statement's cost depends on how many tenants there are
 * elsewhere.
 */
#pragma once
#include "worker/ops/op.h"
#include "worker/ops/recorded.h"

/* What one tenant's tracking table holds; valid during the call. */
typedef struct SetRows {
    const TrackingTable *table;    /* TRACKING_NONE: there is none, and there are no rows */
    const RecordedIndex *recorded; /* over the job's bundle, this tenant's rows counted in */
    RecordedRows rows;
} SetRows;

typedef struct SetRead {
    const OpContext *context;
    const OpTenant *tenants;
    size_t count;
    bool in_order; /* each tenant's rows come in the order of their ids */

    /* One of the two is called for each tenant, by its place in `tenants`. take_rows() gives false when
     * memory ran out; the tenant is then told its error after all. */
    bool (*take_rows)(void *host, size_t at, const SetRows *rows);
    void (*take_error)(void *host, size_t at, const Error *error);
    void *host;
} SetRead;

void set_read(const SetRead *read);
