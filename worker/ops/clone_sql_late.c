/* What is said of objects when they are there: states, comments, rights, owners. */
#include "worker/ops/clone_sql_internal.h"

/* clang-format off */

static const char REFRESHES[] =
    CLONE_HERE "SELECT 10 AS late, rel.oid, concat('materialized view ', rel.relname), concat('REFRESH"
    " MATERIALIZED VIEW ', rel.name) FROM rel WHERE rel.relkind = 'm' AND rel.relispopulated"
    " ORDER BY rel.relname";

#define ALTER_TABLE "concat('ALTER TABLE ONLY ', rel.name, ' ', "

/* Triggers of partitions come with those of their parents, enabled like all that are new. */
static const char STATES[] =
    CLONE_HERE "SELECT 20 AS late, rel.oid, concat('table ', rel.relname), s.statement FROM rel CROSS"
    " JOIN LATERAL ( SELECT 1, concat('ALTER SEQUENCE ', rel.name, ' OWNED BY ', z.refobjid::regclass,"
    " '.', quote_ident(a.attname)) FROM pg_depend z JOIN pg_attribute a ON a.attrelid = z.refobjid"
    " AND a.attnum = z.refobjsubid WHERE rel.relkind = 'S' AND z.classid = 'pg_class'::regclass"
    " AND z.objid = rel.oid AND z.objsubid = 0 AND z.refclassid = 'pg_class'::regclass"
    " AND z.deptype = 'a' UNION ALL SELECT 2, " ALTER_TABLE "CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN"
    " 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, ' TRIGGER ', quote_ident(g.tgname))"
    " FROM pg_trigger g WHERE g.tgrelid = rel.oid AND NOT g.tgisinternal AND g.tgenabled <> 'O'"
    " UNION ALL SELECT 3, " ALTER_TABLE "CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE"
    " REPLICA' ELSE 'ENABLE ALWAYS' END, ' RULE ', quote_ident(r.rulename)) FROM pg_rewrite r"
    " WHERE r.ev_class = rel.oid AND r.rulename <> '_RETURN' AND r.ev_enabled <> 'O' UNION ALL SELECT 4, "
    ALTER_TABLE "'ENABLE ROW LEVEL SECURITY') WHERE rel.relrowsecurity UNION ALL SELECT 5, " ALTER_TABLE
    "'FORCE ROW LEVEL SECURITY') WHERE rel.relforcerowsecurity UNION ALL SELECT 6, " ALTER_TABLE "'REPLICA"
    " IDENTITY ', CASE rel.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)"
    " WHERE rel.relreplident IN ('f', 'n') AND rel.relkind IN ('r', 'p', 'm') UNION ALL SELECT 7, "
    ALTER_TABLE "'REPLICA IDENTITY USING INDEX ', quote_ident(i.relname)) FROM pg_index x"
    " JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = rel.oid AND x.indisreplident"
    " AND rel.relreplident = 'i' UNION ALL SELECT 8, concat('ALTER TABLE ', rel.name, ' CLUSTER ON ',"
    " quote_ident(i.relname)) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
    " WHERE x.indrelid = rel.oid AND x.indisclustered) AS s(place, statement)"
    " ORDER BY rel.relname, s.place, s.statement";

/* The words before an object's name, by its class, as COMMENT ON and GRANT want them. */
#define RELATION_WORD                                                                                      \
    "CASE rel.relkind WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'S' THEN 'SEQUENCE"    \
    " ' ELSE 'TABLE ' END"
#define ROUTINE                                                                                            \
    "concat(CASE p.prokind WHEN 'a' THEN 'AGGREGATE ' WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END,"    \
    " quote_ident(p.proname), '(', CASE WHEN p.prokind = 'a'"                                              \
    " AND p.pronargs = 0 THEN '*' ELSE pg_get_function_identity_arguments(p.oid) END, ')')"

static const char COMMENTS[] =
    CLONE_HERE "SELECT 30 AS late, o.relation, concat('comment on ', lower(split_part(o.what, ' ', 1)), '"
    " ', substr(o.what, strpos(o.what, ' ') + 1)), concat('COMMENT ON ', o.what, ' IS ',"
    " quote_literal(c.description)) FROM ( SELECT 'pg_class'::regclass::oid, rel.oid, 0, rel.oid, concat("
    RELATION_WORD ", rel.name) FROM rel WHERE rel.relkind IN ('r', 'p', 'v', 'm', 'S') UNION ALL"
    " SELECT 'pg_class'::regclass, rel.oid, a.attnum, rel.oid, concat('COLUMN ', rel.name, '.',"
    " quote_ident(a.attname)) FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0"
    " AND NOT a.attisdropped WHERE rel.relkind IN ('r', 'p', 'v', 'm') UNION ALL"
    " SELECT 'pg_class'::regclass, i.oid, 0, rel.oid, concat('INDEX ', quote_ident(i.relname)) FROM rel"
    " JOIN pg_index x ON x.indrelid = rel.oid AND x.indisvalid"
    " JOIN pg_class i ON i.oid = x.indexrelid UNION ALL SELECT 'pg_constraint'::regclass, k.oid, 0,"
    " rel.oid, concat('CONSTRAINT ', quote_ident(k.conname), ' ON ', rel.name) FROM rel"
    " JOIN pg_constraint k ON k.conrelid = rel.oid AND k.contype NOT IN ('n', 't') UNION ALL"
    " SELECT 'pg_trigger'::regclass, g.oid, 0, rel.oid, concat('TRIGGER ', quote_ident(g.tgname), ' ON ',"
    " rel.name) FROM rel JOIN pg_trigger g ON g.tgrelid = rel.oid AND NOT g.tgisinternal UNION ALL"
    " SELECT 'pg_rewrite'::regclass, r.oid, 0, rel.oid, concat('RULE ', quote_ident(r.rulename), ' ON ',"
    " rel.name) FROM rel JOIN pg_rewrite r ON r.ev_class = rel.oid AND r.rulename <> '_RETURN'"
    " UNION ALL SELECT 'pg_policy'::regclass, l.oid, 0, rel.oid, concat('POLICY ', quote_ident(l.polname),"
    " ' ON ', rel.name) FROM rel JOIN pg_policy l ON l.polrelid = rel.oid UNION ALL"
    " SELECT member.classid, p.oid, 0, 0, " ROUTINE " FROM member"
    " JOIN pg_proc p ON member.classid = 'pg_proc'::regclass AND p.oid = member.objid UNION ALL"
    " SELECT member.classid, y.oid, 0, 0, concat(CASE y.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END,"
    " quote_ident(y.typname)) FROM member JOIN pg_type y ON member.classid = 'pg_type'::regclass"
    " AND y.oid = member.objid UNION ALL SELECT 'pg_class'::regclass, a.attrelid, a.attnum, 0,"
    " concat('COLUMN ', quote_ident(y.typname), '.', quote_ident(a.attname)) FROM member"
    " JOIN pg_type y ON member.classid = 'pg_type'::regclass AND y.oid = member.objid"
    " AND y.typtype = 'c' JOIN pg_attribute a ON a.attrelid = y.typrelid AND a.attnum > 0"
    " AND NOT a.attisdropped UNION ALL SELECT 'pg_constraint'::regclass, k.oid, 0, 0, concat('CONSTRAINT"
    " ', quote_ident(k.conname), ' ON DOMAIN ', quote_ident(y.typname)) FROM member"
    " JOIN pg_type y ON member.classid = 'pg_type'::regclass AND y.oid = member.objid"
    " AND y.typtype = 'd' JOIN pg_constraint k ON k.contypid = y.oid AND k.contype = 'c' UNION ALL"
    " SELECT member.classid, k.oid, 0, 0, concat('COLLATION ', quote_ident(k.collname)) FROM member"
    " JOIN pg_collation k ON member.classid = 'pg_collation'::regclass AND k.oid = member.objid"
    " UNION ALL SELECT member.classid, e.oid, 0, e.stxrelid, concat('STATISTICS ', quote_ident(e.stxname))"
    " FROM member JOIN pg_statistic_ext e ON member.classid = 'pg_statistic_ext'::regclass"
    " AND e.oid = member.objid UNION ALL SELECT 'pg_namespace'::regclass, here.oid, 0, 0, concat('SCHEMA"
    " ', quote_ident(${target})) FROM here) AS o(class, object, part, relation, what)"
    " JOIN pg_description c ON c.classoid = o.class AND c.objoid = o.object AND c.objsubid = o.part"
    " ORDER BY o.what";

#define TYPE_FROM                                                                                          \
    " FROM member JOIN pg_type y ON member.classid = 'pg_type'::regclass AND y.oid = member.objid AND "    \
    CLONE_OF_ITS_OWN

#define GRANTEE "CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END"

/* Every object that has had its rights changed; those of others are what new objects have. */
static const char RIGHTS[] =
    CLONE_HERE ", holder(relation, what, rights, part) AS (SELECT rel.oid, concat(CASE rel.relkind WHEN"
    " 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END, rel.name), rel.relacl, '' FROM rel UNION ALL"
    " SELECT rel.oid, concat('TABLE ', rel.name), a.attacl, concat(' (', quote_ident(a.attname), ')')"
    " FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " UNION ALL SELECT 0, concat(CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END,"
    " quote_ident(p.proname), '(', pg_get_function_identity_arguments(p.oid), ')'), p.proacl, ''"
    " FROM member JOIN pg_proc p ON member.classid = 'pg_proc'::regclass AND p.oid = member.objid"
    " UNION ALL SELECT 0, concat('TYPE ', quote_ident(y.typname)), y.typacl, ''" TYPE_FROM " UNION ALL"
    " SELECT 0, concat('SCHEMA ', quote_ident(${target})), here.nspacl, '' FROM here)"
    " SELECT 40 AS late, o.relation, concat('rights on ', lower(split_part(o.what, ' ', 1)), ' ',"
    " substr(o.what, strpos(o.what, ' ') + 1)), s.statement FROM (SELECT * FROM holder"
    " WHERE rights IS NOT NULL) AS o CROSS JOIN LATERAL (SELECT 1, concat('REVOKE ALL ON ', o.what, '"
    " FROM PUBLIC') WHERE o.part = '' UNION ALL SELECT 2, concat('GRANT ',"
    " string_agg(concat(x.privilege_type, o.part), ', '), ' ON ', o.what, ' TO ', " GRANTEE ","
    " CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' END) FROM aclexplode(o.rights) AS x GROUP BY"
    " x.grantee, x.is_grantable) AS s(place, statement) ORDER BY o.part, o.what, s.place, s.statement";

/* The schema first: who gets an object needs the right to create in it. */
static const char OWNERS[] =
    CLONE_HERE ", mine(id) AS (SELECT oid FROM pg_roles WHERE rolname = current_user)"
    " SELECT 50 AS late, o.relation, concat('owner of ', lower(split_part(o.what, ' ', 1)), ' ',"
    " substr(o.what, strpos(o.what, ' ') + 1)), concat('ALTER ', o.what, ' OWNER TO ', o.owner::regrole)"
    " FROM ( SELECT 1, 0, concat('SCHEMA ', quote_ident(${target})), here.nspowner FROM here"
    " UNION ALL SELECT 2, rel.oid, concat(" RELATION_WORD ", rel.name), rel.relowner FROM rel"
    " WHERE rel.relkind IN ('r', 'p', 'v', 'm') OR rel.relkind = 'S' AND NOT EXISTS (SELECT"
    " FROM pg_depend z WHERE z.classid = 'pg_class'::regclass AND z.objid = rel.oid AND z.objsubid = 0"
    " AND z.refclassid = 'pg_class'::regclass AND z.deptype IN ('a', 'i')) UNION ALL SELECT 3, 0, " ROUTINE
    ", p.proowner FROM member JOIN pg_proc p ON member.classid = 'pg_proc'::regclass"
    " AND p.oid = member.objid AND " CLONE_OF_ITS_OWN " UNION ALL"
    " SELECT 4, 0, concat(CASE y.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END,"
    " quote_ident(y.typname)), y.typowner" TYPE_FROM " UNION ALL"
    " SELECT 5, e.stxrelid, concat('STATISTICS ', quote_ident(e.stxname)), e.stxowner FROM member"
    " JOIN pg_statistic_ext e ON member.classid = 'pg_statistic_ext'::regclass"
    " AND e.oid = member.objid UNION ALL SELECT 6, 0, concat('COLLATION ', quote_ident(k.collname)),"
    " k.collowner FROM member JOIN pg_collation k ON member.classid = 'pg_collation'::regclass"
    " AND k.oid = member.objid) AS o(place, relation, what, owner), mine WHERE o.owner <> mine.id"
    " ORDER BY o.place, o.what";

const char *const CLONE_LATE_QUERIES[] = {REFRESHES, STATES, COMMENTS, RIGHTS, OWNERS, NULL};
