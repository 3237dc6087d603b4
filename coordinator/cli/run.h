/* Run: what `migrate`, `migrate:shared` and `status` share: a migrator's run from arguments to report. */
#pragma once
#include "coordinator/cli/context.h"
#include "coordinator/migrator.h"

typedef struct CliRun {
    CliContext context;
    RunRequest request;
    RunRecording recording;
    RunReport report;
} CliRun;

/* Runs the action, or goes on with a run whose journal was read (else NULL); false when the run could not be
 * made or broke off. *run must not move meanwhile. */
bool cli_run(CliRun *run, const CliArguments *arguments, RunAction action,
             const struct JournalContent *resumed, Error *error) MUST_CHECK;
/* The same on the shared schema, which has no selection of tenants. */
bool cli_run_shared(CliRun *run, const CliArguments *arguments, RunAction action, Error *error) MUST_CHECK;
void cli_run_clear(CliRun *run);

/* As cli_failed(), with the files that a server refused. */
int cli_run_failed(const CliRun *run, const Error *error);
