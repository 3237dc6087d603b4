#include "worker/ops/schema_sql.h"
#include "worker/ops/attempt.h"
#include "worker/ops/run_defaults.h"
#include "worker/ops/schema_canon.h"
#include "worker/pg/session.h"
#include "worker/pg/sql.h"
#include <string.h>

/* Plans are fixed: every look-up goes by an index of the catalog, whatever the planner believes about its
 * size, and nothing is worth compiling. From here on names without a schema are those of pg_catalog. */
static const char SETTINGS[] =
    "SELECT pg_catalog.set_config(name, setting, true) FROM (VALUES ('search_path', 'pg_catalog, pg_temp'),"
    " ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'))"
    " AS s(name, setting);";

static void append_begin(Buffer *sql, const RunOptions *options)
{
    op_append_begin_read(sql, options);
    buffer_append_text(sql, SETTINGS);
}

/* For the names of the statement that follows, after one that has set search_path to the schema. */
static const char CATALOG_NAMES[] =
    ";SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);";

static void append_end(Buffer *sql)
{
    buffer_appendf(sql, "; COMMIT; %s", SESSION_TAIL);
}

/* pg_index with the columns of the newest version. */
static void append_indexes(Buffer *sql, int version)
{
    buffer_appendf(sql, "WITH indexes AS NOT MATERIALIZED (SELECT *%s FROM pg_index)",
                   version < 150000 ? ", false AS indnullsnotdistinct" : "");
}

static void append_schemas(Buffer *sql, const char *const *schemas, size_t count)
{
    buffer_append_text(sql, "unnest(ARRAY[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(sql, i > 0 ? "," : "");
        sql_append_literal(sql, schemas[i]);
    }
    buffer_append_text(sql, "]::name[]) WITH ORDINALITY AS t(schema, place)"
                            " LEFT JOIN LATERAL (SELECT oid FROM pg_namespace WHERE nspname = t.schema OFFSET"
                            " 0) n ON true");
}

/* " AND <name> <> ALL (...)": the tables that are no business of drift. */
static void append_exclusion(Buffer *sql, const RunOptions *options, const char *name)
{
    buffer_appendf(sql, " AND %s <> ALL (ARRAY['__pgconvoy_state', ", name);
    sql_append_literal(sql, run_defaults(options).migrations_table);
    for (size_t i = 0; i < options->exclude_tables.count; i++) {
        buffer_append_text(sql, ", ");
        sql_append_literal(sql, options->exclude_tables.items[i]);
    }
    buffer_append_text(sql, "]::name[])");
}

/* A sequence goes with the table that owns it. */
static void append_sequence_exclusion(Buffer *sql, const RunOptions *options)
{
    buffer_append_text(sql, " AND NOT EXISTS (SELECT FROM " SEQUENCE_OWNERS " AND NOT EXISTS (SELECT FROM"
                            " pg_class c WHERE c.oid = w.refobjid");
    append_exclusion(sql, options, "c.relname");
    buffer_append_text(sql, "))");
}

/* The fact about one relation of pg_depend's row d. */
static void append_relation_fact(Buffer *sql, const RunOptions *options)
{
    buffer_append_text(sql, "(SELECT CASE WHEN c.relkind IN ('r', 'p', 'f') THEN concat('table'" FIELD
                            "c.relname" FIELD CANON_TABLE FIELD "(SELECT string_agg(" CANON_COLUMN ", " ITEM
                            " ORDER BY a.attnum) FROM " COLUMNS_OF("c.oid") ")");
    if (!options->no_constraints)
        buffer_append_text(sql, FIELD "(SELECT string_agg(concat(k.conname" FIELD CANON_CONSTRAINT "), " ITEM
                                      " ORDER BY k.conname) FROM " CONSTRAINTS_OF("c.oid") ")");
    buffer_append_text(sql,
                       ") WHEN c.relkind IN ('v', 'm') THEN concat('view'" FIELD "c.relname" FIELD CANON_VIEW
                       ") WHEN c.relkind = 'S' THEN concat('sequence'" FIELD "c.relname" FIELD CANON_SEQUENCE
                       ") END || CASE WHEN c.relkind = 'S' THEN '' ELSE concat(''");
    if (!options->no_indexes)
        buffer_append_text(
            sql, FIELD
            "CASE WHEN c.relhasindex AND c.relkind <> 'm' THEN (SELECT string_agg(concat(i.relname" FIELD
                CANON_INDEX "), " ITEM " ORDER BY i.relname) FROM indexes x JOIN pg_class i ON"
            " i.oid = x.indexrelid WHERE x.indrelid = c.oid) END");
    buffer_append_text(
        sql, FIELD
        "CASE WHEN c.relhastriggers THEN (SELECT string_agg(" CANON_TRIGGER ", " ITEM
        " ORDER BY g.tgname) FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal) END" FIELD
        "(SELECT string_agg(concat(l.polname" FIELD CANON_POLICY "), " ITEM
        " ORDER BY l.polname) FROM pg_policy l WHERE l.polrelid = c.oid)) END"
        " FROM pg_class c WHERE c.oid = d.objid");
    append_exclusion(sql, options, "c.relname");
    buffer_append_text(sql, " AND (c.relkind <> 'S' OR (true");
    append_sequence_exclusion(sql, options);
    buffer_append_text(sql, ")))");
}

static void append_facts(Buffer *sql, const RunOptions *options)
{
    buffer_append_text(sql, "SELECT CASE d.classid WHEN " CATALOG("pg_class") " THEN ");
    append_relation_fact(sql, options);
    buffer_append_text(
        sql,
        " WHEN " CATALOG("pg_proc") " THEN (SELECT concat('function'" FIELD FUNCTION_NAME FIELD
            CANON_FUNCTION ") FROM pg_proc p WHERE p.oid = d.objid AND " OF_ITS_OWN("p") ") WHEN " CATALOG(
                "pg_type") " THEN (SELECT concat('type'" FIELD "y.typname" FIELD
                CANON_TYPE ") FROM pg_type y WHERE y.oid = d.objid AND " OF_ITS_OWN(
                    "y") ") ELSE CASE WHEN d.classid IN (" OTHER_CATALOGS
                         ") THEN concat('other'" FIELD OTHER_NAME FIELD CANON_OTHER ") END END AS fact"
                         " FROM (SELECT DISTINCT classid, objid FROM pg_depend WHERE refclassid = " CATALOG(
                             "pg_namespace") " AND refobjid = n.oid AND refobjsubid = 0) AS d");
}

/* The order in which a CASE looks at its parts is the only one that SQL promises: search_path is set, then
 * looked at, and only then are the facts put into words by it. OFFSET 0 has each fact made once, not once for
 * each place that uses it. */
void schema_append_digests(Buffer *sql, const RunOptions *options, int version, const char *const *schemas,
                           size_t count)
{
    append_begin(sql, options);
    append_indexes(sql, version);
    buffer_append_text(
        sql,
        " SELECT t.place - 1, n.oid IS NOT NULL, CASE WHEN n.oid IS NOT NULL THEN CASE WHEN"
        " set_config('search_path', concat(quote_ident(t.schema), ', pg_temp'), true) IS NOT NULL THEN"
        " CASE WHEN current_schema() = t.schema THEN (SELECT concat(encode(sha256(convert_to(coalesce("
        "string_agg(f.fact, E'\\x1e' ORDER BY f.fact COLLATE \"C\"), ''), getdatabaseencoding())), 'hex'),"
        " ' ', count(*) FILTER (WHERE starts_with(f.fact, E'table\\x1f'))) FROM (");
    append_facts(sql, options);
    buffer_append_text(sql, " OFFSET 0) AS f) END END END FROM ");
    append_schemas(sql, schemas, count);
    append_end(sql);
}

void schema_append_locked(Buffer *sql, const RunOptions *options, int version, const char *const *schemas,
                          size_t count)
{
    (void)version;
    append_begin(sql, options);
    buffer_append_text(sql, "SELECT t.place - 1 FROM ");
    append_schemas(sql, schemas, count);
    buffer_append_text(sql,
                       " WHERE n.oid IN (SELECT c.relnamespace FROM pg_locks h JOIN pg_class c ON c.oid ="
                       " h.relation WHERE h.mode = 'AccessExclusiveLock' AND h.database = (SELECT oid FROM"
                       " pg_database WHERE datname = current_database())) ORDER BY 1");
    append_end(sql);
}

/* "FROM here": the schema as t and n. Being a query of its own it runs before anything is put into words. */
#define HERE                                                                                      \
    ", (SELECT oid FROM pg_namespace WHERE nspname = v.schema) AS oid, set_config('search_path'," \
    " concat(quote_ident(v.schema), ', pg_temp'), true) AS path FROM (SELECT v.schema::name FROM (VALUES ("

#define RELATIONS(kinds)                                                                                                                                                    \
    " FROM here t CROSS JOIN LATERAL (SELECT t.oid) AS n(oid) JOIN pg_depend d ON d.refclassid = " CATALOG(                                                                 \
        "pg_namespace") " AND d.refobjid = n.oid AND d.refobjsubid = 0 AND d.classid = " CATALOG("pg_class") " JOIN pg_class c ON c.oid = d.objid AND c.relkind IN (" kinds \
                                                                                                             ")"
#define ROWS_OF_CATALOG(catalog, alias)                                                                   \
    " FROM here t CROSS JOIN LATERAL (SELECT t.oid) AS n(oid) CROSS JOIN LATERAL (SELECT DISTINCT objid " \
    "FROM"                                                                                                \
    " pg_depend WHERE refclassid = " CATALOG(                                                             \
        "pg_namespace") " AND refobjid = n.oid AND refobjsubid = 0 AND"                                   \
                        " classid = " CATALOG(catalog) ") AS d JOIN " catalog " " alias " ON " alias      \
                                                       ".oid = d.objid AND " OF_ITS_OWN(alias)

#define TABLE_ROWS "SELECT c.relname AS table_name, nullif(" CANON_TABLE ", '')" RELATIONS("'r', 'p', 'f'")

/* information_schema's view of a column, without its privileges. */
#define TRUE_TYPE "CASE WHEN ty.typtype = 'd' THEN ty.typbasetype ELSE a.atttypid END"
#define TRUE_MODIFIER "CASE WHEN ty.typtype = 'd' THEN ty.typtypmod ELSE a.atttypmod END"
#define COLUMN_ROWS                                                                                  \
    "SELECT c.relname AS column_table, a.attname, CASE WHEN bt.typelem <> 0 AND bt.typlen = -1 THEN" \
    " 'ARRAY' WHEN bt.typnamespace = 'pg_catalog'::regnamespace THEN format_type(bt.oid, NULL) ELSE" \
    " 'USER-DEFINED' END, bt.typname, NOT (a.attnotnull OR ty.typtype = 'd' AND ty.typnotnull),"     \
    " CASE WHEN a.attgenerated = '' THEN " CANON_DEFAULT " END,"                                     \
    " information_schema._pg_char_max_length(bt.oid, " TRUE_MODIFIER "),"                            \
    " information_schema._pg_numeric_precision(bt.oid, " TRUE_MODIFIER "),"                          \
    " information_schema._pg_numeric_scale(bt.oid, " TRUE_MODIFIER "), a.attnum,"                    \
    " format_type(a.atttypid, a.atttypmod), " CANON_COLLATION ","                                    \
    " CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,"                     \
    " CASE WHEN a.attgenerated <> '' THEN " CANON_DEFAULT " || CASE WHEN a.attgenerated = 'v' THEN"  \
    " ' VIRTUAL' ELSE '' END END" RELATIONS(                                                         \
        "'r', 'p', 'f'") " JOIN " COLUMNS_ON                                                         \
                         " JOIN pg_type ty ON ty.oid = a.atttypid JOIN pg_type bt ON bt.oid = " TRUE_TYPE
#define COLUMNS_ON "pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"

#define INDEX_ROWS                                                                                         \
    "SELECT c.relname AS index_table, i.relname, (SELECT string_agg(coalesce((SELECT a.attname::text FROM" \
    " pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[o - 1] AND a.attnum <> 0),"     \
    " pg_get_indexdef(x.indexrelid, o, true)), E'\\x1f' ORDER BY o) FROM generate_series(1,"               \
    " x.indnatts::int) AS o), x.indisunique, x.indisprimary, pg_get_indexdef(x.indexrelid),"               \
    " NOT x.indisvalid, " CANON_INDEX RELATIONS(                                                           \
        "'r', 'p', 'f'") " JOIN indexes x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid"

#define NAMES_OF(keys, relation)                                                                         \
    "(SELECT string_agg(a.attname, E'\\x1f' ORDER BY u.o) FROM unnest(" keys ") WITH ORDINALITY u(n, o)" \
    " JOIN pg_attribute a ON a.attrelid = " relation " AND a.attnum = u.n)"
#define CONSTRAINT_ROWS                                                                                      \
    "SELECT c.relname AS constraint_table, k.conname, CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u'"   \
    " THEN 'UNIQUE' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'c' THEN 'CHECK' ELSE 'EXCLUDE' END, " NAMES_OF(        \
        "k.conkey", "k.conrelid") ", (SELECT fc.relname FROM pg_class fc WHERE fc.oid = "                    \
                                  "k.confrelid)," NAMES_OF("k.confkey",                                      \
                                                           "k.confrelid") ", CASE k.contype WHEN 'c' THEN"   \
                                                                          " substr(pg_get_constraintdef(k."  \
                                                                          "oid), 7) END, "                   \
                                                                          "pg_get_constraintdef(k.oid),"     \
                                                                          " " CANON_CONSTRAINT RELATIONS(    \
                                                                              "'r', 'p', 'f'") " JOIN "      \
                                                                                               "pg_"         \
                                                                                               "constraint " \
                                                                                               "k ON "       \
                                                                                               "k.conrelid " \
                                                                                               "= c.oid AND" \
                                                                                               " k.contype " \
                                                                                               "NOT IN "     \
                                                                                               "('n', 't')"

static void append_query(Buffer *sql, int version, const char *schema, const char *query)
{
    buffer_append_text(sql, CATALOG_NAMES);
    append_indexes(sql, version);
    buffer_append_text(sql, ", here AS MATERIALIZED (SELECT v.schema" HERE);
    sql_append_literal(sql, schema);
    buffer_append_text(sql, ")) AS v(schema)) AS v) ");
    buffer_append_text(sql, query);
}

static void append_rows(Buffer *sql, const RunOptions *options, int version, const char *schema,
                        const char *query, const char *order)
{
    append_query(sql, version, schema, query);
    append_exclusion(sql, options, "c.relname");
    buffer_append_text(sql, order);
}

static void append_objects(Buffer *sql, const RunOptions *options, int version, const char *schema)
{
    append_query(sql, version, schema,
                 "SELECT kind AS object_kind, name, of_table, definition, canonical FROM ("
                 "SELECT 'view', c.relname::text, NULL, " CANON_VIEW ", " CANON_VIEW RELATIONS("'v', 'm'"));
    append_exclusion(sql, options, "c.relname");
    buffer_append_text(sql, " UNION ALL SELECT 'sequence', c.relname, NULL, " CANON_SEQUENCE
                            ", " CANON_SEQUENCE RELATIONS("'S'"));
    append_exclusion(sql, options, "c.relname");
    append_sequence_exclusion(sql, options);
    buffer_append_text(
        sql,
        " UNION ALL SELECT 'trigger', g.tgname, c.relname, pg_get_triggerdef(g.oid), " CANON_TRIGGER
            RELATIONS("'r', 'p', 'f', 'v'") " JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal");
    append_exclusion(sql, options, "c.relname");
    buffer_append_text(
        sql, " UNION ALL SELECT 'policy', l.polname, c.relname, " CANON_POLICY
             ", " CANON_POLICY RELATIONS("'r', 'p', 'f'") " JOIN pg_policy l ON l.polrelid = c.oid");
    append_exclusion(sql, options, "c.relname");
    buffer_append_text(
        sql,
        " UNION ALL SELECT 'function', " FUNCTION_NAME ", NULL, CASE WHEN p.prokind = 'a' THEN"
        " concat('AGGREGATE ', " FUNCTION_NAME
        ") ELSE pg_get_functiondef(p.oid) END, " CANON_FUNCTION ROWS_OF_CATALOG(
            "pg_proc", "p") " UNION ALL SELECT CASE y.typtype WHEN 'e' THEN 'enum' ELSE 'type' END, "
                            "y.typname, NULL, " CANON_TYPE
                            ", " CANON_TYPE ROWS_OF_CATALOG(
                                "pg_type",
                                "y") " UNION ALL SELECT 'other', " OTHER_NAME ", NULL, " CANON_OTHER
                                     ", " CANON_OTHER
                                     " FROM here t CROSS JOIN LATERAL (SELECT DISTINCT classid, objid FROM "
                                     "pg_depend WHERE refclassid = " CATALOG(
                                         "pg_namespace") " AND refobjid = t.oid AND refobjsubid = 0 AND "
                                                         "classid IN (" OTHER_CATALOGS
                                                         ")) AS d) AS o(kind, name, of_table, definition, "
                                                         "canonical) ORDER BY kind, name COLLATE \"C\","
                                                         " of_table COLLATE \"C\"");
}

void schema_append_introspection(Buffer *sql, const RunOptions *options, int version, const char *schema)
{
    append_begin(sql, options);
    append_query(sql, version, schema,
                 "SELECT 0 AS schema, t.oid IS NOT NULL, CASE WHEN t.oid IS NOT NULL AND current_schema() ="
                 " t.schema THEN to_char(statement_timestamp() AT TIME ZONE 'UTC',"
                 " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') END FROM here t");
    append_rows(sql, options, version, schema, TABLE_ROWS, " ORDER BY c.relname");
    append_rows(sql, options, version, schema, COLUMN_ROWS, " ORDER BY c.relname, a.attnum");
    if (!options->no_indexes)
        append_rows(sql, options, version, schema, INDEX_ROWS, " ORDER BY c.relname, i.relname");
    if (!options->no_constraints)
        append_rows(sql, options, version, schema, CONSTRAINT_ROWS, " ORDER BY c.relname, k.conname");
    append_objects(sql, options, version, schema);
    append_end(sql);
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
