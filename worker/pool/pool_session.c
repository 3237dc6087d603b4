#include "worker/pool/pool_session.h"
#include "common/buffer.h"
#include "worker/pg/session.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Waits until libpq can make progress. */
static bool wait_for_socket(PGconn *pg, Deadline deadline, bool writing)
{
    struct pollfd wait = {.fd = PQsocket(pg), .events = writing ? POLLIN | POLLOUT : POLLIN};
    int64_t left = deadline_left_ms(deadline);
    return left > 0 && poll(&wait, 1, left > 60000 ? 60000 : (int)left) >= 0;
}

static bool lost(Connection *connection, Error *error)
{
    error_set(error, ERROR_CONNECT, "connection to %s was lost", connection_place(connection));
    return false;
}

static bool late(Connection *connection, Error *error)
{
    return error_set(error, ERROR_CONNECT, "%s did not answer in time", connection_place(connection));
}

/* The next result, or NULL at the end of the message; false when that could not be learned. */
static bool next_result(Connection *connection, Deadline deadline, PGresult **ret_result, Error *error)
{
    PGconn *pg = connection_pg(connection);
    while (PQisBusy(pg)) {
        if (!wait_for_socket(pg, deadline, false))
            return late(connection, error);
        if (PQconsumeInput(pg) == 0)
            break; /* PQgetResult() tells what happened */
    }
    *ret_result = PQgetResult(pg);
    return true;
}

static bool send_all(Connection *connection, Deadline deadline, Error *error)
{
    PGconn *pg = connection_pg(connection);
    int left;
    while ((left = PQflush(pg)) > 0) {
        if (!wait_for_socket(pg, deadline, true))
            return late(connection, error);
        if (PQconsumeInput(pg) == 0)
            return lost(connection, error);
    }
    return left == 0 || lost(connection, error);
}

/* The server's last words, if it said any, explain more than the loss itself. */
static bool message_ended(Connection *connection, bool good, Error *error)
{
    if (PQstatus(connection_pg(connection)) == CONNECTION_OK)
        return good;
    if (good || error->sqlstate[0] == '\0')
        return lost(connection, error);
    error->code = ERROR_CONNECT;
    return false;
}

/* Reads the whole message; the first failure of the server is the error. */
static bool read_message(Connection *connection, Deadline deadline, PGresult **ret_rows, Error *error)
{
    bool good = true;
    for (PGresult *result;;) {
        if (!next_result(connection, deadline, &result, error))
            return false;
        if (result == NULL)
            return message_ended(connection, good, error);
        ExecStatusType status = PQresultStatus(result);
        if (good && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            good = error_from_result(error, result);
        if (status == PGRES_TUPLES_OK && PQntuples(result) > 0 && *ret_rows == NULL)
            *ret_rows = result;
        else
            PQclear(result);
    }
}

bool session_run(Connection *connection, const char *sql, int count, const char *const *values,
                 Deadline deadline, PGresult **ret_result, Error *error)
{
    PGconn *pg = connection_pg(connection);
    PGresult *rows = NULL;
    PQsetnonblocking(pg, 1);
    int sent =
        count == 0 ? PQsendQuery(pg, sql) : PQsendQueryParams(pg, sql, count, NULL, values, NULL, NULL, 0);
    bool good = sent == 1 ? send_all(connection, deadline, error) : lost(connection, error);
    good = good && read_message(connection, deadline, &rows, error);
    PQsetnonblocking(pg, 0);
    if (good && ret_result != NULL)
        *ret_result = rows;
    else
        PQclear(rows);
    return good;
}

static int64_t number_of(const PGresult *result, int column)
{
    return result != NULL && PQntuples(result) == 1 ? strtoll(PQgetvalue(result, 0, column), NULL, 10) : 0;
}

bool session_backend(Connection *connection, bool begin, Deadline deadline, int64_t *ret_backend,
                     Error *error)
{
    PGresult *rows = NULL;
    const char *sql =
        begin ? "BEGIN; SELECT pg_catalog.pg_backend_pid()" : "SELECT pg_catalog.pg_backend_pid()";
    if (!session_run(connection, sql, 0, NULL, deadline, &rows, error))
        return false;
    *ret_backend = number_of(rows, 0);
    PQclear(rows);
    return true;
}

bool session_is_pooled(Connection *connection, int64_t backend)
{
    return backend != PQbackendPID(connection_pg(connection));
}

/* Binds and asks where that leads, in one round trip: the server passes over a schema that is missing or may
 * not be used, and the next one in the path would be public. The subquery makes sure of the order. */
static const char BIND_SQL[] =
    "SELECT bound.path, pg_catalog.current_schema(), pg_catalog.pg_backend_pid(),\n"
    "       EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $2::text)\n"
    "  FROM (SELECT pg_catalog.set_config('search_path', $1, false) AS path OFFSET 0) AS bound";

static bool check_binding(const PGresult *rows, const char *schema, Error *error)
{
    if (rows == NULL || PQntuples(rows) != 1 || PQnfields(rows) != 4)
        return error_set(error, ERROR_SERVER, "unexpected answer while binding to schema \"%s\"", schema);
    if (strcmp(PQgetvalue(rows, 0, 1), schema) == 0)
        return true;
    if (PQgetvalue(rows, 0, 3)[0] != 't') {
        error_set(error, ERROR_NO_SCHEMA, "schema \"%s\" does not exist", schema);
        memcpy(error->sqlstate, "3F000", sizeof error->sqlstate);
        return false;
    }
    error_set(error, ERROR_SERVER, "permission denied for schema %s", schema);
    memcpy(error->sqlstate, "42501", sizeof error->sqlstate);
    error_set_hint(error, "grant USAGE on the schema to the user of this database");
    return false;
}

bool session_bind(Connection *connection, const char *schema, const char *search_path, Deadline deadline,
                  int64_t *ret_backend, Error *error)
{
    PGresult *rows = NULL;
    const char *values[] = {search_path, schema};
    if (!session_run(connection, BIND_SQL, 2, values, deadline, &rows, error))
        return false;
    bool bound = check_binding(rows, schema, error);
    if (bound)
        *ret_backend = number_of(rows, 2);
    PQclear(rows);
    return bound;
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* What a borrower may have set in libpq, back to what connection_open() gives. */
static void clean_client(PGconn *pg)
{
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    PQsetErrorContextVisibility(pg, PQSHOW_CONTEXT_ERRORS);
    PQuntrace(pg);
    PQsetnonblocking(pg, 0);
}

bool session_clean(Connection *connection, Deadline deadline, int64_t *ret_backend, Error *error)
{
    PGconn *pg = connection_pg(connection);
    PGTransactionStatusType status = PQtransactionStatus(pg);
    *ret_backend = 0;
    if (status == PQTRANS_ACTIVE)
        connection_cancel(connection); /* closing alone would leave the statement running to its end */
    if (status == PQTRANS_ACTIVE || status == PQTRANS_UNKNOWN || PQpipelineStatus(pg) != PQ_PIPELINE_OFF)
        return true;
    clean_client(pg);
    Buffer sql BUFFER_CLEANUP = {0};
    buffer_appendf(&sql, "%sSELECT pg_catalog.pg_backend_pid(); %s",
                   status == PQTRANS_IDLE ? "" : "ROLLBACK; ", SESSION_TAIL);
    if (buffer_failed(&sql))
        return error_memory(error);
    PGresult *rows = NULL;
    if (!session_run(connection, buffer_text(&sql), 0, NULL, deadline, &rows, error))
        return false;
    *ret_backend = number_of(rows, 0);
    PQclear(rows);
    return true;
}
