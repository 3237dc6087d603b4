#include "worker/worker_options.h"
#include "common/manual.h"

/* clang-format off */
static const Option LINK_OPTIONS[] = {
    {.name = "coordinator",
     .argument = "ENDPOINT",
     .setting = SETTING_WORKER_COORDINATORS,
     .rule = OPTION_REPEATABLE,
     .doc = "coordinator to connect to, such as tcp://host:5570"},
    {.name = "listen", .argument = "ENDPOINT", .setting = SETTING_WORKER_LISTEN},
    {.name = "plain", .setting = SETTING_WORKER_PLAIN},
    {.name = "key-file", .argument = "FILE", .setting = SETTING_WORKER_KEY_FILE},
    {.name = "peers", .argument = "FILE", .setting = SETTING_WORKER_PEERS},
    {.name = "name", .argument = "NAME", .setting = SETTING_WORKER_NAME},
};

static const Option WORK_OPTIONS[] = {
    {.name = "slots", .argument = "N", .setting = SETTING_WORKER_SLOTS},
    {.name = "drain", .argument = "MS", .setting = SETTING_WIRE_DRAIN_MS},
};
/* clang-format on */

#define GROUP(heading, rows)                                                             \
    {                                                                                    \
        .title = (heading), .options = (rows), .count = sizeof(rows) / sizeof((rows)[0]) \
    }

static const ExitCode EXITS[] = {
    {EXIT_DONE, "stopped as asked"}, {EXIT_FAILED, "stopped by an error"}, {EXIT_USAGE, NULL}, {-1, NULL}};

static const HelpPage PAGE = {
    .program = "pgconvoy-worker",
    .summary = "Does the database work that coordinators hand out, until it is told to stop.",
    .usage = "[--coordinator ENDPOINT]... [--listen ENDPOINT] [options]",
    .example = "DATABASE_URL=service=fleet pgconvoy-worker --coordinator tcp://deploy-1:5570 --slots 20",
    .exits = EXITS,
};

enum { GROUPS = 3 };

static void list_groups(OptionGroup ret_groups[GROUPS])
{
    ret_groups[0] = (OptionGroup)GROUP("Coordinators", LINK_OPTIONS);
    ret_groups[1] = (OptionGroup)GROUP("Work", WORK_OPTIONS);
    ret_groups[2] = GENERAL_OPTIONS;
}

CliArguments *worker_options_parse(int argc, char *const argv[], Error *error)
{
    OptionGroup groups[GROUPS];
    list_groups(groups);
    return options_parse(&PAGE, groups, GROUPS, 0, argc > 0 ? argc - 1 : 0, argv + (argc > 0), error);
}

char *worker_options_manual(void)
{
    OptionGroup groups[GROUPS];
    list_groups(groups);
    return manual_program(&PAGE, groups, GROUPS);
}
