/* seed:shared and seed:all. */
#include "common/buffer.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/last_words.h"
#include "coordinator/report.h"
#include "coordinator/report_seed.h"
#include "coordinator/report_shared.h"
#include <stdio.h>

typedef struct CliSeed {
    CliContext context;
    SeedRequest request;
    SeedReport report;
} CliSeed;

static bool take_file(const CliArguments *arguments, const char *option, const char **ret_file, Error *error)
{
    *ret_file = option_value(arguments, option);
    return *ret_file != NULL || error_set(error, ERROR_USAGE, "%s needs --%s", arguments->command, option);
}

static bool run_shared(CliSeed *seed, Error *error)
{
    seed->request.fleet.shared = true;
    return take_file(seed->context.arguments, "file", &seed->request.file, error) &&
           seed_run(&seed->request, &seed->report, error);
}

static bool run_all(CliSeed *seed, Error *error)
{
    const CliArguments *arguments = seed->context.arguments;
    seed->request.with_shared = true;
    return take_file(arguments, "shared-file", &seed->request.shared_file, error) &&
           take_file(arguments, "tenant-file", &seed->request.file, error) &&
           seed_run(&seed->request, &seed->report, error);
}

/* The result on stdout, errors on stderr. */
static bool print_shared(const CliSeed *seed, const Error *reason, Error *error)
{
    const CliArguments *arguments = seed->context.arguments;
    bool ok = true;
    (void)reason; /* is in the only result there is */
    if (option_given(arguments, "json"))
        ok = report_shared_seed_json(stdout, &seed->report, error);
    else
        report_shared_seed_text(stdout, &seed->report);
    if (!option_given(arguments, "quiet"))
        report_shared_seed_errors(stderr, &seed->report);
    return ok;
}

static void print_last_words(const CliSeed *seed)
{
    BUFFER_CLEANUP Buffer command = {0};
    report_shared_seed_errors(stderr, seed->report.shared);
    buffer_append_text(&command, "pgconvoy seed --file ");
    last_words_append_shell_word(&command, seed->request.file);
    if (seed->request.once)
        buffer_append_text(&command, " --once");
    report_seed_last_words(stderr, &seed->report, buffer_text(&command));
}

static bool print_all(const CliSeed *seed, const Error *reason, Error *error)
{
    const CliArguments *arguments = seed->context.arguments;
    bool json = option_given(arguments, "json");
    if (!json)
        report_shared_seed_text(stdout, seed->report.shared);
    bool ok = json ? report_seed_both_json(stdout, &seed->report, reason, error)
                   : report_seed_text(stdout, &seed->report, option_given(arguments, "verbose"), error);
    if (!option_given(arguments, "quiet"))
        print_last_words(seed);
    return ok;
}

typedef bool RunSeed(CliSeed *seed, Error *error);
typedef bool PrintSeed(const CliSeed *seed, const Error *reason, Error *error);

static int report_not_begun(const CliSeed *seed, const Error *error)
{
    report_refused_files(stderr, &seed->report.refused_files);
    if (option_given(seed->context.arguments, "json"))
        report_error_json(stdout, error, &seed->report.refused_files);
    return cli_print_error(error);
}

/* Broken off half-way: what happened to whom matters more than the reason alone. */
static int report_broken_off(const CliSeed *seed, PrintSeed *print, Error *reason)
{
    ERROR_CLEANUP Error unprinted = {0};
    if (!print(seed, reason, &unprinted))
        error_set_detail(reason, "%s", unprinted.message);
    return cli_print_error(reason);
}

static int seed_with(const CliArguments *arguments, RunSeed *run, PrintSeed *print)
{
    CliSeed seed = {.context = {.arguments = arguments, .interrupts = {.fd = -1}}};
    ERROR_CLEANUP Error error = {0};
    int code;
    bool ok = cli_context_open(&seed.context, arguments, &error);
    seed.request = (SeedRequest){.fleet = seed.context.request,
                                 .once = option_given(arguments, "once"),
                                 .dry_run = option_given(arguments, "dry-run"),
                                 .judge_file = true};
    ok = ok && run(&seed, &error);
    progress_clear(&seed.context.progress);
    if (!ok && seed_report_has_begun(&seed.report))
        code = report_broken_off(&seed, print, &error);
    else if (ok && print(&seed, NULL, &error))
        code = seed_exit_code(&seed.report);
    else
        code = report_not_begun(&seed, &error);
    seed_report_clear(&seed.report);
    cli_context_close(&seed.context);
    return code;
}

int cli_seed_shared(const CliArguments *arguments)
{
    return seed_with(arguments, run_shared, print_shared);
}

int cli_seed_all(const CliArguments *arguments)
{
    return seed_with(arguments, run_all, print_all);
}
