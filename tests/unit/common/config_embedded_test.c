/* The configuration of a program that embeds the library. */
#include "common/config.h"
#include "tests/support/test.h"

static void an_embedding_program_is_asked_before_the_environment(void **state)
{
    (void)state;
    setenv("PGCONVOY_RUN_CONCURRENCY", "77", 1);
    setenv("DATABASE_URL", "postgres://nowhere", 1);
    Error error ERROR_CLEANUP = {0};
    Config *config = config_load_embedded(NULL, &error);
    unsetenv("PGCONVOY_RUN_CONCURRENCY");
    unsetenv("DATABASE_URL");
    assert_non_null(config);
    size_t count = 1;
    config_databases(config, &count);
    assert_int_equal(count, 0);
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 10);

    const DatabaseChoice choices[] = {{NULL, "postgres://a", 0}, {"eu", "postgres://b", 7}};
    assert_true(config_set_databases(config, choices, 2, &error));
    assert_true(config_set_databases(config, choices, 2, &error)); /* in place of the others */
    const DatabaseConfig *databases = config_databases(config, &count);
    assert_int_equal(count, 2);
    assert_string_equal(databases[0].name, "main");
    assert_int_equal(databases[0].max_connections, 20);
    assert_int_equal(databases[1].max_connections, 7);
    assert_false(config_set_databases(config, &(DatabaseChoice){"a b", "x", 0}, 1, &error));
    assert_string_equal(error.message,
                        "databases[0]: \"a b\" must be 1 to 63 of the characters A-Z a-z 0-9 _ . -");
    assert_false(config_set_databases(config, &(DatabaseChoice){NULL, " ", 0}, 1, &error));

    assert_false(config_set(config, SETTING_RUN_CONCURRENCY, "x", SOURCE_HOST, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_non_null(strstr(error.message, "run.concurrency"));
    assert_true(config_set(config, SETTING_WIRE_DEAD_MS, "1", SOURCE_HOST, &error));
    assert_false(config_check(config, &error));
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_embedding_program_is_asked_before_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
