#include "worker/pg/seat.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 63 /* the server cuts application_name here */ };

bool seat_open(Seat *seat, const ConnectionTarget *target, Error *error)
{
    seat->connection = connection_open(target, error);
    return seat->connection != NULL;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Connections of one moment must not all end in one moment. */
static int64_t staggered(int64_t full, uint64_t *random)
{
    return full - (int64_t)(next_random(random) % (uint64_t)(full / 5 + 1));
}

void seat_begin_life(Seat *seat, const SeatLife *life)
{
    seat->tenants = 0;
    seat->retire_tenants = life->tenants > 0 ? staggered(life->tenants, life->random) : INT64_MAX;
    seat->retire_at_ms = life->age_ms > 0 ? life->now_ms + staggered(life->age_ms, life->random) : INT64_MAX;
}

bool seat_has_name(const Seat *seat, const char *application_name)
{
    const char *current = PQparameterStatus(connection_pg(seat->connection), "application_name");
    /* A pooler that does not report the name would not keep it either. */
    return application_name == NULL || current == NULL || strncmp(current, application_name, NAME_BYTES) == 0;
}

bool seat_has_farewell(const Seat *seat)
{
    /* A session that is idle and listens to nothing is sent nothing else. */
    struct pollfd look = {.fd = PQsocket(connection_pg(seat->connection)), .events = POLLIN};
    return look.fd < 0 || poll(&look, 1, 0) != 0;
}

/* The name is a setting of the session: leaving the session clean sets it back to the one of the connection's
 * start. Setting it here and only when it differs costs a round trip for the first few hundred tenants of a
 * new run at most, until the connections of an earlier run have retired. Behind a transaction-pooling
 * PgBouncer this is safe, too: the name is one of the settings that it carries along with its client. */
bool seat_renew(Seat *seat, const char *application_name)
{
    if (seat_has_farewell(seat)) /* all else was looked at when it came back */
        return false;
    if (seat_has_name(seat, application_name))
        return true;
    Error error ERROR_CLEANUP = {0};
    return connection_query(seat->connection, "SELECT set_config('application_name', $1, false)", 1,
                            &application_name, NULL, &error);
}

bool seat_lend_to(Seat *seat, const char *application_name, uint64_t owner, Error *error)
{
    free(seat->borrower);
    seat->borrower = application_name != NULL ? strdup(application_name) : NULL;
    seat->owner = owner;
    return application_name == NULL || seat->borrower != NULL || error_memory(error);
}

bool seat_is_worn(const Seat *seat, int64_t now_ms)
{
    return seat->tenants >= seat->retire_tenants || now_ms >= seat->retire_at_ms;
}

void seat_close_connection(Seat *seat)
{
    if (seat->connection != NULL)
        connection_close(seat->connection);
    seat->connection = NULL;
}

void seat_free(Seat *seat)
{
    if (seat == NULL)
        return;
    seat_close_connection(seat);
    free(seat->borrower);
    free(seat);
}
