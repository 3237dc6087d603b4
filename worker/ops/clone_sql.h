/* Clone SQL: the queries that put a schema's objects into words, each as the statements that make them again.
 *
 * While a query runs, search_path begins with the schema that it reads, so that the server leaves the
 * schema's own name out where it deparses; the statements are run with the same search_path but for the
 * target in its place, and so mean the same there. ${source} and ${target} stand for the
 * schemas' names as literals. The name of a result's first column says what its rows are:
 *
 * - node: rank, class, oid, relation that it belongs to (0 = none), label, statement; an object's in order
 * - late: step, relation, label, statement; when everything is there
 * - part: class and oid, class and oid of the node that it belongs to
 * - needs: class and oid of a node, class and oid of what it depends on
 * - table: oid, relkind, name, oid of a partition's root, names that rules for it may have
 * - column: relation, name, whether it is computed, name of its type if that is the schema's
 * - sequence: oid, relation that owns it (0 = none), name
 * - warned: what is not as in the source
 * - refused: an object that cannot be copied
 */
#pragma once
#include <stddef.h>

/* In which order nodes are made as far as their dependencies leave a choice. */
typedef enum CloneRank {
    CLONE_COLLATION = 10,
    CLONE_TYPE = 20,
    CLONE_SEQUENCE = 30,
    CLONE_FUNCTION = 40,
    CLONE_TABLE = 50,
    CLONE_DEFAULT = 60,
    CLONE_DATA = 70, /* no object: the rows are copied */
    CLONE_VIEW = 72,
    CLONE_CHECK = 76,
    CLONE_KEY = 80,
    CLONE_INDEX = 82,
    CLONE_ATTACH = 84,
    CLONE_STATISTICS = 86,
    CLONE_FOREIGN_KEY = 90, /* from here on only when the rows are there */
    CLONE_RULE = 92,
    CLONE_TRIGGER = 94,
    CLONE_POLICY = 96,
} CloneRank;

/* Steps after the last node. */
typedef enum CloneStep {
    CLONE_REFRESH = 10,
    CLONE_FINISH = 20,
    CLONE_COMMENT = 30,
    CLONE_RIGHT = 40, /* may be refused without harm to the rest */
    CLONE_OWNER = 50, /* so may this */
} CloneStep;

/* NULL-terminated. */
extern const char *const CLONE_NODE_QUERIES[];
extern const char *const CLONE_LATE_QUERIES[];
extern const char *const CLONE_PART_QUERIES[];
extern const char *const CLONE_DATA_QUERIES[];

/* clang-format off */

/* What every query begins with: the schema, and its members. */
#define CLONE_HERE                                                                                         \
    "WITH here AS MATERIALIZED (SELECT oid, nspname, quote_ident(nspname) AS quoted, nspacl, nspowner,"    \
    " set_config('search_path', concat(quote_ident(nspname), ', pg_catalog, public, pg_temp'), true)"      \
    " AS path FROM pg_namespace WHERE nspname = ${source}), member AS MATERIALIZED (SELECT DISTINCT"       \
    " d.classid, d.objid, here.nspname, here.quoted FROM here CROSS"                                       \
    " JOIN LATERAL (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass"      \
    " AND refobjid = here.oid AND refobjsubid = 0 OFFSET 0) AS d"                                          \
    " WHERE here.path IS NOT NULL), rel AS MATERIALIZED (SELECT c.*, quote_ident(c.relname) AS name,"      \
    " member.nspname FROM member JOIN pg_class c ON member.classid = 'pg_class'::regclass"                 \
    " AND c.oid = member.objid) "

/* Options of a relation as SQL; `array` is a text[] of name=value. */
#define CLONE_OPTIONS(array) CLONE_OPTIONS_OF(, array)
#define CLONE_OPTIONS_OF(before, array)                                                                    \
    "(SELECT string_agg(concat(" before " quote_ident(split_part(o, '=', 1)), ' = ',"                      \
    " quote_literal(substr(o, strpos(o, '=') + 1))), ', ') FROM unnest(" array ") AS o)"
