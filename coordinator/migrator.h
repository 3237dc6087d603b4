/* Migrator: one run from configuration to report; what the CLI's commands and, later, the public library
 * call.
 *
 * A run: load the bundle, gather workers (one hosted in this process unless the options name others),
 * discover or read the tenants, let the server judge the files, plan by set-based status, apply to the
 * tenants that are behind, report. Runs in the calling thread.
 */
#pragma once
#include "common/results.h"
#include "coordinator/fleet.h"

typedef enum RunAction {
    RUN_MIGRATE,
    RUN_MARK_APPLIED,
    RUN_STATUS,
    RUN_REHEARSE, /* neither files nor a plan: every tenant goes to a worker, which does nothing */
} RunAction;

struct JournalContent;

/* How a run is journalled. */
typedef struct RunRecording {
    const char *path;                     /* NULL = a name of its own in the usual folder */
    const TextList *words;                /* the command line behind the program's name */
    const struct JournalContent *resumed; /* the run that goes on, or NULL */
} RunRecording;

typedef struct RunRequest {
    FleetRequest fleet;
    RunAction action;
    bool dry_run;
    bool judge_files; /* let the servers parse every file first and refuse the whole run for a bad one */
    bool with_shared; /* the shared schema too, before the tenants, who are skipped when it failed */
    bool (*on_failed)(void *host,
                      const TenantMigrationResult *result); /* true = abort; may be NULL; fleet.host */
    const RunRecording *recording;                          /* NULL = keep no journal */
} RunRequest;

/* What is known of one listed tenant. Plan and result are the report's, shared by all tenants of which the
 * same is known, and without what is the tenant's alone; NULL = nothing was heard. run_report_status() and
 * run_report_result() say all of it. */
typedef struct RunEntry {
    const Tenant *tenant;
    const TenantMigrationStatus *plan;
    const TenantMigrationResult *result; /* migrate, mark-applied */
    uint32_t duration_ms;
    TenantState state;
} RunEntry;

_Static_assert(sizeof(RunEntry) <= 32, "a million tenants must stay cheap");

typedef struct RunReport {
    bool of_shared; /* each entry is the shared schema of a database */
    TenantList tenants;
    RunEntry *entries; /* in the order of the list */
    size_t count;
    struct RecordSet *plans, *results; /* of the entries; NULL where they are somebody else's */
    bool several_databases;
    EngineTotals totals; /* migrate: computed from the entries */
    EngineAbort abort_reason;
    bool aborted, cancelled;
    bool aborted_by_policy; /* on_error, a failure limit; else the operator or the deadline */
    bool past_deadline;
    bool applying; /* applying began: also of a run that broke off the entries say what became of everybody */
    int64_t duration_ms;
    int64_t first_result_ms; /* since the beginning; 0 = no result came */
    size_t starts;           /* of attempts at applying, that workers told of */
    size_t migration_count;
    RecordList refused_files; /* ParseFailure: files that a server refused; then nothing was applied */
    struct RunReport *shared; /* of RunRequest.with_shared: what became of the shared schema; else NULL */
} RunReport;

/* False: the run could not be made (Error says why; nothing was applied unless the report says so). True: the
 * report holds everybody's fate. */
bool migrator_run(const RunRequest *request, RunReport *ret_report, Error *error) MUST_CHECK;
void run_report_clear(RunReport *report);

/* What is said of an entry, its texts borrowed from the report. */
TenantMigrationStatus run_report_status(const RunReport *report, size_t index);
TenantMigrationResult run_report_result(const RunReport *report, size_t index);

/* Something may have been applied, to the shared schema or to tenants. */
bool run_report_has_begun(const RunReport *report);

/* The exit code that a finished migrate deserves. */
int run_report_exit_code(const RunReport *report);
