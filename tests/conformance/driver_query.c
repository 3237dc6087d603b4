/* SQL of the cases themselves: what a user of the library does with a connection, and what steps do beside
 * it. */
#include "tests/conformance/driver.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Types that arrive in JavaScript as something else than their text; 64-bit numbers stay texts there. */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
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
        return must_json(json_integer(strtoll(text, NULL, 10)));
    case OID_FLOAT4:
    case OID_FLOAT8:
        return must_json(json_real(strtod(text, NULL)));
    case OID_JSON:
    case OID_JSONB:
        return must_json(json_loads(text, JSON_DECODE_ANY, NULL));
    default:
        return must_json(json_string(text));
    }
}

static json_t *rows_json(const PGresult *result)
{
    json_t *rows = must_json(json_array());
    for (int row = 0; row < PQntuples(result); row++) {
        json_t *object = must_json(json_object());
        for (int column = 0; column < PQnfields(result); column++)
            json_object_set_new(object, PQfname(result, column), cell_json(result, row, column));
        json_array_append_new(rows, object);
    }
    return rows;
}

/* The server's primary message, or libpq's own words without their line end; for free(). */
static char *failure_of(PGconn *connection, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message == NULL)
        message = PQerrorMessage(connection);
    return strndup(message, strcspn(message, "\n"));
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

Answer query_answer(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    Answer answer;
    if (succeeded(result)) {
        answer = answer_value(rows_json(result));
    } else {
        char *cause = failure_of(connection, result), *message = NULL;
        if (cause == NULL || asprintf(&message, "Failed query: %s\nparams: ", sql) < 0)
            must_json(NULL);
        answer = answer_thrown(message, cause);
        free(message);
        free(cause);
    }
    PQclear(result);
    return answer;
}

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

bool sql_execute(const char *url, const char *sql, char **ret_message)
{
    PGconn *connection = PQconnectdb(url);
    PQsetNoticeProcessor(connection, ignore_notice, NULL);
    PGresult *result = PQexec(connection, sql);
    bool ok = succeeded(result);
    if (!ok && (*ret_message = failure_of(connection, result)) == NULL)
        must_json(NULL);
    PQclear(result);
    PQfinish(connection);
    return ok;
}

int64_t sql_count(const char *url, const char *sql)
{
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    int64_t count = PQntuples(result) == 1 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : -1;
    PQclear(result);
    PQfinish(connection);
    return count;
}

/* "{id}" in a seed's SQL is its tenant. */
static char *with_id(const char *sql, const char *tenant_id)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        must_json(NULL);
    for (const char *hole; (hole = strstr(sql, "{id}")) != NULL; sql = hole + strlen("{id}"))
        fprintf(stream, "%.*s%s", (int)(hole - sql), sql, tenant_id != NULL ? tenant_id : "");
    fputs(sql, stream);
    if (fclose(stream) != 0)
        must_json(NULL);
    return text;
}

/* The other implementation's seeds are given a query builder, whose errors name the query alone. */
static bool seed_failed(const char *sql, pgconvoy_error *error)
{
    return pgconvoy_error_set(error, "Failed query: %s\nparams: ", sql);
}

bool run_seed(void *context, const char *tenant_id, PGconn *connection, pgconvoy_error *error)
{
    SeedScript *seed = context;
    seed->called = true;
    size_t index;
    json_t *statement;
    json_array_foreach(json_object_get(seed->script, "sql"), index, statement)
    {
        char *sql = with_id(json_string_value(statement), tenant_id);
        PGresult *result = PQexec(connection, sql);
        bool ok = succeeded(result) || seed_failed(sql, error);
        PQclear(result);
        free(sql);
        if (!ok)
            return false;
    }
    const char *only_for = text_of(seed->script, "for"), *words = text_of(seed->script, "throw");
    if (words == NULL || (only_for != NULL && (tenant_id == NULL || strcmp(only_for, tenant_id) != 0)))
        return true;
    return pgconvoy_error_set(error, "%s", words);
}
