/* Convert: gives the tenants' tracking tables another format; what the CLI's `convert-format` and, later, the
 * public library call.
 *
 * Every tenant is looked at under its own lock, so nothing is planned before. Runs in the calling thread.
 */
#pragma once
#include "common/results.h"
#include "coordinator/fleet.h"

typedef struct ConvertRequest {
    FleetRequest fleet;
    const char *to;                                             /* "name", "hash", "drizzle-kit" */
    bool dry_run;                                               /* say what would be done */
    bool (*on_failed)(void *host, const ConvertResult *result); /* true = abort; may be NULL; fleet.host */
} ConvertRequest;

/* What is known of one listed tenant. */
typedef struct ConvertEntry {
    const Tenant *tenant;
    TenantState state;
    ConvertResult result;
} ConvertEntry;

typedef struct ConvertReport {
    const char *to; /* the request's */
    TenantList tenants;
    ConvertEntry *entries; /* in the order of the list */
    size_t count;
    bool several_databases;
    EngineTotals totals; /* computed from the entries */
    bool aborted, cancelled;
    bool aborted_by_policy;
    bool past_deadline;
    bool acting;      /* it began: also of a run that broke off the entries say what became of everybody */
    const char *note; /* what must follow in the configuration; a constant, NULL = nothing */
    int64_t duration_ms;
} ConvertReport;

/* Whether there is such a format; else ERROR_USAGE. */
bool convert_check_format(const char *format, Error *error) MUST_CHECK;

/* False: it could not be done, or (report->acting) broke off. */
bool convert_run(const ConvertRequest *request, ConvertReport *ret_report, Error *error) MUST_CHECK;
void convert_report_clear(ConvertReport *report);

/* The exit code that a finished run deserves. */
int convert_exit_code(const ConvertReport *report);
