#include "common/secret.h"
#include "tests/support/test.h"

static const char URL[] = "postgresql://u:hunter2@db/app";

static void printing_never_shows_the_text(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    ConnectionString *secret = connection_string_new(URL, &error);
    assert_string_equal(connection_string_print(secret), "<redacted>");
    assert_string_equal(connection_string_reveal(secret), URL);
    connection_string_free(secret);
}

static void a_copy_outlives_its_original(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    ConnectionString *secret = connection_string_new(URL, &error);
    ConnectionString *copy = connection_string_copy(secret, &error);
    connection_string_free(secret);
    assert_string_equal(connection_string_reveal(copy), URL);
    connection_string_free(copy);
    connection_string_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printing_never_shows_the_text),
        cmocka_unit_test(a_copy_outlives_its_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
