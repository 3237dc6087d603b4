/* Clock: monotonic milliseconds behind one pointer, so that tests and the simulator own time.
 *
 * Wall-clock time is for people only (logs, run start); no decision of a run depends on it.
 */
#pragma once
#include <stdint.h>

typedef struct Clock {
    int64_t (*now_ms)(void *context);
    void *context;
} Clock;

extern const Clock SYSTEM_CLOCK; /* CLOCK_MONOTONIC */

int64_t clock_now_ms(const Clock *clock);

/* UTC "2026-01-31T12:00:00.000Z" of the wall clock into a buffer of 32 bytes. */
void clock_timestamp(char ret_text[32]);
