#include "tests/conformance/query.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Types that arrive in JavaScript as something else than their text; 64-bit numbers stay texts there. */
enum {
    OID_BOOL = 16,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_OID = 26,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_JSONB = 3802,
};

static json_t *cell_json(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return json_null();
    const char *text = PQgetvalue(result, row, column);
    switch (PQftype(result, column)) {
    case OID_BOOL:
        return json_boolean(text[0] == 't');
    case OID_INT2:
    case OID_INT4:
    case OID_OID:
        return json_integer(strtoll(text, NULL, 10));
    case OID_FLOAT4:
    case OID_FLOAT8:
        return json_real(strtod(text, NULL));
    case OID_JSON:
    case OID_JSONB:
        return json_loads(text, JSON_DECODE_ANY, NULL);
    default:
        return json_string(text);
    }
}

static json_t *rows_json(const PGresult *result)
{
    json_t *rows = json_array();
    for (int row = 0; row < PQntuples(result); row++) {
        json_t *object = json_object();
        for (int column = 0; column < PQnfields(result); column++)
            json_object_set_new(object, PQfname(result, column), cell_json(result, row, column));
        json_array_append_new(rows, object);
    }
    return rows;
}

/* The server's primary message, or libpq's own words without their line end; for free(). What the server said
 * before it closed the connection is among the latter: "FATAL:  57P01: terminating ...". */
static char *failure_of(PGconn *connection, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message != NULL)
        return strdup(message);
    message = PQerrorMessage(connection);
    const char *severity = strstr(message, ":  ");
    if (severity != NULL)
        message = severity + strlen(":  ");
    if (strspn(message, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && message[5] == ':')
        message += strlen("57P01: ");
    return strndup(message, strcspn(message, "\n"));
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

Answered query_answer(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    Answered answered = {0};
    if (succeeded(result))
        answered.rows = rows_json(result);
    else
        answered.failure = failure_of(connection, result);
    PQclear(result);
    if (answered.rows == NULL && answered.failure == NULL)
        abort();
    return answered;
}

json_t *query_rows(PGconn *connection, const char *format, const char *argument)
{
    char *sql = NULL;
    if (asprintf(&sql, format, argument) < 0)
        abort();
    Answered answered = query_answer(connection, sql);
    if (answered.rows == NULL) {
        fprintf(stderr, "query failed: %s\n%s\n", answered.failure, sql);
        exit(99);
    }
    free(sql);
    return answered.rows;
}
