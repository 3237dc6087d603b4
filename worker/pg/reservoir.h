/* Reservoir: the physical connections of one worker to one database, never more than its grant.
 *
 * Opening a connection costs about 7.5 ms, handing a live one to the next tenant 0.05 ms; so connections are
 * kept and lent. Whoever returns one has left its session clean (see worker/pg/session.h); one that is not
 * idle and healthy is closed instead. A connection retires after a number of tenants or an age (staggered),
 * because a backend's catalog cache never shrinks. Thread-safe; waiters are served in order of arrival.
 */
#pragma once
#include "common/clock.h"
#include "worker/pg/connection.h"

typedef struct Reservoir Reservoir;

typedef struct ReservoirOptions {
    const char *database; /* configured name; copied, as is the url */
    const ConnectionString *url;
    int64_t limit;              /* most physical connections at one time */
    int64_t connect_timeout_ms; /* for connecting, and for waiting until one is free */
    int64_t idle_timeout_ms;    /* idle ones are closed after this by reservoir_trim() */
    int64_t retire_tenants;
    int64_t retire_age_ms;
    const Clock *clock;
} ReservoirOptions;

typedef struct ReservoirCounts {
    int64_t open, idle, waiting, opened_total;
} ReservoirCounts;

Reservoir *reservoir_new(const ReservoirOptions *options, Error *error) MUST_CHECK;

/* Closes idle connections now and the lent ones when they return; later acquires fail. Waits for nobody. */
void reservoir_close(Reservoir *reservoir);
/* After reservoir_close() and when nothing is lent any more. */
void reservoir_free(Reservoir *reservoir);

/* Lends a connection, waiting at most wait_ms (0 = connect_timeout_ms). application_name is set when it
 * differs. While connecting failed less than a second ago, fails fast with the same error instead of trying
 * again. */
Connection *reservoir_acquire(Reservoir *reservoir, const char *application_name, int64_t wait_ms,
                              Error *error) MUST_CHECK;

/* Returns it. `tenants` is how many tenants it served meanwhile (counts towards retirement). */
void reservoir_release(Reservoir *reservoir, Connection *connection, int64_t tenants);

/* Changes the grant; surplus idle connections close at once, surplus lent ones when they return. */
void reservoir_set_limit(Reservoir *reservoir, int64_t limit);
void reservoir_trim(Reservoir *reservoir);

/* PQcancel on every lent connection. */
void reservoir_cancel(Reservoir *reservoir);
ReservoirCounts reservoir_counts(Reservoir *reservoir);
