/* Context: what every command that goes to the fleet has around its work: interrupts, progress, the request.
 */
#pragma once
#include "common/options.h"
#include "coordinator/cli/interrupt.h"
#include "coordinator/fleet.h"
#include "coordinator/progress.h"

typedef struct CliContext {
    const CliArguments *arguments;
    FleetRequest request;
    Interrupts interrupts;
    Progress progress;
    char *exclude;
} CliContext;

/* Fills the request with whom to work with (configuration) and with callbacks into the context, which must
 * not move afterwards. To be called before any thread starts. cli_context_close() is due even when it fails.
 */
bool cli_context_open(CliContext *context, const CliArguments *arguments, Error *error) MUST_CHECK;

/* Adds which tenants: for commands that have the options --tenant, --tenants, --tenants-file, --exclude,
 * --exclude-file and --limit. */
bool cli_context_select(CliContext *context, Error *error) MUST_CHECK;
void cli_context_close(CliContext *context);

/* Prints an error on stderr and returns the exit code that it stands for. */
int cli_print_error(const Error *error);

/* Prints an error where the caller of the command looks for it (JSON too with --json), and returns the exit
 * code. */
int cli_failed(const CliArguments *arguments, const Error *error);
