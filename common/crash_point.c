#include "common/crash_point.h"

#ifdef PGCONVOY_CRASH_POINTS
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static long crash_at; /* 0 = never */
static int count_fd = -1;
static atomic_long passed;

static void read_environment(void)
{
    const char *at = getenv("PGCONVOY_CRASH_AT"), *count = getenv("PGCONVOY_CRASH_COUNT");
    crash_at = at != NULL ? atol(at) : 0;
    if (count != NULL)
        count_fd = open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* True at the point to die at. */
static bool is_due(CrashPoint point)
{
    pthread_once(&once, read_environment);
    char letter = (char)point;
    if (count_fd >= 0 && write(count_fd, &letter, 1) != 1)
        abort(); /* a count that is too small would leave points untried */
    return atomic_fetch_add(&passed, 1) + 1 == crash_at;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

void crash_point(CrashPoint point)
{
    if (is_due(point))
        die();
}

void crash_point_writing(int fd, const void *data, size_t length)
{
    if (!is_due(CRASH_IN_WRITE))
        return;
    ssize_t written = write(fd, data, length / 2);
    (void)written;
    die();
}
#endif
