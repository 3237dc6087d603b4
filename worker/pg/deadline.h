/* Deadline: a moment of CLOCK_MONOTONIC up to which somebody waits, for condition variables and poll().
 *
 * Real time on purpose: a thread that sleeps cannot be woken by a test's clock.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct Deadline {
    struct timespec time;
} Deadline;

Deadline deadline_after_ms(int64_t ms);      /* from now; less than nothing is now */
int64_t deadline_left_ms(Deadline deadline); /* rounded up; 0 = passed */
Deadline deadline_earlier(Deadline a, Deadline b);

/* Mutex held. Waits for a signal at most until the deadline; wakes without a reason too. */
void deadline_wait(Deadline deadline, pthread_cond_t *condition, pthread_mutex_t *mutex);
