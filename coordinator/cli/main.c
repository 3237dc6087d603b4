/* pgconvoy: the coordinator and command line. */
#include "common/log.h"
#include "common/secret.h"
#include "coordinator/cli/command.h"
#include "coordinator/cli/context.h"
#include "coordinator/report.h"
#include <stdio.h>
#include <string.h>

static void configure_log(const CliArguments *arguments)
{
    static const char *const LEVELS[] = {"error", "warning", "info", "debug"};
    const char *level = config_text(arguments->config, SETTING_LOG_LEVEL);
    LogLevel chosen = option_given(arguments, "quiet") ? LOG_ERROR : LOG_WARNING;
    bool said = config_source(arguments->config, SETTING_LOG_LEVEL) != SOURCE_DEFAULT;
    for (int i = 0; said && i <= LOG_DEBUG; i++)
        if (strcmp(level, LEVELS[i]) == 0)
            chosen = (LogLevel)i;
    if (option_given(arguments, "verbose") && chosen < LOG_INFO)
        chosen = LOG_INFO;
    log_configure(chosen, strcmp(config_text(arguments->config, SETTING_LOG_FORMAT), "json") == 0);
}

int main(int argc, char **argv)
{
    ERROR_CLEANUP Error error = {0};
    const Command *command = NULL;
    secret_leave_no_core();
    CliArguments *arguments = command_parse(&COMMANDS, argc, argv, &command, &error);
    if (arguments == NULL) {
        if (options_mention(argc, argv, "json"))
            report_error_json(stdout, &error, NULL);
        return cli_print_error(&error);
    }
    int code = EXIT_DONE;
    if (arguments->answer != NULL)
        fputs(arguments->answer, stdout);
    else {
        configure_log(arguments);
        code = command->run(arguments);
    }
    cli_arguments_free(arguments);
    return code;
}
