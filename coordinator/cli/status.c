#include "coordinator/cli/commands.h"
#include "coordinator/cli/run.h"
#include "coordinator/report.h"
#include "coordinator/report_shared.h"
#include <stdio.h>
#include <string.h>

static void count_entries(const RunReport *report, size_t *behind, size_t *errors)
{
    for (size_t i = 0; i < report->count; i++) {
        const char *status = run_report_status(report, i).status;
        *behind += status != NULL && strcmp(status, "behind") == 0;
        *errors += status == NULL || strcmp(status, "error") == 0;
    }
}

/* Errors first; pending work only when the caller asked for a verdict. */
static int exit_code(const CliRun *run)
{
    size_t behind = 0, errors = 0;
    count_entries(&run->report, &behind, &errors);
    if (run->report.shared != NULL)
        count_entries(run->report.shared, &behind, &errors);
    if (run->report.aborted || run->report.cancelled)
        return run->report.past_deadline ? EXIT_ABORTED : EXIT_INTERRUPTED;
    if (errors > 0)
        return EXIT_FAILED;
    return behind > 0 && option_given(run->context.arguments, "exit-code") ? EXIT_PENDING : EXIT_DONE;
}

int cli_status(const CliArguments *arguments)
{
    CliRun run;
    ERROR_CLEANUP Error error = {0};
    bool ok = cli_run(&run, arguments, RUN_STATUS, NULL, &error);
    bool json = option_given(arguments, "json");
    if (ok)
        ok = json ? report_status_json(stdout, &run.report, &error)
                  : report_status_text(stdout, &run.report, option_given(arguments, "verbose"), &error);
    if (ok && !json && run.report.shared != NULL)
        report_shared_status_text(stdout, run.report.shared);
    int code = ok ? exit_code(&run) : cli_run_failed(&run, &error);
    cli_run_clear(&run);
    return code;
}
