#include "coordinator/cli/context.h"
#include "common/log.h"
#include "coordinator/report.h"
#include <stdio.h>
#include <stdlib.h>

static Request poll_interrupts(void *host)
{
    CliContext *context = host;
    bool is_new = false;
    Request request = interrupts_poll(&context->interrupts, &is_new);
    if (!is_new)
        return request;
    progress_clear(&context->progress);
    fputs(request == REQUEST_ABORT ? "interrupted: tenants in flight finish, nothing new starts; once more "
                                     "cancels their statements\n"
                                   : "interrupted again: cancelling the statements in flight\n",
          stderr);
    return request;
}

static void show_step(void *host, FleetStep step, size_t tenants)
{
    progress_step(&((CliContext *)host)->progress, step, tenants);
}

static void show_progress(void *host, const EngineTotals *totals)
{
    progress_show(&((CliContext *)host)->progress, totals);
}

static void show_warning(void *host, const char *text)
{
    progress_clear(&((CliContext *)host)->progress);
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

bool cli_context_open(CliContext *context, const CliArguments *arguments, Error *error)
{
    const Config *config = arguments->config;
    const char *listen = config_text(config, SETTING_COORDINATOR_LISTEN);
    *context = (CliContext){.arguments = arguments};
    bool ok = interrupts_open(&context->interrupts, error);
    progress_init(&context->progress, option_given(arguments, "quiet") || option_given(arguments, "json"));
    context->request = (FleetRequest){
        .config = config,
        .workers = config_worker_endpoints(config),
        .listen = listen[0] != '\0' ? listen : NULL,
        .plain = config_bool(config, SETTING_COORDINATOR_PLAIN),
        .poll_host = poll_interrupts,
        .interrupt_fd = context->interrupts.fd,
        .on_step = show_step,
        .on_progress = show_progress,
        .on_warning = show_warning,
        .host = context,
    };
    return ok;
}

bool cli_context_select(CliContext *context, Error *error)
{
    const CliArguments *arguments = context->arguments;
    FleetRequest *request = &context->request;
    context->exclude = joined_exclusions(arguments);
    if (context->exclude == NULL && option_given(arguments, "exclude"))
        return error_memory(error);
    request->tenant = option_value(arguments, "tenant");
    request->tenants = option_value(arguments, "tenants");
    request->tenants_file = option_value(arguments, "tenants-file");
    request->exclude = context->exclude;
    request->exclude_file = option_value(arguments, "exclude-file");
    request->limit = (size_t)option_int(arguments, "limit", 0);
    return true;
}

void cli_context_close(CliContext *context)
{
    progress_clear(&context->progress);
    interrupts_close(&context->interrupts);
    free(context->exclude);
    context->exclude = NULL;
}

int cli_print_error(const Error *error)
{
    char *text = error_format(error);
    fputs(text != NULL ? text : "error: out of memory\n", stderr);
    free(text);
    return error_class(error->code)->exit_code;
}

int cli_failed(const CliArguments *arguments, const Error *error)
{
    if (option_given(arguments, "json"))
        report_error_json(stdout, error, NULL);
    return cli_print_error(error);
}
