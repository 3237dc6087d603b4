#include "common/buffer.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/last_words.h"
#include "coordinator/report.h"
#include "coordinator/report_seed.h"
#include <stdio.h>

typedef struct CliSeed {
    CliContext context;
    SeedRequest request;
    SeedReport report;
} CliSeed;

/* The command that would run the failed tenants again. */
static void append_command(Buffer *command, const CliSeed *seed)
{
    buffer_append_text(command, "pgconvoy seed --file ");
    last_words_append_shell_word(command, seed->request.file);
    if (seed->request.once)
        buffer_append_text(command, " --once");
    if (seed->request.dry_run)
        buffer_append_text(command, " --dry-run");
}

/* The result on stdout, the last words on stderr. */
static bool print_report(const CliSeed *seed, const Error *reason, Error *error)
{
    const CliArguments *arguments = seed->context.arguments;
    BUFFER_CLEANUP Buffer command = {0};
    bool ok = option_given(arguments, "json")
                  ? report_seed_json(stdout, &seed->report, reason, error)
                  : report_seed_text(stdout, &seed->report, option_given(arguments, "verbose"), error);
    append_command(&command, seed);
    if (!option_given(arguments, "quiet"))
        report_seed_last_words(stderr, &seed->report, buffer_text(&command));
    return ok;
}

static bool run(CliSeed *seed, const CliArguments *arguments, Error *error)
{
    if (!cli_context_open(&seed->context, arguments, error) || !cli_context_select(&seed->context, error))
        return false;
    seed->request = (SeedRequest){
        .fleet = seed->context.request,
        .file = option_value(arguments, "file"),
        .once = option_given(arguments, "once"),
        .dry_run = option_given(arguments, "dry-run"),
        .judge_file = true,
    };
    if (seed->request.file == NULL) {
        error_set(error, ERROR_USAGE, "seed needs --file");
        error_set_hint(error, "name the SQL file that fills a tenant, as in --file seed.sql");
        return false;
    }
    bool ok = seed_run(&seed->request, &seed->report, error);
    progress_clear(&seed->context.progress);
    return ok;
}

/* Broken off half-way: what happened to whom matters more than the reason alone. */
static int report_broken_off(const CliSeed *seed, Error *reason)
{
    ERROR_CLEANUP Error unprinted = {0};
    if (!print_report(seed, reason, &unprinted))
        error_set_detail(reason, "%s", unprinted.message);
    return cli_print_error(reason);
}

static int report_not_begun(const CliSeed *seed, const CliArguments *arguments, const Error *error)
{
    report_refused_files(stderr, &seed->report.refused_files);
    if (option_given(arguments, "json"))
        report_error_json(stdout, error, &seed->report.refused_files);
    return cli_print_error(error);
}

int cli_seed(const CliArguments *arguments)
{
    CliSeed seed = {.context = {.arguments = arguments, .interrupts = {.fd = -1}}};
    ERROR_CLEANUP Error error = {0};
    int code;
    bool ok = run(&seed, arguments, &error);
    if (!ok && seed.report.seeding)
        code = report_broken_off(&seed, &error);
    else if (ok && print_report(&seed, NULL, &error))
        code = seed_exit_code(&seed.report);
    else
        code = report_not_begun(&seed, arguments, &error);
    seed_report_clear(&seed.report);
    cli_context_close(&seed.context);
    return code;
}
