#include "coordinator/cli/run.h"
#include "common/log.h"
#include "coordinator/report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Request poll_interrupts(void *host)
{
    CliRun *run = host;
    bool is_new = false;
    Request request = interrupts_poll(&run->interrupts, &is_new);
    if (!is_new)
        return request;
    progress_clear(&run->progress);
    fputs(request == REQUEST_ABORT ? "interrupted: tenants in flight finish, nothing new starts; once more "
                                     "cancels their statements\n"
                                   : "interrupted again: cancelling the statements in flight\n",
          stderr);
    return request;
}

static void show_step(void *host, FleetStep step, size_t tenants)
{
    progress_step(&((CliRun *)host)->progress, step, tenants);
}

static void show_progress(void *host, const EngineTotals *totals)
{
    progress_show(&((CliRun *)host)->progress, totals);
}

static void show_warning(void *host, const char *text)
{
    progress_clear(&((CliRun *)host)->progress);
    log_message(LOG_WARNING, NULL, "%s", text);
}

/* Several --exclude options as one list; NULL when there is none. */
static char *joined_exclusions(const CliArguments *arguments)
{
    const TextList *given = option_values(arguments, "exclude");
    if (given->count == 0)
        return NULL;
    Buffer joined = {0};
    for (size_t i = 0; i < given->count; i++)
        buffer_appendf(&joined, "%s%s", i > 0 ? "," : "", given->items[i]);
    return buffer_take(&joined);
}

bool cli_run(CliRun *run, RunAction action, Error *error)
{
    const CliArguments *arguments = run->arguments;
    const Config *config = arguments->config;
    const char *listen = config_text(config, SETTING_COORDINATOR_LISTEN);
    const char *one = option_value(arguments, "tenant");
    if (!interrupts_open(&run->interrupts, error))
        return false;
    progress_init(&run->progress, option_given(arguments, "quiet") || option_given(arguments, "json"));
    char *exclude = joined_exclusions(arguments);
    run->request = (RunRequest){
        .fleet =
            {
                .config = config,
                .tenants = one != NULL ? one : option_value(arguments, "tenants"),
                .tenants_file = option_value(arguments, "tenants-file"),
                .exclude = exclude,
                .exclude_file = option_value(arguments, "exclude-file"),
                .limit = (size_t)option_int(arguments, "limit", 0),
                .workers = config_worker_endpoints(config),
                .listen = listen[0] != '\0' ? listen : NULL,
                .plain = config_bool(config, SETTING_COORDINATOR_PLAIN),
                .poll_host = poll_interrupts,
                .interrupt_fd = run->interrupts.fd,
                .on_step = show_step,
                .on_progress = show_progress,
                .on_warning = show_warning,
                .host = run,
            },
        .action = action,
        .dry_run = action != RUN_STATUS && option_given(arguments, "dry-run"),
        .judge_files = action == RUN_MIGRATE && one == NULL,
    };
    bool ok = migrator_run(&run->request, &run->report, error);
    progress_clear(&run->progress);
    free(exclude);
    run->request.fleet.exclude = NULL;
    return ok;
}

void cli_run_clear(CliRun *run)
{
    run_report_clear(&run->report);
    interrupts_close(&run->interrupts);
}

int cli_run_failed(const CliRun *run, const Error *error)
{
    report_refused_files(stderr, &run->report);
    if (option_given(run->arguments, "json"))
        report_error_json(stdout, error, &run->report);
    char *text = error_format(error);
    fputs(text != NULL ? text : "error: out of memory\n", stderr);
    free(text);
    return error_class(error->code)->exit_code;
}
