#include "worker/ops/convert_shape.h"
#include "worker/pg/sql.h"
#include <stdlib.h>
#include <string.h>

/* What is there of the table? One row each: the kind of fact, a name, its type. The sequence counts only
 * where ALTER SEQUENCE could rename it within its schema. */
static const char READ_SHAPE[] =
    "WITH target AS (SELECT c.oid, c.relkind, c.relnamespace FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))"
    " SELECT 'kind', relkind::text, NULL, 0 FROM target"
    " UNION ALL SELECT 'column', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnum"
    " FROM target t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname IN ('id', 'name', 'hash', 'applied_at', "
    "'created_at')"
    " UNION ALL SELECT CASE k.contype WHEN 'p' THEN 'primary' ELSE 'unique' END, k.conname, NULL, 0"
    " FROM target t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid"
    " WHERE k.contype = 'p' OR k.contype = 'u' AND k.conkey IN (SELECT ARRAY[a.attnum]"
    " FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid AND a.attname IN ('name', 'hash'))"
    " UNION ALL SELECT 'sequence', s.relname, NULL, 0"
    " FROM target t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = 'id'"
    " JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    " AND d.refobjid = t.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')"
    " AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    " JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' AND s.relnamespace = t.relnamespace"
    " ORDER BY 4";

enum { FACT_KIND, FACT_NAME, FACT_TYPE };

static bool keep(char **field, const char *text, Error *error)
{
    free(*field);
    *field = strdup(text);
    return *field != NULL || error_memory(error);
}

static bool refuse_kind(const char *table, Error *error)
{
    error_set(error, ERROR_TRACKING, "the tracking table \"%s\" is not an ordinary table", table);
    error_set_hint(error, "convert the table behind it by its own name");
    return false;
}

static bool take_identifier(ConvertShape *shape, const char *name, const char *type, Error *error)
{
    const char *column = name[0] == 'n' ? "name" : "hash";
    if (shape->identifier != NULL) {
        shape->surplus = column;
        return true;
    }
    shape->identifier = column;
    return keep(&shape->identifier_type, type, error);
}

static bool take_id(const char *type, Error *error)
{
    if (strcmp(type, "integer") == 0 || strcmp(type, "bigint") == 0 || strcmp(type, "smallint") == 0)
        return true;
    error_set(error, ERROR_TRACKING, "column \"id\" of the tracking table has the type %s", type);
    error_set_hint(error, "only a table whose id is an integer can be converted");
    return false;
}

static bool take_column(ConvertShape *shape, const char *name, const char *type, Error *error)
{
    if (strcmp(name, "id") == 0)
        return take_id(type, error);
    if (strcmp(name, "name") == 0 || strcmp(name, "hash") == 0)
        return take_identifier(shape, name, type, error);
    if (strcmp(name, shape->tracking.time_column) == 0)
        return keep(&shape->time_type, type, error);
    shape->other_time = name[0] == 'a' ? "applied_at" : "created_at";
    return true;
}

static bool take_fact(ConvertShape *shape, const PGresult *facts, int row, const char *table, Error *error)
{
    const char *kind = PQgetvalue(facts, row, FACT_KIND);
    const char *name = PQgetvalue(facts, row, FACT_NAME);
    switch (kind[0]) {
    case 'k':
        return strcmp(name, "r") == 0 || refuse_kind(table, error);
    case 'c':
        return take_column(shape, name, PQgetvalue(facts, row, FACT_TYPE), error);
    case 'u':
        return text_list_add(&shape->uniques, name) || error_memory(error);
    case 'p':
        return keep(&shape->primary_key, name, error);
    default:
        return keep(&shape->sequence, name, error);
    }
}

/* Milliseconds, or a time. */
static bool check_time(const ConvertShape *shape, Error *error)
{
    const char *type = shape->time_type != NULL ? shape->time_type : "unknown";
    if (strcmp(type, "bigint") == 0 || strncmp(type, "timestamp", strlen("timestamp")) == 0)
        return true;
    error_set(error, ERROR_TRACKING, "column \"%s\" of the tracking table has the type %s",
              shape->tracking.time_column, type);
    error_set_hint(error, "only a bigint of milliseconds or a timestamp can be converted");
    return false;
}

static bool take_facts(ConvertShape *shape, const PGresult *facts, const char *table, Error *error)
{
    for (int i = 0; i < PQntuples(facts); i++)
        if (!take_fact(shape, facts, i, table, error))
            return false;
    return check_time(shape, error);
}

bool convert_shape_read(ConvertShape *shape, Connection *connection, const char *schema, const char *table,
                        Error *error)
{
    convert_shape_clear(shape);
    static const TrackingWish ANY = {.any_shape = true};
    TrackingTable found;
    if (!tracking_find(connection, schema, table, &ANY, &found, error))
        return false;
    if (!found.exists)
        return true;
    shape->tracking = found;
    PGresult *facts = NULL;
    if (!connection_query(connection, READ_SHAPE, 2, (const char *const[]){schema, table}, &facts, error))
        return false;
    bool good = take_facts(shape, facts, table, error);
    PQclear(facts);
    return good;
}

void convert_shape_clear(ConvertShape *shape)
{
    free(shape->identifier_type);
    free(shape->time_type);
    free(shape->primary_key);
    free(shape->sequence);
    text_list_clear(&shape->uniques);
    *shape = (ConvertShape){0};
}

bool convert_shape_is(const ConvertShape *shape, TrackingFormat format)
{
    return shape->tracking.format == format && shape->surplus == NULL;
}

/* A format's columns. */
static const struct {
    const char *identifier, *type; /* as format_type() writes it */
    const char *time;
    bool milliseconds;
} TARGETS[] = {
    [TRACKING_NAME] = {"name", "character varying(255)", "applied_at", false},
    [TRACKING_HASH] = {"hash", "text", "created_at", false},
    [TRACKING_DRIZZLE_KIT] = {"hash", "text", "created_at", true},
};

/* Statements in the making. */
typedef struct Rewrite {
    Buffer *sql;
    const ConvertShape *shape;
    const ConvertRows *rows;
    const char *qualified;
    TrackingFormat target;
} Rewrite;

static void append_constraints(const Rewrite *rewrite)
{
    const TextList *uniques = &rewrite->shape->uniques;
    for (size_t i = 0; i < uniques->count; i++) {
        buffer_appendf(rewrite->sql, "ALTER TABLE %s DROP CONSTRAINT ", rewrite->qualified);
        sql_append_identifier(rewrite->sql, uniques->items[i]);
        buffer_append_text(rewrite->sql, "; ");
    }
}

/* What another format has left: a table with both would be taken for one and refuse the rows of the other. A
 * second time alone is somebody's own column. */
static void append_surplus(const Rewrite *rewrite)
{
    const ConvertShape *shape = rewrite->shape;
    if (shape->surplus == NULL)
        return;
    buffer_appendf(rewrite->sql, "ALTER TABLE %s DROP COLUMN %s; ", rewrite->qualified, shape->surplus);
    if (shape->other_time != NULL)
        buffer_appendf(rewrite->sql, "ALTER TABLE %s DROP COLUMN %s; ", rewrite->qualified,
                       shape->other_time);
}

/* The value of each row: an array's element at the place that the row's id has in another. An UPDATE would
 * write every row twice and set off triggers. */
static void append_lookup(const Rewrite *rewrite, const char *type,
                          void (*append_value)(const Rewrite *, size_t))
{
    Buffer *sql = rewrite->sql;
    buffer_append_text(sql, "(ARRAY[");
    for (size_t i = 0; i < rewrite->rows->count; i++) {
        buffer_append_text(sql, i > 0 ? "," : "");
        append_value(rewrite, i);
    }
    buffer_appendf(sql, "]::%s[])[pg_catalog.array_position(ARRAY[", type);
    for (size_t i = 0; i < rewrite->rows->count; i++)
        buffer_appendf(sql, "%s%s", i > 0 ? "," : "", convert_rows_id(rewrite->rows, i));
    buffer_append_text(sql, "]::bigint[], id::bigint)]");
}

static void append_identifier_value(const Rewrite *rewrite, size_t i)
{
    sql_append_literal(rewrite->sql, convert_rows_identifier(rewrite->rows, i, rewrite->target));
}

static void append_when_value(const Rewrite *rewrite, size_t i)
{
    int64_t when_ms = convert_rows_when(rewrite->rows, i);
    if (when_ms > 0)
        buffer_appendf(rewrite->sql, "%lld", (long long)when_ms);
    else
        buffer_append_text(rewrite->sql, "NULL");
}

static bool identifier_stays(const Rewrite *rewrite)
{
    const ConvertShape *shape = rewrite->shape;
    return shape->surplus == NULL && strcmp(shape->identifier, TARGETS[rewrite->target].identifier) == 0 &&
           strcmp(shape->identifier_type, TARGETS[rewrite->target].type) == 0 &&
           convert_rows_agree(rewrite->rows, rewrite->target);
}

static void append_identifier_change(const Rewrite *rewrite)
{
    const char *column = rewrite->shape->identifier, *type = TARGETS[rewrite->target].type;
    if (identifier_stays(rewrite))
        return;
    buffer_appendf(rewrite->sql, ", ALTER COLUMN %s DROP NOT NULL, ALTER COLUMN %s DROP DEFAULT", column,
                   column);
    buffer_appendf(rewrite->sql, ", ALTER COLUMN %s TYPE %s USING ", column, type);
    append_lookup(rewrite, "text", append_identifier_value);
}

/* A row without any time is recorded as of now, as a new one would be. */
static void append_milliseconds(const Rewrite *rewrite, const char *column, bool was_milliseconds)
{
    buffer_append_text(rewrite->sql, "COALESCE(");
    append_lookup(rewrite, "bigint", append_when_value);
    buffer_appendf(
        rewrite->sql,
        was_milliseconds ? ", %s" : ", pg_catalog.floor(EXTRACT(EPOCH FROM %s::timestamptz) * 1000)::bigint",
        column);
    buffer_append_text(rewrite->sql,
                       ", pg_catalog.floor(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) * 1000)::bigint)");
}

static void append_time_change(const Rewrite *rewrite)
{
    const char *column = rewrite->shape->tracking.time_column, *type = rewrite->shape->time_type;
    bool milliseconds = TARGETS[rewrite->target].milliseconds, was = strcmp(type, "bigint") == 0;
    buffer_appendf(rewrite->sql, "ALTER COLUMN %s DROP NOT NULL, ALTER COLUMN %s DROP DEFAULT", column,
                   column);
    if (!milliseconds && strcmp(type, "timestamp with time zone") == 0)
        return;
    buffer_appendf(rewrite->sql, ", ALTER COLUMN %s TYPE %s USING ", column,
                   milliseconds ? "bigint" : "timestamptz");
    if (milliseconds)
        append_milliseconds(rewrite, column, was);
    else
        buffer_appendf(rewrite->sql,
                       was ? "'epoch'::timestamptz + %s * interval '1 millisecond'" : "%s::timestamptz",
                       column);
}

static void append_rename(const Rewrite *rewrite, const char *from, const char *to)
{
    if (strcmp(from, to) != 0)
        buffer_appendf(rewrite->sql, "ALTER TABLE %s RENAME COLUMN %s TO %s; ", rewrite->qualified, from, to);
}

/* Without a name the server gives the one that a new table's would get. */
static void append_rules(const Rewrite *rewrite)
{
    const char *time = TARGETS[rewrite->target].time;
    buffer_appendf(rewrite->sql, "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL, ALTER COLUMN %s SET %s",
                   rewrite->qualified, TARGETS[rewrite->target].identifier, time,
                   TARGETS[rewrite->target].milliseconds ? "NOT NULL" : "DEFAULT CURRENT_TIMESTAMP");
    if (rewrite->shape->primary_key == NULL)
        buffer_append_text(rewrite->sql, ", ADD PRIMARY KEY (id)");
    if (rewrite->target == TRACKING_NAME)
        buffer_append_text(rewrite->sql, ", ADD UNIQUE (name)");
    buffer_append_text(rewrite->sql, "; ");
}

enum { SUFFIXED_MAX = 55 /* bytes of a table name that the server does not shorten to add a suffix */ };

/* A table that was renamed kept the names of its parts. */
static void append_names(const Rewrite *rewrite, const char *schema, const char *table)
{
    BUFFER_CLEANUP Buffer key = {0}, sequence = {0};
    const ConvertShape *shape = rewrite->shape;
    buffer_appendf(&key, "%s_pkey", table);
    buffer_appendf(&sequence, "%s_id_seq", table);
    rewrite->sql->failed |= key.failed || sequence.failed;
    if (rewrite->sql->failed || strlen(table) > SUFFIXED_MAX)
        return;
    if (shape->primary_key != NULL && strcmp(shape->primary_key, buffer_text(&key)) != 0) {
        buffer_appendf(rewrite->sql, "ALTER TABLE %s RENAME CONSTRAINT ", rewrite->qualified);
        sql_append_identifier(rewrite->sql, shape->primary_key);
        buffer_append_text(rewrite->sql, " TO ");
        sql_append_identifier(rewrite->sql, buffer_text(&key));
        buffer_append_text(rewrite->sql, "; ");
    }
    if (shape->sequence != NULL && strcmp(shape->sequence, buffer_text(&sequence)) != 0) {
        buffer_append_text(rewrite->sql, "ALTER SEQUENCE ");
        sql_append_qualified(rewrite->sql, schema, shape->sequence);
        buffer_append_text(rewrite->sql, " RENAME TO ");
        sql_append_identifier(rewrite->sql, buffer_text(&sequence));
        buffer_append_text(rewrite->sql, "; ");
    }
}

void convert_shape_append(Buffer *sql, const ConvertShape *shape, const ConvertRows *rows, const char *schema,
                          const char *table, TrackingFormat target)
{
    BUFFER_CLEANUP Buffer qualified = {0};
    sql_append_qualified(&qualified, schema, table);
    const Rewrite rewrite = {
        .sql = sql, .shape = shape, .rows = rows, .qualified = buffer_text(&qualified), .target = target};
    append_constraints(&rewrite);
    append_surplus(&rewrite);
    buffer_appendf(sql, "ALTER TABLE %s ", rewrite.qualified);
    append_time_change(&rewrite);
    append_identifier_change(&rewrite);
    buffer_append_text(sql, "; ");
    append_rename(&rewrite, shape->identifier, TARGETS[target].identifier);
    append_rename(&rewrite, shape->tracking.time_column, TARGETS[target].time);
    append_rules(&rewrite);
    append_names(&rewrite, schema, table);
    sql->failed |= qualified.failed;
}
