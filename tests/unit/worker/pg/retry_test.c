#include "tests/support/test.h"
#include "worker/pg/connection.h"

static RetryClass class_of(ErrorCode code, const char *sqlstate)
{
    Error error = {.code = code};
    strcpy(error.sqlstate, sqlstate);
    return error_retry_class(&error);
}

static void only_what_may_pass_is_tried_again(void **state)
{
    (void)state;
    static const char *const TRANSIENT[] = {"40001", "40P01", "57P01", "57P02", "57P03",
                                            "53300", "25P03", "08000", "08006", "08P01"};
    for (size_t i = 0; i < sizeof TRANSIENT / sizeof TRANSIENT[0]; i++)
        assert_int_equal(class_of(ERROR_SERVER, TRANSIENT[i]), RETRY_TRANSIENT);
    static const char *const NEVER[] = {"42601", "42P07", "23505", "22012", "57014", "57P04", "53100",
                                        "25006", "28P01", "3D000", "0A000", "40002", ""};
    for (size_t i = 0; i < sizeof NEVER / sizeof NEVER[0]; i++)
        assert_int_equal(class_of(ERROR_SERVER, NEVER[i]), RETRY_NEVER);
    assert_int_equal(class_of(ERROR_SERVER, "55P03"), RETRY_LOCK);
}

static void lost_connections_are_tried_again_and_refused_ones_by_their_reason(void **state)
{
    (void)state;
    assert_int_equal(class_of(ERROR_CONNECT, ""), RETRY_TRANSIENT);
    assert_int_equal(class_of(ERROR_CONNECT, "57P01"), RETRY_TRANSIENT);
    assert_int_equal(class_of(ERROR_CONNECT, "53300"), RETRY_TRANSIENT);
    assert_int_equal(class_of(ERROR_CONNECT, "28P01"), RETRY_NEVER);
    assert_int_equal(class_of(ERROR_CONNECT, "3D000"), RETRY_NEVER);
    assert_int_equal(class_of(ERROR_CANCELLED, "57014"), RETRY_NEVER);
    assert_int_equal(class_of(ERROR_CONFIG, ""), RETRY_NEVER);
    assert_int_equal(class_of(ERROR_MEMORY, ""), RETRY_NEVER);
}

static void delays_double_up_to_the_cap_with_a_quarter_of_jitter(void **state)
{
    (void)state;
    static const int64_t EXPECTED[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    uint64_t seed = 7;
    bool jittered = false;
    for (int64_t round = 0; round < 200; round++) {
        for (int64_t i = 0; i < 8; i++) {
            int64_t delay = retry_delay_ms(i + 2, 100, 5000, &seed);
            assert_in_range(delay, EXPECTED[i], EXPECTED[i] + EXPECTED[i] / 4);
            jittered = jittered || delay != EXPECTED[i];
        }
    }
    assert_true(jittered);
}

static void delays_survive_odd_numbers(void **state)
{
    (void)state;
    uint64_t seed = 0;
    assert_int_equal(retry_delay_ms(2, 0, 5000, &seed), 0);
    assert_int_equal(retry_delay_ms(2, -5, 5000, &seed), 0);
    assert_in_range(retry_delay_ms(0, 100, 5000, &seed), 100, 125);
    assert_in_range(retry_delay_ms(INT64_MAX, 100, 5000, &seed), 5000, 6250);
    assert_in_range(retry_delay_ms(2, 9000, 5000, &seed), 5000, 6250);
    assert_true(retry_delay_ms(100, INT64_MAX / 3, INT64_MAX, &seed) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_may_pass_is_tried_again),
        cmocka_unit_test(lost_connections_are_tried_again_and_refused_ones_by_their_reason),
        cmocka_unit_test(delays_double_up_to_the_cap_with_a_quarter_of_jitter),
        cmocka_unit_test(delays_survive_odd_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
