/* What belongs to what, what depends on what, what holds rows, and what cannot be copied. */
#include "worker/ops/clone_sql_internal.h"

/* clang-format off */

#define IDENTITY_OF(oid)                                                                                   \
    "(SELECT z.refobjid FROM pg_depend z WHERE z.classid = 'pg_class'::regclass AND z.objid = " oid        \
    " AND z.objsubid = 0 AND z.refclassid = 'pg_class'::regclass AND z.deptype = 'i' LIMIT 1)"

#define OWNER_OF(oid)                                                                                      \
    "(SELECT z.refobjid FROM pg_depend z WHERE z.classid = 'pg_class'::regclass AND z.objid = " oid        \
    " AND z.objsubid = 0 AND z.refclassid = 'pg_class'::regclass AND z.deptype IN ('a', 'i') LIMIT 1)"

#define PARTS                                                                                              \
    CLONE_HERE ", part(class, object, node_class, node, owned) AS MATERIALIZED (SELECT member.classid,"    \
    " member.objid, member.classid, coalesce(CASE rel.relkind WHEN 'S' THEN " IDENTITY_OF("rel.oid")       \
    " END, member.objid), rel.relkind = 'S' FROM member LEFT"                                              \
    " JOIN rel ON member.classid = 'pg_class'::regclass AND rel.oid = member.objid UNION ALL"              \
    " SELECT 'pg_type'::regclass, v.type, 'pg_class'::regclass, rel.oid, false FROM rel"                   \
    " JOIN pg_type y ON y.oid = rel.reltype CROSS JOIN LATERAL (VALUES (y.oid), (y.typarray)) AS"          \
    " v(type) UNION ALL SELECT v.class, v.object, 'pg_type'::regclass, y.oid, false FROM member"           \
    " JOIN pg_type y ON member.classid = 'pg_type'::regclass AND y.oid = member.objid LEFT"                \
    " JOIN pg_range r ON r.rngtypid = y.oid LEFT JOIN pg_type m ON m.oid = r.rngmultitypid CROSS"          \
    " JOIN LATERAL (VALUES ('pg_type'::regclass, y.typarray), ('pg_class', y.typrelid), ('pg_type',"       \
    " m.oid), ('pg_type', m.typarray)) AS v(class, object) WHERE v.object <> 0 UNION ALL"                  \
    " SELECT 'pg_class'::regclass, x.indexrelid, CASE WHEN k.oid IS NULL THEN 'pg_class'::regclass"        \
    " ELSE 'pg_constraint' END, coalesce(k.oid, x.indexrelid), false FROM rel"                             \
    " JOIN pg_index x ON x.indrelid = rel.oid LEFT JOIN LATERAL (SELECT c.oid FROM pg_constraint c"        \
    " WHERE c.conrelid = rel.oid AND c.conindid = x.indexrelid"                                            \
    " AND c.contype IN ('p', 'u', 'x') LIMIT 1) AS k ON true UNION ALL"                                    \
    " SELECT 'pg_constraint'::regclass, k.oid, 'pg_constraint'::regclass, k.oid, false FROM rel"           \
    " JOIN pg_constraint k ON k.conrelid = rel.oid UNION ALL"                                              \
    " SELECT 'pg_constraint'::regclass, k.oid, 'pg_constraint'::regclass, k.oid, false FROM member"        \
    " JOIN pg_constraint k ON member.classid = 'pg_type'::regclass"                                        \
    " AND k.contypid = member.objid UNION ALL SELECT 'pg_attrdef'::regclass, d.oid,"                       \
    " CASE a.attgenerated WHEN '' THEN 'pg_attrdef'::regclass ELSE 'pg_class' END,"                        \
    " CASE a.attgenerated WHEN '' THEN d.oid ELSE rel.oid END, false FROM rel"                             \
    " JOIN pg_attrdef d ON d.adrelid = rel.oid JOIN pg_attribute a ON a.attrelid = rel.oid"                \
    " AND a.attnum = d.adnum UNION ALL SELECT 'pg_trigger'::regclass, g.oid, 'pg_trigger'::regclass,"      \
    " g.oid, false FROM rel JOIN pg_trigger g ON g.tgrelid = rel.oid AND NOT g.tgisinternal"               \
    " UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, CASE r.rulename WHEN '_RETURN' THEN"                 \
    " 'pg_class'::regclass ELSE 'pg_rewrite' END, CASE r.rulename WHEN '_RETURN' THEN rel.oid ELSE"        \
    " r.oid END, false FROM rel JOIN pg_rewrite r ON r.ev_class = rel.oid UNION ALL"                       \
    " SELECT 'pg_policy'::regclass, l.oid, 'pg_policy'::regclass, l.oid, false FROM rel"                   \
    " JOIN pg_policy l ON l.polrelid = rel.oid) "

static const char PART_ROWS[] =
    PARTS "SELECT class::oid AS part, object, node_class::oid, node FROM part";

/* That a sequence belongs to a column is said when both are there. */
static const char NEEDS[] =
    PARTS "SELECT DISTINCT part.node_class::oid AS needs, part.node, d.refclassid, d.refobjid"
    " FROM part CROSS JOIN LATERAL (SELECT refclassid, refobjid, deptype FROM pg_depend z"
    " WHERE z.classid = part.class AND z.objid = part.object AND z.refclassid <> 'pg_namespace'::regclass"
    " OFFSET 0) AS d WHERE NOT (part.owned AND d.deptype IN ('a', 'i')) UNION ALL"
    " SELECT 'pg_inherits'::regclass, h.inhrelid, 'pg_class'::regclass, v.index FROM rel"
    " JOIN pg_index x ON x.indrelid = rel.oid JOIN pg_inherits h ON h.inhrelid = x.indexrelid CROSS"
    " JOIN LATERAL (VALUES (h.inhrelid), (h.inhparent)) AS v(index)";

const char *const CLONE_PART_QUERIES[] = {PART_ROWS, NEEDS, NULL};

/* A rule for a table is one for its partitions and children, too. */
static const char TABLE_ROWS[] =
    CLONE_HERE "SELECT rel.oid AS table, rel.relkind, rel.relname,"
    " CASE WHEN rel.relispartition THEN (SELECT p.relid::oid FROM pg_partition_ancestors(rel.oid) AS"
    " p(relid) JOIN pg_class c ON c.oid = p.relid WHERE NOT c.relispartition"
    " AND c.relnamespace = rel.relnamespace) END, concat(rel.relname, (SELECT string_agg(concat(E'\\x1f',"
    " c.relname), '') FROM (WITH RECURSIVE up(oid) AS (SELECT inhparent FROM pg_inherits"
    " WHERE inhrelid = rel.oid UNION SELECT i.inhparent FROM up"
    " JOIN pg_inherits i ON i.inhrelid = up.oid) SELECT oid FROM up) AS up"
    " JOIN pg_class c ON c.oid = up.oid WHERE c.relnamespace = rel.relnamespace)) FROM rel"
    " WHERE rel.relkind IN ('r', 'p') ORDER BY rel.relname COLLATE \"C\"";

/* A value of one of the schema's own types is not one of the copy's. */
static const char COLUMN_ROWS[] =
    CLONE_HERE "SELECT rel.oid AS column, a.attname, a.attgenerated <> '',"
    " CASE WHEN o.typnamespace = rel.relnamespace THEN concat(quote_ident(o.typname),"
    " CASE WHEN e.oid IS NOT NULL THEN '[]' END) END FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid"
    " AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid LEFT"
    " JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid"
    " JOIN pg_type o ON o.oid = coalesce(e.oid, t.oid) WHERE rel.relkind IN ('r', 'p')"
    " ORDER BY rel.oid, a.attnum";

static const char SEQUENCE_ROWS[] =
    CLONE_HERE "SELECT rel.oid AS sequence, coalesce(" OWNER_OF("rel.oid") ", 0), rel.relname FROM rel"
    " WHERE rel.relkind = 'S' ORDER BY rel.relname";

/* What the clone has otherwise, or lacks, without failing for it. */
static const char WARNED[] =
    CLONE_HERE "SELECT concat('index ', i.relname, ' is invalid in the source and was left out') AS warned"
    " FROM rel JOIN pg_index x ON x.indrelid = rel.oid JOIN pg_class i ON i.oid = x.indexrelid"
    " WHERE NOT x.indisvalid AND i.relkind = 'i' UNION ALL SELECT concat('table ', rel.relname, ' is not"
    " in publication ', p.pubname, ' as it is in the source') FROM rel"
    " JOIN pg_publication_rel r ON r.prrelid = rel.oid JOIN pg_publication p ON p.oid = r.prpubid"
    " UNION ALL SELECT concat('table ', rel.relname, ' keeps columns that the tables it inherits from"
    " lose') FROM rel WHERE rel.relkind = 'r' AND NOT rel.relispartition AND " CLONE_HEIRS " <> "
    CLONE_FIRST_COLUMNS " UNION ALL"
    " SELECT concat('default privileges of role ', d.defaclrole::regrole, ' in the schema were not"
    " copied') FROM member JOIN pg_default_acl d ON member.classid = 'pg_default_acl'::regclass"
    " AND d.oid = member.objid ORDER BY 1";

/* An extension is there once, with all that belongs to it. */
#define EXTENSION                                                                                          \
    "(SELECT pg_describe_object(z.refclassid, z.refobjid, 0) FROM pg_depend z"                             \
    " WHERE z.classid = member.classid AND z.objid = member.objid AND z.objsubid = 0"                      \
    " AND z.deptype = 'e')"

static const char REFUSED[] =
    CLONE_HERE "SELECT DISTINCT coalesce(x.extension, pg_describe_object(member.classid, member.objid, 0))"
    " AS refused FROM member CROSS JOIN LATERAL (SELECT " EXTENSION ") AS x(extension) LEFT"
    " JOIN pg_class c ON member.classid = 'pg_class'::regclass AND c.oid = member.objid LEFT"
    " JOIN pg_type y ON member.classid = 'pg_type'::regclass AND y.oid = member.objid LEFT"
    " JOIN pg_range r ON r.rngtypid = y.oid WHERE x.extension IS NOT NULL"
    " OR member.classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass,"
    " 'pg_collation'::regclass, 'pg_statistic_ext'::regclass, 'pg_default_acl'::regclass)"
    " OR c.relkind NOT IN ('r', 'p', 'v', 'm', 'S') OR y.typtype NOT IN ('e', 'd', 'c', 'r', 'm') AND "
    CLONE_OF_ITS_OWN " OR r.rngcanonical <> 0 ORDER BY 1 LIMIT 10";

const char *const CLONE_DATA_QUERIES[] = {TABLE_ROWS, COLUMN_ROWS, SEQUENCE_ROWS, WARNED, REFUSED, NULL};
