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

/* An earlier run's command line that runs again. */
typedef struct RunAgain {
    const struct JournalContent *resumed; /* that run goes on; NULL = this is a run of its own ... */
    const TextList *ids;                  /* ... over these tenants instead of the chosen ones ... */
    const TextList *words;                /* ... called so */
} RunAgain;

/* Runs the action; `again` may be NULL. False when the run could not be made or broke off. *run must not move
 * meanwhile. */
bool cli_run(CliRun *run, const CliArguments *arguments, RunAction action, const RunAgain *again,
             Error *error) MUST_CHECK;
/* The same on the shared schema, which has no selection of tenants. */
bool cli_run_shared(CliRun *run, const CliArguments *arguments, RunAction action, Error *error) MUST_CHECK;
/* Of the machinery alone. */
bool cli_run_rehearsal(CliRun *run, const CliArguments *arguments, Error *error) MUST_CHECK;
void cli_run_clear(CliRun *run);

/* As cli_failed(), with the files that a server refused. */
int cli_run_failed(const CliRun *run, const Error *error);

/* migrate.c: `migrate` as these arguments say, once more. */
int cli_migrate_again(const CliArguments *arguments, const RunAgain *again);
