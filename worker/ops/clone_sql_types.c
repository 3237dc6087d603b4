/* Types, sequences and functions of a schema as the statements that make them again. */
#include "worker/ops/clone_sql_internal.h"

/* clang-format off */

const char CLONE_COLLATIONS[] =
    CLONE_HERE "SELECT 10 AS node, member.classid, k.oid, 0, concat('collation ', k.collname),"
    " format('CREATE COLLATION %I FROM %s.%I', k.collname, member.quoted, k.collname) FROM member"
    " JOIN pg_collation k ON member.classid = 'pg_collation'::regclass AND k.oid = member.objid"
    " ORDER BY k.collname";

const char CLONE_TYPES[] =
    CLONE_HERE "SELECT 20 AS node, member.classid, y.oid, 0, concat('type ', y.typname), concat('CREATE ',"
    " CASE y.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END, quote_ident(y.typname), ' AS ',"
    " CASE y.typtype WHEN 'e' THEN (SELECT concat('ENUM (', string_agg(quote_literal(en.enumlabel), ', '"
    " ORDER BY en.enumsortorder), ')') FROM pg_enum en WHERE en.enumtypid = y.oid) WHEN 'd' THEN"
    " concat(format_type(y.typbasetype, y.typtypmod), CASE WHEN y.typcollation <> b.typcollation THEN"
    " concat(' COLLATE ', y.typcollation::regcollation) END, ' DEFAULT ' || pg_get_expr(y.typdefaultbin,"
    " 0), CASE WHEN y.typnotnull THEN ' NOT NULL' END) WHEN 'c' THEN (SELECT concat('(',"
    " string_agg(concat(quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod),"
    " CASE WHEN a.attcollation <> t.typcollation THEN concat( ' COLLATE ', a.attcollation::regcollation)"
    " END), ', ' ORDER BY a.attnum), ')') FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped) WHEN 'r' THEN (SELECT"
    " concat('RANGE (SUBTYPE = ', format_type(r.rngsubtype, NULL), ', SUBTYPE_OPCLASS = ', (SELECT"
    " concat(quote_ident(s.nspname), '.', quote_ident(o.opcname)) FROM pg_opclass o"
    " JOIN pg_namespace s ON s.oid = o.opcnamespace WHERE o.oid = r.rngsubopc),"
    " CASE WHEN r.rngcollation <> 0 THEN concat(', COLLATION = ', r.rngcollation::regcollation) END,"
    " CASE WHEN r.rngsubdiff <> 0 THEN concat(', SUBTYPE_DIFF = ', " CLONE_FUNCTION_NAME("r.rngsubdiff")
    ") END, ', MULTIRANGE_TYPE_NAME = ', (SELECT quote_ident(m.typname) FROM pg_type m"
    " WHERE m.oid = r.rngmultitypid), ')') FROM pg_range r WHERE r.rngtypid = y.oid) END) FROM member"
    " JOIN pg_type y ON member.classid = 'pg_type'::regclass AND y.oid = member.objid LEFT"
    " JOIN pg_type b ON b.oid = y.typbasetype WHERE y.typtype IN ('e', 'd', 'c', 'r') AND " CLONE_OF_ITS_OWN
    " ORDER BY y.typname";

/* Those of identity columns come with their tables. */
const char CLONE_SEQUENCES[] =
    CLONE_HERE "SELECT 30 AS node, 'pg_class'::regclass::oid, rel.oid, 0, concat('sequence ',"
    " rel.relname), concat('CREATE ', CASE rel.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, 'SEQUENCE ',"
    " rel.name, ' AS ', format_type(q.seqtypid, NULL), " CLONE_SEQUENCE_OPTIONS ") FROM rel"
    " JOIN pg_sequence q ON q.seqrelid = rel.oid WHERE rel.relkind = 'S' AND NOT EXISTS (SELECT"
    " FROM pg_depend z WHERE z.classid = 'pg_class'::regclass AND z.objid = rel.oid AND z.objsubid = 0"
    " AND z.deptype = 'i') ORDER BY rel.relname";

/* The server writes the schema in front of a function's name, and a search_path that a function sets for
 * itself is a list of names: the source's becomes the target's there. */
const char CLONE_FUNCTIONS[] =
    CLONE_HERE "SELECT 40 AS node, member.classid, p.oid, 0, concat(lower(kind.word), ' ', p.proname, '(',"
    " pg_get_function_identity_arguments(p.oid), ')'), concat('CREATE ', kind.word, ' ',"
    " quote_ident(p.proname), CASE WHEN path.line IS NULL THEN body.text ELSE overlay(body.text PLACING"
    " path.line FROM strpos(body.text, E'\\n SET search_path TO ') FOR length(substring(body.text"
    " FROM E'\\n SET search_path TO [^\\n]*'))) END) FROM member"
    " JOIN pg_proc p ON member.classid = 'pg_proc'::regclass AND p.oid = member.objid CROSS"
    " JOIN LATERAL (SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END) AS kind(word)"
    " CROSS JOIN LATERAL (SELECT substr(pg_get_functiondef(p.oid), length(concat('CREATE"
    " OR REPLACE ', kind.word, ' ', member.quoted, '.', quote_ident(p.proname))) + 1)) AS body(text) LEFT"
    " JOIN LATERAL (SELECT concat(E'\\n SET search_path TO ', string_agg(CASE WHEN m.item[1] IN"
    " (member.nspname::text, '\"' || replace(member.nspname, '\"', '\"\"') || '\"') THEN"
    " quote_literal(${target}) WHEN starts_with(m.item[1], '\"') THEN"
    " quote_literal(replace(substr(m.item[1], 2, length(m.item[1]) - 2), '\"\"', '\"')) ELSE"
    " quote_literal(m.item[1]) END, ', ' ORDER BY m.place)) FROM unnest(p.proconfig) AS s CROSS"
    " JOIN LATERAL regexp_matches(substr(s, 13), '(\"(?:[^\"]|\"\")*\"|[^, ]+)', 'g') WITH ORDINALITY AS"
    " m(item, place) WHERE starts_with(s, 'search_path=') HAVING count(*) > 0) AS path(line) ON true"
    " WHERE p.prokind <> 'a' AND " CLONE_OF_ITS_OWN " ORDER BY p.proname, p.oid";

const char CLONE_AGGREGATES[] =
    CLONE_HERE "SELECT 40 AS node, member.classid, p.oid, 0, concat('aggregate ', p.proname, '(',"
    " pg_get_function_identity_arguments(p.oid), ')'), concat('CREATE AGGREGATE ', quote_ident(p.proname),"
    " '(', coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*'), ') (', concat_ws(', ', 'SFUNC = '"
    " || " CLONE_FUNCTION_NAME("g.aggtransfn") ", 'STYPE = ' || format_type(g.aggtranstype, NULL), 'SSPACE"
    " = ' || nullif(g.aggtransspace, 0), 'FINALFUNC = ' || " CLONE_FUNCTION_NAME("g.aggfinalfn") ","
    " CASE WHEN g.aggfinalextra THEN 'FINALFUNC_EXTRA' END, CASE WHEN g.aggfinalfn <> 0 THEN"
    " 'FINALFUNC_MODIFY = ' || " CLONE_MODIFY("g.aggfinalmodify") " END, 'COMBINEFUNC = ' || "
    CLONE_FUNCTION_NAME("g.aggcombinefn") ", 'SERIALFUNC = ' || " CLONE_FUNCTION_NAME("g.aggserialfn") ","
    " 'DESERIALFUNC = ' || " CLONE_FUNCTION_NAME("g.aggdeserialfn") ", 'INITCOND = ' ||"
    " quote_literal(g.agginitval), 'MSFUNC = ' || " CLONE_FUNCTION_NAME("g.aggmtransfn") ", 'MINVFUNC = '"
    " || " CLONE_FUNCTION_NAME("g.aggminvtransfn") ","
    " CASE WHEN g.aggmtranstype <> 0 THEN 'MSTYPE = ' || format_type(g.aggmtranstype, NULL) END, 'MSSPACE"
    " = ' || nullif(g.aggmtransspace, 0), 'MFINALFUNC = ' || " CLONE_FUNCTION_NAME("g.aggmfinalfn") ","
    " CASE WHEN g.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END, CASE WHEN g.aggmfinalfn <> 0 THEN"
    " 'MFINALFUNC_MODIFY = ' || " CLONE_MODIFY("g.aggmfinalmodify") " END, 'MINITCOND = ' ||"
    " quote_literal(g.aggminitval), CASE WHEN g.aggsortop <> 0 THEN (SELECT format('SORTOP ="
    " OPERATOR(%I.%s)', s.nspname, o.oprname) FROM pg_operator o"
    " JOIN pg_namespace s ON s.oid = o.oprnamespace WHERE o.oid = g.aggsortop) END,"
    " CASE WHEN g.aggkind = 'h' THEN 'HYPOTHETICAL' END, 'PARALLEL = ' ||"
    " CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END), ')')"
    " FROM member JOIN pg_proc p ON member.classid = 'pg_proc'::regclass AND p.oid = member.objid"
    " JOIN pg_aggregate g ON g.aggfnoid = p.oid ORDER BY p.proname, p.oid";
