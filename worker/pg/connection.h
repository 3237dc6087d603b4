/* Connection: one physical libpq connection and the errors it gives, as Error values.
 *
 * Used by one thread at a time, except connection_cancel(), which any thread may call while the connection is
 * open. Every wait has a bound: connecting has a deadline of its own (DNS included as far as libpq allows), a
 * dead peer is noticed by TCP keepalives and tcp_user_timeout. Sessions start with application_name and
 * client_encoding as startup parameters and nothing in `options`, so that they pass a PgBouncer; notices are
 * dropped. Only a primary is accepted unless the url says otherwise (target_session_attrs). Servers older
 * than 14 are refused by name.
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

/* PQserverVersion(): 150018 for 15.18. */
int connection_server_version(const Connection *connection);

/* Is a backslash in '...' a character like any other, as the session is set now? */
bool connection_has_standard_strings(const Connection *connection);

/* One simple-query message, possibly of several statements. Success needs every statement to succeed; then
 * the last result with rows (or the last one) is *ret_result (may be NULL if not wanted), the caller's to
 * PQclear. A result of type void, such as pg_advisory_unlock_all()'s, does not count as rows, so that
 * SESSION_TAIL may follow the SELECT whose answer is wanted. After an error all results have been read and
 * Error holds the first one. A lost connection is ERROR_CONNECT; a statement ended by connection_cancel() is
 * ERROR_CANCELLED. COPY from or to the client is an error, never a wait. */
bool connection_exec(Connection *connection, const char *sql, PGresult **ret_result, Error *error) MUST_CHECK;

/* Like connection_exec(), and shows every successful result of the message in order, for callers to whom
 * command tags matter. The visitor must not keep the result. */
typedef void ResultVisitor(void *context, const PGresult *result);
bool connection_exec_each(Connection *connection, const char *sql, ResultVisitor *visit, void *context,
                          Error *error) MUST_CHECK;

/* For messages that COPY to the client: the same without results, and the rows one by one, as text with its
 * newline, the taker's to change during the call. */
typedef struct CopyReader {
    void (*take_row)(void *context, size_t copy, char *row, size_t length); /* copy counts COPYs from 0 */
    void *context;
    size_t done; /* COPYs that ended well: of a message that fails, the next one is why, or what follows */
} CopyReader;
bool connection_copy_out(Connection *connection, const char *sql, CopyReader *reader,
                         Error *error) MUST_CHECK;

/* One statement with text parameters (NULL entries are NULL); the extended protocol, so a second statement in
 * sql is refused by the server. */
bool connection_query(Connection *connection, const char *sql, int count, const char *const *values,
                      PGresult **ret_result, Error *error) MUST_CHECK;

/* The failed result behind the last connection_exec() or connection_query(), for the accessors below; NULL
 * when it succeeded or the server said nothing. Valid until the next statement. */
const PGresult *connection_failure(const Connection *connection);

/* For whom lent the PGconn to somebody else: restores what libpq keeps for a connection, and ends a
 * statement, COPY or pipeline that was left unfinished, which is an error. The transaction is left as it is.
 */
bool connection_take_back(Connection *connection, Error *error) MUST_CHECK;

/* Asks the server to stop what this connection runs now (PQcancel). Thread-safe; harmless when idle. The
 * request may arrive late, so the connection is not reusable afterwards. */
void connection_cancel(Connection *connection);

/* Idle, outside transaction, pipeline and COPY, never cancelled, and the socket is not known to be broken. */
bool connection_is_reusable(const Connection *connection);

/* Fills error from a failed result: server's primary message verbatim, SQLSTATE, DETAIL, HINT, and as line
 * result_block_line(). Returns false. */
bool error_from_result(Error *error, const PGresult *result);

/* Where an error is, 1-based in characters; 0 when the server did not say. The first counts in the message
 * that was sent, the second in the text of result_internal_query(): what EXECUTE ran. */
int64_t result_position(const PGresult *result);
int64_t result_internal_position(const PGresult *result);
const char *result_internal_query(const PGresult *result); /* NULL when there is none */
const char *result_context(const PGresult *result);        /* NULL when there is none */

/* The line of our own DO block that failed, from CONTEXT; 0 when it was not inside one. */
int64_t result_block_line(const PGresult *result);

typedef enum RetryClass {
    RETRY_NEVER,
    RETRY_TRANSIENT, /* 40001, 40P01, 57P01-03, 57P05, 53300, 25P03, class 08, connection lost or refused */
    RETRY_LOCK,      /* 55P03: has its own number of attempts */
} RetryClass;

RetryClass error_retry_class(const Error *error);

/* Milliseconds to wait before attempt number `attempt` (2 = first retry): initial * 2^(attempt-2), capped,
 * with up to 25 % jitter from *seed. */
int64_t retry_delay_ms(int64_t attempt, int64_t initial_ms, int64_t max_ms, uint64_t *seed);
