#include "coordinator/cli/run_name.h"
#include <stdlib.h>
#include <string.h>

bool cli_named_run(const CliArguments *arguments, JournalContent *ret_content, Error *error)
{
    if (arguments->positionals.count == 0) {
        error_set(error, ERROR_USAGE, "%s needs a run", arguments->command);
        error_set_hint(error, "`pgconvoy run list` shows the runs that there are.");
        return false;
    }
    char *path = run_journal_find(arguments->positionals.items[0], error);
    if (path == NULL)
        return false;
    bool good = run_journal_read(path, ret_content, error);
    free(path);
    return good;
}

const char *cli_run_state(const JournalContent *content)
{
    if (content->is_live)
        return "running";
    if (!content->ended)
        return "broken off";
    return content->end.exit_code == EXIT_DONE ? "done" : "failed";
}

JournalEnd cli_run_totals(const JournalContent *content)
{
    if (content->ended)
        return content->end;
    JournalEnd totals = {.total = content->run.tenants};
    for (int64_t i = 0; i < content->run.tenants; i++) {
        const char *state = content->tenants[i].state;
        totals.succeeded += state != NULL && strcmp(state, "succeeded") == 0;
        totals.failed += state != NULL && strcmp(state, "failed") == 0;
        totals.skipped += state != NULL && strcmp(state, "skipped") == 0;
    }
    return totals;
}
