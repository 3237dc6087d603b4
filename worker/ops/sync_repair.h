/* Sync repair: makes one tenant's tracking table agree with the files, and tells by which names.
 *
 * The frame of mark-missing and clean-orphans: each says what there is to do and how, the frame does it once
 * and knows what was done even when an answer was lost.
 */
#pragma once
#include "worker/ops/migration_plan.h"
#include "worker/ops/op.h"

typedef struct Repair {
    /* Names what there is to do; false when memory ran out. */
    bool (*list)(const MigrationPlan *plan, const Bundle *bundle, TextList *ret_names);

    /* Statements, each ended by a semicolon, that do all of it; `qualified` is the table. One that gives rows
     * tells in their first column what was really done. */
    void (*append)(Buffer *sql, const MigrationPlan *plan, const Bundle *bundle, const char *qualified);
} Repair;

/* *ret_done is where the names of what was done go, a list of *ret_result. */
void sync_repair(const OpContext *context, const OpTenant *tenant, const Repair *repair, TextList *ret_done,
                 TenantSyncResult *ret_result, Outcome *ret_outcome);
