/* parse: does the tenants' own server read each migration file? Nothing of a file is run.
 *
 * The server parses a whole simple-query message before it runs its first statement, so a statement that
 * always fails, put in front, makes a good file end in its SQLSTATE and a bad one in the parser's error.
 */
#include "common/buffer.h"
#include "worker/ops/attempt.h"
#include <stdlib.h>
#include <string.h>

static const char STOP[] = "DO 'BEGIN RAISE SQLSTATE ''PGC01''; END'; ";
static const char STOPPED[] = "PGC01";

typedef struct Parse {
    const OpContext *context;
    size_t next; /* first migration not yet checked */
    ParseResult result;
} Parse;

typedef struct Place {
    int64_t line, column;
    const char *line_start;
} Place;

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Where `position` (1-based) of text is. The server counts characters, or bytes in an SQL_ASCII database. */
static Place place_at(const char *text, size_t length, int64_t position, bool bytes)
{
    Place place = {.line = 1, .column = 1, .line_start = text};
    const char *end = text + length;
    int64_t left = position - 1;
    for (const char *c = text; c < end; c++) {
        bool inside = continues_character(*c);
        if (left <= 0 && !inside)
            break;
        left -= bytes || !inside;
        if (*c == '\n') {
            place = (Place){place.line + 1, 1, c + 1};
        } else if (c + 1 == end || !continues_character(c[1])) {
            place.column++;
        }
    }
    return place;
}

/* Is the text before the failing line that of a COPY whose data follow? */
static bool follows_copy(const char *text, const char *line_start)
{
    static const char WORDS[] = "from stdin";
    for (const char *c = text; c + sizeof WORDS - 1 <= line_start; c++)
        if (strncasecmp(c, WORDS, sizeof WORDS - 1) == 0)
            return true;
    return false;
}

static const char *hint_for(const char *text, const Place *place)
{
    const char *first = place->line_start + strspn(place->line_start, " \t\r");
    if (*first == '\\')
        return "psql commands (lines that start with a backslash) are not SQL: remove them; data after COPY "
               "... "
               "FROM stdin must become INSERT";
    if (follows_copy(text, place->line_start))
        return "data after COPY ... FROM stdin cannot stand in a migration: use INSERT";
    return NULL;
}

static bool counts_bytes(Connection *connection)
{
    const char *encoding = PQparameterStatus(connection_pg(connection), "server_encoding");
    return encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0;
}

static bool add_failure(Parse *parse, Connection *connection, const Migration *migration, Error *error)
{
    ParseFailure *failure = record_list_add(&PARSE_FAILURE, &parse->result.failures);
    if (failure == NULL || (failure->migration = strdup(migration->name)) == NULL)
        return error_memory(error);
    int64_t position = result_position(connection_failure(connection)) - (int64_t)strlen(STOP);
    size_t length;
    const char *text = migration_text(migration, &length);
    if (position > 0) {
        Place place = place_at(text, length, position, counts_bytes(connection));
        const char *hint = hint_for(text, &place);
        failure->line = place.line;
        failure->column = place.column;
        if (hint != NULL && error->hint == NULL)
            error_set_hint(error, "%s", hint);
    }
    op_take_error(error, &failure->error, &failure->sqlstate, &failure->detail, &failure->hint);
    return true;
}

/* Errors that say something about the server's state, not about the file. */
static bool is_about_the_server(const Error *error)
{
    static const char *const CLASSES[] = {"53", "57", "58", "XX", "28", "F0"};
    if (error->code != ERROR_SERVER || error->sqlstate[0] == '\0' || error_retry_class(error) != RETRY_NEVER)
        return true;
    for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++)
        if (strncmp(error->sqlstate, CLASSES[i], 2) == 0)
            return true;
    return false;
}

static bool parse_one(Parse *parse, Connection *connection, const Migration *migration, Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0};
    size_t length;
    const char *text = migration_text(migration, &length);
    buffer_append_text(&sql, STOP);
    buffer_append(&sql, text, length);
    if (buffer_failed(&sql))
        return error_memory(error);
    if (connection_exec(connection, buffer_text(&sql), NULL, error))
        return error_set(error, ERROR_SERVER, "the check of migration %s was not stopped by the server",
                         migration->name);
    if (strcmp(error->sqlstate, STOPPED) == 0)
        return true;
    return is_about_the_server(error) ? false : add_failure(parse, connection, migration, error);
}

/* May this role run DO blocks? Everything that writes needs them. */
static const char MAY_USE_PLPGSQL[] =
    "SELECT CURRENT_USER, EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = 'plpgsql' AND"
    " pg_catalog.has_language_privilege(oid, 'USAGE'))";

static bool check_plpgsql(Connection *connection, Error *error)
{
    PGresult *rows = NULL;
    if (!connection_query(connection, MAY_USE_PLPGSQL, 0, NULL, &rows, error))
        return false;
    bool good = strcmp(PQgetvalue(rows, 0, 1), "t") == 0;
    if (!good) {
        const char *role = PQgetvalue(rows, 0, 0);
        error_set(error, ERROR_SERVER, "role \"%s\" may not use the language plpgsql at %s", role,
                  connection_place(connection));
        error_set_hint(error, "GRANT USAGE ON LANGUAGE plpgsql TO \"%s\" in this database", role);
    }
    PQclear(rows);
    return good;
}

static bool note_version(Parse *parse, Connection *connection, Error *error)
{
    const char *version = PQparameterStatus(connection_pg(connection), "server_version");
    if (version == NULL || parse->result.server_version != NULL)
        return true;
    parse->result.server_version = strndup(version, strcspn(version, " ("));
    return parse->result.server_version != NULL ? true : error_memory(error);
}

static bool parse_step(Connection *connection, void *state, Error *error)
{
    Parse *parse = state;
    const OpContext *context = parse->context;
    if (!note_version(parse, connection, error) || !check_plpgsql(connection, error))
        return false;
    for (; context->bundle != NULL && parse->next < context->bundle->count; parse->next++) {
        if (context->cancelled != NULL && atomic_load(context->cancelled))
            return error_set(error, ERROR_CANCELLED, "cancelled");
        if (!parse_one(parse, connection, &context->bundle->items[parse->next], error))
            return false;
    }
    return true;
}

void op_parse(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
              Outcome *ret_outcomes)
{
    (void)tenants;
    if (count == 0)
        return;
    ERROR_CLEANUP Error error = {0};
    Parse parse = {.context = context};
    bool good = op_attempt(context, parse_step, &parse, 1, &error);
    ParseResult *result = ret_results;
    *result = parse.result;
    ret_outcomes[0] = good ? OUTCOME_ALREADY : op_outcome(&error);
    if (!good)
        op_take_error(&error, &result->error, &result->sqlstate, &result->detail, &result->hint);
}
