/* Command: what a command of pgconvoy is called, takes and runs, as one row.
 *
 * command_parse() turns a command line into CliArguments; it runs nothing and prints nothing. Options of
 * GENERAL_OPTIONS and --json may stand before the command. A space works for the colon in a name:
 * "migrate shared" is "migrate:shared". `help` and `help COMMAND` do what --help does.
 */
#pragma once
#include "common/options.h"

enum { COMMAND_GROUPS_MAX = 8 };

typedef struct Command {
    const char *name;  /* "migrate", "migrate:shared" */
    const char *alias; /* the npm package's name for it where that differs, or NULL */
    const char *summary;
    const char *usage; /* what follows "pgconvoy NAME" */
    const char *example;
    const ExitCode *exits;                     /* ended by code -1 */
    OptionGroup groups[COMMAND_GROUPS_MAX];    /* its own, without the general ones; ended by a NULL title */
    const char *required;                      /* exclusive word of which one option is a must, or NULL */
    size_t positionals;                        /* at most so many words beside options */
    int (*run)(const CliArguments *arguments); /* returns the exit code */
} Command;

typedef struct CommandTable {
    const Command *commands;
    size_t count;
} CommandTable;

/* pgconvoy's own (command_table.c). */
extern const CommandTable COMMANDS;

/* argv[0] is the program. *ret_command is the command to run, or NULL when the answer concerns all of them.
 */
CliArguments *command_parse(const CommandTable *table, int argc, char *const argv[],
                            const Command **ret_command, Error *error) MUST_CHECK;

/* The groups of its help: its own, then the general ones. Returns how many. */
size_t command_groups(const Command *command, OptionGroup ret_groups[COMMAND_GROUPS_MAX + 1]);

/* pgconvoy(1), and pgconvoy-NAME(1) of one command, as roff; malloc'ed, NULL when memory ran out. */
char *command_manual_overview(const CommandTable *table);
char *command_manual(const Command *command);

/* The list of commands, as `pgconvoy --help` prints it; malloc'ed, NULL when memory ran out. */
char *command_overview(const CommandTable *table);
