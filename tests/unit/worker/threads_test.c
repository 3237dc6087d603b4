#include "tests/support/test.h"
#include "worker/threads.h"
#include <signal.h>
#include <stdatomic.h>

enum { ITEMS = 200 };

typedef struct Work {
    atomic_int done[ITEMS];
    atomic_int active, highest;
} Work;

static void count_item(void *context, size_t index)
{
    Work *work = context;
    int active = atomic_fetch_add(&work->active, 1) + 1;
    for (int seen = atomic_load(&work->highest); active > seen;)
        if (atomic_compare_exchange_weak(&work->highest, &seen, active))
            break;
    atomic_fetch_add(&work->done[index], 1);
    atomic_fetch_sub(&work->active, 1);
}

static void every_item_is_worked_on_once_within_the_width(void **state)
{
    (void)state;
    for (size_t width = 0; width <= 5; width++) {
        Work work = {0};
        run_parallel(ITEMS, width, count_item, &work);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(work.done[i], 1);
        assert_in_range(work.highest, 1, width > 0 ? (int)width : 1);
    }
    run_parallel(0, 4, count_item, NULL);
}

static void *look_at_mask(void *argument)
{
    pthread_sigmask(SIG_SETMASK, NULL, argument);
    return NULL;
}

static void threads_block_all_signals_and_the_caller_s_mask_stays(void **state)
{
    (void)state;
    sigset_t inside, before, after;
    pthread_t thread;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_true(thread_start(&thread, look_at_mask, &inside));
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        assert_true(sigismember(&inside, SIGNALS[i]));
        assert_int_equal(sigismember(&before, SIGNALS[i]), sigismember(&after, SIGNALS[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_worked_on_once_within_the_width),
        cmocka_unit_test(threads_block_all_signals_and_the_caller_s_mask_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
