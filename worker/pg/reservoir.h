/* Reservoir: the physical connections of one worker to one database, never more than its grant.
 *
 * Opening a connection costs about 7.5 ms, handing a live one to the next tenant 0.05 ms; so connections are
 * kept and lent. Whoever returns one has left its session clean (see worker/pg/session.h); one that is not
 * idle and healthy is closed instead. A connection retires after a number of tenants or an age (staggered),
 * because a backend's catalog cache never shrinks. Thread-safe; waiters are served in order of arrival.
 *
 * Every unit of the limit in use counts: idle, lent, connecting and closing ones. All I/O happens outside the
 * one mutex, so that a slow server holds up nobody who needs no new connection. Time for ages and idleness
 * comes from `clock`; waiting itself is real time (CLOCK_MONOTONIC).
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
    int64_t idle_timeout_ms;    /* idle ones are closed after this by reservoir_trim(); 0 = never */
    int64_t retire_tenants;     /* 0 = never */
    int64_t retire_age_ms;      /* 0 = never */
    const Clock *clock;
} ReservoirOptions;

typedef struct ReservoirCounts {
    int64_t open; /* idle, lent, connecting and closing: what counts against the limit */
    int64_t idle;
    int64_t waiting;      /* callers of reservoir_acquire() in the queue */
    int64_t opened_total; /* connections ever opened */
} ReservoirCounts;

Reservoir *reservoir_new(const ReservoirOptions *options, Error *error) MUST_CHECK;

/* Closes idle connections now and the lent ones when they return; waiters and later acquires fail with
 * ERROR_CANCELLED. Waits for nobody. */
void reservoir_close(Reservoir *reservoir);
/* After reservoir_close(), when nothing is lent any more and no call is running; cancelling that still runs
 * is no call. NULL is fine. */
void reservoir_free(Reservoir *reservoir);

/* Lends a connection, waiting at most wait_ms (0 = connect_timeout_ms) for one to become free; opening one
 * takes at most connect_timeout_ms more. The connection is alive as far as a look at its socket tells.
 * application_name (may be NULL: leave as it is) is set when the session's differs; idle connections that
 * have it already are preferred. While connecting failed less than a second ago, fails fast with the same
 * error instead of trying again; but when the server has no more room (53300) and others hold connections,
 * waits for one of those. */
Connection *reservoir_acquire(Reservoir *reservoir, const char *application_name, int64_t wait_ms,
                              Error *error) MUST_CHECK;

typedef struct ReservoirRequest {
    const char *application_name;
    int64_t wait_ms;
    uint64_t owner;  /* 0 = nobody in particular */
    bool try_anyway; /* connects even when connecting failed a moment ago: for a caller that has paused */
} ReservoirRequest;

/* The same for an owner that wants connections of its own: prefers the idle ones that it used last, then a
 * new one while the limit has room, then the one that is idle longest, whose ever it was. */
Connection *reservoir_acquire_for(Reservoir *reservoir, const ReservoirRequest *request,
                                  Error *error) MUST_CHECK;

/* Idle connections that this owner used last and would get again. */
int64_t reservoir_idle_of(Reservoir *reservoir, uint64_t owner);

/* Returns it. `tenants` is how many tenants it served meanwhile (counts towards retirement). */
void reservoir_release(Reservoir *reservoir, Connection *connection, int64_t tenants);
/* Returns it to be closed: its session could not be left clean. */
void reservoir_discard(Reservoir *reservoir, Connection *connection);

/* Changes the grant; surplus idle connections close at once, surplus lent ones when they return. */
void reservoir_set_limit(Reservoir *reservoir, int64_t limit);
/* Closes idle connections that are past their idle time or age, or whose server has gone. */
void reservoir_trim(Reservoir *reservoir);

/* PQcancel on every lent connection, in a thread of its own: a server that does not answer holds up nobody. A
 * connection that was cancelled is closed when it returns: a late request would hit its next user's
 * statement. */
void reservoir_cancel(Reservoir *reservoir);
/* The same for the connections lent under application names that start with this. */
void reservoir_cancel_borrower(Reservoir *reservoir, const char *application_name_start);
ReservoirCounts reservoir_counts(Reservoir *reservoir);
