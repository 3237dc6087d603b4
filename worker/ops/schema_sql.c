#include "worker/ops/schema_sql.h"
#include "worker/ops/attempt.h"
#include "worker/ops/schema_pieces.h"
#include "worker/pg/session.h"
#include <string.h>

/* Plans are fixed: every look-up goes by an index of the catalog, whatever the planner believes about its
 * size, and nothing is worth compiling. From here on names without a schema are those of pg_catalog. */
static const char SETTINGS[] =
    "SELECT pg_catalog.set_config(name, setting, true) FROM (VALUES ('search_path', 'pg_catalog, pg_temp'),"
    " ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'))"
    " AS s(name, setting);";

/* The order in which a CASE looks at its parts is the only one that SQL promises: search_path is set, then
 * looked at, and only then are the facts put into words by it. OFFSET 0 has each fact made once, not once for
 * each place that uses it. */
static const char DIGESTS[] =
    "WITH ${indexes} SELECT t.place - 1, n.oid IS NOT NULL,"
    " CASE WHEN n.oid IS NOT NULL THEN CASE WHEN ${use schema} THEN CASE WHEN current_schema() = t.schema "
    "THEN"
    " (SELECT concat(encode(sha256(convert_to(coalesce(string_agg(f.fact, E'\\x1e' ORDER BY f.fact"
    " COLLATE \"C\"), ''), getdatabaseencoding())), 'hex'), ' ',"
    " count(*) FILTER (WHERE starts_with(f.fact, E'table\\x1f'))) FROM (${facts} OFFSET 0) AS f)"
    " END END END FROM unnest(ARRAY[${schemas}]::name[]) WITH ORDINALITY AS t(schema, place)"
    " LEFT JOIN LATERAL (SELECT oid FROM pg_namespace WHERE nspname = t.schema OFFSET 0) AS n ON true"
    " ORDER BY t.place;";

/* Which of the schemas hold a relation that somebody has locked against readers? */
static const char LOCKED[] =
    "SELECT t.place - 1 FROM unnest(ARRAY[${schemas}]::name[]) WITH ORDINALITY AS t(schema, place)"
    " JOIN pg_namespace n ON n.nspname = t.schema WHERE n.oid IN (SELECT c.relnamespace FROM pg_locks h"
    " JOIN pg_class c ON c.oid = h.relation WHERE h.mode = 'AccessExclusiveLock' AND h.database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1;";

/* The queries of introspection. The name of the first column says what the rows are. */
static const char SCHEMA_ITSELF[] =
    "SELECT 0 AS schema, t.oid IS NOT NULL, CASE WHEN t.oid IS NOT NULL AND current_schema() = t.schema THEN"
    " to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') END FROM here t";

static const char TABLES[] =
    "SELECT c.relname AS table_name, nullif(${table}, '')${from relations}${where table} ORDER BY c.relname";

/* information_schema's view of a column, without its privileges, and what it leaves out. */
static const char COLUMNS[] =
    "SELECT c.relname AS column_table, a.attname,"
    " CASE WHEN b.typelem <> 0 AND b.typlen = -1 THEN 'ARRAY' WHEN b.typnamespace ="
    "  'pg_catalog'::regnamespace THEN format_type(b.oid, NULL) ELSE 'USER-DEFINED' END,"
    " b.typname, NOT (a.attnotnull OR y.typtype = 'd' AND y.typnotnull),"
    " CASE WHEN a.attgenerated = '' THEN ${default} END,"
    " information_schema._pg_char_max_length(b.oid, m.typmod),"
    " information_schema._pg_numeric_precision(b.oid, m.typmod),"
    " information_schema._pg_numeric_scale(b.oid, m.typmod),"
    " a.attnum, format_type(a.atttypid, a.atttypmod), ${collation},"
    " CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,"
    " CASE WHEN a.attgenerated <> '' THEN concat(${default}, CASE a.attgenerated WHEN 'v' THEN ' VIRTUAL'"
    "  END) END"
    "${from relations} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " JOIN pg_type y ON y.oid = a.atttypid"
    " JOIN pg_type b ON b.oid = CASE y.typtype WHEN 'd' THEN y.typbasetype ELSE y.oid END"
    " CROSS JOIN LATERAL (SELECT CASE y.typtype WHEN 'd' THEN y.typtypmod ELSE a.atttypmod END) AS m(typmod)"
    "${where table} ORDER BY c.relname, a.attnum";

static const char INDEXES[] =
    "SELECT c.relname AS index_table, i.relname, (SELECT string_agg(coalesce((SELECT a.attname::text"
    " FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[o - 1] AND a.attnum <> 0),"
    " pg_get_indexdef(x.indexrelid, o, true)), ${f} ORDER BY o) FROM generate_series(1, x.indnatts::int)"
    " AS o), x.indisunique, x.indisprimary, pg_get_indexdef(x.indexrelid), NOT x.indisvalid, ${index}"
    "${from relations} JOIN indexes x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid"
    "${where table} ORDER BY c.relname, i.relname";

static const char CONSTRAINTS[] =
    "SELECT c.relname AS constraint_table, k.conname, CASE k.contype WHEN 'p' THEN 'PRIMARY KEY'"
    " WHEN 'u' THEN 'UNIQUE' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'c' THEN 'CHECK' ELSE 'EXCLUDE' END,"
    " (SELECT string_agg(a.attname, ${f} ORDER BY u.o) FROM unnest(k.conkey) WITH ORDINALITY AS u(num, o)"
    "  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num),"
    " (SELECT fc.relname FROM pg_class fc WHERE fc.oid = k.confrelid),"
    " (SELECT string_agg(a.attname, ${f} ORDER BY u.o) FROM unnest(k.confkey) WITH ORDINALITY AS u(num, o)"
    "  JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num),"
    " CASE k.contype WHEN 'c' THEN substr(pg_get_constraintdef(k.oid), 7) END,"
    " pg_get_constraintdef(k.oid), ${constraint}"
    "${from relations} JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype NOT IN ('n', 't')"
    "${where table} ORDER BY c.relname, k.conname";

static const char OBJECTS[] =
    "SELECT kind AS object_kind, name, of_table, definition, canonical FROM ("
    "SELECT 'view', c.relname::text, NULL, ${view}, ${view}${from relations}"
    " WHERE c.relkind IN ('v', 'm') AND ${not excluded}"
    " UNION ALL SELECT 'sequence', c.relname, NULL, ${sequence}, ${sequence}${from relations}"
    " WHERE c.relkind = 'S' AND ${not excluded} AND ${owner not excluded}"
    " UNION ALL SELECT 'trigger', g.tgname, c.relname, pg_get_triggerdef(g.oid), ${trigger}${from relations}"
    " JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal WHERE ${not excluded}"
    " UNION ALL SELECT 'policy', l.polname, c.relname, ${policy}, ${policy}${from relations}"
    " JOIN pg_policy l ON l.polrelid = c.oid WHERE ${not excluded}"
    " UNION ALL SELECT 'function', ${function name}, NULL, CASE p.prokind WHEN 'a' THEN concat('AGGREGATE ',"
    " ${function name}) ELSE pg_get_functiondef(p.oid) END, ${function}${from objects}"
    " JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid WHERE ${of its own}"
    " UNION ALL SELECT CASE y.typtype WHEN 'e' THEN 'enum' ELSE 'type' END, y.typname, NULL, ${type}, ${type}"
    "${from objects} JOIN pg_type y ON d.classid = 'pg_type'::regclass AND y.oid = d.objid"
    " WHERE ${of its own}"
    " UNION ALL SELECT 'other', ${other name}, NULL, ${other}, ${other}${from objects}"
    " WHERE d.classid IN (${other catalogs}))"
    " AS o(kind, name, of_table, definition, canonical)"
    " ORDER BY kind, name COLLATE \"C\", of_table COLLATE \"C\"";

static void append_begin(const SchemaMessage *message)
{
    op_append_begin_read(message->sql, message->options);
    buffer_append_text(message->sql, SETTINGS);
}

static void append_end(const SchemaMessage *message)
{
    buffer_appendf(message->sql, "COMMIT; %s", SESSION_TAIL);
}

void schema_append_digests(Buffer *sql, const RunOptions *options, int version, const char *const *schemas,
                           size_t count)
{
    SchemaMessage message = {sql, options, version, schemas, count};
    append_begin(&message);
    schema_message_append(&message, DIGESTS);
    append_end(&message);
}

void schema_append_locked(Buffer *sql, const RunOptions *options, int version, const char *const *schemas,
                          size_t count)
{
    SchemaMessage message = {sql, options, version, schemas, count};
    append_begin(&message);
    schema_message_append(&message, LOCKED);
    append_end(&message);
}

/* A query of introspection. The one before it left search_path at the schema, where a name of the next one's
 * could mean something else. */
static void append_query(const SchemaMessage *message, const char *query)
{
    schema_message_append(message, "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);"
                                   "WITH ${indexes}, ${here} ");
    schema_message_append(message, query);
    buffer_append_text(message->sql, ";");
}

void schema_append_introspection(Buffer *sql, const RunOptions *options, int version, const char *schema)
{
    SchemaMessage message = {sql, options, version, &schema, 1};
    append_begin(&message);
    append_query(&message, SCHEMA_ITSELF);
    append_query(&message, TABLES);
    append_query(&message, COLUMNS);
    if (!options->no_indexes)
        append_query(&message, INDEXES);
    if (!options->no_constraints)
        append_query(&message, CONSTRAINTS);
    append_query(&message, OBJECTS);
    append_end(&message);
}

bool schema_row_check(const PGresult *rows, int row, const char *schema, Error *error)
{
    if (PQgetvalue(rows, row, 1)[0] != 't')
        return error_set(error, ERROR_NO_SCHEMA, "schema \"%s\" does not exist", schema);
    if (!PQgetisnull(rows, row, 2))
        return true;
    error_set(error, ERROR_SERVER, "permission denied for schema %s", schema);
    memcpy(error->sqlstate, "42501", 6);
    error_set_hint(error, "grant USAGE on it to the role that reads the schemas");
    return false;
}
