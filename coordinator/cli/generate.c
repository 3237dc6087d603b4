/* generate, generate:shared */
#include "common/json.h"
#include "common/migration_file.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/report_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_shared(const CliArguments *arguments)
{
    return strcmp(arguments->command, "generate:shared") == 0 || option_given(arguments, "shared");
}

static const char *wanted_folder(const CliArguments *arguments, Error *error)
{
    if (!is_shared(arguments))
        return config_text(arguments->config, SETTING_MIGRATIONS_FOLDER);
    const char *folder = config_text(arguments->config, SETTING_SHARED_FOLDER);
    if (folder[0] != '\0')
        return folder;
    error_set(error, ERROR_CONFIG, "there is no folder of shared migrations");
    error_set_hint(error, "set shared.folder in the configuration");
    return NULL;
}

static bool print_path(const CliArguments *arguments, const char *path, Error *error)
{
    if (option_given(arguments, "json"))
        return report_print_json(stdout, json_pack("{s:s}", "file", path), error);
    return printf("created %s\n", path) > 0 || error_set(error, ERROR_SYSTEM, "cannot write the path");
}

int cli_generate(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    const char *folder = wanted_folder(arguments, &error);
    char *path =
        folder != NULL ? migration_file_create(folder, option_value(arguments, "name"), &error) : NULL;
    bool ok = path != NULL && print_path(arguments, path, &error);
    free(path);
    return ok ? EXIT_DONE : cli_failed(arguments, &error);
}
