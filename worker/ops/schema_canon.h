/* Schema canon: the canonical form of each kind of object as an SQL expression, for schema_sql.c alone.
 *
 * They are written for search_path = pg_catalog while the statement is parsed and search_path = the tenant's
 * schema while it runs. Aliases: c pg_class, a pg_attribute, x pg_index, k pg_constraint, g pg_trigger,
 * l pg_policy, p pg_proc, y pg_type, q pg_sequence; t.schema is the schema's name, n.oid its OID. Fields are
 * separated by bytes that no sensible name holds.
 */
#pragma once

#define FIELD " , E'\\x1f', "
#define ITEM " E'\\x1d' "
#define CATALOG(name) "'" name "'::regclass"

#define OPTIONS_SORTED(array) \
    "(SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest(" array ") AS o)"

/* Everything of a table that is neither column nor index nor constraint; empty for a plain one. */
#define CANON_TABLE                                                                                          \
    "concat_ws(' ',"                                                                                         \
    " CASE c.relkind WHEN 'f' THEN (SELECT concat('FOREIGN TABLE SERVER ', quote_ident(fs.srvname),"         \
    "  ' OPTIONS (', " OPTIONS_SORTED(                                                                       \
        "ft.ftoptions") ", ')') FROM pg_foreign_table ft"                                                    \
                        "  JOIN pg_foreign_server fs ON fs.oid = ft.ftserver WHERE ft.ftrelid = c.oid) END," \
                        " CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END,"                               \
                        " CASE WHEN c.reloftype <> 0 THEN concat('OF ', format_type(c.reloftype, NULL)) "    \
                        "END,"                                                                               \
                        " CASE WHEN c.relispartition THEN 'PARTITION OF'"                                    \
                        "  WHEN EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid) THEN "           \
                        "'INHERITS' END,"                                                                    \
                        " (SELECT string_agg(h.inhparent::regclass::text, ', ' ORDER BY h.inhseqno) FROM "   \
                        "pg_inherits h"                                                                      \
                        "  WHERE h.inhrelid = c.oid),"                                                       \
                        " CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,"           \
                        " CASE c.relkind WHEN 'p' THEN concat('PARTITION BY ', pg_get_partkeydef(c.oid)) "   \
                        "END,"                                                                               \
                        " CASE WHEN c.relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END,"                  \
                        " CASE WHEN c.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END,"              \
                        " CASE c.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL' WHEN 'n' THEN 'REPLICA " \
                        "IDENTITY NOTHING'"                                                                  \
                        "  WHEN 'i' THEN (SELECT concat('REPLICA IDENTITY USING INDEX ', ic.relname) FROM "  \
                        "pg_index ix"                                                                        \
                        "  JOIN pg_class ic ON ic.oid = ix.indexrelid WHERE ix.indrelid = c.oid AND "        \
                        "ix.indisreplident) END,"                                                            \
                        " CASE WHEN c.reloptions IS NOT NULL THEN concat('WITH (', " OPTIONS_SORTED(         \
                            "c.reloptions") ", ')') END)"

/* Of columns: 0 has no collation, 100 is the default one in every version. */
#define CANON_COLLATION "CASE WHEN a.attcollation NOT IN (0, 100) THEN a.attcollation::regcollation::text END"
#define CANON_DEFAULT                                                                               \
    "CASE WHEN a.atthasdef THEN (SELECT pg_get_expr(ad.adbin, ad.adrelid) FROM pg_attrdef ad WHERE" \
    " ad.adrelid = a.attrelid AND ad.adnum = a.attnum) END"
#define CANON_COLUMN                                                                           \
    "concat(a.attname" FIELD "format_type(a.atttypid, a.atttypmod)" FIELD "a.attnotnull" FIELD \
    "a.attidentity" FIELD "a.attgenerated" FIELD CANON_COLLATION FIELD CANON_DEFAULT ")"
#define COLUMNS_OF(relation) \
    "pg_attribute a WHERE a.attrelid = " relation " AND a.attnum > 0 AND NOT a.attisdropped"

/* The server's words build what it knows about the whole table, so only expressions and predicates, which
 * nothing else can put into words, are worth them. indnullsnotdistinct is missing before 15. */
#define INDEX_COLUMNS                                                                                    \
    "(SELECT string_agg(concat(a.attname, (SELECT concat(' ', opcname) FROM pg_opclass WHERE"            \
    " pg_opclass.oid = x.indclass[o - 1] AND NOT opcdefault), CASE WHEN x.indcollation[o - 1] <>"        \
    " a.attcollation THEN concat(' COLLATE ', x.indcollation[o - 1]::regcollation) END, ' '"             \
    " || nullif(x.indoption[o - 1], 0)), ', ' ORDER BY o) FROM generate_series(1, x.indnatts::int) AS o" \
    " JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[o - 1])"
#define CANON_INDEX                                                                                          \
    "concat(CASE WHEN x.indexprs IS NULL AND x.indpred IS NULL THEN concat((SELECT amname FROM pg_am WHERE"  \
    " pg_am.oid = i.relam), ' (', " INDEX_COLUMNS ", ') ', x.indnkeyatts, CASE WHEN x.indisunique THEN"      \
    " ' UNIQUE' END, CASE WHEN x.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' END, CASE i.relkind"         \
    " WHEN 'I' THEN ' PARTITIONED' END, ' WITH ' || " OPTIONS_SORTED(                                        \
        "i.reloptions") ")"                                                                                  \
                        " ELSE pg_get_indexdef(x.indexrelid, 0, true) END, CASE WHEN NOT x.indisvalid THEN " \
                        "' INVALID' END)"

/* NOT NULL, which newer servers list here, is the column's. Constraint triggers are among the triggers. */
#define CANON_CONSTRAINT "pg_get_constraintdef(k.oid, true)"
#define CONSTRAINTS_OF(relation) \
    "pg_constraint k WHERE k.conrelid = " relation " AND k.contype NOT IN ('n', 't')"

#define CANON_TRIGGER                                                                                 \
    "concat(pg_get_triggerdef(g.oid, true), CASE g.tgenabled WHEN 'D' THEN ' DISABLED' WHEN 'R' THEN" \
    " ' ENABLE REPLICA' WHEN 'A' THEN ' ENABLE ALWAYS' END)"

#define CANON_POLICY                                                                                       \
    "concat(CASE WHEN NOT l.polpermissive THEN 'AS RESTRICTIVE ' END, 'FOR ', CASE l.polcmd WHEN 'r' THEN" \
    " 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,"       \
    " ' TO ', (SELECT string_agg(CASE WHEN r.oid = 0 THEN 'PUBLIC' ELSE r.oid::regrole::text END, ', '"    \
    " ORDER BY (CASE WHEN r.oid = 0 THEN 'PUBLIC' ELSE r.oid::regrole::text END) COLLATE \"C\")"           \
    " FROM unnest(l.polroles) AS r(oid)), ' USING ' || pg_get_expr(l.polqual, l.polrelid),"                \
    " ' WITH CHECK ' || pg_get_expr(l.polwithcheck, l.polrelid))"

#define CANON_VIEW                                                                                          \
    "concat(CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' END, 'VIEW', ' WITH (' || " OPTIONS_SORTED(        \
        "c.reloptions") " || ')', ' AS', pg_get_viewdef(c.oid, true), CASE WHEN c.relhasindex THEN (SELECT" \
                        " string_agg(concat(' ', pg_get_indexdef(x.indexrelid, 0, true)), ';' ORDER BY "    \
                        "i.relname) FROM pg_index x JOIN pg_class i ON"                                     \
                        " i.oid = x.indexrelid WHERE x.indrelid = c.oid) END)"

#define SEQUENCE_OWNERS                                   \
    "pg_depend w WHERE w.classid = " CATALOG(             \
        "pg_class") " AND w.objid = c.oid AND w.objsubid" \
                    " = 0 AND w.refclassid = " CATALOG(   \
                        "pg_class") " AND w.refobjsubid > 0 AND w.deptype IN ('a', 'i')"
#define CANON_SEQUENCE                                                                                       \
    "concat(CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, 'SEQUENCE AS ',"                            \
    " (SELECT concat(format_type(q.seqtypid, NULL), ' INCREMENT BY ', q.seqincrement, ' MINVALUE ',"         \
    " q.seqmin, ' MAXVALUE ', q.seqmax, ' START WITH ', q.seqstart, ' CACHE ', q.seqcache,"                  \
    " CASE WHEN q.seqcycle THEN ' CYCLE' END) FROM pg_sequence q WHERE q.seqrelid = c.oid),"                 \
    " (SELECT concat(' OWNED BY ', w.refobjid::regclass, '.', quote_ident((SELECT wa.attname FROM"           \
    " pg_attribute wa WHERE wa.attrelid = w.refobjid AND wa.attnum = w.refobjsubid))) FROM " SEQUENCE_OWNERS \
    " LIMIT 1))"

#define ESCAPED(text) "regexp_replace(" text ", E'([][\\\\\\\\^$.|?*+(){}-])', E'\\\\\\\\\\\\1', 'g')"

/* Names of the schema's own objects, for a regular expression. */
#define OWN_NAMES                                                                                                                             \
    "(SELECT string_agg(DISTINCT " ESCAPED(                                                                                                   \
        "coalesce(rn.relname, pn.proname, tn.typname)::text") ", '|') FROM pg_depend o"                                                       \
                                                              " LEFT JOIN pg_class rn ON o.classid "                                          \
                                                              "= " CATALOG(                                                                   \
                                                                  "pg_class") " AND rn.oid = o.objid"                                         \
                                                                              " LEFT JOIN pg_proc pn ON "                                     \
                                                                              "o.classid = " CATALOG(                                         \
                                                                                  "pg_proc") " AND pn.oid "                                   \
                                                                                             "= o.objid"                                      \
                                                                                             " LEFT JOIN "                                    \
                                                                                             "pg_type tn "                                    \
                                                                                             "ON o.classid "                                  \
                                                                                             "= " CATALOG(                                    \
                                                                                                 "pg_type") " AND tn.oid = o.objid"           \
                                                                                                            " WHERE o.refclassid = " CATALOG( \
                                                                                                                "pg_namespace") " AND o.refobjid = n.oid)"

/* The schema's own name as SQL writes it, bare where that is possible, for a regular expression. */
#define OWN_SCHEMA                                                                             \
    "concat(CASE WHEN quote_ident(t.schema) = t.schema::text THEN concat(t.schema, '|') END, " \
    "'\"', " ESCAPED("replace(t.schema::text, '\"', '\"\"')") ", '\"')"

/* A function's body without the schema in front of its own objects. Most bodies never name it; then the
 * rest costs nothing. A schema called like a table whose columns a body names loses nothing either, because
 * those are not objects of the schema. */
#define CANON_BODY                                                                                         \
    "CASE WHEN strpos(p.prosrc, t.schema::text || '.') = 0 AND strpos(p.prosrc, concat('\"',"              \
    " replace(t.schema::text, '\"', '\"\"'), '\".')) = 0 THEN p.prosrc ELSE"                               \
    " regexp_replace(p.prosrc, concat('(^|[^A-Za-z0-9_$.\"])(', " OWN_SCHEMA ", ')[.](?=\"?(', " OWN_NAMES \
    ", ')(\"|[^A-Za-z0-9_$]|$))'), E'\\\\1\\x1f.', 'g') END"

/* "SET search_path FROM CURRENT" and the like hold the schema as one name of a list. */
#define CANON_SETTINGS                                                                                    \
    "(SELECT string_agg(CASE WHEN starts_with(s, 'search_path=') THEN concat('search_path=',"             \
    " regexp_replace(substr(s, 13), concat('(^|, ?)(', " OWN_SCHEMA ", ')(?=,|$)'), E'\\\\1\\x1f', 'g'))" \
    " ELSE s END, ' ' ORDER BY s COLLATE \"C\") FROM unnest(p.proconfig) AS s)"

#define FUNCTION_NAME "concat(p.proname, '(', pg_get_function_identity_arguments(p.oid), ')')"
#define CANON_FUNCTION                                                                                       \
    "concat(p.prokind" FIELD "pg_get_function_arguments(p.oid)" FIELD "pg_get_function_result(p.oid)" FIELD  \
    "(SELECT lanname FROM pg_language WHERE pg_language.oid = p.prolang)" FIELD "p.provolatile" FIELD        \
    "p.proisstrict" FIELD "p.prosecdef" FIELD "p.proleakproof" FIELD "p.proparallel" FIELD "p.procost" FIELD \
    "p.prorows" FIELD                                                                                        \
    "array_to_string(p.protrftypes::regtype[], ',')" FIELD CANON_SETTINGS FIELD CANON_BODY FIELD             \
    "p.probin" FIELD "pg_get_function_sqlbody(p.oid)" FIELD                                                  \
    "(SELECT concat_ws(' ', ag.aggkind, ag.aggnumdirectargs, ag.aggtransfn, ag.aggfinalfn, ag.aggcombinefn," \
    " ag.aggserialfn, ag.aggdeserialfn, ag.aggmtransfn, ag.aggminvtransfn, ag.aggmfinalfn,"                  \
    " ag.aggfinalextra, ag.aggmfinalextra, ag.aggfinalmodify, ag.aggmfinalmodify, "                          \
    "ag.aggsortop::regoperator,"                                                                             \
    " format_type(ag.aggtranstype, NULL), format_type(ag.aggmtranstype, NULL), "                             \
    "quote_nullable(ag.agginitval),"                                                                         \
    " quote_nullable(ag.aggminitval)) FROM pg_aggregate ag WHERE ag.aggfnoid = p.oid))"

/* What came with another object, as a range's constructors and its multirange do, is that object's. */
#define OF_ITS_OWN(object)                                                                            \
    "NOT EXISTS (SELECT FROM pg_depend z WHERE z.classid = " object ".tableoid AND z.objid = " object \
    ".oid AND z.objsubid = 0 AND z.deptype = 'i')"

/* The schema's own types: not those that come with a table or another type. */
#define CANON_TYPE                                                                                          \
    "CASE y.typtype"                                                                                        \
    " WHEN 'e' THEN (SELECT concat('ENUM (', string_agg(quote_literal(en.enumlabel), ', ' ORDER BY"         \
    "  en.enumsortorder), ')') FROM pg_enum en WHERE en.enumtypid = y.oid)"                                 \
    " WHEN 'd' THEN concat_ws(' ', 'DOMAIN', format_type(y.typbasetype, y.typtypmod), CASE WHEN"            \
    "  y.typcollation NOT IN (0, 100) THEN concat('COLLATE ', y.typcollation::regcollation) END,"           \
    "  CASE WHEN y.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(y.typdefaultbin, 0),"          \
    "  (SELECT string_agg(concat('CONSTRAINT ', quote_ident(k.conname), ' ', " CANON_CONSTRAINT "), ' '"    \
    "  ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = y.oid AND k.contype <> 'n'))"            \
    " WHEN 'c' THEN (SELECT concat('(', string_agg(concat(quote_ident(a.attname), ' ',"                     \
    "  format_type(a.atttypid, a.atttypmod), ' COLLATE ' || " CANON_COLLATION "), ', ' ORDER BY a.attnum)," \
    "  ')') FROM " COLUMNS_OF("y.typrelid") ")"                                                             \
                                            " WHEN 'r' THEN (SELECT concat('RANGE (', "                     \
                                            "format_type(rg.rngsubtype, NULL), ' ', (SELECT opcname FROM"   \
                                            "  pg_opclass WHERE pg_opclass.oid = rg.rngsubopc), ' ', "      \
                                            "rg.rngcanonical, ' ', rg.rngsubdiff, ')')"                     \
                                            "  FROM pg_range rg WHERE rg.rngtypid = y.oid)"                 \
                                            " ELSE concat('TYPE ', y.typtype, ' ', y.typlen, ' ', "         \
                                            "y.typinput, ' ', y.typoutput) END"

/* Operators, collations, text search objects, extended statistics: that they exist, and of the last what. */
#define OTHER_CATALOGS                                                                                                     \
    CATALOG("pg_operator")                                                                                                 \
    ", " CATALOG("pg_collation") ", " CATALOG("pg_conversion") ", " CATALOG("pg_opclass") ", " CATALOG("pg_"               \
                                                                                                       "opf"               \
                                                                                                       "ami"               \
                                                                                                       "ly") ", " CATALOG( \
        "pg_ts_config") ", " CATALOG("pg_ts_dict") ", " CATALOG("pg_ts_parser") ", " CATALOG("pg_ts_"                      \
                                                                                             "template") ","               \
                                                                                                         " " CATALOG("pg_statistic_ext")
#define OTHER_NAME "pg_describe_object(d.classid, d.objid, 0)"
#define CANON_OTHER                                                                                          \
    "CASE d.classid WHEN " CATALOG("pg_statistic_ext") " THEN (SELECT concat(e.stxkind, ' ON ',"             \
                                                       " pg_get_statisticsobjdef_columns(e.oid), ' FROM ', " \
                                                       "e.stxrelid::regclass) FROM pg_statistic_ext e WHERE" \
                                                       " e.oid = d.objid)"                                   \
                                                       " ELSE " OTHER_NAME " END"
