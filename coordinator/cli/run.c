#include "coordinator/cli/run.h"
#include "coordinator/report.h"
#include <stdio.h>

bool cli_run(CliRun *run, const CliArguments *arguments, RunAction action,
             const struct JournalContent *resumed, Error *error)
{
    *run = (CliRun){0};
    if (!cli_context_open(&run->context, arguments, error) || !cli_context_select(&run->context, error))
        return false;
    run->request = (RunRequest){
        .fleet = run->context.request,
        .action = action,
        .dry_run = action != RUN_STATUS && option_given(arguments, "dry-run"),
        .judge_files = action == RUN_MIGRATE && !option_given(arguments, "tenant"),
    };
    if (action != RUN_STATUS && !option_given(arguments, "no-journal")) {
        run->recording = (RunRecording){
            .path = option_value(arguments, "journal"), .words = &arguments->words, .resumed = resumed};
        run->request.recording = &run->recording;
    }
    bool ok = migrator_run(&run->request, &run->report, error);
    progress_clear(&run->context.progress);
    return ok;
}

void cli_run_clear(CliRun *run)
{
    run_report_clear(&run->report);
    cli_context_close(&run->context);
}

int cli_run_failed(const CliRun *run, const Error *error)
{
    report_refused_files(stderr, &run->report);
    if (option_given(run->context.arguments, "json"))
        report_error_json(stdout, error, &run->report);
    return cli_print_error(error);
}
