#include "common/clock.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t monotonic_ms(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const Clock SYSTEM_CLOCK = {monotonic_ms, NULL};

int64_t clock_now_ms(const Clock *clock)
{
    return clock->now_ms(clock->context);
}

void clock_timestamp(char ret_text[32])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + length, 32 - length, ".%03dZ", (int)(now.tv_nsec / 1000000));
}
