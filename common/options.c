#include "common/options.h"
#include "common/buffer.h"
#include "common/setting_value.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above every letter, so that getopt_long's result tells rows without a letter apart. */
enum { ROW_BASE = 256 };

/* clang-format off */
static const Option GENERAL_ROWS[] = {
    {.name = "config",
     .argument = "FILE",
     .setting = NO_SETTING,
     .doc = "configuration file; by default $PGCONVOY_CONFIG, else ./pgconvoy.yaml"},
    {.name = "quiet",
     .letter = 'q',
     .setting = NO_SETTING,
     .exclusive = "verbosity",
     .doc = "only results and errors"},
    {.name = "verbose",
     .letter = 'v',
     .setting = NO_SETTING,
     .exclusive = "verbosity",
     .doc = "more about what happens"},
    {.name = "no-color", .setting = NO_SETTING, .doc = "no colours on a terminal (NO_COLOR does the same)"},
    {.name = "log-level", .argument = "LEVEL", .setting = SETTING_LOG_LEVEL},
    {.name = "log-format", .argument = "text|json", .setting = SETTING_LOG_FORMAT},
    {.name = "help", .letter = 'h', .setting = NO_SETTING, .doc = "this page"},
    {.name = "version", .setting = NO_SETTING, .doc = "the program's version"},
};
/* clang-format on */

const OptionGroup GENERAL_OPTIONS = {"General", GENERAL_ROWS, sizeof(GENERAL_ROWS) / sizeof(GENERAL_ROWS[0])};

/* getopt_long's view of the rows. */
typedef struct Grammar {
    const Option **rows;
    size_t count;
    struct option *longs;
    char *shorts;
} Grammar;

static void grammar_clear(Grammar *grammar)
{
    free(grammar->rows);
    free(grammar->longs);
    free(grammar->shorts);
    *grammar = (Grammar){0};
}

static bool grammar_build(Grammar *grammar, const OptionGroup *groups, size_t group_count, Error *error)
{
    size_t count = 0;
    for (size_t g = 0; g < group_count; g++)
        count += groups[g].count;
    /* "-" keeps the words in order, ":" tells a missing argument from an unknown option. */
    Buffer shorts = {0};
    buffer_append_text(&shorts, "-:");
    *grammar = (Grammar){
        .rows = calloc(count + 1, sizeof(*grammar->rows)),
        .longs = calloc(count + 1, sizeof(*grammar->longs)),
    };
    for (size_t g = 0; grammar->rows != NULL && grammar->longs != NULL && g < group_count; g++) {
        for (size_t i = 0; i < groups[g].count; i++) {
            const Option *row = &groups[g].options[i];
            grammar->longs[grammar->count] = (struct option){
                .name = row->name,
                .has_arg = row->argument != NULL ? required_argument : no_argument,
                .val = ROW_BASE + (int)grammar->count,
            };
            if (row->letter != '\0')
                buffer_appendf(&shorts, "%c%s", row->letter, row->argument != NULL ? ":" : "");
            grammar->rows[grammar->count++] = row;
        }
    }
    grammar->shorts = buffer_take(&shorts);
    if (grammar->rows != NULL && grammar->longs != NULL && grammar->shorts != NULL)
        return true;
    grammar_clear(grammar);
    return error_memory(error);
}

static size_t row_of(const Grammar *grammar, int result)
{
    if (result >= ROW_BASE)
        return (size_t)(result - ROW_BASE);
    for (size_t i = 0; i < grammar->count; i++) {
        if (grammar->rows[i]->letter == result)
            return i;
    }
    return grammar->count;
}

/* The name in "--name=value" or "--name"; false when word is no long option. */
static bool long_name(const char *word, char ret_name[PRINTABLE_SIZE])
{
    if (word == NULL || strncmp(word, "--", 2) != 0 || word[2] == '\0')
        return false;
    size_t length = strcspn(word + 2, "=");
    if (length >= PRINTABLE_SIZE)
        length = PRINTABLE_SIZE - 1;
    memcpy(ret_name, word + 2, length);
    ret_name[length] = '\0';
    return true;
}

static bool unknown_option(const Grammar *grammar, const char *word, Error *error)
{
    char name[PRINTABLE_SIZE];
    char shown[PRINTABLE_SIZE];
    if (!long_name(word, name)) {
        char letter[] = {'-', (char)optopt, '\0'};
        return error_set(error, ERROR_USAGE, "unknown option %s", printable_value(letter, shown));
    }
    const char **names = calloc(grammar->count + 1, sizeof(*names));
    if (names == NULL)
        return error_memory(error);
    for (size_t i = 0; i < grammar->count; i++)
        names[i] = grammar->rows[i]->name;
    const char *nearest = nearest_name(name, names, grammar->count);
    free(names);
    char dashed[PRINTABLE_SIZE + 2];
    snprintf(dashed, sizeof(dashed), "--%s", name);
    error_set(error, ERROR_USAGE, "unknown option %s", printable_value(dashed, shown));
    if (nearest != NULL)
        error_set_hint(error, "did you mean --%s?", nearest);
    return false;
}

/* getopt_long takes any unambiguous beginning of a name; a script that relies on one breaks with the next
 * option that begins alike. */
static bool is_whole_name(const char *word, const Option *row)
{
    char name[PRINTABLE_SIZE];
    return !long_name(word, name) || strcmp(name, row->name) == 0;
}

static bool bad_argument(const Option *row, const char *word, Error *error)
{
    if (row->argument == NULL)
        return error_set(error, ERROR_USAGE, "--%s takes no value", row->name);
    bool short_form = strncmp(word, "--", 2) != 0;
    return short_form && row->letter != '\0'
               ? error_set(error, ERROR_USAGE, "-%c (--%s) needs a value: %s", row->letter, row->name,
                           row->argument)
               : error_set(error, ERROR_USAGE, "--%s needs a value: %s", row->name, row->argument);
}

static const OptionValues *find_values(const CliArguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->option_count; i++) {
        if (strcmp(arguments->options[i].option->name, name) == 0)
            return &arguments->options[i];
    }
    return NULL;
}

static bool take_option(OptionValues *values, const char *argument, Error *error)
{
    const Option *row = values->option;
    if (row->argument != NULL && values->given > 0 && row->rule == OPTION_ONCE)
        return error_set(error, ERROR_USAGE, "--%s is given twice", row->name);
    values->given++;
    if (row->argument == NULL)
        return true;
    int64_t number;
    if (row->max > 0 && !parse_integer(argument, row->min, row->max, NULL, &number, error)) {
        error->code = ERROR_USAGE;
        error_prefix(error, "--%s", row->name);
        return false;
    }
    return text_list_add(&values->values, argument) || error_memory(error);
}

static bool take_positional(CliArguments *arguments, const char *word, size_t limit, Error *error)
{
    char shown[PRINTABLE_SIZE];
    if (arguments->positionals.count >= limit)
        return error_set(error, ERROR_USAGE, "unexpected argument %s", printable_value(word, shown));
    return text_list_add(&arguments->positionals, word) || error_memory(error);
}

/* One step of getopt_long; word is what it looked at. */
static bool take_result(CliArguments *arguments, const Grammar *grammar, int result, const char *word,
                        size_t max_positionals, Error *error)
{
    if (result == 1)
        return take_positional(arguments, optarg, max_positionals, error);
    bool refused = result == '?' || result == ':';
    /* optopt is the row of a long option that lacks its argument or has one too many, or a letter, or 0. */
    size_t index = row_of(grammar, refused ? optopt : result);
    if (index == grammar->count || (refused && optopt == 0))
        return unknown_option(grammar, word, error);
    const Option *row = grammar->rows[index];
    if (!is_whole_name(word, row))
        return unknown_option(grammar, word, error);
    return refused ? bad_argument(row, word, error) : take_option(&arguments->options[index], optarg, error);
}

static bool parse_words(CliArguments *arguments, const Grammar *grammar, size_t max_positionals, int argc,
                        char *const argv[], Error *error)
{
    /* getopt_long starts at argv[1] and wants a NULL at the end. */
    char **words = calloc((size_t)argc + 2, sizeof(*words));
    if (words == NULL)
        return error_memory(error);
    static char program[] = "";
    words[0] = program;
    for (int i = 0; i < argc; i++)
        words[i + 1] = argv[i];
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    bool good = true;
    while (good) {
        const char *word = words[optind > 0 ? optind : 1];
        int result = getopt_long(argc + 1, words, grammar->shorts, grammar->longs, NULL);
        if (result == -1)
            break;
        good = take_result(arguments, grammar, result, word != NULL ? word : "", max_positionals, error);
    }
    for (; good && optind <= argc; optind++) /* what follows "--" */
        good = take_positional(arguments, words[optind], max_positionals, error);
    free(words);
    return good;
}

static bool check_exclusive(const CliArguments *arguments, Error *error)
{
    for (size_t i = 0; i < arguments->option_count; i++) {
        const OptionValues *values = &arguments->options[i];
        if (values->given == 0 || values->option->exclusive == NULL)
            continue;
        const Option *first = option_of_choice(arguments, values->option->exclusive);
        if (first != values->option)
            return error_set(error, ERROR_USAGE, "--%s and --%s exclude each other", first->name,
                             values->option->name);
    }
    return true;
}

static bool apply_option(Config *config, const OptionValues *values, Error *error)
{
    const Option *row = values->option;
    SettingId id = (SettingId)row->setting;
    bool good = true;
    if (row->argument == NULL) {
        good = config_set(config, id, "true", SOURCE_FLAG, error);
    } else if (setting_get(id)->type == SETTING_LIST) {
        TextList parts = {0};
        for (size_t i = 0; good && i < values->values.count; i++)
            good = text_list_add_parts(&parts, values->values.items[i], error);
        good = good && config_set_list(config, id, &parts, SOURCE_FLAG, error);
        text_list_clear(&parts);
    } else {
        good = config_set(config, id, values->values.items[values->values.count - 1], SOURCE_FLAG, error);
    }
    if (good || error->code == ERROR_MEMORY)
        return good;
    error->code = ERROR_USAGE;
    error_prefix(error, "--%s", row->name);
    return false;
}

static bool load_config(CliArguments *arguments, Error *error)
{
    const OptionValues *file = find_values(arguments, "config");
    arguments->config = config_load(file != NULL && file->given > 0 ? file->values.items[0] : NULL, error);
    if (arguments->config == NULL)
        return false;
    for (size_t i = 0; i < arguments->option_count; i++) {
        const OptionValues *values = &arguments->options[i];
        if (values->given > 0 && values->option->setting != NO_SETTING &&
            !apply_option(arguments->config, values, error))
            return false;
    }
    return true;
}

/* *ret_answered tells whether --help or --version was asked for. */
static bool answer(CliArguments *arguments, const HelpPage *page, const OptionGroup *groups,
                   size_t group_count, bool *ret_answered, Error *error)
{
    const OptionValues *help = find_values(arguments, "help");
    const OptionValues *version = find_values(arguments, "version");
    *ret_answered = true;
    if (help != NULL && help->given > 0) {
        arguments->answer = options_help(page, groups, group_count);
    } else if (version != NULL && version->given > 0) {
        size_t program = strcspn(page->program, " ");
        if (asprintf(&arguments->answer, "%.*s %s\n", (int)program, page->program, PGCONVOY_VERSION) < 0)
            arguments->answer = NULL;
    } else {
        *ret_answered = false;
        return true;
    }
    return arguments->answer != NULL || error_memory(error);
}

/* Arguments with one empty OptionValues per row. */
static CliArguments *arguments_new(const Grammar *grammar, Error *error)
{
    CliArguments *arguments = calloc(1, sizeof(*arguments));
    OptionValues *values = calloc(grammar->count + 1, sizeof(*values));
    if (arguments == NULL || values == NULL) {
        free(arguments);
        free(values);
        error_memory(error);
        return NULL;
    }
    for (size_t i = 0; i < grammar->count; i++)
        values[i].option = grammar->rows[i];
    arguments->options = values;
    arguments->option_count = grammar->count;
    return arguments;
}

/* The words alone, without configuration. */
static CliArguments *read_words(const OptionGroup *groups, size_t group_count, size_t max_positionals,
                                int argc, char *const argv[], Error *error)
{
    Grammar grammar;
    if (!grammar_build(&grammar, groups, group_count, error))
        return NULL;
    CliArguments *arguments = arguments_new(&grammar, error);
    bool good = arguments != NULL && parse_words(arguments, &grammar, max_positionals, argc, argv, error);
    grammar_clear(&grammar);
    if (good)
        return arguments;
    cli_arguments_free(arguments);
    return NULL;
}

bool options_check(const OptionGroup *groups, size_t group_count, int argc, char *const argv[], Error *error)
{
    CliArguments *arguments = read_words(groups, group_count, 0, argc, argv, error);
    cli_arguments_free(arguments);
    return arguments != NULL;
}

CliArguments *options_parse(const HelpPage *page, const OptionGroup *groups, size_t group_count,
                            size_t max_positionals, int argc, char *const argv[], Error *error)
{
    CliArguments *arguments = read_words(groups, group_count, max_positionals, argc, argv, error);
    if (arguments == NULL)
        return NULL;
    bool answered = false;
    bool good = answer(arguments, page, groups, group_count, &answered, error);
    if (good && !answered)
        good = check_exclusive(arguments, error) && load_config(arguments, error);
    if (good)
        return arguments;
    cli_arguments_free(arguments);
    return NULL;
}

void cli_arguments_free(CliArguments *arguments)
{
    if (arguments == NULL)
        return;
    for (size_t i = 0; i < arguments->option_count; i++)
        text_list_clear(&arguments->options[i].values);
    free(arguments->options);
    text_list_clear(&arguments->positionals);
    text_list_clear(&arguments->words);
    free(arguments->answer);
    config_free(arguments->config);
    free(arguments);
}

int options_find_word(const OptionGroup *groups, size_t group_count, int argc, char *const argv[])
{
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || word[1] == '\0')
            return i;
        if (strcmp(word, "--") == 0)
            return i + 1 < argc ? i + 1 : argc;
        for (size_t g = 0; g < group_count; g++) {
            for (size_t k = 0; k < groups[g].count; k++) {
                const Option *row = &groups[g].options[k];
                bool named = word[1] == '-' ? strcmp(word + 2, row->name) == 0
                                            : row->letter != '\0' && word[strlen(word) - 1] == row->letter;
                i += named && row->argument != NULL; /* its argument is the next word */
            }
        }
    }
    return argc;
}

static const OptionValues *values_of(const CliArguments *arguments, const char *name)
{
    const OptionValues *values = find_values(arguments, name);
    if (values == NULL)
        abort();
    return values;
}

bool option_given(const CliArguments *arguments, const char *name)
{
    return values_of(arguments, name)->given > 0;
}

const TextList *option_values(const CliArguments *arguments, const char *name)
{
    return &values_of(arguments, name)->values;
}

const char *option_value(const CliArguments *arguments, const char *name)
{
    const TextList *values = option_values(arguments, name);
    return values->count > 0 ? values->items[values->count - 1] : NULL;
}

int64_t option_int(const CliArguments *arguments, const char *name, int64_t fallback)
{
    const char *text = option_value(arguments, name);
    return text != NULL ? strtoll(text, NULL, 10) : fallback;
}

const Option *option_of_choice(const CliArguments *arguments, const char *exclusive)
{
    for (size_t i = 0; i < arguments->option_count; i++) {
        const OptionValues *values = &arguments->options[i];
        if (values->given > 0 && values->option->exclusive != NULL &&
            strcmp(values->option->exclusive, exclusive) == 0)
            return values->option;
    }
    return NULL;
}

bool options_mention(int argc, char *const argv[], const char *name)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
            return true;
    }
    return false;
}
