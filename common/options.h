/* Options: command lines described by tables, for both programs.
 *
 * A row is one option: names, argument, the setting it sets, doc. getopt_long's arrays, the help and the
 * checks are made from the rows. Parsing loads the configuration and applies the options on top of it; it
 * runs nothing. Names must be written in full, a repeated option is refused unless its row allows it, and
 * errors (ERROR_USAGE) never show the value of an option that could hold a secret. Not thread-safe
 * (getopt_long).
 */
#pragma once
#include "common/config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NO_SETTING = -1 };

typedef enum OptionRule {
    OPTION_ONCE,       /* a second time is an error */
    OPTION_REPEATABLE, /* every time counts, in order */
} OptionRule;

typedef struct Option {
    const char *name;     /* "concurrency" for --concurrency */
    char letter;          /* 'c' for -c, or 0 */
    const char *argument; /* "N|auto"; NULL = none */
    int setting;          /* SettingId, or NO_SETTING: option_value() and friends give what was typed */
    OptionRule rule;
    int64_t min, max;      /* for a number without setting: its range; max 0 = any text */
    const char *exclusive; /* at most one option with the same word here may be given; NULL = no matter */
    const char *doc;       /* NULL = the setting's doc */
} Option;

typedef struct OptionGroup {
    const char *title; /* "Tenants" */
    const Option *options;
    size_t count;
} OptionGroup;

typedef struct ExitCode {
    int code;
    const char *doc; /* NULL = what the code means everywhere */
} ExitCode;

/* What --help tells beside the options; all texts end without newline. */
typedef struct HelpPage {
    const char *program;   /* "pgconvoy migrate" */
    const char *summary;   /* one line: what it is for */
    const char *usage;     /* what follows the program */
    const char *example;   /* one realistic call */
    const ExitCode *exits; /* ended by code -1 */
} HelpPage;

typedef struct OptionValues {
    const Option *option;
    size_t given;    /* how many times */
    TextList values; /* its arguments in order; empty for an option without argument */
} OptionValues;

/* A parsed command line. Everything in it belongs to it. */
typedef struct CliArguments {
    const char *command; /* "migrate"; NULL where the program has no commands. Points into the table. */
    OptionValues *options;
    size_t option_count;
    TextList positionals;
    TextList words; /* the whole line behind the program's name, as typed */
    char *answer;   /* what --help or --version ask for: print it on stdout and exit 0; else NULL */
    Config *config; /* loaded, options applied; NULL when answer is set */
} CliArguments;

/* Parses argv[0..argc-1], which holds no program name. At most max_positionals other words are taken.
 * Rows named "help", "version" and "config" mean what they say. NULL with ERROR_USAGE or ERROR_CONFIG. */
CliArguments *options_parse(const HelpPage *page, const OptionGroup *groups, size_t group_count,
                            size_t max_positionals, int argc, char *const argv[], Error *error) MUST_CHECK;
void cli_arguments_free(CliArguments *arguments);

/* Whether all of argv are options of these groups with their arguments. */
bool options_check(const OptionGroup *groups, size_t group_count, int argc, char *const argv[],
                   Error *error) MUST_CHECK;

/* The first word that is neither an option of these groups nor the argument of one, as an index into argv;
 * argc when there is none. */
int options_find_word(const OptionGroup *groups, size_t group_count, int argc, char *const argv[]);

/* Asking for a name that no row has is a defect of the caller and aborts. */
bool option_given(const CliArguments *arguments, const char *name);
const char *option_value(const CliArguments *arguments, const char *name); /* NULL when not given */
int64_t option_int(const CliArguments *arguments, const char *name, int64_t fallback);
const TextList *option_values(const CliArguments *arguments, const char *name);

/* The option with this exclusive word that was given, or NULL. */
const Option *option_of_choice(const CliArguments *arguments, const char *exclusive);

/* Whether "--name" stands in argv before any "--": for an error whose form depends on it. */
bool options_mention(int argc, char *const argv[], const char *name);

/* The page with all groups, as --help prints it; malloc'ed, NULL when memory ran out. */
char *options_help(const HelpPage *page, const OptionGroup *groups, size_t group_count);

/* --config, --log-level, --log-format, --quiet, --verbose, --no-color, --help, --version. */
extern const OptionGroup GENERAL_OPTIONS;
