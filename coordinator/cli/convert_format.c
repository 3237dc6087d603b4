/* convert-format */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/report_convert.h"
#include <stdio.h>

typedef struct CliConvert {
    CliContext context;
    ConvertRequest request;
    ConvertReport report;
} CliConvert;

/* The result on stdout, the last words on stderr. */
static bool print_report(const CliConvert *convert, const Error *reason, Error *error)
{
    const CliArguments *arguments = convert->context.arguments;
    bool ok = option_given(arguments, "json")
                  ? report_convert_json(stdout, &convert->report, reason, error)
                  : report_convert_text(stdout, &convert->report, convert->request.dry_run,
                                        option_given(arguments, "verbose"), error);
    if (!option_given(arguments, "quiet"))
        report_convert_last_words(stderr, &convert->report);
    return ok;
}

static bool run(CliConvert *convert, const CliArguments *arguments, Error *error)
{
    const char *to = option_value(arguments, "to");
    if (!convert_check_format(to, error) || !cli_context_open(&convert->context, arguments, error) ||
        !cli_context_select(&convert->context, error))
        return false;
    convert->request = (ConvertRequest){
        .fleet = convert->context.request, .to = to, .dry_run = option_given(arguments, "dry-run")};
    bool ok = convert_run(&convert->request, &convert->report, error);
    progress_clear(&convert->context.progress);
    return ok;
}

/* Broken off half-way: what happened to whom matters more than the reason alone. */
static int report_broken_off(const CliConvert *convert, Error *reason)
{
    ERROR_CLEANUP Error unprinted = {0};
    if (!print_report(convert, reason, &unprinted))
        error_set_detail(reason, "%s", unprinted.message);
    return cli_print_error(reason);
}

int cli_convert_format(const CliArguments *arguments)
{
    CliConvert convert = {.context = {.arguments = arguments, .interrupts = {.fd = -1}}};
    ERROR_CLEANUP Error error = {0};
    int code;
    bool ok = run(&convert, arguments, &error);
    if (!ok && convert.report.acting)
        code = report_broken_off(&convert, &error);
    else if (ok && print_report(&convert, NULL, &error))
        code = convert_exit_code(&convert.report);
    else
        code = cli_failed(arguments, &error);
    convert_report_clear(&convert.report);
    cli_context_close(&convert.context);
    return code;
}
