#include "worker/pg/reservoir.h"
#include "worker/pg/deadline.h"
#include "worker/pg/error_copy.h"
#include "worker/pg/reservoir_internal.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { FAIL_FAST_MS = 1000 };

static int64_t now_ms(const Reservoir *reservoir)
{
    return clock_now_ms(reservoir->options.clock);
}

Reservoir *reservoir_new(const ReservoirOptions *options, Error *error)
{
    Reservoir *reservoir = calloc(1, sizeof *reservoir);
    if (reservoir == NULL) {
        error_memory(error);
        return NULL;
    }
    pthread_mutex_init(&reservoir->mutex, NULL);
    reservoir->references = 1;
    reservoir->options = *options;
    reservoir->limit = options->limit;
    reservoir->database = strdup(options->database);
    reservoir->url = connection_string_copy(options->url, error);
    if (reservoir->database == NULL || reservoir->url == NULL) {
        if (reservoir->url != NULL)
            error_memory(error);
        reservoir_free(reservoir);
        return NULL;
    }
    reservoir->options.database = reservoir->database;
    reservoir->options.url = reservoir->url;
    reservoir->random = (uint64_t)now_ms(reservoir) ^ (uint64_t)(uintptr_t)reservoir;
    return reservoir;
}

void reservoir_free(Reservoir *reservoir)
{
    if (reservoir == NULL)
        return;
    pthread_mutex_lock(&reservoir->mutex);
    bool last = --reservoir->references == 0;
    pthread_mutex_unlock(&reservoir->mutex);
    if (!last)
        return; /* the thread that cancels comes by here, too */
    Seat *seat, *next;
    DL_FOREACH_SAFE(reservoir->idle, seat, next)
    seat_free(seat);
    error_clear(&reservoir->connect_error);
    connection_string_free(reservoir->url);
    free(reservoir->database);
    pthread_mutex_destroy(&reservoir->mutex);
    free(reservoir);
}

static bool failed_lately(const Reservoir *reservoir)
{
    return reservoir->connect_error.code != ERROR_NONE &&
           now_ms(reservoir) - reservoir->failed_at_ms < FAIL_FAST_MS;
}

static bool is_server_full(const Error *error)
{
    return strcmp(error->sqlstate, "53300") == 0;
}

/* Mutex held. While the server has no room, a connection of somebody else's is what to wait for. */
static bool may_open(const Reservoir *reservoir)
{
    if (reservoir->counts.open >= reservoir->limit)
        return false;
    return reservoir->counts.open == 0 || !failed_lately(reservoir) ||
           !is_server_full(&reservoir->connect_error);
}

/* Mutex held. The idle seat that fits best: of the owner, of the name, any. An owner gets a stranger's only
 * when there is no room for a new one, and then the one that its owner misses least. */
static Seat *find_idle(const Reservoir *reservoir, const ReservoirRequest *request)
{
    Seat *seat;
    if (request->owner != 0) {
        DL_SEARCH_SCALAR(reservoir->idle, seat, owner, request->owner);
        if (seat != NULL || reservoir->idle == NULL)
            return seat;
        bool room = may_open(reservoir) && !failed_lately(reservoir);
        return room ? NULL : reservoir->idle->prev; /* utlist: the head's prev is the tail */
    }
    DL_FOREACH(reservoir->idle, seat)
    if (seat_has_name(seat, request->application_name))
        return seat;
    return reservoir->idle;
}

/* Mutex held. An idle seat, else a new empty one if the limit has room, else NULL with nothing changed (also
 * when memory ran out). */
static Seat *find_seat(Reservoir *reservoir, const ReservoirRequest *request)
{
    Seat *seat = find_idle(reservoir, request);
    if (seat != NULL) {
        DL_DELETE(reservoir->idle, seat);
        reservoir->counts.idle--;
        return seat;
    }
    if (!may_open(reservoir))
        return NULL;
    seat = calloc(1, sizeof *seat);
    if (seat != NULL)
        reservoir->counts.open++;
    return seat;
}

/* Mutex held. Hands what is free to the queue, in its order; call it after anything became free. */
static void serve_waiters(Reservoir *reservoir)
{
    while (reservoir->waiters != NULL && !reservoir->closed) {
        Waiter *waiter = reservoir->waiters;
        waiter->seat = find_seat(reservoir, waiter->request);
        if (waiter->seat == NULL)
            return;
        DL_DELETE(reservoir->waiters, waiter);
        reservoir->counts.waiting--;
        pthread_cond_signal(&waiter->granted);
    }
}

/* Closes seats that are in no list and gives their room to the queue. */
static void drop_seats(Reservoir *reservoir, Seat *seats)
{
    int64_t dropped = 0;
    Seat *seat, *next;
    DL_FOREACH_SAFE(seats, seat, next)
    {
        seat_free(seat);
        dropped++;
    }
    if (dropped == 0)
        return;
    pthread_mutex_lock(&reservoir->mutex);
    reservoir->counts.open -= dropped;
    serve_waiters(reservoir);
    pthread_mutex_unlock(&reservoir->mutex);
}

void reservoir_drop_seat(Reservoir *reservoir, Seat *seat)
{
    Seat *seats = NULL;
    DL_APPEND(seats, seat);
    drop_seats(reservoir, seats);
}

static bool closed_error(const Reservoir *reservoir, Error *error)
{
    return error_set(error, ERROR_CANCELLED, "connections to database \"%s\" are closed",
                     reservoir->database);
}

/* Mutex held. Waits in the queue; the woken one tries for itself as well, because room on a full server
 * appears without anybody here returning anything. */
static Seat *wait_in_queue(Reservoir *reservoir, Waiter *waiter, Deadline deadline, bool first)
{
    pthread_cond_init(&waiter->granted, NULL);
    if (first)
        DL_PREPEND(reservoir->waiters, waiter);
    else
        DL_APPEND(reservoir->waiters, waiter);
    reservoir->counts.waiting++;
    while (waiter->seat == NULL && !reservoir->closed && deadline_left_ms(deadline) > 0) {
        bool failed = reservoir->connect_error.code != ERROR_NONE;
        Deadline wake = failed ? deadline_earlier(deadline, deadline_after_ms(FAIL_FAST_MS)) : deadline;
        deadline_wait(wake, &waiter->granted, &reservoir->mutex);
        if (waiter->seat == NULL)
            serve_waiters(reservoir);
    }
    if (waiter->seat == NULL) {
        DL_DELETE(reservoir->waiters, waiter);
        reservoir->counts.waiting--;
    }
    pthread_cond_destroy(&waiter->granted);
    return waiter->seat;
}

/* A seat that belongs to the caller alone, with or without a connection in it. */
static Seat *take_seat(Reservoir *reservoir, const ReservoirRequest *request, Deadline deadline, bool first,
                       Error *error)
{
    pthread_mutex_lock(&reservoir->mutex);
    Seat *seat = NULL;
    if (!reservoir->closed && (first || reservoir->waiters == NULL))
        seat = find_seat(reservoir, request);
    if (seat == NULL && !reservoir->closed) {
        Waiter waiter = {.request = request};
        seat = wait_in_queue(reservoir, &waiter, deadline, first);
    }
    int64_t open = reservoir->counts.open, limit = reservoir->limit;
    bool closed = reservoir->closed;
    pthread_mutex_unlock(&reservoir->mutex);
    if (seat != NULL)
        return seat;
    if (closed)
        closed_error(reservoir, error);
    else {
        error_set(error, ERROR_CONNECT, "no connection to database \"%s\" became free within %lld ms",
                  reservoir->database, (long long)request->wait_ms);
        error_set_detail(error, "%lld of %lld connections are in use", (long long)open, (long long)limit);
        error_set_hint(error, "raise max_connections of the database, or lower the concurrency");
    }
    return NULL;
}

static bool open_seat(Reservoir *reservoir, Seat *seat, const ReservoirRequest *request, Error *error)
{
    pthread_mutex_lock(&reservoir->mutex);
    bool fail_fast = !request->try_anyway && failed_lately(reservoir);
    if (fail_fast)
        error_copy(error, &reservoir->connect_error);
    pthread_mutex_unlock(&reservoir->mutex);
    if (fail_fast)
        return false;
    const char *name = request->application_name;
    ConnectionTarget target = {.database = reservoir->database,
                               .url = reservoir->url,
                               .application_name = name != NULL ? name : "pgconvoy",
                               .connect_timeout_ms = reservoir->options.connect_timeout_ms};
    bool opened = seat_open(seat, &target, error);
    pthread_mutex_lock(&reservoir->mutex);
    if (opened) {
        error_clear(&reservoir->connect_error);
        reservoir->counts.opened_total++;
        seat_begin_life(seat, &(SeatLife){.tenants = reservoir->options.retire_tenants,
                                          .age_ms = reservoir->options.retire_age_ms,
                                          .now_ms = now_ms(reservoir),
                                          .random = &reservoir->random});
    } else {
        error_copy(&reservoir->connect_error, error);
        reservoir->failed_at_ms = now_ms(reservoir);
    }
    pthread_mutex_unlock(&reservoir->mutex);
    return opened;
}

/* Puts a living connection into the seat and lends it. */
static bool lend(Reservoir *reservoir, Seat *seat, const ReservoirRequest *request, Error *error)
{
    if (seat->connection != NULL && !seat_renew(seat, request->application_name))
        seat_close_connection(seat);
    if (seat->connection == NULL && !open_seat(reservoir, seat, request, error))
        return false;
    if (!seat_lend_to(seat, request->application_name, request->owner, error))
        return false;
    pthread_mutex_lock(&reservoir->mutex);
    bool closed = reservoir->closed;
    if (!closed)
        DL_APPEND(reservoir->lent, seat);
    pthread_mutex_unlock(&reservoir->mutex);
    return closed ? closed_error(reservoir, error) : true;
}

Connection *reservoir_acquire_for(Reservoir *reservoir, const ReservoirRequest *original, Error *error)
{
    ReservoirRequest request = *original;
    if (request.wait_ms <= 0)
        request.wait_ms = reservoir->options.connect_timeout_ms;
    error_clear(error);
    Deadline deadline = deadline_after_ms(request.wait_ms);
    for (bool first = false;; first = true) {
        Error wait_error ERROR_CLEANUP = {0};
        Seat *seat = take_seat(reservoir, &request, deadline, first, &wait_error);
        if (seat == NULL) {
            if (error->code == ERROR_NONE) /* else a full server's own words, from the round before */
                error_move(error, &wait_error);
            return NULL;
        }
        error_clear(error);
        if (lend(reservoir, seat, &request, error))
            return seat->connection;
        reservoir_drop_seat(reservoir, seat);
        pthread_mutex_lock(&reservoir->mutex);
        bool others = reservoir->counts.open > 0 && !reservoir->closed;
        pthread_mutex_unlock(&reservoir->mutex);
        if (!is_server_full(error) || !others)
            return NULL;
    }
}

Connection *reservoir_acquire(Reservoir *reservoir, const char *application_name, int64_t wait_ms,
                              Error *error)
{
    ReservoirRequest request = {.application_name = application_name, .wait_ms = wait_ms};
    return reservoir_acquire_for(reservoir, &request, error);
}

int64_t reservoir_idle_of(Reservoir *reservoir, uint64_t owner)
{
    int64_t count = 0;
    Seat *seat;
    pthread_mutex_lock(&reservoir->mutex);
    DL_FOREACH(reservoir->idle, seat)
    count += seat->owner == owner;
    pthread_mutex_unlock(&reservoir->mutex);
    return count;
}

/* Mutex held. */
static bool keeps(const Reservoir *reservoir, const Seat *seat)
{
    return !reservoir->closed && !seat->cancelling && reservoir->counts.open <= reservoir->limit &&
           !seat_is_worn(seat, now_ms(reservoir)) && connection_is_reusable(seat->connection);
}

static void take_back(Reservoir *reservoir, Connection *connection, int64_t tenants, bool clean)
{
    if (connection == NULL)
        return;
    pthread_mutex_lock(&reservoir->mutex);
    Seat *seat;
    DL_SEARCH_SCALAR(reservoir->lent, seat, connection, connection);
    if (seat == NULL) { /* not lent by this reservoir: nothing that could be done about it here */
        pthread_mutex_unlock(&reservoir->mutex);
        return;
    }
    DL_DELETE(reservoir->lent, seat);
    seat->tenants += tenants;
    bool keep = clean && keeps(reservoir, seat);
    bool drop = !keep && !seat->cancelling;
    seat->returned = !keep;
    if (keep) {
        seat->idle_since_ms = now_ms(reservoir);
        DL_PREPEND(reservoir->idle, seat);
        reservoir->counts.idle++;
        serve_waiters(reservoir);
    }
    pthread_mutex_unlock(&reservoir->mutex);
    if (drop)
        reservoir_drop_seat(reservoir, seat);
}

void reservoir_release(Reservoir *reservoir, Connection *connection, int64_t tenants)
{
    take_back(reservoir, connection, tenants, true);
}

void reservoir_discard(Reservoir *reservoir, Connection *connection)
{
    take_back(reservoir, connection, 0, false);
}

/* Mutex held. Moves idle seats to *garbage, the longest idle first, while `unwanted` says so. */
static void cull_idle(Reservoir *reservoir, bool (*unwanted)(const Reservoir *, const Seat *), Seat **garbage)
{
    Seat *seat, *next;
    DL_FOREACH_SAFE(reservoir->idle, seat, next)
    {
        if (!unwanted(reservoir, seat))
            continue;
        DL_DELETE(reservoir->idle, seat);
        reservoir->counts.idle--;
        DL_APPEND(*garbage, seat);
    }
}

static bool any_seat(const Reservoir *reservoir, const Seat *seat)
{
    (void)reservoir;
    return seat != NULL;
}

static bool stale_seat(const Reservoir *reservoir, const Seat *seat)
{
    int64_t now = now_ms(reservoir), idle_timeout = reservoir->options.idle_timeout_ms;
    return (idle_timeout > 0 && now - seat->idle_since_ms >= idle_timeout) || seat_is_worn(seat, now) ||
           seat_has_farewell(seat);
}

void reservoir_close(Reservoir *reservoir)
{
    Seat *garbage = NULL;
    pthread_mutex_lock(&reservoir->mutex);
    reservoir->closed = true;
    cull_idle(reservoir, any_seat, &garbage);
    Waiter *waiter;
    DL_FOREACH(reservoir->waiters, waiter)
    pthread_cond_signal(&waiter->granted);
    pthread_mutex_unlock(&reservoir->mutex);
    drop_seats(reservoir, garbage);
}

void reservoir_trim(Reservoir *reservoir)
{
    Seat *garbage = NULL;
    pthread_mutex_lock(&reservoir->mutex);
    cull_idle(reservoir, stale_seat, &garbage);
    pthread_mutex_unlock(&reservoir->mutex);
    drop_seats(reservoir, garbage);
}

void reservoir_set_limit(Reservoir *reservoir, int64_t limit)
{
    Seat *garbage = NULL;
    pthread_mutex_lock(&reservoir->mutex);
    reservoir->limit = limit;
    for (int64_t surplus = reservoir->counts.open - limit; surplus > 0 && reservoir->idle != NULL;
         surplus--) {
        Seat *oldest = reservoir->idle->prev; /* utlist: the head's prev is the tail */
        DL_DELETE(reservoir->idle, oldest);
        reservoir->counts.idle--;
        DL_APPEND(garbage, oldest);
    }
    serve_waiters(reservoir);
    pthread_mutex_unlock(&reservoir->mutex);
    drop_seats(reservoir, garbage);
}

ReservoirCounts reservoir_counts(Reservoir *reservoir)
{
    pthread_mutex_lock(&reservoir->mutex);
    ReservoirCounts counts = reservoir->counts;
    pthread_mutex_unlock(&reservoir->mutex);
    return counts;
}
