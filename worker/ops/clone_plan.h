/* Clone plan: what a schema consists of, and in which order it is made again.
 *
 * Read inside the transaction that copies, and gone with it. Objects are known by (class, oid) as pg_depend
 * knows them, in one number.
 */
#pragma once
#include "common/operation.h"
#include "worker/pg/connection.h"

typedef uint64_t CloneKey;

typedef struct CloneNode {
    int64_t rank;      /* CloneRank */
    CloneKey key;      /* 0 = the rows of all tables */
    uint32_t relation; /* that it belongs to, 0 = none */
    bool left_out;
    char *label;
    TextList statements;
} CloneNode;

/* Something to do when all nodes are there. */
typedef struct CloneLate {
    int64_t step; /* CloneStep */
    uint32_t relation;
    char *label, *statement;
} CloneLate;

typedef struct CloneColumn {
    char *name;
    char *own_type; /* as SQL without its schema, when it is one of the schema's types; else NULL */
    bool generated;
} CloneColumn;

typedef struct CloneTable {
    uint32_t oid;
    bool partitioned; /* its rows are those of its partitions */
    uint32_t root;    /* of a partition: the table that all belong to, 0 = none in this schema */
    char *name;
    char *lineage; /* its own and its parents' names, E'\x1f' between them */
    CloneColumn *columns;
    size_t column_count;
    bool kept_anyway; /* tracking table or our own state: rows too, and not among the tenant's tables */
    bool left_out;
} CloneTable;

typedef struct CloneSequence {
    uint32_t oid, owner; /* 0 = free */
    char *name;
} CloneSequence;

typedef struct ClonePart {
    CloneKey object, node;
} ClonePart;

typedef struct CloneNeed {
    CloneKey node, object;
} CloneNeed;

typedef struct ClonePlan {
    struct {
        CloneNode *items;
        size_t count, capacity;
    } nodes;
    struct {
        CloneLate *items;
        size_t count, capacity;
    } late;
    struct {
        CloneTable *items;
        size_t count, capacity;
    } tables;
    struct {
        CloneSequence *items;
        size_t count, capacity;
    } sequences;
    struct {
        ClonePart *items;
        size_t count, capacity;
    } parts; /* by object */
    struct {
        CloneNeed *items;
        size_t count, capacity;
    } needs;
    size_t *order; /* places of nodes */
    TextList warnings;
    TextList refused; /* what cannot be copied, described */
} ClonePlan;

/* Reads everything; refuses what cannot be copied. `version` is the server's. */
bool clone_plan_read(ClonePlan *plan, Connection *connection, const char *source, const char *target,
                     Error *error) MUST_CHECK;

/* Marks everything that belongs to tables that are left out; refuses when something else needs it. */
bool clone_plan_leave_out(ClonePlan *plan, Error *error) MUST_CHECK;

/* Fills plan->order. */
bool clone_plan_order(ClonePlan *plan, Error *error) MUST_CHECK;

/* Refuses a target of which an object depends on one of the source's. */
bool clone_plan_check_apart(const ClonePlan *plan, Connection *connection, const char *target,
                            Error *error) MUST_CHECK;

const CloneTable *clone_plan_table(const ClonePlan *plan, uint32_t oid); /* NULL when there is none */
bool clone_plan_leaves_out(const ClonePlan *plan, uint32_t relation);
void clone_plan_clear(ClonePlan *plan);
