#include "worker/ops/schema_pieces.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/sql.h"
#include <string.h>

static void append_names(const SchemaMessage *message)
{
    for (size_t i = 0; i < message->count; i++) {
        buffer_append_text(message->sql, i > 0 ? ", " : "");
        sql_append_literal(message->sql, message->schemas[i]);
    }
}

/* The tables that are no business of drift. */
static void append_excluded(const SchemaMessage *message)
{
    const RunOptions *options = message->options;
    buffer_append_text(message->sql, "'__pgconvoy_state', ");
    sql_append_literal(message->sql, run_defaults(options).migrations_table);
    for (size_t i = 0; i < options->exclude_tables.count; i++) {
        buffer_append_text(message->sql, ", ");
        sql_append_literal(message->sql, options->exclude_tables.items[i]);
    }
}

static void append_newer_columns(const SchemaMessage *message)
{
    buffer_append_text(message->sql, message->version < 150000 ? ", false AS indnullsnotdistinct" : "");
}

static bool with_indexes(const RunOptions *options)
{
    return !options->no_indexes;
}

static bool with_constraints(const RunOptions *options)
{
    return !options->no_constraints;
}

/* Aliases that the texts share: t the schema's name, n its OID, d a row of pg_depend, c pg_class, a
 * pg_attribute, x pg_index and i its pg_class, k pg_constraint, g pg_trigger, l pg_policy, p pg_proc, y
 * pg_type. */
static const struct {
    const char *name;
    const char *text; /* NULL: `append` makes it */
    void (*append)(const SchemaMessage *message);
    bool (*wanted)(const RunOptions *options); /* NULL = always; else the piece is empty when not */
} PIECES[] = {
    {"schemas", NULL, append_names, NULL},
    {"excluded", NULL, append_excluded, NULL},
    {"newer index columns", NULL, append_newer_columns, NULL},

    /* Separators that no sensible name holds: between fields, and between items of a list. */
    {"f", "E'\\x1f'", NULL, NULL},
    {"item", "E'\\x1d'", NULL, NULL},

    {"indexes", "indexes AS NOT MATERIALIZED (SELECT *${newer index columns} FROM pg_index)", NULL, NULL},
    {"use schema", "set_config('search_path', concat(quote_ident(t.schema), ', pg_temp'), true) IS NOT NULL",
     NULL, NULL},

    /* What came with another object, as a range's constructors and its multirange do, is that object's. */
    {"of its own",
     "NOT EXISTS (SELECT FROM pg_depend z WHERE z.classid = d.classid AND z.objid = d.objid"
     " AND z.objsubid = 0 AND z.deptype = 'i')",
     NULL, NULL},
    {"not excluded", "c.relname <> ALL (ARRAY[${excluded}]::name[])", NULL, NULL},

    /* A sequence goes with the table that owns it. */
    {"owners",
     "pg_depend w WHERE w.classid = 'pg_class'::regclass AND w.objid = c.oid AND w.objsubid = 0"
     " AND w.refclassid = 'pg_class'::regclass AND w.refobjsubid > 0 AND w.deptype IN ('a', 'i')",
     NULL, NULL},
    {"owner not excluded",
     "NOT EXISTS (SELECT FROM ${owners} AND EXISTS (SELECT FROM pg_class o WHERE o.oid = w.refobjid"
     " AND o.relname = ANY (ARRAY[${excluded}]::name[])))",
     NULL, NULL},

    /* Everything of a table that is neither column nor index nor constraint; empty for a plain one. */
    {"table",
     "concat_ws(' ',"
     " CASE c.relkind WHEN 'f' THEN (SELECT concat('FOREIGN TABLE SERVER ', quote_ident(fs.srvname),"
     "  ' OPTIONS (', (SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest(ft.ftoptions) AS o),"
     "  ')') FROM pg_foreign_table ft JOIN pg_foreign_server fs ON fs.oid = ft.ftserver"
     "  WHERE ft.ftrelid = c.oid) END,"
     " CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END,"
     " CASE WHEN c.reloftype <> 0 THEN concat('OF ', format_type(c.reloftype, NULL)) END,"
     " CASE WHEN c.relispartition THEN 'PARTITION OF'"
     "  WHEN EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid) THEN 'INHERITS' END,"
     " (SELECT string_agg(h.inhparent::regclass::text, ', ' ORDER BY h.inhseqno) FROM pg_inherits h"
     "  WHERE h.inhrelid = c.oid),"
     " CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,"
     " CASE c.relkind WHEN 'p' THEN concat('PARTITION BY ', pg_get_partkeydef(c.oid)) END,"
     " CASE WHEN c.relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END,"
     " CASE WHEN c.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END,"
     " CASE c.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL' WHEN 'n' THEN 'REPLICA IDENTITY NOTHING'"
     "  WHEN 'i' THEN (SELECT concat('REPLICA IDENTITY USING INDEX ', ic.relname) FROM pg_index ix"
     "  JOIN pg_class ic ON ic.oid = ix.indexrelid WHERE ix.indrelid = c.oid AND ix.indisreplident) END,"
     " 'WITH (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest(c.reloptions) AS o)"
     " || ')')",
     NULL, NULL},

    /* 0 is no collation, and 100 the default one in every version. */
    {"collation", "CASE WHEN a.attcollation NOT IN (0, 100) THEN a.attcollation::regcollation::text END",
     NULL, NULL},
    {"default",
     "CASE WHEN a.atthasdef THEN (SELECT pg_get_expr(ad.adbin, ad.adrelid) FROM pg_attrdef ad"
     " WHERE ad.adrelid = a.attrelid AND ad.adnum = a.attnum) END",
     NULL, NULL},
    {"columns",
     "(SELECT string_agg(concat(a.attname, ${f}, format_type(a.atttypid, a.atttypmod), ${f}, a.attnotnull,"
     " ${f}, a.attidentity, ${f}, a.attgenerated, ${f}, ${collation}, ${f}, ${default}), ${item}"
     " ORDER BY a.attnum) FROM pg_attribute a"
     " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)",
     NULL, NULL},

    /* The server's words build what it knows about the whole table, so only expressions and predicates, which
     * nothing else can put into words, are worth them. */
    {"index columns",
     "(SELECT string_agg(concat(a.attname,"
     " (SELECT concat(' ', opcname) FROM pg_opclass WHERE pg_opclass.oid = x.indclass[o - 1] AND NOT"
     "  opcdefault),"
     " CASE WHEN x.indcollation[o - 1] <> a.attcollation THEN concat(' COLLATE ',"
     "  x.indcollation[o - 1]::regcollation) END,"
     " ' ' || nullif(x.indoption[o - 1], 0)), ', ' ORDER BY o) FROM generate_series(1, x.indnatts::int) AS o"
     " JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[o - 1])",
     NULL, NULL},
    {"index",
     "concat(CASE WHEN x.indexprs IS NULL AND x.indpred IS NULL THEN concat((SELECT amname FROM pg_am WHERE"
     " pg_am.oid = i.relam), ' (', ${index columns}, ') ', x.indnkeyatts,"
     " CASE WHEN x.indisunique THEN ' UNIQUE' END,"
     " CASE WHEN x.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' END,"
     " CASE i.relkind WHEN 'I' THEN ' PARTITIONED' END,"
     " ' WITH ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest(i.reloptions) AS o))"
     " ELSE pg_get_indexdef(x.indexrelid, 0, true) END, CASE WHEN NOT x.indisvalid THEN ' INVALID' END)",
     NULL, NULL},
    {"table indexes",
     ", ${f}, CASE WHEN c.relhasindex AND c.relkind <> 'm' THEN (SELECT string_agg(concat(i.relname, ${f},"
     " ${index}), ${item} ORDER BY i.relname) FROM indexes x JOIN pg_class i ON i.oid = x.indexrelid"
     " WHERE x.indrelid = c.oid) END",
     NULL, with_indexes},

    /* NOT NULL, which newer servers list here, is the column's; constraint triggers are among the triggers.
     */
    {"constraint", "pg_get_constraintdef(k.oid, true)", NULL, NULL},
    {"table constraints",
     ", ${f}, (SELECT string_agg(concat(k.conname, ${f}, ${constraint}), ${item} ORDER BY k.conname)"
     " FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype NOT IN ('n', 't'))",
     NULL, with_constraints},

    {"trigger",
     "concat(pg_get_triggerdef(g.oid, true), CASE g.tgenabled WHEN 'D' THEN ' DISABLED' WHEN 'R' THEN"
     " ' ENABLE REPLICA' WHEN 'A' THEN ' ENABLE ALWAYS' END)",
     NULL, NULL},
    {"policy",
     "concat(CASE WHEN NOT l.polpermissive THEN 'AS RESTRICTIVE ' END, 'FOR ', CASE l.polcmd"
     " WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'"
     " ELSE 'ALL' END, ' TO ', (SELECT string_agg(role, ', ' ORDER BY role COLLATE \"C\") FROM"
     "  (SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END FROM unnest(l.polroles) AS r)"
     "  AS roles(role)),"
     " ' USING ' || pg_get_expr(l.polqual, l.polrelid),"
     " ' WITH CHECK ' || pg_get_expr(l.polwithcheck, l.polrelid))",
     NULL, NULL},

    /* The indexes of a materialized view are part of it. */
    {"view",
     "concat(CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' END, 'VIEW', ' WITH (' || (SELECT string_agg(o,"
     " ', ' ORDER BY o COLLATE \"C\") FROM unnest(c.reloptions) AS o) || ')',"
     " ' AS', pg_get_viewdef(c.oid, true), CASE WHEN c.relhasindex THEN (SELECT string_agg(concat(' ',"
     " pg_get_indexdef(x.indexrelid, 0, true)), ';' ORDER BY i.relname) FROM pg_index x"
     " JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid) END)",
     NULL, NULL},
    {"sequence",
     "concat(CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, 'SEQUENCE AS ',"
     " (SELECT concat(format_type(q.seqtypid, NULL), ' INCREMENT BY ', q.seqincrement, ' MINVALUE ',"
     "  q.seqmin, ' MAXVALUE ', q.seqmax, ' START WITH ', q.seqstart, ' CACHE ', q.seqcache,"
     "  CASE WHEN q.seqcycle THEN ' CYCLE' END) FROM pg_sequence q WHERE q.seqrelid = c.oid),"
     " (SELECT concat(' OWNED BY ', w.refobjid::regclass, '.', quote_ident((SELECT wa.attname FROM"
     "  pg_attribute wa WHERE wa.attrelid = w.refobjid AND wa.attnum = w.refobjsubid))) FROM ${owners}"
     "  LIMIT 1))",
     NULL, NULL},

    /* For regular expressions: what to do with a name, the names of the schema's own objects, and the
     * schema's own name as SQL writes it, bare where that is possible. */
    {"escape", ", E'([][\\\\\\\\^$.|?*+(){}-])', E'\\\\\\\\\\\\1', 'g'", NULL, NULL},
    {"own names",
     "(SELECT string_agg(DISTINCT regexp_replace(coalesce(rn.relname, pn.proname, tn.typname)::text"
     "${escape}), '|') FROM pg_depend o"
     " LEFT JOIN pg_class rn ON o.classid = 'pg_class'::regclass AND rn.oid = o.objid"
     " LEFT JOIN pg_proc pn ON o.classid = 'pg_proc'::regclass AND pn.oid = o.objid"
     " LEFT JOIN pg_type tn ON o.classid = 'pg_type'::regclass AND tn.oid = o.objid"
     " WHERE o.refclassid = 'pg_namespace'::regclass AND o.refobjid = n.oid)",
     NULL, NULL},
    {"own schema",
     "concat(CASE WHEN quote_ident(t.schema) = t.schema::text THEN concat(t.schema, '|') END, '\"',"
     " regexp_replace(replace(t.schema::text, '\"', '\"\"')${escape}), '\"')",
     NULL, NULL},

    /* A function's body without the schema in front of its own objects. Most bodies never name it; then the
     * rest costs nothing. A schema called like a table whose columns a body names loses nothing either,
     * because those are not objects of the schema. */
    {"body",
     "CASE WHEN strpos(p.prosrc, t.schema::text || '.') = 0 AND strpos(p.prosrc, concat('\"',"
     " replace(t.schema::text, '\"', '\"\"'), '\".')) = 0 THEN p.prosrc ELSE regexp_replace(p.prosrc,"
     " concat('(^|[^A-Za-z0-9_$.\"])(', ${own schema}, ')[.](?=\"?(', ${own names},"
     " ')(\"|[^A-Za-z0-9_$]|$))'), E'\\\\1\\x1f.', 'g') END",
     NULL, NULL},

    /* "SET search_path FROM CURRENT" and the like hold the schema as one name of a list. */
    {"settings",
     "(SELECT string_agg(CASE WHEN starts_with(s, 'search_path=') THEN concat('search_path=',"
     " regexp_replace(substr(s, 13), concat('(^|, ?)(', ${own schema}, ')(?=,|$)'), E'\\\\1\\x1f', 'g'))"
     " ELSE s END, ' ' ORDER BY s COLLATE \"C\") FROM unnest(p.proconfig) AS s)",
     NULL, NULL},
    {"function name", "concat(p.proname, '(', pg_get_function_identity_arguments(p.oid), ')')", NULL, NULL},
    {"aggregate",
     "(SELECT concat_ws(' ', ag.aggkind, ag.aggnumdirectargs, ag.aggtransfn, ag.aggfinalfn, ag.aggcombinefn,"
     " ag.aggserialfn, ag.aggdeserialfn, ag.aggmtransfn, ag.aggminvtransfn, ag.aggmfinalfn,"
     " ag.aggfinalextra, ag.aggmfinalextra, ag.aggfinalmodify, ag.aggmfinalmodify,"
     " ag.aggsortop::regoperator, format_type(ag.aggtranstype, NULL), format_type(ag.aggmtranstype, NULL),"
     " quote_nullable(ag.agginitval), quote_nullable(ag.aggminitval))"
     " FROM pg_aggregate ag WHERE ag.aggfnoid = p.oid)",
     NULL, NULL},
    {"function",
     "concat(p.prokind, ${f}, pg_get_function_arguments(p.oid), ${f}, pg_get_function_result(p.oid), ${f},"
     " (SELECT lanname FROM pg_language WHERE pg_language.oid = p.prolang), ${f}, p.provolatile, ${f},"
     " p.proisstrict, ${f}, p.prosecdef, ${f}, p.proleakproof, ${f}, p.proparallel, ${f}, p.procost, ${f},"
     " p.prorows, ${f}, array_to_string(p.protrftypes::regtype[], ','), ${f}, ${settings}, ${f}, ${body},"
     " ${f}, p.probin, ${f}, pg_get_function_sqlbody(p.oid), ${f}, ${aggregate})",
     NULL, NULL},

    {"type",
     "CASE y.typtype"
     " WHEN 'e' THEN (SELECT concat('ENUM (', string_agg(quote_literal(en.enumlabel), ', ' ORDER BY"
     "  en.enumsortorder), ')') FROM pg_enum en WHERE en.enumtypid = y.oid)"
     " WHEN 'd' THEN concat_ws(' ', 'DOMAIN', format_type(y.typbasetype, y.typtypmod), CASE WHEN"
     "  y.typcollation NOT IN (0, 100) THEN concat('COLLATE ', y.typcollation::regcollation) END,"
     "  CASE WHEN y.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(y.typdefaultbin, 0),"
     "  (SELECT string_agg(concat('CONSTRAINT ', quote_ident(k.conname), ' ', ${constraint}), ' '"
     "  ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = y.oid AND k.contype <> 'n'))"
     " WHEN 'c' THEN (SELECT concat('(', string_agg(concat(quote_ident(a.attname), ' ',"
     "  format_type(a.atttypid, a.atttypmod), ' COLLATE ' || ${collation}), ', ' ORDER BY a.attnum), ')')"
     "  FROM pg_attribute a WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped)"
     " WHEN 'r' THEN (SELECT concat('RANGE (', format_type(rg.rngsubtype, NULL), ' ', (SELECT opcname FROM"
     "  pg_opclass WHERE pg_opclass.oid = rg.rngsubopc), ' ', rg.rngcanonical, ' ', rg.rngsubdiff, ')')"
     "  FROM pg_range rg WHERE rg.rngtypid = y.oid)"
     " ELSE concat('TYPE ', y.typtype, ' ', y.typlen, ' ', y.typinput, ' ', y.typoutput) END",
     NULL, NULL},

    /* Of operators, collations, text search objects: that they exist; of extended statistics also what. */
    {"other catalogs",
     "'pg_operator'::regclass, 'pg_collation'::regclass, 'pg_conversion'::regclass, 'pg_opclass'::regclass,"
     " 'pg_opfamily'::regclass, 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass, 'pg_ts_parser'::regclass,"
     " 'pg_ts_template'::regclass, 'pg_statistic_ext'::regclass",
     NULL, NULL},
    {"other name", "pg_describe_object(d.classid, d.objid, 0)", NULL, NULL},
    {"other",
     "CASE d.classid WHEN 'pg_statistic_ext'::regclass THEN (SELECT concat(e.stxkind, ' ON ',"
     " pg_get_statisticsobjdef_columns(e.oid), ' FROM ', e.stxrelid::regclass) FROM pg_statistic_ext e"
     " WHERE e.oid = d.objid) ELSE ${other name} END",
     NULL, NULL},

    /* A tenant's facts, one for each row d. */
    {"relation fact",
     "(SELECT CASE WHEN c.relkind IN ('r', 'p', 'f') THEN concat('table', ${f}, c.relname, ${f}, ${table},"
     " ${f}, ${columns}${table constraints})"
     " WHEN c.relkind IN ('v', 'm') THEN concat('view', ${f}, c.relname, ${f}, ${view})"
     " WHEN c.relkind = 'S' THEN concat('sequence', ${f}, c.relname, ${f}, ${sequence}) END"
     " || CASE WHEN c.relkind = 'S' THEN '' ELSE concat(''${table indexes}, ${f},"
     "  CASE WHEN c.relhastriggers THEN (SELECT string_agg(${trigger}, ${item} ORDER BY g.tgname)"
     "  FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal) END, ${f},"
     "  (SELECT string_agg(concat(l.polname, ${f}, ${policy}), ${item} ORDER BY l.polname) FROM pg_policy l"
     "  WHERE l.polrelid = c.oid)) END"
     " FROM pg_class c WHERE c.oid = d.objid AND ${not excluded}"
     " AND (c.relkind <> 'S' OR ${owner not excluded}))",
     NULL, NULL},
    {"facts",
     "SELECT CASE d.classid"
     " WHEN 'pg_class'::regclass THEN ${relation fact}"
     " WHEN 'pg_proc'::regclass THEN (SELECT concat('function', ${f}, ${function name}, ${f}, ${function})"
     "  FROM pg_proc p WHERE p.oid = d.objid AND ${of its own})"
     " WHEN 'pg_type'::regclass THEN (SELECT concat('type', ${f}, y.typname, ${f}, ${type}) FROM pg_type y"
     "  WHERE y.oid = d.objid AND ${of its own})"
     " ELSE CASE WHEN d.classid IN (${other catalogs}) THEN concat('other', ${f}, ${other name}, ${f},"
     "  ${other}) END END AS fact FROM (SELECT DISTINCT classid, objid FROM pg_depend"
     " WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid AND refobjsubid = 0) AS d",
     NULL, NULL},

    /* Rows of one schema, for introspection. "here" sets search_path; being a query of its own it is read
     * before anything is put into words. */
    {"here",
     "here AS MATERIALIZED (SELECT t.schema, (SELECT oid FROM pg_namespace WHERE nspname = t.schema) AS oid,"
     " ${use schema} AS used FROM unnest(ARRAY[${schemas}]::name[]) AS t(schema))",
     NULL, NULL},
    {"from objects",
     " FROM here t CROSS JOIN LATERAL (SELECT t.oid) AS n(oid) CROSS JOIN LATERAL (SELECT DISTINCT classid,"
     " objid FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid"
     " AND refobjsubid = 0) AS d",
     NULL, NULL},
    {"from relations",
     "${from objects} JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid", NULL, NULL},
    {"where table", " WHERE c.relkind IN ('r', 'p', 'f') AND ${not excluded}", NULL, NULL},
};

static bool append_piece(const SchemaMessage *message, const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof PIECES / sizeof PIECES[0]; i++) {
        if (strncmp(PIECES[i].name, name, length) != 0 || PIECES[i].name[length] != '\0')
            continue;
        if (PIECES[i].wanted != NULL && !PIECES[i].wanted(message->options))
            return true;
        if (PIECES[i].append != NULL)
            PIECES[i].append(message);
        else
            schema_message_append(message, PIECES[i].text);
        return true;
    }
    return false;
}

void schema_message_append(const SchemaMessage *message, const char *text)
{
    const char *open;
    while ((open = strstr(text, "${")) != NULL) {
        const char *name = open + 2, *close = strchr(name, '}');
        buffer_append(message->sql, text, (size_t)(open - text));
        if (close == NULL || !append_piece(message, name, (size_t)(close - name))) {
            text = open;
            break;
        }
        text = close + 1;
    }
    buffer_append_text(message->sql, text);
}
