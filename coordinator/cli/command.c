#include "coordinator/cli/command.h"
#include "common/buffer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may stand before the command; behind it, the command's own rows say whether --json is known. */
static const Option JSON_ROW[] = {
    {.name = "json", .setting = NO_SETTING, .doc = "the result as JSON on stdout"},
};
static const OptionGroup LEADING_JSON = {"Output", JSON_ROW, 1};

static const ExitCode OVERVIEW_EXITS[] = {{EXIT_DONE, NULL}, {EXIT_USAGE, NULL}, {-1, NULL}};

static const HelpPage PROGRAM_PAGE = {
    .program = "pgconvoy",
    .summary = "Migrates fleets of schema-per-tenant PostgreSQL.",
    .usage = "COMMAND [options]",
    .example = "pgconvoy migrate --all",
    .exits = OVERVIEW_EXITS,
};

/* The command line without the words of the command's name. */
typedef struct Words {
    char **items;
    int count;
} Words;

static bool words_without(Words *words, int argc, char *const argv[], int first, int used, Error *error)
{
    words->items = calloc((size_t)argc + 1, sizeof(*words->items));
    if (words->items == NULL)
        return error_memory(error);
    for (int i = 1; i < argc; i++) {
        if (i < first || i >= first + used)
            words->items[words->count++] = argv[i];
    }
    return true;
}

static const Command *find_command(const CommandTable *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        const Command *command = &table->commands[i];
        if (strcmp(command->name, name) == 0 || (command->alias != NULL && strcmp(command->alias, name) == 0))
            return command;
    }
    return NULL;
}

/* "migrate shared" is tried before "migrate", so that the longer name wins. */
static const Command *match_command(const CommandTable *table, int argc, char *const argv[], int first,
                                    int *ret_used)
{
    for (size_t i = 0; first + 1 < argc && i < table->count; i++) {
        const Command *command = &table->commands[i];
        const char *colon = strchr(command->name, ':');
        size_t length = colon != NULL ? (size_t)(colon - command->name) : 0;
        if (colon != NULL && strlen(argv[first]) == length &&
            strncmp(command->name, argv[first], length) == 0 && strcmp(colon + 1, argv[first + 1]) == 0) {
            *ret_used = 2;
            return command;
        }
    }
    *ret_used = 1;
    return find_command(table, argv[first]);
}

static void unknown_command(const CommandTable *table, const char *word, Error *error)
{
    char shown[PRINTABLE_SIZE];
    error_set(error, ERROR_USAGE, "unknown command %s", printable_value(word, shown));
    const char **names = calloc(table->count + 1, sizeof(*names));
    if (names == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        names[i] = table->commands[i].name;
    const char *nearest = nearest_name(word, names, table->count);
    if (nearest != NULL)
        error_set_hint(error, "did you mean %s?", nearest);
    else
        error_set_hint(error, "`pgconvoy --help` lists the commands");
    free(names);
}

size_t command_groups(const Command *command, OptionGroup ret_groups[COMMAND_GROUPS_MAX + 1])
{
    size_t count = 0;
    while (count < COMMAND_GROUPS_MAX && command->groups[count].title != NULL) {
        ret_groups[count] = command->groups[count];
        count++;
    }
    ret_groups[count++] = GENERAL_OPTIONS;
    return count;
}

/* "needs one of --all, --tenant, --tenants", or "needs --id" */
static bool missing_choice(const Command *command, const CliArguments *arguments, Error *error)
{
    BUFFER_CLEANUP Buffer names = {0};
    size_t choices = 0;
    for (size_t i = 0; i < arguments->option_count; i++) {
        const Option *row = arguments->options[i].option;
        if (row->exclusive != NULL && strcmp(row->exclusive, command->required) == 0)
            buffer_appendf(&names, "%s--%s", choices++ > 0 ? ", " : "", row->name);
    }
    return error_set(error, ERROR_USAGE, "%s needs %s%s", command->name, choices > 1 ? "one of " : "",
                     buffer_text(&names));
}

static CliArguments *parse_command(const Command *command, const Words *words, Error *error)
{
    OptionGroup groups[COMMAND_GROUPS_MAX + 1];
    size_t group_count = command_groups(command, groups);
    char *program = NULL;
    if (asprintf(&program, "pgconvoy %s", command->name) < 0) {
        error_memory(error);
        return NULL;
    }
    const HelpPage page = {
        .program = program,
        .summary = command->summary,
        .usage = command->usage,
        .example = command->example,
        .exits = command->exits,
    };
    CliArguments *arguments =
        options_parse(&page, groups, group_count, command->positionals, words->count, words->items, error);
    free(program);
    if (arguments == NULL)
        return NULL;
    arguments->command = command->name;
    if (arguments->answer == NULL && command->required != NULL &&
        option_of_choice(arguments, command->required) == NULL) {
        missing_choice(command, arguments, error);
        cli_arguments_free(arguments);
        return NULL;
    }
    return arguments;
}

char *command_overview(const CommandTable *table)
{
    Buffer page = {0};
    buffer_appendf(&page, "%s\n\nUsage:\n  %s %s\n\nCommands:\n", PROGRAM_PAGE.summary, PROGRAM_PAGE.program,
                   PROGRAM_PAGE.usage);
    for (size_t i = 0; i < table->count; i++)
        buffer_appendf(&page, "  %-16s  %s\n", table->commands[i].name, table->commands[i].summary);
    buffer_append_text(&page, "\n`pgconvoy COMMAND --help` tells a command's options, with an example.\n");
    return buffer_take(&page);
}

/* A command line without a command: --help, --version, or a mistake. */
static CliArguments *parse_without_command(const CommandTable *table, int argc, char *const argv[],
                                           Error *error)
{
    const OptionGroup groups[] = {LEADING_JSON, GENERAL_OPTIONS};
    enum { GROUP_COUNT = sizeof(groups) / sizeof(groups[0]) };
    CliArguments *arguments =
        options_parse(&PROGRAM_PAGE, groups, GROUP_COUNT, 0, argc - (argc > 0), argv + (argc > 0), error);
    if (arguments == NULL)
        return NULL;
    if (arguments->answer == NULL) {
        error_set(error, ERROR_USAGE, "no command given");
        error_set_hint(error, "`pgconvoy --help` lists the commands");
        cli_arguments_free(arguments);
        return NULL;
    }
    if (option_given(arguments, "help")) {
        free(arguments->answer);
        arguments->answer = command_overview(table);
    }
    if (arguments->answer != NULL)
        return arguments;
    error_memory(error);
    cli_arguments_free(arguments);
    return NULL;
}

/* `help migrate` is `migrate --help`: the word goes, the option comes. */
static CliArguments *parse_help(const CommandTable *table, int argc, char *const argv[], int first,
                                const Command **ret_command, Error *error)
{
    static char help[] = "--help";
    char **words = calloc((size_t)argc + 2, sizeof(*words));
    if (words == NULL) {
        error_memory(error);
        return NULL;
    }
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (i != first)
            words[count++] = argv[i];
    }
    words[count++] = help;
    CliArguments *arguments = command_parse(table, count, words, ret_command, error);
    free(words);
    return arguments;
}

CliArguments *command_parse(const CommandTable *table, int argc, char *const argv[],
                            const Command **ret_command, Error *error)
{
    const OptionGroup leading[] = {LEADING_JSON, GENERAL_OPTIONS};
    enum { LEADING_COUNT = sizeof(leading) / sizeof(leading[0]) };
    int skipped = argc > 0;
    int first = skipped + options_find_word(leading, LEADING_COUNT, argc - skipped, argv + skipped);
    if (first >= argc) {
        CliArguments *arguments = parse_without_command(table, argc, argv, error);
        if (arguments != NULL)
            *ret_command = NULL;
        return arguments;
    }
    if (!options_check(leading, LEADING_COUNT, first - skipped, argv + skipped, error))
        return NULL;
    int used = 0;
    const Command *command = match_command(table, argc, argv, first, &used);
    if (command == NULL && strcmp(argv[first], "help") == 0)
        return parse_help(table, argc, argv, first, ret_command, error);
    if (command == NULL) {
        unknown_command(table, argv[first], error);
        return NULL;
    }
    Words words = {0};
    CliArguments *arguments = NULL;
    if (words_without(&words, argc, argv, first, used, error))
        arguments = parse_command(command, &words, error);
    free(words.items);
    if (arguments == NULL)
        return NULL;
    for (int i = skipped; i < argc; i++)
        if (!text_list_add(&arguments->words, argv[i])) {
            error_memory(error);
            cli_arguments_free(arguments);
            return NULL;
        }
    *ret_command = command;
    return arguments;
}
