#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/report_sync.h"
#include <stdio.h>

typedef struct CliSync {
    CliContext context;
    SyncRequest request;
    SyncReport report;
} CliSync;

static SyncAction wanted_action(const CliArguments *arguments)
{
    return option_given(arguments, "mark-missing")    ? SYNC_MARK_MISSING
           : option_given(arguments, "clean-orphans") ? SYNC_CLEAN_ORPHANS
                                                      : SYNC_STATUS;
}

/* An option that the action would not look at is a mistake of the caller's. */
static bool check_options(const CliArguments *arguments, SyncAction action, Error *error)
{
    if (action != SYNC_STATUS && option_given(arguments, "exit-code"))
        return error_set(error, ERROR_USAGE, "--exit-code and --%s exclude each other",
                         sync_action_name(action));
    if (action == SYNC_STATUS && option_given(arguments, "dry-run"))
        return error_set(error, ERROR_USAGE, "--dry-run needs --mark-missing or --clean-orphans");
    return true;
}

/* The result on stdout, the last words on stderr. */
static bool print_report(const CliSync *sync, const Error *reason, Error *error)
{
    const CliArguments *arguments = sync->context.arguments;
    bool ok = option_given(arguments, "json") ? report_sync_json(stdout, &sync->report, reason, error)
                                              : report_sync_text(stdout, &sync->report, sync->request.dry_run,
                                                                 option_given(arguments, "verbose"), error);
    if (!option_given(arguments, "quiet"))
        report_sync_last_words(stderr, &sync->report);
    return ok;
}

static bool run(CliSync *sync, const CliArguments *arguments, SyncAction action, Error *error)
{
    if (!check_options(arguments, action, error) || !cli_context_open(&sync->context, arguments, error) ||
        !cli_context_select(&sync->context, error))
        return false;
    sync->request = (SyncRequest){
        .fleet = sync->context.request, .action = action, .dry_run = option_given(arguments, "dry-run")};
    bool ok = sync_run(&sync->request, &sync->report, error);
    progress_clear(&sync->context.progress);
    return ok;
}

/* Broken off half-way: what happened to whom matters more than the reason alone. */
static int report_broken_off(const CliSync *sync, Error *reason)
{
    ERROR_CLEANUP Error unprinted = {0};
    if (!print_report(sync, reason, &unprinted))
        error_set_detail(reason, "%s", unprinted.message);
    return cli_print_error(reason);
}

int cli_sync(const CliArguments *arguments)
{
    CliSync sync = {.context = {.arguments = arguments, .interrupts = {.fd = -1}}};
    ERROR_CLEANUP Error error = {0};
    int code;
    bool ok = run(&sync, arguments, wanted_action(arguments), &error);
    if (!ok && sync.report.acting)
        code = report_broken_off(&sync, &error);
    else if (ok && print_report(&sync, NULL, &error))
        code = sync_exit_code(&sync.report, option_given(arguments, "exit-code"));
    else
        code = cli_failed(arguments, &error);
    sync_report_clear(&sync.report);
    cli_context_close(&sync.context);
    return code;
}
