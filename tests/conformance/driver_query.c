/* SQL of the cases themselves: what a user of the library does with a connection, and what steps do beside
 * it. */
#include "tests/conformance/driver.h"
#include "tests/conformance/query.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Answer failed(const char *sql, const char *cause)
{
    char *message = NULL;
    if (asprintf(&message, "Failed query: %s\nparams: ", sql) < 0)
        must_json(NULL);
    Answer answer = answer_thrown(message, cause);
    free(message);
    return answer;
}

Answer db_query(PGconn *connection, const char *sql)
{
    Answered answered = query_answer(connection, sql);
    Answer answer = answered.rows != NULL ? answer_value(answered.rows) : failed(sql, answered.failure);
    free(answered.failure);
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
    Answered answered = query_answer(connection, sql);
    json_decref(answered.rows);
    if (answered.failure != NULL)
        *ret_message = answered.failure;
    PQfinish(connection);
    return answered.failure == NULL;
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
        Answered answered = query_answer(connection, sql);
        bool ok = answered.failure == NULL || seed_failed(sql, error);
        json_decref(answered.rows);
        free(answered.failure);
        free(sql);
        if (!ok)
            return false;
    }
    const char *only_for = text_of(seed->script, "for"), *words = text_of(seed->script, "throw");
    if (words == NULL || (only_for != NULL && (tenant_id == NULL || strcmp(only_for, tenant_id) != 0)))
        return true;
    return pgconvoy_error_set(error, "%s", words);
}
