/* Connection: one physical libpq connection and the errors it gives, as Error values.
 *
 * Used by one thread at a time, except connection_cancel(), which any thread may call while the connection is
 * open. Every wait has a bound: connecting has a deadline of its own (DNS included as far as libpq allows), a
 * dead peer is noticed by TCP keepalives and tcp_user_timeout. Sessions start with application_name and
 * nothing else in startup `options`, so that they pass a PgBouncer. Servers older than 14 are refused by
 * name.
 */
#pragma once
#include "common/error.h"
#include "common/secret.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Connection Connection;

typedef struct ConnectionTarget {
    const char *database; /* configured name, for messages */
    const ConnectionString *url;
    const char *application_name;
    int64_t connect_timeout_ms;
} ConnectionTarget;

Connection *connection_open(const ConnectionTarget *target, Error *error) MUST_CHECK;
void connection_close(Connection *connection);
PGconn *connection_pg(Connection *connection);

/* "host:port/db", the only form in which a target is printed. */
const char *connection_place(const Connection *connection);

/* One simple-query message, possibly of several statements. Success needs every statement to succeed; then
 * the last result with rows (or the last one) is *ret_result (may be NULL if not wanted), the caller's to
 * PQclear. After an error all results have been read and Error holds the first one. A lost connection is
 * ERROR_CONNECT. */
bool connection_exec(Connection *connection, const char *sql, PGresult **ret_result, Error *error) MUST_CHECK;

/* One statement with text parameters (NULL entries are NULL). */
bool connection_query(Connection *connection, const char *sql, int count, const char *const *values,
                      PGresult **ret_result, Error *error) MUST_CHECK;

/* Asks the server to stop what this connection runs now (PQcancel). Thread-safe; harmless when idle. */
void connection_cancel(Connection *connection);

/* Idle, outside transaction, pipeline and COPY, and the socket is not known to be broken. */
bool connection_is_reusable(const Connection *connection);

/* Fills error from a failed result: server's primary message verbatim, SQLSTATE, DETAIL, HINT, CONTEXT's line
 * if any. */
bool error_from_result(Error *error, const PGresult *result);

typedef enum RetryClass {
    RETRY_NEVER,
    RETRY_TRANSIENT, /* 40001, 40P01, 57P01-03, 53300, 25P03, class 08, connection lost */
    RETRY_LOCK,      /* 55P03: has its own number of attempts */
} RetryClass;

RetryClass error_retry_class(const Error *error);

/* Milliseconds to wait before attempt number `attempt` (2 = first retry): initial * 2^(attempt-2), capped,
 * with up to 25 % jitter from *seed. */
int64_t retry_delay_ms(int64_t attempt, int64_t initial_ms, int64_t max_ms, uint64_t *seed);
