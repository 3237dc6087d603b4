/* run:list: the runs that left a journal. */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/cli/run_name.h"
#include "coordinator/report_json.h"
#include <stdio.h>

static json_t *describe(const JournalContent *content)
{
    JournalEnd totals = cli_run_totals(content);
    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:s}", "run", content->run.run, "startedAt",
                     content->run.started_at, "command", content->run.command, "state",
                     cli_run_state(content), "tenants", (json_int_t)content->run.tenants, "succeeded",
                     (json_int_t)totals.succeeded, "failed", (json_int_t)totals.failed, "skipped",
                     (json_int_t)totals.skipped, "journal", content->path);
}

static void print_row(const JournalContent *content)
{
    JournalEnd totals = cli_run_totals(content);
    printf("%.8s  %.19sZ  %-12s  %-10s  %7lld  %9lld  %6lld  %7lld\n", content->run.run,
           content->run.started_at, content->run.command, cli_run_state(content),
           (long long)content->run.tenants, (long long)totals.succeeded, (long long)totals.failed,
           (long long)totals.skipped);
}

/* A damaged journal hides none of the others. */
static bool add_run(const char *path, json_t *runs, Error *error)
{
    ERROR_CLEANUP Error damaged = {0};
    JournalContent content;
    if (!run_journal_read(path, &content, &damaged)) {
        cli_print_error(&damaged);
        return true;
    }
    bool good = true;
    if (runs == NULL)
        print_row(&content);
    else
        good = json_array_append_new(runs, describe(&content)) == 0 || error_memory(error);
    run_journal_content_clear(&content);
    return good;
}

int cli_run_list(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    bool as_json = option_given(arguments, "json");
    TextList paths = {0};
    if (!run_journal_list(&paths, &error))
        return cli_failed(arguments, &error);
    json_t *runs = as_json ? json_array() : NULL;
    bool good = !as_json || runs != NULL || error_memory(&error);
    if (good && !as_json)
        puts("RUN       STARTED               COMMAND       STATE       TENANTS  SUCCEEDED  FAILED  SKIPPED");
    for (size_t i = 0; good && i < paths.count; i++)
        good = add_run(paths.items[i], runs, &error);
    text_list_clear(&paths);
    if (good && as_json)
        good = report_print_json(stdout, json_pack("{s:O}", "runs", runs), &error);
    json_decref(runs);
    return good ? EXIT_DONE : cli_failed(arguments, &error);
}
