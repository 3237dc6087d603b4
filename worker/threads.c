#include "worker/threads.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

bool thread_start(pthread_t *ret_thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(ret_thread, NULL, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

typedef struct Parallel {
    atomic_size_t next;
    size_t count;
    void (*work)(void *context, size_t index);
    void *context;
} Parallel;

static void *take_items(void *argument)
{
    Parallel *parallel = argument;
    for (size_t i; (i = atomic_fetch_add(&parallel->next, 1)) < parallel->count;)
        parallel->work(parallel->context, i);
    return NULL;
}

void run_parallel(size_t count, size_t width, void (*work)(void *context, size_t index), void *context)
{
    Parallel parallel = {.count = count, .work = work, .context = context};
    size_t helpers = (width < count ? width : count), started = 0;
    pthread_t *threads = helpers > 1 ? calloc(helpers - 1, sizeof *threads) : NULL;
    if (threads != NULL)
        while (started < helpers - 1 && thread_start(&threads[started], take_items, &parallel))
            started++;
    take_items(&parallel);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}
