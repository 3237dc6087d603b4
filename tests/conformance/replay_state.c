#include "tests/conformance/query.h"
#include "tests/conformance/replay.h"
#include <stdlib.h>
#include <string.h>

static const char SCHEMAS[] = "select nspname from pg_namespace where nspname !~ '^pg_'"
                              " and nspname <> 'information_schema' order by nspname collate \"C\"";

static const char TABLES[] =
    "select n.nspname, c.relname, c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
    " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    " order by n.nspname collate \"C\", c.relname collate \"C\"";

static const char COLUMNS[] =
    "select a.attname || ' ' || format_type(a.atttypid, a.atttypmod)"
    " || case when a.attnotnull then ' not null' else '' end"
    " || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')"
    " from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum"
    " where a.attrelid = %s and a.attnum > 0 and not a.attisdropped order by a.attnum";

static const char CONSTRAINTS[] = "select conname || ': ' || pg_get_constraintdef(oid) from pg_constraint"
                                  " where conrelid = %s order by conname";

static const char INDEXES[] = "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid"
                              " where i.indrelid = %s order by 1";

/* The first column of an answer. */
static json_t *texts_of(PGconn *connection, const char *format, const char *argument)
{
    json_t *rows = query_rows(connection, format, argument), *texts = json_array(), *row;
    size_t index;
    json_array_foreach(rows, index, row)
    {
        json_array_append(texts, json_object_iter_value(json_object_iter(row)));
    }
    json_decref(rows);
    return texts;
}

static bool is_tracking(const char *table, const json_t *case_)
{
    size_t index;
    json_t *name;
    bool tracking = strstr(table, "__drizzle") != NULL;
    json_array_foreach(json_object_get(case_, "trackingTables"), index, name)
    {
        tracking = tracking || strcmp(json_string_value(name), table) == 0;
    }
    return tracking;
}

/* Recent times become words; older ones are part of the case. */
static json_t *tracking_row(const json_t *row)
{
    json_t *copy = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)row, key, value)
    {
        if (json_is_number(value) && is_recent_ms(json_number_value(value)))
            json_object_set_new(copy, key, json_string("<epoch_ms>"));
        else if (json_is_string(value) && is_recent(json_string_value(value)))
            json_object_set_new(copy, key, json_string("<ts>"));
        else
            json_object_set(copy, key, value);
    }
    return copy;
}

/* By id where there is one, else by content. */
static json_t *tracking_rows(PGconn *connection, const char *quoted)
{
    json_t *rows = query_rows(connection,
                              "select to_jsonb(x) j from %s x"
                              " order by coalesce((to_jsonb(x) ->> 'id')::bigint, 0), to_jsonb(x)",
                              quoted);
    json_t *list = json_array(), *row;
    size_t index;
    json_array_foreach(rows, index, row)
    {
        json_array_append_new(list, tracking_row(json_object_get(row, "j")));
    }
    json_decref(rows);
    return list;
}

static json_t *user_table(PGconn *connection, const char *oid, const char *quoted)
{
    json_t *count = query_rows(connection, "select count(*)::int n from %s", quoted);
    json_t *table = json_pack("{s:o,s:O}", "columns", texts_of(connection, COLUMNS, oid), "rows",
                              json_object_get(json_array_get(count, 0), "n"));
    json_t *indexes = texts_of(connection, INDEXES, oid);
    json_t *constraints = texts_of(connection, CONSTRAINTS, oid);
    if (json_array_size(indexes) > 0)
        json_object_set(table, "indexes", indexes);
    if (json_array_size(constraints) > 0)
        json_object_set(table, "constraints", constraints);
    json_decref(indexes);
    json_decref(constraints);
    json_decref(count);
    return table;
}

static void add_table(PGconn *connection, const PGresult *tables, int row, const json_t *case_, json_t *state)
{
    const char *schema = PQgetvalue(tables, row, 0), *name = PQgetvalue(tables, row, 1);
    const char *oid = PQgetvalue(tables, row, 2), *quoted = PQgetvalue(tables, row, 3);
    if (is_tracking(name, case_)) {
        json_t *key = json_sprintf("%s.%s", schema, name);
        json_object_set_new(json_object_get(state, "tracking"), json_string_value(key),
                            json_pack("{s:o,s:o,s:o}", "columns", texts_of(connection, COLUMNS, oid),
                                      "constraints", texts_of(connection, CONSTRAINTS, oid), "rows",
                                      tracking_rows(connection, quoted)));
        json_decref(key);
        return;
    }
    json_t *all = json_object_get(state, "tables");
    if (json_object_get(all, schema) == NULL)
        json_object_set_new(all, schema, json_object());
    json_object_set_new(json_object_get(all, schema), name, user_table(connection, oid, quoted));
}

static void add_extra(PGconn *connection, const json_t *questions, json_t *state)
{
    const char *name;
    json_t *question;
    if (json_object_size(questions) == 0)
        return;
    json_t *answers = json_object();
    json_object_foreach((json_t *)questions, name, question)
    {
        Answered answered = query_answer(connection, json_string_value(question));
        json_object_set_new(answers, name,
                            answered.rows != NULL ? answered.rows
                                                  : json_pack("{s:s}", "error", answered.failure));
        free(answered.failure);
    }
    json_object_set_new(state, "extra", answers);
}

json_t *database_state(PGconn *connection, const json_t *case_)
{
    json_t *state =
        json_pack("{s:o,s:{},s:{}}", "schemas", texts_of(connection, SCHEMAS, ""), "tables", "tracking");
    PGresult *tables = PQexec(connection, TABLES);
    for (int row = 0; row < PQntuples(tables); row++)
        add_table(connection, tables, row, case_, state);
    PQclear(tables);
    add_extra(connection, json_object_get(case_, "state"), state);
    return state;
}
