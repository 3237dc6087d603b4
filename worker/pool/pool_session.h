/* What a pool does to a session: binding it to a schema, asking who answers, leaving it as new.
 *
 * Every call has a deadline; a session that missed one is not idle any more, and the reservoir closes it.
 */
#pragma once
#include "worker/pg/connection.h"
#include "worker/pg/deadline.h"

/* One statement with text parameters, or (count 0) one message of several statements. *ret_result (may be
 * NULL) is the first result with rows, the caller's to PQclear, NULL when there was none. */
bool session_run(Connection *connection, const char *sql, int count, const char *const *values,
                 Deadline deadline, PGresult **ret_result, Error *error) MUST_CHECK;

/* The process id of the backend that answers now; `begin` opens a transaction before and leaves it open. */
bool session_backend(Connection *connection, bool begin, Deadline deadline, int64_t *ret_backend,
                     Error *error) MUST_CHECK;

/* The backend is not the one that was announced when connecting: something stands in between. */
bool session_is_pooled(Connection *connection, int64_t backend);

/* Sets the session's search_path and checks that it leads to the schema, which is else ERROR_NO_SCHEMA, or
 * ERROR_SERVER without the right to use it. */
bool session_bind(Connection *connection, const char *schema, const char *search_path, Deadline deadline,
                  int64_t *ret_backend, Error *error) MUST_CHECK;

/* Leaves the session as new, on the server and in libpq. A connection that cannot be cleaned because of what
 * its user left running is not an error: the reservoir will see. *ret_backend is who answered, 0 = nobody
 * was asked. */
bool session_clean(Connection *connection, Deadline deadline, int64_t *ret_backend, Error *error) MUST_CHECK;
