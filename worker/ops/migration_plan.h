/* Migration plan: what one tenant's tracking table says about the files of a bundle.
 *
 * A first look, without the tenant's lock: it saves asking for every file. The block looks again, under the
 * lock, before it does anything.
 */
#pragma once
#include "common/migration.h"
#include "common/operation.h"
#include "worker/pg/connection.h"
#include "worker/pg/tracking.h"

typedef struct MigrationPlan {
    TrackingTable tracking; /* what the tenant has or will have */
    bool create;            /* there is no tracking table yet */
    bool *applied;          /* for each of the bundle: recorded, as it is or as it was before a change */
    bool *changed; /* recorded with the journal's time but another content (drizzle-kit alone tells) */
} MigrationPlan;

/* Finds the table and its format alone; keeps what is known about files. */
bool migration_plan_find_table(MigrationPlan *plan, Connection *connection, const char *schema,
                               const RunOptions *options, Error *error) MUST_CHECK;

/* Finds the table and reads its rows with one query, which waits at most the run's lock timeout. */
bool migration_plan_read(MigrationPlan *plan, Connection *connection, const char *schema,
                         const RunOptions *options, const Bundle *bundle, Error *error) MUST_CHECK;
void migration_plan_clear(MigrationPlan *plan);

#define MIGRATION_PLAN_CLEANUP __attribute__((cleanup(migration_plan_clear)))
