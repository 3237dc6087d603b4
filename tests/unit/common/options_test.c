#include "common/options.h"
#include "tests/support/test.h"
#include "worker/worker_options.h"

/* clang-format off */
static const Option ROWS[] = {
    {.name = "all", .letter = 'a', .setting = NO_SETTING, .exclusive = "who", .doc = "everybody"},
    {.name = "tenant",
     .letter = 't',
     .argument = "ID",
     .setting = NO_SETTING,
     .exclusive = "who",
     .doc = "one"},
    {.name = "exclude",
     .argument = "A,B",
     .setting = NO_SETTING,
     .rule = OPTION_REPEATABLE,
     .doc = "not these"},
    {.name = "limit", .argument = "N", .setting = NO_SETTING, .min = 1, .max = 100, .doc = "only the first"},
    {.name = "concurrency", .letter = 'c', .argument = "N|auto", .setting = SETTING_RUN_CONCURRENCY},
    {.name = "lock-timeout", .argument = "MS", .setting = SETTING_RUN_LOCK_TIMEOUT_MS},
    {.name = "strict", .setting = SETTING_RUN_STRICT},
    {.name = "workers",
     .argument = "E1,E2",
     .setting = SETTING_COORDINATOR_WORKERS,
     .rule = OPTION_REPEATABLE},
};
/* clang-format on */

static const ExitCode EXITS[] = {{EXIT_DONE, NULL}, {EXIT_FAILED, "it went wrong"}, {-1, NULL}};

static const HelpPage PAGE = {
    .program = "prog run",
    .summary = "Tests options.",
    .usage = "[options]",
    .example = "prog run --all",
    .exits = EXITS,
};

static CliArguments *parse(const char *const *words, size_t max_positionals, Error *error)
{
    const OptionGroup groups[] = {{"Own", ROWS, sizeof(ROWS) / sizeof(ROWS[0])}, GENERAL_OPTIONS};
    int count = 0;
    while (words[count] != NULL)
        count++;
    return options_parse(&PAGE, groups, 2, max_positionals, count, (char *const *)words, error);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static CliArguments *parse_good(const char *const *words)
{
    Error error = {0};
    CliArguments *arguments = parse(words, 0, &error);
    if (arguments == NULL)
        fail_msg("%s", error.message);
    return arguments;
}

static int clear_environment(void **state)
{
    (void)state;
    unsetenv("PGCONVOY_CONFIG");
    unsetenv("PGCONVOY_RUN_CONCURRENCY");
    return 0;
}

static void all_spellings_are_read(void **state)
{
    (void)state;
    CliArguments *arguments = parse_good(
        WORDS("-ac5", "--lock-timeout=7", "--limit", "3", "--strict", "--exclude", "a,b", "--exclude=-"));
    assert_true(option_given(arguments, "all"));
    assert_false(option_given(arguments, "tenant"));
    assert_null(option_value(arguments, "tenant"));
    assert_int_equal(config_int(arguments->config, SETTING_RUN_CONCURRENCY), 5);
    assert_int_equal(config_source(arguments->config, SETTING_RUN_CONCURRENCY), SOURCE_FLAG);
    assert_int_equal(config_int(arguments->config, SETTING_RUN_LOCK_TIMEOUT_MS), 7);
    assert_true(config_bool(arguments->config, SETTING_RUN_STRICT));
    assert_int_equal(option_int(arguments, "limit", 0), 3);
    const TextList *excluded = option_values(arguments, "exclude");
    assert_int_equal(excluded->count, 2);
    assert_string_equal(excluded->items[0], "a,b");
    assert_string_equal(excluded->items[1], "-");
    assert_string_equal(option_of_choice(arguments, "who")->name, "all");
    cli_arguments_free(arguments);
}

static void nothing_given_is_fine(void **state)
{
    (void)state;
    CliArguments *arguments = parse_good((const char *const[]){NULL});
    assert_int_equal(option_int(arguments, "limit", 17), 17);
    assert_null(option_of_choice(arguments, "who"));
    assert_int_equal(config_source(arguments->config, SETTING_RUN_CONCURRENCY), SOURCE_DEFAULT);
    cli_arguments_free(arguments);
}

static void an_option_beats_the_environment(void **state)
{
    (void)state;
    setenv("PGCONVOY_RUN_CONCURRENCY", "4", 1);
    CliArguments *arguments = parse_good(WORDS("--concurrency", "auto"));
    assert_int_equal(config_int(arguments->config, SETTING_RUN_CONCURRENCY), 0);
    cli_arguments_free(arguments);
    arguments = parse_good(WORDS("--all"));
    assert_int_equal(config_int(arguments->config, SETTING_RUN_CONCURRENCY), 4);
    cli_arguments_free(arguments);
}

static void a_repeated_list_keeps_its_order(void **state)
{
    (void)state;
    CliArguments *arguments = parse_good(WORDS("--workers", "tcp://a:1,tcp://b:2", "--workers=tcp://c:3"));
    const TextList *workers = config_worker_endpoints(arguments->config);
    assert_int_equal(workers->count, 3);
    assert_string_equal(workers->items[0], "tcp://a:1");
    assert_string_equal(workers->items[2], "tcp://c:3");
    cli_arguments_free(arguments);
}

static void an_argument_may_look_like_an_option(void **state)
{
    (void)state;
    CliArguments *arguments = parse_good(WORDS("-t", "-a"));
    assert_string_equal(option_value(arguments, "tenant"), "-a");
    assert_false(option_given(arguments, "all"));
    cli_arguments_free(arguments);
}

static void words_are_kept_in_order(void **state)
{
    (void)state;
    Error error = {0};
    CliArguments *arguments = parse(WORDS("x", "-a", "-", "--", "--all"), 3, &error);
    assert_non_null(arguments);
    assert_int_equal(arguments->positionals.count, 3);
    assert_string_equal(arguments->positionals.items[0], "x");
    assert_string_equal(arguments->positionals.items[1], "-");
    assert_string_equal(arguments->positionals.items[2], "--all");
    cli_arguments_free(arguments);
}

typedef struct Mistake {
    const char *words[5];
    const char *message;
    const char *hint;
} Mistake;

static void mistakes_get_one_line(void **state)
{
    (void)state;
    /* clang-format off */
    static const Mistake MISTAKES[] = {
        {{"--concurency", "5"}, "unknown option \"--concurency\"", "did you mean --concurrency?"},
        {{"--conc", "5"}, "unknown option \"--conc\"", "did you mean --concurrency?"},
        {{"--zzzzz"}, "unknown option \"--zzzzz\"", NULL},
        {{"--zzzzz=hunter2"}, "unknown option \"--zzzzz\"", NULL},
        {{"--postgresql://u:hunter2@h"}, "unknown option <redacted>", NULL},
        {{"-z"}, "unknown option \"-z\"", NULL},
        {{"-az"}, "unknown option \"-z\"", NULL},
        {{"--all", "--concurrency"}, "--concurrency needs a value: N|auto", NULL},
        {{"-c"}, "-c (--concurrency) needs a value: N|auto", NULL},
        {{"--all=yes"}, "--all takes no value", NULL},
        {{"--al=yes"}, "unknown option \"--al\"", "did you mean --all?"},
        {{"-c", "0"}, "--concurrency: \"0\" is out of range (1 to 10000, or auto)", NULL},
        {{"--lock-timeout", "soon"}, "--lock-timeout: \"soon\" is not a whole number", NULL},
        {{"--limit", "0"}, "--limit: \"0\" is out of range (1 to 100)", NULL},
        {{"--limit=x"}, "--limit: \"x\" is not a whole number", NULL},
        {{"--workers", "a,,b"}, "--workers: has an empty part between commas", NULL},
        {{"-c", "1", "-c", "2"}, "--concurrency is given twice", NULL},
        {{"-t", "x", "-a"}, "--all and --tenant exclude each other", NULL},
        {{"-qv"}, "--quiet and --verbose exclude each other", NULL},
        {{"extra"}, "unexpected argument \"extra\"", NULL},
        {{"postgresql://u:hunter2@h"}, "unexpected argument <redacted>", NULL},
        {{"--", "-a"}, "unexpected argument \"-a\"", NULL},
        {{"--log-level", "loud"}, "--log-level: \"loud\" is not one of error, warning, info, debug", NULL},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(MISTAKES) / sizeof(MISTAKES[0]); i++) {
        ERROR_CLEANUP Error error = {0};
        if (parse(MISTAKES[i].words, 0, &error) != NULL)
            fail_msg("accepted: %s", MISTAKES[i].words[0]);
        assert_string_equal(error.message, MISTAKES[i].message);
        assert_int_equal(error_class(error.code)->exit_code, EXIT_USAGE);
        assert_int_equal(error.code, ERROR_USAGE);
        if (MISTAKES[i].hint != NULL)
            assert_string_equal(error.hint, MISTAKES[i].hint);
        else
            assert_null(error.hint);
    }
}

static void a_bad_configuration_is_one_too(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_null(parse(WORDS("--config", "/nonexistent"), 0, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    /* ... but no reason to withhold the help. */
    CliArguments *arguments = parse_good(WORDS("--config", "/nonexistent", "--help"));
    assert_non_null(arguments->answer);
    assert_null(arguments->config);
    cli_arguments_free(arguments);
}

static void the_help_is_made_from_the_tables(void **state)
{
    (void)state;
    CliArguments *arguments = parse_good(WORDS("-h"));
    static const char *const PARTS[] = {
        "Tests options.\n\nUsage:\n  prog run [options]\n\nOwn:\n",
        "  -a, --all                     everybody\n",
        "  -c, --concurrency N|auto      tenants migrated at once",
        "(tenants, default 10)\n",
        "      --lock-timeout MS         lock_timeout of a migration's transaction; 0 = none (ms, default\n",
        "\nGeneral:\n",
        "\nExample:\n  prog run --all\n",
        "\nExit codes:\n    0  done\n    1  it went wrong\n",
    };
    const char *rest = arguments->answer;
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        rest = strstr(rest, PARTS[i]);
        if (rest == NULL)
            fail_msg("the help lacks, or has in the wrong order: %s", PARTS[i]);
    }
    for (const char *line = arguments->answer; line != NULL; line = strchr(line + 1, '\n'))
        assert_true(strcspn(line + 1, "\n") <= 100);
    cli_arguments_free(arguments);
}

static void the_version_names_the_program(void **state)
{
    (void)state;
    CliArguments *arguments = parse_good(WORDS("--version"));
    assert_string_equal(arguments->answer, "prog " PGCONVOY_VERSION "\n");
    cli_arguments_free(arguments);
}

static void a_mentioned_option_is_seen_before_parsing(void **state)
{
    (void)state;
    char *words[] = {"prog", "--bogus", "--json", "--", "--help", NULL};
    assert_true(options_mention(5, words, "json"));
    assert_false(options_mention(5, words, "help"));
    assert_false(options_mention(5, words, "jso"));
}

static void the_worker_takes_its_options(void **state)
{
    (void)state;
    Error error = {0};
    char *words[] = {"pgconvoy-worker",
                     "--coordinator",
                     "tcp://a:1",
                     "--coordinator=tcp://b:2",
                     "--slots",
                     "3",
                     "--plain",
                     "--drain",
                     "500",
                     "--name",
                     "w1",
                     "--listen",
                     "tcp://*:9",
                     NULL};
    CliArguments *arguments = worker_options_parse(13, words, &error);
    assert_non_null(arguments);
    assert_int_equal(config_coordinators(arguments->config)->count, 2);
    assert_int_equal(config_int(arguments->config, SETTING_WORKER_SLOTS), 3);
    assert_int_equal(config_int(arguments->config, SETTING_WIRE_DRAIN_MS), 500);
    assert_true(config_bool(arguments->config, SETTING_WORKER_PLAIN));
    assert_string_equal(config_text(arguments->config, SETTING_WORKER_NAME), "w1");
    assert_string_equal(config_text(arguments->config, SETTING_WORKER_LISTEN), "tcp://*:9");
    assert_null(arguments->command);
    cli_arguments_free(arguments);

    char *help[] = {"pgconvoy-worker", "--help", NULL};
    arguments = worker_options_parse(2, help, &error);
    assert_non_null(strstr(arguments->answer, "  pgconvoy-worker [--coordinator ENDPOINT]..."));
    cli_arguments_free(arguments);
    assert_null(worker_options_parse(2, (char *[]){"pgconvoy-worker", "--slot", NULL}, &error));
    assert_string_equal(error.hint, "did you mean --slots?");
    error_clear(&error);
}

#define TEST(name) cmocka_unit_test_setup(name, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_spellings_are_read),
        TEST(nothing_given_is_fine),
        TEST(an_option_beats_the_environment),
        TEST(a_repeated_list_keeps_its_order),
        TEST(an_argument_may_look_like_an_option),
        TEST(words_are_kept_in_order),
        TEST(mistakes_get_one_line),
        TEST(a_bad_configuration_is_one_too),
        TEST(the_help_is_made_from_the_tables),
        TEST(the_version_names_the_program),
        TEST(a_mentioned_option_is_seen_before_parsing),
        TEST(the_worker_takes_its_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
