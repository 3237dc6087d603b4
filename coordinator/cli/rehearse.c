#include "coordinator/cli/commands.h"
#include "coordinator/cli/run.h"
#include "coordinator/report.h"
#include "coordinator/report_rehearsal.h"
#include "coordinator/run_table.h"
#include <stdio.h>
#include <sys/resource.h>

static Rehearsal measure(const RunReport *report)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    int64_t done = (int64_t)report->totals.succeeded;
    return (Rehearsal){
        .tenants_per_second = done * 1000 / (report->duration_ms > 0 ? report->duration_ms : 1),
        .first_result_ms = report->first_result_ms,
        .starts = (int64_t)report->starts,
        .bytes_per_tenant =
            report->count > 0 ? (int64_t)(run_table_bytes(report) / report->count) + ENGINE_TENANT_BYTES : 0,
        .peak_kb = usage.ru_maxrss,
    };
}

/* The result on stdout, the last words on stderr. */
static bool print_report(const CliRun *run, const Error *reason, Error *error)
{
    const CliArguments *arguments = run->context.arguments;
    Rehearsal rehearsal = measure(&run->report);
    bool ok = option_given(arguments, "json")
                  ? report_rehearsal_json(stdout, &run->report, &rehearsal, reason, error)
                  : report_rehearsal_text(stdout, &rehearsal, error);
    if (!option_given(arguments, "quiet"))
        report_last_words(stderr, &run->report, "pgconvoy rehearse");
    return ok;
}

int cli_rehearse(const CliArguments *arguments)
{
    CliRun run;
    ERROR_CLEANUP Error error = {0}, unprinted = {0};
    bool ok = cli_run_rehearsal(&run, arguments, &error);
    int code;
    if (ok)
        code = print_report(&run, NULL, &error) ? run_report_exit_code(&run.report)
                                                : cli_run_failed(&run, &error);
    else if (!run_report_has_begun(&run.report))
        code = cli_run_failed(&run, &error);
    else {
        /* Broken off half-way: who came back matters more than the reason alone. */
        if (!print_report(&run, &error, &unprinted))
            error_set_detail(&error, "%s", unprinted.message);
        code = cli_print_error(&error);
    }
    cli_run_clear(&run);
    return code;
}
