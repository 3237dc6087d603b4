#include "common/clock.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <time.h>

static int64_t scripted(void *context)
{
    return *(int64_t *)context;
}

static void a_test_owns_its_clock(void **state)
{
    (void)state;
    int64_t now = 41;
    const Clock clock = {scripted, &now};
    assert_int_equal(clock_now_ms(&clock), 41);
    now++;
    assert_int_equal(clock_now_ms(&clock), 42);
}

static void the_system_clock_is_monotonic_milliseconds(void **state)
{
    (void)state;
    struct timespec reference;
    clock_gettime(CLOCK_MONOTONIC, &reference);
    int64_t before = reference.tv_sec * 1000 + reference.tv_nsec / 1000000;
    int64_t now = clock_now_ms(&SYSTEM_CLOCK);
    assert_in_range(now - before, 0, 5000);
}

static void the_timestamp_is_utc_with_milliseconds(void **state)
{
    (void)state;
    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    char text[32];
    clock_timestamp(text);
    assert_int_equal(strlen(text), strlen("2026-01-31T12:00:00.000Z"));
    struct tm parts = {0};
    int milliseconds;
    assert_int_equal(sscanf(text, "%d-%d-%dT%d:%d:%d.%3dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                            &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &milliseconds),
                     7);
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    assert_in_range(time(NULL) - timegm(&parts), 0, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_owns_its_clock),
        cmocka_unit_test(the_system_clock_is_monotonic_milliseconds),
        cmocka_unit_test(the_timestamp_is_utc_with_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
