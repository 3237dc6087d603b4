/* Seed: fills tenants with data, each in one transaction; what the CLI's `seed` and the public library call.
 *
 * By an SQL file, which any worker runs, or by the callback in the fleet's hooks, which only a worker in this
 * process can call. Runs in the calling thread.
 */
#pragma once
#include "common/results.h"
#include "coordinator/fleet.h"

typedef struct SeedRequest {
    FleetRequest fleet;
    const char *file; /* path; NULL = by callback */
    bool with_shared; /* the shared schema before the tenants, who are skipped when it failed; by ... */
    const char *shared_file; /* ... this file; NULL = by callback */
    bool once;               /* not where a seed of this name is recorded; by file only */
    bool dry_run;            /* only look: what an entry then says of a tenant is what would become of it */
    bool judge_file; /* let the servers parse the file first, and refuse the whole run for a bad one */
    bool (*on_failed)(void *host, const TenantSeedResult *result); /* true = abort; may be NULL; fleet.host */
} SeedRequest;

/* What is known of one listed tenant. */
typedef struct SeedEntry {
    const Tenant *tenant;
    TenantState state;
    TenantSeedResult result;
} SeedEntry;

typedef struct SeedReport {
    char *name; /* of the seed; NULL by callback */
    bool once, dry_run;
    TenantList tenants;
    SeedEntry *entries; /* in the order of the list */
    size_t count;
    bool several_databases;
    EngineTotals totals; /* computed from the entries */
    bool aborted, cancelled;
    bool aborted_by_policy;
    bool past_deadline;
    struct SeedReport *shared; /* of SeedRequest.with_shared: of the shared schema; else NULL */
    bool seeding; /* it began: also of a run that broke off the entries say what became of everybody */
    int64_t duration_ms;
    RecordList refused_files; /* ParseFailure: the file when a server refused it; then nobody was seeded */
} SeedReport;

/* False: it could not be done, or (report->seeding) broke off. */
bool seed_run(const SeedRequest *request, SeedReport *ret_report, Error *error) MUST_CHECK;
bool seed_report_has_begun(const SeedReport *report); /* also with the shared schema alone */
void seed_report_clear(SeedReport *report);

/* The exit code that a finished run deserves. */
int seed_exit_code(const SeedReport *report);
