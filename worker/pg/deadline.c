#include "worker/pg/deadline.h"

static const int64_t NS_PER_MS = 1000000;

Deadline deadline_after_ms(int64_t ms)
{
    Deadline deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline.time);
    if (ms > 0) {
        int64_t ns = deadline.time.tv_nsec + ms % 1000 * NS_PER_MS;
        deadline.time.tv_sec += ms / 1000 + ns / (1000 * NS_PER_MS);
        deadline.time.tv_nsec = ns % (1000 * NS_PER_MS);
    }
    return deadline;
}

int64_t deadline_left_ms(Deadline deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (deadline.time.tv_sec - now.tv_sec) * 1000 * NS_PER_MS + deadline.time.tv_nsec - now.tv_nsec;
    return ns <= 0 ? 0 : (ns + NS_PER_MS - 1) / NS_PER_MS;
}

Deadline deadline_earlier(Deadline a, Deadline b)
{
    if (a.time.tv_sec != b.time.tv_sec)
        return a.time.tv_sec < b.time.tv_sec ? a : b;
    return a.time.tv_nsec < b.time.tv_nsec ? a : b;
}

void deadline_wait(Deadline deadline, pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &deadline.time);
}
