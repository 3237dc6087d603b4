/* Seat: one unit of a reservoir's limit in use, and what happens to the one connection in it.
 *
 * A part of the reservoir (its only user), apart because these functions do I/O on a seat that nobody else
 * can see at that moment, while the reservoir's own code is about lists under a mutex.
 */
#pragma once
#include "worker/pg/connection.h"

typedef struct Seat {
    Connection *connection; /* NULL until opened */
    char *borrower;         /* application name it is lent under, or NULL */
    uint64_t owner;         /* who used it last, 0 = nobody in particular */
    int64_t tenants;        /* served so far */
    int64_t retire_tenants;
    int64_t retire_at_ms;
    int64_t idle_since_ms;
    bool cancelling; /* a canceller uses the connection outside the mutex, and closes it if it was returned */
    bool returned;
    struct Seat *prev, *next;
    struct Seat *next_cancelled;
} Seat;

/* When a new connection retires; each limit is up to a fifth earlier, by *random. */
typedef struct SeatLife {
    int64_t tenants, age_ms; /* 0 = never */
    int64_t now_ms;
    uint64_t *random;
} SeatLife;

/* Fills an empty seat. */
bool seat_open(Seat *seat, const ConnectionTarget *target, Error *error) MUST_CHECK;
void seat_begin_life(Seat *seat, const SeatLife *life);

/* Makes an idle session ready for its next borrower; false when it is not usable any more. */
bool seat_renew(Seat *seat, const char *application_name) MUST_CHECK;
bool seat_lend_to(Seat *seat, const char *application_name, uint64_t owner, Error *error) MUST_CHECK;

bool seat_has_name(const Seat *seat, const char *application_name);
/* The server has sent its last words, or the stream has ended. */
bool seat_has_farewell(const Seat *seat);
bool seat_is_worn(const Seat *seat, int64_t now_ms);

void seat_close_connection(Seat *seat);
/* Closes the connection, too; NULL is fine. */
void seat_free(Seat *seat);
