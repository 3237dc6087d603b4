/* What the commands that run something over the fleet share: request from arguments, interrupts, progress,
 * errors. */
#pragma once
#include "common/options.h"
#include "coordinator/cli/interrupt.h"
#include "coordinator/migrator.h"
#include "coordinator/progress.h"

typedef struct CliRun {
    const CliArguments *arguments;
    RunRequest request;
    RunReport report;
    Interrupts interrupts;
    Progress progress;
} CliRun;

/* Runs the action; false when the run could not be made or broke off. */
bool cli_run(CliRun *run, RunAction action, Error *error) MUST_CHECK;
void cli_run_clear(CliRun *run);

/* Prints an error where the caller of the command looks for it, and returns the exit code. */
int cli_run_failed(const CliRun *run, const Error *error);
