#include "tests/support/test.h"
#include "worker/pg/deadline.h"

static void lies_in_the_future_by_what_was_asked_for(void **state)
{
    (void)state;
    Deadline deadline = deadline_after_ms(61500);
    assert_in_range(deadline_left_ms(deadline), 60000, 61500);
    assert_true(deadline.time.tv_nsec >= 0 && deadline.time.tv_nsec < 1000000000);
}

static void nothing_or_less_is_now(void **state)
{
    (void)state;
    assert_int_equal(deadline_left_ms(deadline_after_ms(0)), 0);
    assert_int_equal(deadline_left_ms(deadline_after_ms(-5)), 0);
}

static void what_is_left_is_rounded_up(void **state)
{
    (void)state;
    Deadline deadline = deadline_after_ms(1000);
    deadline.time.tv_nsec -= deadline.time.tv_nsec % 1000000 - 1; /* 1 ns beyond a whole millisecond */
    int64_t left = deadline_left_ms(deadline);
    assert_in_range(left, 1, 1000); /* never 0 before it has passed */
}

static void the_earlier_one_wins_whichever_comes_first(void **state)
{
    (void)state;
    Deadline soon = deadline_after_ms(10), late = deadline_after_ms(20000);
    assert_memory_equal(&(Deadline){deadline_earlier(soon, late).time}, &soon, sizeof soon);
    assert_memory_equal(&(Deadline){deadline_earlier(late, soon).time}, &soon, sizeof soon);
}

static void waiting_ends_when_it_has_passed(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    Deadline deadline = deadline_after_ms(15);
    pthread_mutex_lock(&mutex);
    while (deadline_left_ms(deadline) > 0)
        deadline_wait(deadline, &condition, &mutex);
    pthread_mutex_unlock(&mutex);
    assert_int_equal(deadline_left_ms(deadline), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_in_the_future_by_what_was_asked_for),
        cmocka_unit_test(nothing_or_less_is_now),
        cmocka_unit_test(what_is_left_is_rounded_up),
        cmocka_unit_test(the_earlier_one_wins_whichever_comes_first),
        cmocka_unit_test(waiting_ends_when_it_has_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
