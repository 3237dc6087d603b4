/* pgconvoy_with_retry(), by the public headers alone. */
#include "tests/support/test.h"
#include <pgconvoy/pool_manager.h>
#include <stdio.h>

/* Fails so many times with this code and SQLSTATE. */
typedef struct Failing {
    int64_t times, calls;
    pgconvoy_error_code code;
    const char *sqlstate;
} Failing;

static bool fail_at_first(void *context, pgconvoy_error *error)
{
    Failing *failing = context;
    assert_int_equal(error->code, PGCONVOY_ERROR_NONE);
    if (failing->calls++ >= failing->times)
        return true;
    pgconvoy_error_set(error, "failure %lld", (long long)failing->calls);
    error->code = failing->code;
    if (failing->sqlstate != NULL)
        strcpy(error->sqlstate, failing->sqlstate);
    return false;
}

static bool fail_in_silence(void *context, pgconvoy_error *error)
{
    (void)context, (void)error;
    return false;
}

static char heard[256];

static void hear(void *context, int64_t attempt, const pgconvoy_error *error, int64_t delay_ms)
{
    (void)context;
    size_t length = strlen(heard);
    snprintf(heard + length, sizeof heard - length, "%lld:%s:%lld ", (long long)attempt, error->message,
             (long long)delay_ms);
}

static pgconvoy_retry_options quick(int64_t max_attempts)
{
    heard[0] = '\0';
    return (pgconvoy_retry_options){.max_attempts = max_attempts,
                                    .initial_delay_ms = 2,
                                    .max_delay_ms = 5,
                                    .no_jitter = true,
                                    .on_retry = hear};
}

static void tries_until_it_is_done(void **state)
{
    (void)state;
    pgconvoy_retry_options options = quick(5);
    pgconvoy_error error = {0};
    pgconvoy_retry_result result = {0};
    Failing failing = {.times = 4, .code = PGCONVOY_ERROR_CONNECT};
    assert_true(pgconvoy_with_retry(&options, fail_at_first, &failing, &result, &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_NONE);
    assert_int_equal(result.attempts, 5);
    assert_true(result.total_time_ms >= 2 + 4 + 5 + 5);
    assert_string_equal(heard, "1:failure 1:2 2:failure 2:4 3:failure 3:5 4:failure 4:5 ");
}

static void gives_up_with_the_last_error(void **state)
{
    (void)state;
    pgconvoy_retry_options options = quick(2);
    pgconvoy_error error = {0};
    pgconvoy_retry_result result = {.attempts = 77};
    Failing failing = {.times = 9, .code = PGCONVOY_ERROR_SERVER, .sqlstate = "57P03"};
    assert_false(pgconvoy_with_retry(&options, fail_at_first, &failing, &result, &error));
    assert_string_equal(error.message, "failure 2");
    assert_int_equal(failing.calls, 2);
    assert_int_equal(result.attempts, 77);
    assert_string_equal(heard, "1:failure 1:2 ");
    pgconvoy_error_clear(&error);
}

static void what_no_attempt_can_cure_is_tried_once(void **state)
{
    (void)state;
    static const Failing CASES[] = {
        {.times = 1, .code = PGCONVOY_ERROR_SERVER, .sqlstate = "42601"},
        {.times = 1, .code = PGCONVOY_ERROR_CONNECT, .sqlstate = "28P01"},
        {.times = 1, .code = PGCONVOY_ERROR_CALLBACK},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        pgconvoy_retry_options options = quick(3);
        pgconvoy_error error = {0};
        Failing failing = CASES[i];
        assert_false(pgconvoy_with_retry(&options, fail_at_first, &failing, NULL, &error));
        assert_int_equal(failing.calls, 1);
        assert_string_equal(heard, "");
        pgconvoy_error_clear(&error);
    }
}

static void jitter_adds_at_most_a_quarter(void **state)
{
    (void)state;
    pgconvoy_retry_options options = quick(2);
    options.initial_delay_ms = options.max_delay_ms = 8;
    options.no_jitter = false;
    pgconvoy_error error = {0};
    Failing failing = {.times = 1, .code = PGCONVOY_ERROR_CONNECT};
    assert_true(pgconvoy_with_retry(&options, fail_at_first, &failing, NULL, &error));
    long long delay_ms = 0;
    assert_int_equal(sscanf(heard, "1:failure 1:%lld", &delay_ms), 1);
    assert_in_range(delay_ms, 8, 10);
}

static void nonsense_is_refused_before_anything_is_tried(void **state)
{
    (void)state;
    static const pgconvoy_retry_options CASES[] = {
        {.max_attempts = -1}, {.initial_delay_ms = -1}, {.max_delay_ms = -1}, {.multiplier = 0.5}};
    pgconvoy_error error = {0};
    Failing failing = {0};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_false(pgconvoy_with_retry(&CASES[i], fail_at_first, &failing, NULL, &error));
        assert_int_equal(error.code, PGCONVOY_ERROR_USAGE);
    }
    assert_int_equal(failing.calls, 0);
    assert_false(pgconvoy_with_retry(NULL, NULL, NULL, NULL, &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_USAGE);
    assert_false(pgconvoy_with_retry(NULL, fail_in_silence, NULL, NULL, &error));
    assert_string_equal(error.message, "what was tried failed and did not say why");
    pgconvoy_error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_until_it_is_done),
        cmocka_unit_test(gives_up_with_the_last_error),
        cmocka_unit_test(what_no_attempt_can_cure_is_tried_once),
        cmocka_unit_test(jitter_adds_at_most_a_quarter),
        cmocka_unit_test(nonsense_is_refused_before_anything_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
