/* Tables with their columns, defaults, constraints and indexes as the statements that make them again. */
#include "worker/ops/clone_sql_internal.h"

/* clang-format off */

#define COLLATION                                                                                          \
    " CASE WHEN a.attcollation <> t.typcollation THEN concat(' COLLATE ',"                                 \
    " a.attcollation::regcollation) END"

/* Partitions have the identity of the table that they belong to, and no sequence of their own. */
#define IDENTITY                                                                                           \
    " (SELECT concat(' GENERATED ', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, '"    \
    " AS IDENTITY (SEQUENCE NAME ', quote_ident(s.relname), " CLONE_SEQUENCE_OPTIONS ", ')')"              \
    " FROM pg_depend z JOIN pg_class s ON s.oid = z.objid JOIN pg_sequence q ON q.seqrelid = s.oid"        \
    " WHERE z.refclassid = 'pg_class'::regclass AND z.refobjid = a.attrelid"                               \
    " AND z.refobjsubid = a.attnum AND z.classid = 'pg_class'::regclass AND z.deptype = 'i'"               \
    " AND a.attidentity <> '')"

#define EXPRESSION                                                                                         \
    "(SELECT pg_get_expr(ad.adbin, ad.adrelid) FROM pg_attrdef ad WHERE ad.adrelid = a.attrelid"           \
    " AND ad.adnum = a.attnum)"

#define COLUMN                                                                                             \
    "concat(quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod)," COLLATION ","              \
    " CASE WHEN a.attgenerated <> '' THEN concat(' GENERATED ALWAYS AS (', " EXPRESSION ", ') ',"          \
    " CASE a.attgenerated WHEN 'v' THEN 'VIRTUAL' ELSE 'STORED' END) END," IDENTITY ","                    \
    " CASE WHEN a.attnotnull THEN ' NOT NULL' END)"

#define CREATE                                                                                             \
    "concat('CREATE ', CASE rel.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, 'TABLE ', rel.name, '"       \
    " (', (SELECT string_agg(" COLUMN ", ', ' ORDER BY a.attnum) FROM pg_attribute a"                      \
    " JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = rel.oid AND a.attnum > 0"                    \
    " AND NOT a.attisdropped AND (a.attislocal OR NOT heir.inherits)), ')',"                               \
    " CASE WHEN heir.inherits THEN (SELECT concat(' INHERITS (',"                                          \
    " string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno), ')') FROM pg_inherits i"          \
    " WHERE i.inhrelid = rel.oid) END, ' PARTITION BY ' || pg_get_partkeydef(rel.oid),"                    \
    " CASE WHEN rel.relkind = 'r' THEN (SELECT concat(' USING ', quote_ident(amname)) FROM pg_am"          \
    " WHERE pg_am.oid = rel.relam) END, ' WITH (' || nullif(concat_ws(', ', "                              \
    CLONE_OPTIONS("rel.reloptions") ", (SELECT " CLONE_OPTIONS_OF("'toast.' ||", "o.reloptions")           \
    " FROM pg_class o WHERE o.oid = rel.reltoastrelid)), '') || ')', (SELECT concat(' TABLESPACE ',"       \
    " quote_ident(spcname)) FROM pg_tablespace s WHERE s.oid = rel.reltablespace))"

#define ATTACH                                                                                             \
    "(SELECT string_agg(CASE WHEN rel.relispartition THEN concat('ALTER TABLE ONLY ',"                     \
    " i.inhparent::regclass, ' ATTACH PARTITION ', rel.name, ' ', pg_get_expr(rel.relpartbound,"           \
    " rel.oid)) ELSE concat('ALTER TABLE ONLY ', rel.name, ' INHERIT ', i.inhparent::regclass) END,"       \
    " E'\\x1e' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = rel.oid"                         \
    " AND NOT heir.inherits)"

#define ALTER_COLUMN "concat('ALTER TABLE ONLY ', rel.name, ' ALTER COLUMN ', quote_ident(a.attname), ' ', "

/* Those that the server lets a user set; it may keep others of its own there. */
#define COLUMN_OPTIONS                                                                                     \
    "ARRAY(SELECT x FROM unnest(a.attoptions) AS x WHERE split_part(x, '=', 1) IN ('n_distinct',"          \
    " 'n_distinct_inherited'))"

#define COLUMN_SETTINGS                                                                                    \
    "(SELECT string_agg(" ALTER_COLUMN "s.setting), E'\\x1e' ORDER BY a.attnum) FROM pg_attribute a"       \
    " JOIN pg_type t ON t.oid = a.atttypid CROSS JOIN LATERAL (VALUES (CASE WHEN a.attnotnull"             \
    " AND NOT a.attislocal AND heir.inherits THEN 'SET NOT NULL' END), (CASE WHEN a.attstorage <>"         \
    " t.typstorage THEN 'SET STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN"           \
    " 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END), ('SET COMPRESSION ' ||"                    \
    " CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END), (CASE WHEN a.attstattarget"     \
    " >= 0 THEN 'SET STATISTICS ' || a.attstattarget END), ('SET (' || " CLONE_OPTIONS(COLUMN_OPTIONS)     \
    " || ')')) AS s(setting) WHERE a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped"           \
    " AND s.setting IS NOT NULL)"

/* Whether a child is made by INHERITS, so that it loses the columns that its parents lose; not where that
 * would bring its columns into another order. */
const char CLONE_TABLES[] =
    CLONE_HERE "SELECT 50 AS node, 'pg_class'::regclass::oid, rel.oid, rel.oid, concat('table ',"
    " rel.relname), statement FROM rel CROSS JOIN LATERAL (SELECT NOT rel.relispartition AND " CLONE_HEIRS
    " = " CLONE_FIRST_COLUMNS " IS TRUE) AS heir(inherits) CROSS JOIN LATERAL unnest(" CREATE " ||"
    " ARRAY[]::text[] || string_to_array(" ATTACH ", E'\\x1e') || string_to_array((SELECT concat('ALTER"
    " TABLE ', rel.name, ' OF ', format_type(rel.reloftype, NULL))"
    " WHERE rel.reloftype <> 0), E'\\x1e') || string_to_array(" COLUMN_SETTINGS ", E'\\x1e')) WITH"
    " ORDINALITY AS s(statement, place) WHERE rel.relkind IN ('r', 'p') ORDER BY rel.relname, s.place";

const char CLONE_DEFAULTS[] =
    CLONE_HERE "SELECT 60 AS node, 'pg_attrdef'::regclass::oid, d.oid, rel.oid, concat('default of ',"
    " rel.relname, '.', a.attname), concat('ALTER ', CASE rel.relkind WHEN 'v' THEN 'VIEW ' ELSE 'TABLE"
    " ONLY ' END, rel.name, ' ALTER COLUMN ', quote_ident(a.attname), ' SET DEFAULT ',"
    " pg_get_expr(d.adbin, d.adrelid)) FROM rel JOIN pg_attrdef d ON d.adrelid = rel.oid"
    " JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
    " WHERE rel.relkind IN ('r', 'p', 'v') AND a.attgenerated = '' ORDER BY rel.relname, a.attnum";

/* What partitions and children have from their parents comes with those, but for keys: a partition's is made
 * with its own name, then attached. */
const char CLONE_CONSTRAINTS[] =
    CLONE_HERE "SELECT"
    " CASE k.contype WHEN 'c' THEN 76 WHEN 'f' THEN 90 ELSE 80 END AS node,"
    " 'pg_constraint'::regclass::oid, k.oid, rel.oid, concat('constraint ', k.conname, ' on ',"
    " rel.relname), statement FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid LEFT"
    " JOIN pg_class i ON i.oid = k.conindid AND k.contype <> 'f' CROSS"
    " JOIN LATERAL (VALUES (1, concat('ALTER TABLE ', CASE WHEN k.contype IN ('p', 'u', 'x')"
    " OR k.contype = 'f' AND rel.relkind = 'r' THEN 'ONLY ' END, rel.name, ' ADD CONSTRAINT ',"
    " quote_ident(k.conname), ' ', pg_get_constraintdef(k.oid, true))), (2, concat('ALTER INDEX ',"
    " quote_ident(k.conname), ' SET (') || " CLONE_OPTIONS("i.reloptions") " || ')')) AS s(place,"
    " statement) WHERE s.statement IS NOT NULL AND (k.contype IN ('p', 'u', 'x') OR k.contype = 'c'"
    " AND k.conislocal OR k.contype = 'f' AND k.conparentid = 0) ORDER BY rel.relname, k.conname, s.place";

const char CLONE_DOMAIN_CONSTRAINTS[] =
    CLONE_HERE "SELECT 60 AS node, 'pg_constraint'::regclass::oid, k.oid, 0, concat('constraint ',"
    " k.conname, ' on domain ', y.typname), format('ALTER DOMAIN %I ADD CONSTRAINT %I %s', y.typname,"
    " k.conname, pg_get_constraintdef(k.oid, true)) FROM member"
    " JOIN pg_type y ON member.classid = 'pg_type'::regclass AND y.oid = member.objid"
    " AND y.typtype = 'd' JOIN pg_constraint k ON k.contypid = y.oid AND k.contype = 'c'"
    " ORDER BY y.typname, k.conname";

#define NOT_OF_A_KEY                                                                                       \
    "NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = x.indrelid"                                \
    " AND k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))"

/* An index that CREATE INDEX CONCURRENTLY left half-made is none. */
const char CLONE_INDEXES[] =
    CLONE_HERE "SELECT 82 AS node, 'pg_class'::regclass::oid, i.oid, rel.oid, concat('index ', i.relname),"
    " pg_get_indexdef(i.oid, 0, true) FROM rel JOIN pg_index x ON x.indrelid = rel.oid"
    " JOIN pg_class i ON i.oid = x.indexrelid WHERE rel.relkind IN ('r', 'p', 'm') AND (x.indisvalid"
    " OR i.relkind = 'I') AND " NOT_OF_A_KEY " ORDER BY rel.relname, i.relname";

const char CLONE_ATTACHES[] =
    CLONE_HERE "SELECT 84 AS node, 'pg_inherits'::regclass::oid, h.inhrelid, rel.oid, concat('index ',"
    " h.inhrelid::regclass), concat('ALTER INDEX ', h.inhparent::regclass, ' ATTACH PARTITION ',"
    " h.inhrelid::regclass) FROM rel JOIN pg_index x ON x.indrelid = rel.oid"
    " JOIN pg_inherits h ON h.inhrelid = x.indexrelid WHERE rel.relkind IN ('r', 'p')"
    " ORDER BY rel.relname, h.inhrelid";
