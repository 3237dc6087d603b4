/* Tenant write: one transaction that looks at a tenant's tracking table and changes it, exactly once.
 *
 * Begins, takes the tenant's lock, reads the table, lets the operation decide what to write, writes it and
 * commits: a few messages of one transaction, so that a transaction-pooling PgBouncer keeps them together.
 * Whatever fails half-way leaves nothing and is tried again from the start, so the decision is always made
 * from what is true under the lock. When COMMIT's answer is lost the next attempt's decision tells what
 * became of it.
 */
#pragma once
#include "worker/ops/migration_plan.h"
#include "worker/ops/turn.h"

typedef struct TenantWrite {
    const char *claim; /* "the tracking table was repaired": in question when COMMIT's answer is lost */

    /* Appends what is to be written, each statement ended by a semicolon; nothing when all is well.
     * `in_doubt`: what an earlier attempt was about to write may be there. Called once for each attempt. */
    bool (*decide)(void *operation, const MigrationPlan *plan, bool in_doubt, Buffer *sql, Error *error);
    /* Shown the results of the appended statements, before it is known whether they were committed; may be
     * NULL. */
    void (*see)(void *operation, const PGresult *result);
    void *operation;
    bool any_shape; /* of the tracking table: no row of ours is written */
} TenantWrite;

/* False with the reason in turn->error. */
bool tenant_write(Turn *turn, const TenantWrite *write) MUST_CHECK;
