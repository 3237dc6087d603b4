/* run:resume: the same command in the same folder, and one report about both parts of the run. */
#include "coordinator/cli/command.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/cli/run_name.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool check_resumable(const JournalContent *content, Error *error)
{
    if (content->is_live) {
        error_set(error, ERROR_BUSY, "run %.8s is still going on", content->run.run);
        error_set_hint(error, "wait until it has ended, or stop it first.");
        return false;
    }
    JournalEnd totals = cli_run_totals(content);
    if (content->ended && totals.failed == 0 && totals.skipped == 0)
        return error_set(error, ERROR_USAGE, "run %.8s is done: nothing is left to resume", content->run.run);
    return true;
}

/* The command line that the journal holds, parsed as if it were typed in that folder now. */
static CliArguments *parse_again(const JournalContent *content, const Command **ret_command, Error *error)
{
    const TextList *words = &content->run.words;
    char program[] = "pgconvoy";
    char **argv = calloc(words->count + 2, sizeof *argv);
    if (argv == NULL) {
        error_memory(error);
        return NULL;
    }
    argv[0] = program;
    memcpy(argv + 1, words->items, words->count * sizeof *argv);
    CliArguments *arguments = NULL;
    if (chdir(content->run.folder) != 0)
        error_set(error, ERROR_CONFIG, "cannot go to \"%s\", where the run was begun: %s",
                  content->run.folder, strerror(errno));
    else
        arguments = command_parse(&COMMANDS, (int)words->count + 1, argv, ret_command, error);
    free(argv);
    return arguments;
}

int cli_run_resume(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    JournalContent content = {0};
    const Command *command = NULL;
    CliArguments *again = NULL;
    int code;
    if (cli_named_run(arguments, &content, &error) && check_resumable(&content, &error))
        again = parse_again(&content, &command, &error);
    if (again != NULL && command != NULL && command->run == cli_migrate)
        code = cli_migrate_resumed(again, &content);
    else {
        if (again != NULL)
            error_set(&error, ERROR_CONFIG, "the journal's command line is not one of a run");
        code = cli_failed(arguments, &error);
    }
    cli_arguments_free(again);
    run_journal_content_clear(&content);
    return code;
}
