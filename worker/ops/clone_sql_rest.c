/* Views, rules, triggers, policies and statistics of a schema as the statements that make them again. */
#include "worker/ops/clone_sql_internal.h"

/* clang-format off */

/* Materialized views are filled last, in the order in which they are made: what the functions in them look at
 * is nobody's to know. */
const char CLONE_VIEWS[] =
    CLONE_HERE "SELECT 72 AS node, 'pg_class'::regclass::oid, rel.oid, rel.oid, concat(CASE rel.relkind"
    " WHEN 'm' THEN 'materialized ' END, 'view ', rel.relname), concat('CREATE ',"
    " CASE rel.relkind WHEN 'm' THEN 'MATERIALIZED ' END, 'VIEW ', rel.name,"
    " CASE WHEN rel.relkind = 'm' THEN (SELECT concat(' USING ', quote_ident(amname)) FROM pg_am"
    " WHERE pg_am.oid = rel.relam) END, ' WITH (' || " CLONE_OPTIONS("rel.reloptions") " || ')',"
    " CASE WHEN rel.relkind = 'm' THEN (SELECT concat(' TABLESPACE ', quote_ident(spcname))"
    " FROM pg_tablespace s WHERE s.oid = rel.reltablespace) END, ' AS ', rtrim(pg_get_viewdef(rel.oid,"
    " true), ';'), CASE rel.relkind WHEN 'm' THEN ' WITH NO DATA' END) FROM rel"
    " WHERE rel.relkind IN ('v', 'm') ORDER BY rel.relname";

/* The server writes the schema in front of the name. */
const char CLONE_STATISTICS_OBJECTS[] =
    CLONE_HERE "SELECT 86 AS node, member.classid, e.oid, e.stxrelid, concat('statistics ', e.stxname),"
    " concat('CREATE STATISTICS ', quote_ident(e.stxname), substr(pg_get_statisticsobjdef(e.oid),"
    " length(concat('CREATE STATISTICS ', member.quoted, '.', quote_ident(e.stxname))) + 1))"
    " FROM member JOIN pg_statistic_ext e ON member.classid = 'pg_statistic_ext'::regclass"
    " AND e.oid = member.objid ORDER BY e.stxname";

const char CLONE_RULES[] =
    CLONE_HERE "SELECT 92 AS node, 'pg_rewrite'::regclass::oid, r.oid, rel.oid, concat('rule ',"
    " r.rulename, ' on ', rel.relname), rtrim(pg_get_ruledef(r.oid, true), ';') FROM rel"
    " JOIN pg_rewrite r ON r.ev_class = rel.oid WHERE r.rulename <> '_RETURN'"
    " ORDER BY rel.relname, r.rulename";

const char CLONE_TRIGGERS[] =
    CLONE_HERE "SELECT 94 AS node, 'pg_trigger'::regclass::oid, g.oid, rel.oid, concat('trigger ',"
    " g.tgname, ' on ', rel.relname), pg_get_triggerdef(g.oid, true) FROM rel"
    " JOIN pg_trigger g ON g.tgrelid = rel.oid WHERE NOT g.tgisinternal AND g.tgparentid = 0"
    " ORDER BY rel.relname, g.tgname";

const char CLONE_POLICIES[] =
    CLONE_HERE "SELECT 96 AS node, 'pg_policy'::regclass::oid, l.oid, rel.oid, concat('policy ',"
    " l.polname, ' on ', rel.relname), concat('CREATE POLICY ', quote_ident(l.polname), ' ON ', rel.name,"
    " ' AS ', CASE WHEN l.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, ' FOR ',"
    " CASE l.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN"
    " 'DELETE' ELSE 'ALL' END, ' TO ', (SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE"
    " o::regrole::text END, ', ') FROM unnest(l.polroles) AS o), ' USING (' || pg_get_expr(l.polqual,"
    " l.polrelid) || ')', ' WITH CHECK (' || pg_get_expr(l.polwithcheck, l.polrelid) || ')') FROM rel"
    " JOIN pg_policy l ON l.polrelid = rel.oid ORDER BY rel.relname, l.polname";

const char *const CLONE_NODE_QUERIES[] = {
    CLONE_COLLATIONS, CLONE_TYPES,    CLONE_SEQUENCES,          CLONE_FUNCTIONS,   CLONE_AGGREGATES,
    CLONE_TABLES,     CLONE_DEFAULTS, CLONE_DOMAIN_CONSTRAINTS, CLONE_CONSTRAINTS, CLONE_INDEXES,
    CLONE_ATTACHES,   CLONE_VIEWS,    CLONE_STATISTICS_OBJECTS, CLONE_RULES,       CLONE_TRIGGERS,
    CLONE_POLICIES,   NULL,
};
