/* Clone SQL, inside: pieces that its texts share, and the texts. */
#pragma once
#include "worker/ops/clone_sql.h"

/* clang-format off */

/* A function's name as SQL, with its schema unless that is the one which is read: regproc writes the schema
 * of a name that has several functions. NULL for none. */
#define CLONE_FUNCTION_NAME(oid)                                                                           \
    "(SELECT CASE WHEN fs.nspname = current_schema() THEN quote_ident(fp.proname) ELSE"                    \
    " concat(quote_ident(fs.nspname), '.', quote_ident(fp.proname)) END FROM pg_proc fp"                   \
    " JOIN pg_namespace fs ON fs.oid = fp.pronamespace WHERE fp.oid = " oid ")"

#define CLONE_MODIFY(column)                                                                               \
    "CASE " column " WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END"

/* What came with another object, as a range's constructors do, is made with that. */
#define CLONE_OF_ITS_OWN                                                                                   \
    "NOT EXISTS (SELECT FROM pg_depend z WHERE z.classid = member.classid AND z.objid = member.objid"      \
    " AND z.objsubid = 0 AND z.deptype IN ('i', 'e'))"

#define CLONE_SEQUENCE_OPTIONS                                                                             \
    "concat(' INCREMENT BY ', q.seqincrement, ' MINVALUE ', q.seqmin, ' MAXVALUE ', q.seqmax, ' START"     \
    " WITH ', q.seqstart, ' CACHE ', q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' END)"

/* A child's columns as INHERITS would order them: the parents' in their order, then its own. */
#define CLONE_HEIRS                                                                                        \
    "(SELECT string_agg(quote_ident(o.attname), ',' ORDER BY o.place)"                                     \
    " FROM (SELECT pa.attname, min(i.inhseqno * 10000 + pa.attnum) AS place FROM pg_inherits i"            \
    " JOIN pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attnum > 0 AND NOT pa.attisdropped"         \
    " WHERE i.inhrelid = rel.oid GROUP BY pa.attname) AS o)"

#define CLONE_FIRST_COLUMNS                                                                                \
    "(SELECT string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum) FROM (SELECT attname, attnum"       \
    " FROM pg_attribute WHERE attrelid = rel.oid AND attnum > 0 AND NOT attisdropped"                      \
    " ORDER BY attnum LIMIT (SELECT count(DISTINCT pa.attname) FROM pg_inherits i"                         \
    " JOIN pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attnum > 0 AND NOT pa.attisdropped"         \
    " WHERE i.inhrelid = rel.oid)) AS a)"

/* clang-format on */

extern const char CLONE_COLLATIONS[], CLONE_TYPES[], CLONE_SEQUENCES[], CLONE_FUNCTIONS[], CLONE_AGGREGATES[];
extern const char CLONE_TABLES[], CLONE_DEFAULTS[], CLONE_CONSTRAINTS[], CLONE_INDEXES[], CLONE_ATTACHES[];
extern const char CLONE_VIEWS[], CLONE_STATISTICS_OBJECTS[], CLONE_RULES[], CLONE_TRIGGERS[],
    CLONE_POLICIES[];
extern const char CLONE_DOMAIN_CONSTRAINTS[];
