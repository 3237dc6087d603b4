/* Migration plan: what one tenant's tracking table says about the files of a bundle.
 *
 * A first look, without the tenant's lock: it saves asking for every file. The block looks again, under the
 * lock, before it does anything.
 */
#pragma once
#include "common/operation.h"
#include "worker/ops/recorded.h"
#include "worker/pg/connection.h"
#include "worker/pg/tracking.h"

typedef struct MigrationPlan {
    bool any_shape;          /* set beforehand: see TrackingWish */
    TrackingTable tracking;  /* what the tenant has or will have */
    bool create;             /* there is no tracking table yet */
    RecordedIndex *recorded; /* owned */
    PGresult *rows;          /* owned; by id, NULL without a tracking table */
} MigrationPlan;

/* Finds the table and its format alone; keeps what is known about files. */
bool migration_plan_find_table(MigrationPlan *plan, Connection *connection, const char *schema,
                               const RunOptions *options, Error *error) MUST_CHECK;

/* What op_status found, as one word for the worker that goes on from there: "FORMAT N", the table's format or
 * "none", and how many of the bundle's first migrations it records while it records none of the others. NULL
 * where that does not tell it all (a table with other columns than ours, gaps, changed files): the tenant is
 * then looked at again. The caller frees it. */
char *migration_plan_word(const TrackingTable *table, const RecordedIndex *recorded, const Bundle *bundle);

/* The plan that such a word describes, without asking the server: should it be outdated, the block notices,
 * under the lock. False for a word that is not of this bundle or not understood. */
bool migration_plan_follow(MigrationPlan *plan, const char *word, const RunOptions *options,
                           const Bundle *bundle) MUST_CHECK;

/* Finds the table and reads its rows with one query, which waits at most the run's lock timeout. The bundle
 * must outlive the plan. */
bool migration_plan_read(MigrationPlan *plan, Connection *connection, const char *schema,
                         const RunOptions *options, const Bundle *bundle, Error *error) MUST_CHECK;
void migration_plan_clear(MigrationPlan *plan);

/* The rows that were read; part of the plan. */
RecordedRows migration_plan_rows(const MigrationPlan *plan);

/* Bundle item i is to be applied. One that changed after it was recorded is not. */
bool migration_plan_is_pending(const MigrationPlan *plan, size_t item);
