/* What a failed PGresult says, as an Error and as positions. */
#include "common/utf8.h"
#include "worker/pg/connection.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* An SQL_ASCII database sends whatever bytes it holds; an Error is UTF-8. */
static void repair(char **text)
{
    char *repaired = *text != NULL && !utf8_valid_text(*text) ? utf8_repair(*text) : NULL;
    if (repaired == NULL)
        return;
    free(*text);
    *text = repaired;
}

/* The server says which right is missing, and seldom what to do about it. */
static const char RIGHT_MISSING[] = "42501",
                  RIGHT_HINT[] =
                      "grant this right to the worker's database role; deploy/role.sql names all that "
                      "it needs";

bool error_from_result(Error *error, const PGresult *result)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    error_set(error, ERROR_SERVER, "%s", primary != NULL ? primary : PQresultErrorMessage(result));
    if (sqlstate != NULL && strlen(sqlstate) == 5)
        memcpy(error->sqlstate, sqlstate, sizeof error->sqlstate);
    if (detail != NULL)
        error_set_detail(error, "%s", detail);
    if (hint != NULL)
        error_set_hint(error, "%s", hint);
    else if (strcmp(error->sqlstate, RIGHT_MISSING) == 0)
        error_set_hint(error, "%s", RIGHT_HINT);
    repair(&error->message);
    repair(&error->detail);
    repair(&error->hint);
    error->line = result_block_line(result);
    return false;
}

static int64_t number_field(const PGresult *result, int field)
{
    const char *text = result != NULL ? PQresultErrorField(result, field) : NULL;
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

int64_t result_position(const PGresult *result)
{
    return number_field(result, PG_DIAG_STATEMENT_POSITION);
}

int64_t result_internal_position(const PGresult *result)
{
    return number_field(result, PG_DIAG_INTERNAL_POSITION);
}

const char *result_internal_query(const PGresult *result)
{
    return result != NULL ? PQresultErrorField(result, PG_DIAG_INTERNAL_QUERY) : NULL;
}

const char *result_context(const PGresult *result)
{
    return result != NULL ? PQresultErrorField(result, PG_DIAG_CONTEXT) : NULL;
}

int64_t result_block_line(const PGresult *result)
{
    static const char BLOCK[] = "inline_code_block";
    const char *context = result_context(result);
    const char *frame = NULL; /* the last one is the outermost: ours, not a DO inside the text */
    for (const char *next = context; next != NULL && (next = strstr(next, BLOCK)) != NULL;) {
        next += strlen(BLOCK);
        frame = next;
    }
    if (frame == NULL)
        return 0;
    while (*frame != '\0' && *frame != '\n' && !isdigit((unsigned char)*frame))
        frame++; /* the words between are in the server's language */
    return isdigit((unsigned char)*frame) ? strtoll(frame, NULL, 10) : 0;
}
