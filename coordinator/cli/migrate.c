#include "coordinator/cli/commands.h"
#include "coordinator/cli/run.h"
#include "coordinator/report.h"
#include "coordinator/report_shared.h"
#include <stdio.h>

/* The result on stdout, the last words on stderr. */
static bool print_report(const CliRun *run, const Error *reason, Error *error)
{
    const CliArguments *arguments = run->context.arguments;
    bool json = option_given(arguments, "json"), quiet = option_given(arguments, "quiet");
    if (!json && run->report.shared != NULL)
        report_shared_text(stdout, run->report.shared, run->request.dry_run);
    bool ok = json ? report_migrate_json(stdout, &run->report, reason, error)
                   : report_migrate_text(stdout, &run->report, run->request.dry_run,
                                         option_given(arguments, "verbose"), error);
    if (!quiet && run->report.shared != NULL)
        report_shared_errors(stderr, run->report.shared);
    if (!quiet)
        report_last_words(stderr, &run->report,
                          run->report.shared != NULL ? "pgconvoy migrate --with-shared" : "pgconvoy migrate");
    return ok;
}

/* Broken off half-way: what happened to whom matters more than the reason alone. */
static int report_broken_off(const CliRun *run, Error *reason)
{
    ERROR_CLEANUP Error unprinted = {0};
    if (!print_report(run, reason, &unprinted))
        error_set_detail(reason, "%s", unprinted.message);
    return cli_print_error(reason);
}

int cli_migrate_again(const CliArguments *arguments, const RunAgain *again)
{
    CliRun run;
    ERROR_CLEANUP Error error = {0};
    bool mark = option_given(arguments, "mark-applied");
    int code;
    bool ok = cli_run(&run, arguments, mark ? RUN_MARK_APPLIED : RUN_MIGRATE, again, &error);
    if (!ok && !run_report_has_begun(&run.report))
        code = cli_run_failed(&run, &error);
    else if (!ok)
        code = report_broken_off(&run, &error);
    else
        code = print_report(&run, NULL, &error) ? run_report_exit_code(&run.report)
                                                : cli_run_failed(&run, &error);
    cli_run_clear(&run);
    return code;
}

int cli_migrate(const CliArguments *arguments)
{
    return cli_migrate_again(arguments, NULL);
}
