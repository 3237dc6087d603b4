#include "coordinator/cli/run.h"
#include "coordinator/report.h"
#include <stdio.h>

static bool go(CliRun *run, Error *error)
{
    bool ok = migrator_run(&run->request, &run->report, error);
    progress_clear(&run->context.progress);
    return ok;
}

/* Instead of whom the arguments choose. */
static void choose_again(FleetRequest *request, const TextList *ids)
{
    request->tenant = request->tenants = request->tenants_file = NULL;
    request->exclude = request->exclude_file = NULL;
    request->limit = 0;
    request->ids = ids;
}

bool cli_run(CliRun *run, const CliArguments *arguments, RunAction action, const RunAgain *again,
             Error *error)
{
    *run = (CliRun){0};
    if (!cli_context_open(&run->context, arguments, error) || !cli_context_select(&run->context, error))
        return false;
    bool retry = again != NULL && again->ids != NULL;
    if (retry)
        choose_again(&run->context.request, again->ids);
    bool status = action == RUN_STATUS;
    run->request = (RunRequest){
        .fleet = run->context.request,
        .action = action,
        .dry_run = !status && option_given(arguments, "dry-run"),
        .judge_files = action == RUN_MIGRATE && !option_given(arguments, "tenant"),
        .with_shared = option_given(arguments, status ? "include-shared" : "with-shared"),
    };
    if (action != RUN_STATUS && !option_given(arguments, "no-journal")) {
        run->recording = (RunRecording){
            .path = retry ? NULL : option_value(arguments, "journal"), /* that is the other run's */
            .words = retry ? again->words : &arguments->words,
            .resumed = again != NULL ? again->resumed : NULL};
        run->request.recording = &run->recording;
    }
    return go(run, error);
}

bool cli_run_shared(CliRun *run, const CliArguments *arguments, RunAction action, Error *error)
{
    *run = (CliRun){0};
    if (!cli_context_open(&run->context, arguments, error))
        return false;
    run->context.request.shared = true;
    run->request = (RunRequest){
        .fleet = run->context.request,
        .action = action,
        .dry_run = option_given(arguments, "dry-run"),
        .judge_files = action == RUN_MIGRATE,
    };
    return go(run, error);
}

bool cli_run_rehearsal(CliRun *run, const CliArguments *arguments, Error *error)
{
    *run = (CliRun){0};
    if (!cli_context_open(&run->context, arguments, error) || !cli_context_select(&run->context, error))
        return false;
    run->recording = (RunRecording){.path = option_value(arguments, "journal"), .words = &arguments->words};
    run->request = (RunRequest){
        .fleet = run->context.request,
        .action = RUN_REHEARSE,
        .recording = run->recording.path != NULL ? &run->recording : NULL,
    };
    return go(run, error);
}

void cli_run_clear(CliRun *run)
{
    run_report_clear(&run->report);
    cli_context_close(&run->context);
}

int cli_run_failed(const CliRun *run, const Error *error)
{
    report_refused_files(stderr, &run->report.refused_files);
    if (option_given(run->context.arguments, "json"))
        report_error_json(stdout, error, &run->report.refused_files);
    return cli_print_error(error);
}
