/* Crash points: places where a test build can be told to die, to see that dying there costs time and nothing
 * else.
 *
 * With PGCONVOY_CRASH_POINTS (cmake) each passage of crash_point() is counted, over all threads of a process,
 * and the process kills itself with SIGKILL at number PGCONVOY_CRASH_AT of the environment.
 * PGCONVOY_CRASH_COUNT names a file that gets one letter for each point passed, so that its size tells how
 * many there are and a letter what kind each was. Without PGCONVOY_CRASH_POINTS, as in a release, all of this
 * is nothing.
 */
#pragma once
#include <stddef.h>

typedef enum CrashPoint {
    CRASH_BEFORE_SEND = 's',  /* a message to the server is about to go out */
    CRASH_AFTER_SEND = 't',   /* it is out, and the server may do what it says */
    CRASH_AFTER_ANSWER = 'a', /* the answer is read, and nobody has been told */
    CRASH_BEFORE_WRITE = 'w', /* a journal's line is about to be written */
    CRASH_IN_WRITE = 'h',     /* half of it is */
    CRASH_AFTER_WRITE = 'j',  /* all of it is */
} CrashPoint;

#ifdef PGCONVOY_CRASH_POINTS

void crash_point(CrashPoint point);

/* CRASH_IN_WRITE: writes half of the data to fd before it dies, and nothing when it does not. */
void crash_point_writing(int fd, const void *data, size_t length);

#else

static inline void crash_point(CrashPoint point)
{
    (void)point;
}

static inline void crash_point_writing(int fd, const void *data, size_t length)
{
    (void)fd;
    (void)data;
    (void)length;
}

#endif
