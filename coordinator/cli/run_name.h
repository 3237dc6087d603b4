/* The run that a command line names. */
#pragma once
#include "common/options.h"
#include "coordinator/run_journal.h"

/* Reads the journal of the only positional word. ERROR_USAGE when there is none. */
bool cli_named_run(const CliArguments *arguments, JournalContent *ret_content, Error *error) MUST_CHECK;

/* "running", "done", "failed", "broken off" */
const char *cli_run_state(const JournalContent *content);

/* What the journal says of the tenants that it names, as totals: of the end when there is one. */
JournalEnd cli_run_totals(const JournalContent *content);
