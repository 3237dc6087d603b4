/* {fn: drizzleMigrate}: what drizzle-orm's own migrate() does to a schema, statement by statement, so that
 * its tables can be met without it: the journal's migrations that are younger than the youngest recorded one,
 * in one transaction, recorded with hash and `when`. */
#include "tests/conformance/driver.h"
#include "tests/conformance/query.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Drizzle {
    const Driver *driver;
    PGconn *connection;
    char *table; /* quoted and qualified */
    char *failure;
} Drizzle;

static bool run(Drizzle *drizzle, const char *sql)
{
    Answered answered = query_answer(drizzle->connection, sql);
    json_decref(answered.rows);
    drizzle->failure = answered.failure;
    return answered.failure == NULL;
}

/* printf(), then run it; texts have to be quoted already. */
__attribute__((format(printf, 2, 3))) static bool run_format(Drizzle *drizzle, const char *format, ...)
{
    char *sql = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&sql, format, args) < 0)
        must_json(NULL);
    va_end(args);
    bool ok = run(drizzle, sql);
    free(sql);
    return ok;
}

static char *text_of_file(const char *folder, const char *tag)
{
    char *path = NULL, *text = NULL;
    size_t size = 0;
    if (asprintf(&path, "%s/%s.sql", folder, tag) < 0)
        must_json(NULL);
    FILE *file = fopen(path, "rb");
    free(path);
    if (file == NULL || getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

/* The statements between the breakpoints, then the record. */
static bool apply(Drizzle *drizzle, const char *text, json_int_t when)
{
    static const char BREAKPOINT[] = "--> statement-breakpoint";
    for (const char *statement = text; statement != NULL;) {
        const char *end = strstr(statement, BREAKPOINT);
        size_t length = end != NULL ? (size_t)(end - statement) : strlen(statement);
        if (!run_format(drizzle, "%.*s", (int)length, statement))
            return false;
        statement = end != NULL ? end + strlen(BREAKPOINT) : NULL;
    }
    char *literal = PQescapeLiteral(drizzle->connection, text, strlen(text));
    bool ok = run_format(drizzle,
                         "INSERT INTO %s (hash, created_at)"
                         " VALUES (encode(sha256(convert_to(%s, 'UTF8')), 'hex'), %lld)",
                         drizzle->table, literal, (long long)when);
    PQfreemem(literal);
    return ok;
}

static bool migrate(Drizzle *drizzle, const json_t *journal)
{
    const char *folder = text_of(drizzle->driver->document, "migrationsFolder");
    json_t *rows =
        query_rows(drizzle->connection, "SELECT coalesce(max(created_at), -1)::float8 AS youngest FROM %s",
                   drizzle->table);
    double youngest = json_number_value(json_object_get(json_array_get(rows, 0), "youngest"));
    json_decref(rows);
    size_t index;
    json_t *entry;
    bool ok = run(drizzle, "BEGIN");
    json_array_foreach(json_object_get(journal, "entries"), index, entry)
    {
        json_int_t when = json_integer_value(json_object_get(entry, "when"));
        char *text = ok && (double)when > youngest ? text_of_file(folder, text_of(entry, "tag")) : NULL;
        ok = ok && (text == NULL || apply(drizzle, text, when));
        free(text);
    }
    return ok && run(drizzle, "COMMIT");
}

static bool prepare(Drizzle *drizzle, const char *schema, const char *table)
{
    char *quoted_schema = PQescapeIdentifier(drizzle->connection, schema, strlen(schema));
    char *quoted_table = PQescapeIdentifier(drizzle->connection, table, strlen(table));
    if (asprintf(&drizzle->table, "%s.%s", quoted_schema, quoted_table) < 0)
        must_json(NULL);
    bool ok = run_format(drizzle, "CREATE SCHEMA IF NOT EXISTS %s", quoted_schema) &&
              run_format(drizzle, "SET search_path = %s, public", quoted_schema) &&
              run_format(drizzle,
                         "CREATE TABLE IF NOT EXISTS %s"
                         " (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)",
                         drizzle->table);
    PQfreemem(quoted_schema);
    PQfreemem(quoted_table);
    return ok;
}

Answer drizzle_migrate(Driver *driver, const json_t *step)
{
    json_t *path = json_sprintf("%s/meta/_journal.json", text_of(driver->document, "migrationsFolder"));
    json_t *journal = json_load_file(json_string_value(path), 0, NULL);
    json_decref(path);
    if (journal == NULL)
        return answer_thrown("Can't find meta/_journal.json file", NULL);
    Drizzle drizzle = {.driver = driver, .connection = PQconnectdb(driver->url)};
    bool ok =
        prepare(&drizzle, text_of(step, "schema"), text_of(step, "table")) && migrate(&drizzle, journal);
    Answer answer = ok ? answer_text("<ok>") : answer_thrown(drizzle.failure, NULL);
    free(drizzle.failure);
    free(drizzle.table);
    PQfinish(drizzle.connection);
    json_decref(journal);
    return answer;
}
