#include "coordinator/cli/command.h"
#include "coordinator/cli/commands.h"
#include "tests/support/test.h"

static const ExitCode EXITS[] = {{EXIT_DONE, NULL}, {-1, NULL}};
static const Option JSON_ONLY[] = {{.name = "json", .setting = NO_SETTING, .doc = "as JSON"}};

static const Command TEST_COMMANDS[] = {
    {.name = "seed", .summary = "Seed.", .usage = "", .example = "pgconvoy seed", .exits = EXITS},
    {.name = "seed:shared",
     .alias = "seed-shared",
     .summary = "Seed the shared schema.",
     .usage = "",
     .example = "pgconvoy seed shared",
     .exits = EXITS,
     .groups = {{"Output", JSON_ONLY, 1}}},
    {.name = "tenant:drop",
     .summary = "Drop.",
     .usage = "",
     .example = "pgconvoy tenant drop",
     .exits = EXITS},
};
static const CommandTable TEST_TABLE = {TEST_COMMANDS, 3};

static int count_words(const char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    return count;
}

static CliArguments *parse(const CommandTable *table, const char *const *words, const Command **ret_command,
                           Error *error)
{
    return command_parse(table, count_words(words), (char *const *)words, ret_command, error);
}

#define WORDS(...) ((const char *const[]){"pgconvoy", __VA_ARGS__, NULL})

/* The name of the command that these words call. */
static const char *called(const CommandTable *table, const char *const *words)
{
    Error error = {0};
    const Command *command = NULL;
    CliArguments *arguments = parse(table, words, &command, &error);
    if (arguments == NULL)
        fail_msg("%s", error.message);
    assert_non_null(command);
    assert_string_equal(arguments->command, command->name);
    cli_arguments_free(arguments);
    return command->name;
}

static void a_space_works_for_the_colon(void **state)
{
    (void)state;
    assert_string_equal(called(&TEST_TABLE, WORDS("seed")), "seed");
    assert_string_equal(called(&TEST_TABLE, WORDS("seed:shared")), "seed:shared");
    assert_string_equal(called(&TEST_TABLE, WORDS("seed", "shared")), "seed:shared");
    assert_string_equal(called(&TEST_TABLE, WORDS("--json", "seed", "shared", "--quiet")), "seed:shared");
    assert_string_equal(called(&TEST_TABLE, WORDS("tenant", "drop")), "tenant:drop");
}

static void a_command_may_have_another_name(void **state)
{
    (void)state;
    assert_string_equal(called(&TEST_TABLE, WORDS("seed-shared")), "seed:shared");
    assert_string_equal(called(&TEST_TABLE, WORDS("--json", "seed-shared", "--quiet")), "seed:shared");
    Error error = {0};
    const Command *command = NULL;
    assert_null(parse(&TEST_TABLE, WORDS("tenant-drop"), &command, &error));
    error_clear(&error);
}

static void general_options_stand_on_either_side(void **state)
{
    (void)state;
    Error error = {0};
    const Command *command;
    CliArguments *arguments =
        parse(&COMMANDS, WORDS("-q", "--log-level", "debug", "--json", "migrate", "--all", "--no-color"),
              &command, &error);
    assert_non_null(arguments);
    assert_string_equal(command->name, "migrate");
    assert_true(option_given(arguments, "quiet"));
    assert_true(option_given(arguments, "json"));
    assert_true(option_given(arguments, "no-color"));
    assert_string_equal(config_text(arguments->config, SETTING_LOG_LEVEL), "debug");
    assert_ptr_equal(command->run, cli_migrate);
    cli_arguments_free(arguments);
    assert_string_equal(called(&COMMANDS, WORDS("--log-level=debug", "status", "--json")), "status");
}

static void migrate_takes_all_of_its_options(void **state)
{
    (void)state;
    Error error = {0};
    const Command *command;
    CliArguments *arguments =
        parse(&COMMANDS,
              WORDS("migrate", "--tenants", "b,a", "-c", "auto", "--schedule", "rolling", "--exclude", "x",
                    "--exclude-file", "-", "--limit", "9", "--deadline", "1000", "--max-failures", "5%",
                    "--dry-run", "--mark-applied", "--on-error", "abort", "-f", "db", "--strict", "--format",
                    "hash", "--default-format", "drizzle-kit", "--migrations-table", "m", "--lock-timeout",
                    "1", "--lock-wait", "2", "--statement-timeout", "3", "--json", "--listen", "tcp://*:1",
                    "--workers", "tcp://a:1,tcp://b:2", "--plain", "--min-workers", "4", "--wait", "5"),
              &command, &error);
    if (arguments == NULL)
        fail_msg("%s", error.message);
    const Config *config = arguments->config;
    assert_string_equal(option_value(arguments, "tenants"), "b,a");
    assert_string_equal(option_value(arguments, "exclude-file"), "-");
    assert_int_equal(option_int(arguments, "limit", 0), 9);
    assert_true(option_given(arguments, "dry-run") && option_given(arguments, "mark-applied"));
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 0);
    assert_string_equal(config_text(config, SETTING_RUN_SCHEDULE), "rolling");
    assert_int_equal(config_int(config, SETTING_RUN_DEADLINE_MS), 1000);
    assert_string_equal(config_text(config, SETTING_RUN_MAX_FAILURES), "5%");
    assert_string_equal(config_text(config, SETTING_RUN_ON_ERROR), "abort");
    assert_string_equal(config_text(config, SETTING_MIGRATIONS_FOLDER), "db");
    assert_true(config_bool(config, SETTING_RUN_STRICT));
    assert_string_equal(config_text(config, SETTING_MIGRATIONS_FORMAT), "hash");
    assert_string_equal(config_text(config, SETTING_MIGRATIONS_DEFAULT_FORMAT), "drizzle-kit");
    assert_string_equal(config_text(config, SETTING_MIGRATIONS_TABLE), "m");
    assert_int_equal(config_int(config, SETTING_RUN_LOCK_TIMEOUT_MS), 1);
    assert_int_equal(config_int(config, SETTING_RUN_LOCK_WAIT_MS), 2);
    assert_int_equal(config_int(config, SETTING_RUN_STATEMENT_TIMEOUT_MS), 3);
    assert_string_equal(config_text(config, SETTING_COORDINATOR_LISTEN), "tcp://*:1");
    assert_int_equal(config_worker_endpoints(config)->count, 2);
    assert_true(config_bool(config, SETTING_COORDINATOR_PLAIN));
    assert_int_equal(config_int(config, SETTING_COORDINATOR_MIN_WORKERS), 4);
    assert_int_equal(config_int(config, SETTING_COORDINATOR_WAIT_MS), 5);
    cli_arguments_free(arguments);
}

static void status_needs_no_options(void **state)
{
    (void)state;
    assert_string_equal(called(&COMMANDS, WORDS("status")), "status");
    assert_string_equal(called(&COMMANDS, WORDS("status", "-a", "--exit-code")), "status");
}

typedef struct Mistake {
    const char *words[6];
    const char *message;
    const char *hint;
} Mistake;

static void mistakes_get_one_line(void **state)
{
    (void)state;
    static const char LIST[] = "`pgconvoy --help` lists the commands";
    /* clang-format off */
    static const Mistake MISTAKES[] = {
        {{"pgconvoy"}, "no command given", LIST},
        {{"pgconvoy", "--json"}, "no command given", LIST},
        {{"pgconvoy", "migrat"}, "unknown command \"migrat\"", "did you mean migrate?"},
        {{"pgconvoy", "--json", "stauts"}, "unknown command \"stauts\"", "did you mean status?"},
        {{"pgconvoy", "frobnicate"}, "unknown command \"frobnicate\"", LIST},
        {{"pgconvoy", "help", "migrat"}, "unknown command \"migrat\"", "did you mean migrate?"},
        {{"pgconvoy", "--all", "migrate"}, "unknown option \"--all\"", NULL},
        {{"pgconvoy", "--jsn"}, "unknown option \"--jsn\"", "did you mean --json?"},
        {{"pgconvoy", "migrate"}, "migrate needs one of --all, --tenant, --tenants, --tenants-file", NULL},
        {{"pgconvoy", "migrate", "-a", "--tenants", "b"}, "--all and --tenants exclude each other", NULL},
        {{"pgconvoy", "migrate", "-a", "acme"}, "unexpected argument \"acme\"", NULL},
        {{"pgconvoy", "status", "--dry-run"}, "unknown option \"--dry-run\"", NULL},
        {{"pgconvoy", "status", "--exit-cod"}, "unknown option \"--exit-cod\"", "did you mean --exit-code?"},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(MISTAKES) / sizeof(MISTAKES[0]); i++) {
        ERROR_CLEANUP Error error = {0};
        const Command *command;
        if (parse(&COMMANDS, MISTAKES[i].words, &command, &error) != NULL)
            fail_msg("accepted, instead of: %s", MISTAKES[i].message);
        assert_string_equal(error.message, MISTAKES[i].message);
        assert_int_equal(error.code, ERROR_USAGE);
        if (MISTAKES[i].hint != NULL)
            assert_string_equal(error.hint, MISTAKES[i].hint);
        else
            assert_null(error.hint);
    }
}

/* The answer to these words, which the caller frees. */
static char *answer(const char *const *words)
{
    Error error = {0};
    const Command *command;
    CliArguments *arguments = parse(&COMMANDS, words, &command, &error);
    if (arguments == NULL)
        fail_msg("%s", error.message);
    char *text = arguments->answer;
    assert_non_null(text);
    arguments->answer = NULL;
    cli_arguments_free(arguments);
    return text;
}

static void assert_same_answer(const char *const *words, const char *const *others)
{
    char *text = answer(words);
    char *other = answer(others);
    assert_string_equal(text, other);
    free(text);
    free(other);
}

static void help_can_be_asked_for_in_all_ways(void **state)
{
    (void)state;
    assert_same_answer(WORDS("--help"), WORDS("-h"));
    assert_same_answer(WORDS("--help"), WORDS("help"));
    assert_same_answer(WORDS("migrate", "--help"), WORDS("help", "migrate"));
    assert_same_answer(WORDS("migrate", "--help"), WORDS("--help", "migrate"));
    char *text = answer(WORDS("--help"));
    for (size_t i = 0; i < COMMANDS.count; i++)
        assert_non_null(strstr(text, COMMANDS.commands[i].summary));
    free(text);
    text = answer(WORDS("--version"));
    assert_string_equal(text, "pgconvoy " PGCONVOY_VERSION "\n");
    free(text);
}

static void every_command_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS.count; i++) {
        const Command *command = &COMMANDS.commands[i];
        assert_non_null(command->run);
        assert_memory_equal(command->example, "pgconvoy ", strlen("pgconvoy "));
        char *text = answer(WORDS(command->name, "--help"));
        assert_non_null(strstr(text, command->summary));
        for (size_t g = 0; g < COMMAND_GROUPS_MAX && command->groups[g].title != NULL; g++) {
            for (size_t k = 0; k < command->groups[g].count; k++) {
                const Option *row = &command->groups[g].options[k];
                assert_true(row->doc != NULL || row->setting != NO_SETTING);
                assert_non_null(strstr(text, row->name));
            }
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_space_works_for_the_colon),
        cmocka_unit_test(a_command_may_have_another_name),
        cmocka_unit_test(general_options_stand_on_either_side),
        cmocka_unit_test(migrate_takes_all_of_its_options),
        cmocka_unit_test(status_needs_no_options),
        cmocka_unit_test(mistakes_get_one_line),
        cmocka_unit_test(help_can_be_asked_for_in_all_ways),
        cmocka_unit_test(every_command_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
