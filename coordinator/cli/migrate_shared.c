#include "coordinator/cli/commands.h"
#include "coordinator/cli/run.h"
#include "coordinator/report_shared.h"
#include <stdio.h>

/* The result on stdout, errors on stderr. */
static bool print_report(const CliRun *run, Error *error)
{
    const CliArguments *arguments = run->context.arguments;
    bool ok = true;
    if (option_given(arguments, "json"))
        ok = report_shared_json(stdout, &run->report, error);
    else
        report_shared_text(stdout, &run->report, run->request.dry_run);
    if (!option_given(arguments, "quiet"))
        report_shared_errors(stderr, &run->report);
    return ok;
}

/* Broken off half-way: what happened to whom matters more than the reason alone. */
static int report_broken_off(const CliRun *run, Error *reason)
{
    ERROR_CLEANUP Error unprinted = {0};
    if (!print_report(run, &unprinted))
        error_set_detail(reason, "%s", unprinted.message);
    return cli_print_error(reason);
}

int cli_migrate_shared(const CliArguments *arguments)
{
    CliRun run;
    ERROR_CLEANUP Error error = {0};
    bool mark = option_given(arguments, "mark-applied");
    int code;
    bool ok = cli_run_shared(&run, arguments, mark ? RUN_MARK_APPLIED : RUN_MIGRATE, &error);
    if (!ok && run_report_has_begun(&run.report))
        code = report_broken_off(&run, &error);
    else if (ok && print_report(&run, &error))
        code = run_report_exit_code(&run.report);
    else
        code = cli_run_failed(&run, &error);
    cli_run_clear(&run);
    return code;
}
