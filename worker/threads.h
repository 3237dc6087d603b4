/* Threads of this library: all signals blocked, so that the host program's handlers run in its own threads.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

bool thread_start(pthread_t *ret_thread, void *(*run)(void *), void *argument)
    __attribute__((warn_unused_result));

/* Calls work(context, i) for every i below count, at most `width` at a time (at least one), and returns when
 * all have ended. The calling thread works, too; when threads cannot be had, it does all. */
void run_parallel(size_t count, size_t width, void (*work)(void *context, size_t index), void *context);
