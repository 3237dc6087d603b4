/* run:resume and run:retry-failed: an earlier run's command once more, in the folder where it was given. A
 * resumed run goes on where it stopped, with one report about all of it; a retry is a run of its own over the
 * tenants that failed or were skipped. */
#include "common/buffer.h"
#include "coordinator/cli/command.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/cli/run.h"
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
        return error_set(error, ERROR_USAGE, "run %.8s is done: nothing is left to do", content->run.run);
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

static void refuse_again(const JournalContent *content, Error *error)
{
    bool rehearsal = strcmp(content->run.command, "rehearse") == 0;
    error_set(error, ERROR_USAGE,
              rehearsal ? "run %.8s was a rehearsal" : "run %.8s was a retry of another run",
              content->run.run);
    error_set_hint(error, rehearsal ? "there is nothing to go on with: rehearse again."
                                    : "retry that run again: what is up to date is left alone.");
}

/* Runs the journal's command line again; `again` is filled but for what is parsed here. */
static int run_again(const CliArguments *arguments, const JournalContent *content, const RunAgain *again)
{
    ERROR_CLEANUP Error error = {0};
    const Command *command = NULL;
    CliArguments *parsed = parse_again(content, &command, &error);
    int code;
    if (parsed != NULL && command != NULL && command->run == cli_migrate)
        code = cli_migrate_again(parsed, again);
    else {
        if (parsed != NULL)
            refuse_again(content, &error);
        code = cli_failed(arguments, &error);
    }
    cli_arguments_free(parsed);
    return code;
}

int cli_run_resume(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    JournalContent content = {0};
    bool good = cli_named_run(arguments, &content, &error) && check_resumable(&content, &error);
    int code = good ? run_again(arguments, &content, &(RunAgain){.resumed = &content})
                    : cli_failed(arguments, &error);
    run_journal_content_clear(&content);
    return code;
}

/* The tenants that the journal tells of as failed or skipped, as database/id. */
static bool list_failed(const JournalContent *content, TextList *ids, Error *error)
{
    for (int64_t i = 0; i < content->run.tenants; i++) {
        const JournalTenant *tenant = &content->tenants[i];
        if (tenant->state == NULL || strcmp(tenant->state, "succeeded") == 0)
            continue;
        BUFFER_CLEANUP Buffer id = {0};
        buffer_appendf(&id, "%s/%s", tenant->database, tenant->result.tenant_id);
        if (buffer_failed(&id) || !text_list_add(ids, buffer_text(&id)))
            return error_memory(error);
    }
    if (ids->count > 0)
        return true;
    error_set(error, ERROR_USAGE, "run %.8s tells of no tenant that failed", content->run.run);
    if (!content->ended)
        error_set_hint(error, "it was broken off: `pgconvoy run resume %.8s` goes on with it.",
                       content->run.run);
    return false;
}

int cli_run_retry_failed(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    JournalContent content = {0};
    TextList ids = {0};
    bool good = cli_named_run(arguments, &content, &error) && check_resumable(&content, &error) &&
                list_failed(&content, &ids, &error);
    int code = good ? run_again(arguments, &content, &(RunAgain){.ids = &ids, .words = &arguments->words})
                    : cli_failed(arguments, &error);
    text_list_clear(&ids);
    run_journal_content_clear(&content);
    return code;
}
