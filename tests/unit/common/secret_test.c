#include "common/secret.h"
#include "tests/support/test.h"

static const char URL[] = "postgresql://u:hunter2@db/app";

/* Takes libc's place, to see what is overwritten. */
static size_t wiped;

void explicit_bzero(void *bytes, size_t length)
{
    memset(bytes, 0, length);
    wiped += length;
}

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

static void freeing_overwrites_the_text(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    ConnectionString *secret = connection_string_new(URL, &error);
    wiped = 0;
    connection_string_free(secret);
    assert_int_equal(wiped, strlen(URL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printing_never_shows_the_text),
        cmocka_unit_test(a_copy_outlives_its_original),
        cmocka_unit_test(freeing_overwrites_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
