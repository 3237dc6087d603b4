/* Sync: compares the tenants' tracking tables with the migration files, and repairs them; what the CLI's
 * `sync` and, later, the public library call.
 *
 * A set read of everybody comes first, so that only tenants with something to repair get a connection of
 * their own. Runs in the calling thread.
 */
#pragma once
#include "common/results.h"
#include "coordinator/fleet.h"

typedef enum SyncAction { SYNC_STATUS, SYNC_MARK_MISSING, SYNC_CLEAN_ORPHANS } SyncAction;

typedef struct SyncRequest {
    FleetRequest fleet;
    SyncAction action;
    bool dry_run;                                                  /* say what would be done */
    bool (*on_failed)(void *host, const TenantSyncResult *result); /* true = abort; may be NULL; fleet.host */
} SyncRequest;

/* What is known of one listed tenant. */
typedef struct SyncEntry {
    const Tenant *tenant;
    TenantState state;
    TenantSyncStatus status;
    TenantSyncResult result; /* of an action */
} SyncEntry;

typedef struct SyncReport {
    SyncAction action;
    TenantList tenants;
    SyncEntry *entries; /* in the order of the list */
    size_t count;
    bool several_databases;
    EngineTotals totals;                 /* computed from the entries; of SYNC_STATUS: could they be read? */
    size_t in_sync, out_of_sync, errors; /* as the status was read */
    bool aborted, cancelled;
    bool aborted_by_policy;
    bool past_deadline;
    bool acting; /* the action began: also of a run that broke off the entries say what became of everybody */
    int64_t duration_ms;
} SyncReport;

/* False: it could not be done, or (report->acting) broke off. */
bool sync_run(const SyncRequest *request, SyncReport *ret_report, Error *error) MUST_CHECK;
void sync_report_clear(SyncReport *report);

/* The exit code that a finished run deserves; out of sync is one for SYNC_STATUS when asked for. */
int sync_exit_code(const SyncReport *report, bool out_of_sync_matters);

/* "mark-missing", "clean-orphans", "status" */
const char *sync_action_name(SyncAction action);
/* What the action did to a tenant, or would do. */
const TextList *sync_entry_done(const SyncReport *report, size_t index);
