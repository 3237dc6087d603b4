#include "worker/ops/schema_block.h"
#include "worker/pg/session.h"
#include "worker/pg/sql.h"
#include "worker/pg/tenant_lock.h"
#include <stdlib.h>

const char SCHEMA_DEPENDENTS_SQLSTATE[] = "PGC02";

/* A block in the making. */
typedef struct Builder {
    const SchemaBlockRequest *request;
    Buffer body;
    char *literal, *identifier; /* the schema's name as SQL */
} Builder;

static void append_leave(Builder *builder, const char *word)
{
    buffer_appendf(&builder->body,
                   "  PERFORM pg_catalog.set_config('pgconvoy.outcome', '%s', true);\n  RETURN;\n", word);
}

static void append_exists(Builder *builder, const char *is)
{
    buffer_appendf(&builder->body, "IF %sEXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s", is,
                   builder->literal);
}

/* Who creates a view or a foreign key on a table needs a lock on it: once we hold all of them, what the next
 * statement finds is all there is. Tables that only the schema's owner may drop are left to DROP itself. */
static const char LOCK_TABLES[] =
    "FOR pgconvoy_table IN SELECT pg_catalog.format('%%I.%%I', %s, relname) FROM pg_catalog.pg_class\n"
    "  WHERE relnamespace = %s AND relkind IN ('r', 'p')\n"
    "    AND pg_catalog.has_table_privilege(oid, 'TRUNCATE') ORDER BY oid LOOP\n"
    "  EXECUTE 'LOCK TABLE ONLY ' || pgconvoy_table || ' IN ACCESS EXCLUSIVE MODE';\n"
    "END LOOP;\n";

/* What would CASCADE take along from other schemas? The closure follows pg_depend as DROP does: to whatever
 * depends on an object (on one of its columns only, where only the column goes), and from an object that is
 * part of another (a view's rule, an extension's member) to the whole. An object's schema is its own, or that
 * of the table to which a default, rule, trigger or policy belongs; of the objects that belong to no schema,
 * those that serve a whole database count. What goes with an object that is named is not named itself.
 * Every look into a catalog is one by its index, however many tenants there are: scalar subqueries, OFFSET 0
 * and LATERAL leave the planner no other way. */
static const char FIND_DEPENDENTS[] =
    "WITH RECURSIVE gone (classid, objid, objsubid) AS (\n"
    "  SELECT 'pg_catalog.pg_namespace'::regclass::oid, %s::oid, 0\n"
    "  UNION\n"
    "  SELECT next.* FROM gone CROSS JOIN LATERAL (\n"
    "    SELECT classid, objid, objsubid FROM pg_catalog.pg_depend\n"
    "      WHERE refclassid = gone.classid AND refobjid = gone.objid\n"
    "        AND (gone.objsubid = 0 OR refobjsubid = gone.objsubid)\n"
    "    UNION ALL\n"
    "    SELECT refclassid, refobjid, refobjsubid FROM pg_catalog.pg_depend\n"
    "      WHERE classid = gone.classid AND objid = gone.objid AND objsubid = gone.objsubid\n"
    "        AND deptype IN ('i', 'e')) AS next\n"
    "), placed AS (\n"
    "  SELECT gone.*, object.type || ' ' || pg_catalog.translate(object.identity, E'\\n\\r', '  ') AS name,\n"
    "    coalesce(object.schema, (SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace\n"
    "      WHERE oid = coalesce(\n"
    "        (SELECT extnamespace FROM pg_catalog.pg_extension\n"
    "          WHERE classid = 'pg_catalog.pg_extension'::regclass AND oid = objid),\n"
    "        (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = coalesce(\n"
    "          (SELECT adrelid FROM pg_catalog.pg_attrdef\n"
    "            WHERE classid = 'pg_catalog.pg_attrdef'::regclass AND oid = objid),\n"
    "          (SELECT ev_class FROM pg_catalog.pg_rewrite\n"
    "            WHERE classid = 'pg_catalog.pg_rewrite'::regclass AND oid = objid),\n"
    "          (SELECT tgrelid FROM pg_catalog.pg_trigger\n"
    "            WHERE classid = 'pg_catalog.pg_trigger'::regclass AND oid = objid),\n"
    "          (SELECT polrelid FROM pg_catalog.pg_policy\n"
    "            WHERE classid = 'pg_catalog.pg_policy'::regclass AND oid = objid)))))) AS home\n"
    "  FROM gone CROSS JOIN LATERAL pg_catalog.pg_identify_object(classid, objid, objsubid) AS object\n"
    "  WHERE classid <> 'pg_catalog.pg_namespace'::regclass\n"
    "), outside AS (\n"
    "  SELECT * FROM placed WHERE home NOT IN (pg_catalog.quote_ident(%s), 'pg_toast')\n"
    "    OR home IS NULL AND classid IN ('pg_catalog.pg_event_trigger'::regclass,\n"
    "      'pg_catalog.pg_language'::regclass, 'pg_catalog.pg_foreign_data_wrapper'::regclass,\n"
    "      'pg_catalog.pg_foreign_server'::regclass, 'pg_catalog.pg_am'::regclass,\n"
    "      'pg_catalog.pg_transform'::regclass)\n"
    "), numbered AS (\n"
    "  SELECT name, pg_catalog.row_number() OVER (ORDER BY name COLLATE \"C\") AS place FROM outside\n"
    "  WHERE NOT EXISTS (SELECT FROM outside AS whole WHERE outside.objsubid <> 0\n"
    "      AND whole.classid = outside.classid AND whole.objid = outside.objid AND whole.objsubid = 0)\n"
    "    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS part WHERE part.classid = outside.classid\n"
    "      AND part.objid = outside.objid AND part.objsubid = outside.objsubid\n"
    "      AND (part.deptype = 'i' OR part.deptype = 'a' AND EXISTS (SELECT FROM outside AS whole\n"
    "        WHERE whole.classid = part.refclassid AND whole.objid = part.refobjid\n"
    "          AND whole.objsubid IN (0, part.refobjsubid))) OFFSET 0)\n"
    ")\n"
    "SELECT pg_catalog.count(*),\n"
    "    pg_catalog.string_agg(name, E'\\n' ORDER BY place) FILTER (WHERE place <= 10)\n"
    "  INTO pgconvoy_count, pgconvoy_names FROM numbered;\n";

static void append_refusal(Builder *builder)
{
    buffer_appendf(&builder->body, LOCK_TABLES, builder->literal, builder->request->oid);
    buffer_appendf(&builder->body, FIND_DEPENDENTS, builder->request->oid, builder->literal);
    buffer_appendf(&builder->body,
                   "IF pgconvoy_count > 0 THEN\n"
                   "  RAISE SQLSTATE '%s' USING MESSAGE = pg_catalog.format('%%s of other schemas %%s on "
                   "schema \"%%s\"',\n"
                   "    CASE pgconvoy_count WHEN 1 THEN 'an object' ELSE pgconvoy_count || ' objects' END,\n"
                   "    CASE pgconvoy_count WHEN 1 THEN 'depends' ELSE 'depend' END, %s),\n"
                   "    DETAIL = pgconvoy_names;\n"
                   "END IF;\n",
                   SCHEMA_DEPENDENTS_SQLSTATE, builder->literal);
}

static void append_drop(Builder *builder)
{
    const SchemaBlockRequest *request = builder->request;
    append_exists(builder, "NOT ");
    buffer_append_text(&builder->body, ") THEN\n");
    append_leave(builder, "no_schema");
    buffer_append_text(&builder->body, "END IF;\n");
    append_exists(builder, "NOT ");
    buffer_appendf(&builder->body, " AND oid = %s) THEN\n", request->oid);
    append_leave(builder, "stale");
    buffer_append_text(&builder->body, "END IF;\n");
    if (request->probe) {
        append_leave(builder, "absent");
        return;
    }
    if (!request->cascade_foreign)
        append_refusal(builder);
    buffer_appendf(&builder->body, "DROP SCHEMA IF EXISTS %s %s;\n", builder->identifier,
                   request->no_cascade ? "RESTRICT" : "CASCADE");
    append_leave(builder, "done");
}

/* The look comes first because IF NOT EXISTS needs the right to create even where nothing is created. */
static void append_create(Builder *builder)
{
    append_exists(builder, "");
    buffer_append_text(&builder->body, ") THEN\n");
    append_leave(builder, "present");
    buffer_append_text(&builder->body, "END IF;\n");
    if (builder->request->probe) {
        append_leave(builder, "absent");
        return;
    }
    buffer_appendf(&builder->body, "CREATE SCHEMA IF NOT EXISTS %s;\n", builder->identifier);
    append_leave(builder, "done");
}

static bool build_body(Builder *builder, Error *error)
{
    static void (*const ACTIONS[])(Builder *) = {
        [SCHEMA_CREATE] = append_create,
        [SCHEMA_DROP] = append_drop,
    };
    int64_t key;
    if (!tenant_lock_key(builder->request->schema, &key, error))
        return false;
    buffer_appendf(&builder->body,
                   "DECLARE\n  pgconvoy_table text;\n  pgconvoy_count bigint;\n  pgconvoy_names text;\n"
                   "BEGIN\nIF NOT pg_catalog.pg_try_advisory_xact_lock(%lld) THEN\n",
                   (long long)key);
    append_leave(builder, "busy");
    buffer_append_text(&builder->body, "END IF;\n");
    ACTIONS[builder->request->action](builder);
    buffer_append_text(&builder->body, "END");
    return !buffer_failed(&builder->body) || error_memory(error);
}

enum { LEAD = 2 }; /* statements before the DO block */

static char *build_message(const Builder *builder)
{
    Buffer sql = {0};
    buffer_appendf(&sql,
                   "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n"
                   "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),\n"
                   "  pg_catalog.set_config('lock_timeout', '%lld', true),\n"
                   "  pg_catalog.set_config('statement_timeout', '%lld', true),\n"
                   "  pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', true),\n"
                   "  pg_catalog.set_config('client_connection_check_interval', '5s', true);\nDO ",
                   (long long)builder->request->lock_timeout_ms,
                   (long long)builder->request->statement_timeout_ms);
    block_append_dollar_quoted(&sql, buffer_text(&builder->body), builder->body.length, "");
    buffer_appendf(&sql, ";\nSELECT pg_catalog.current_setting('pgconvoy.outcome');\nCOMMIT;\n%s",
                   SESSION_TAIL);
    return buffer_take(&sql);
}

static bool prepare_names(Builder *builder, Error *error)
{
    Buffer literal = {0}, identifier = {0};
    sql_append_literal(&literal, builder->request->schema);
    sql_append_identifier(&identifier, builder->request->schema);
    builder->literal = buffer_take(&literal);
    builder->identifier = buffer_take(&identifier);
    return (builder->literal != NULL && builder->identifier != NULL) || error_memory(error);
}

bool schema_block_build(const SchemaBlockRequest *request, MigrationBlock *ret_block, Error *error)
{
    Builder builder = {.request = request};
    char *sql = NULL;
    bool good = prepare_names(&builder, error) && build_body(&builder, error) &&
                ((sql = build_message(&builder)) != NULL || error_memory(error));
    buffer_clear(&builder.body);
    free(builder.literal);
    free(builder.identifier);
    if (good)
        *ret_block = (MigrationBlock){.sql = sql, .lead = LEAD};
    return good;
}
