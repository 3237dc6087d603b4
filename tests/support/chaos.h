/* Chaos: a TCP proxy that does to connections what networks do, at the test's command.
 *
 * A forked child copies bytes between whoever connects to chaos_port() and a loopback port, and looks at the
 * wishes below between any two chunks; it dies with the test program. TCP hides the loss of packets, so there
 * are two kinds of silence: held bytes arrive when the silence ends, as over a link that was repaired before
 * TCP gave up; dropped bytes never do, and such a connection is reset when the silence ends. "Up" is from the
 * one that connected. Failures of the harness end the test program.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

typedef enum ChaosFlow { CHAOS_PASS, CHAOS_HOLD, CHAOS_DROP } ChaosFlow;

/* Shared with the child. Wishes are the test's to write, counters the child's. */
typedef struct ChaosControl {
    atomic_int up, down;       /* ChaosFlow */
    atomic_bool refuse;        /* connections are reset when they come */
    atomic_long delay_ms;      /* each chunk arrives so much later */
    atomic_long bytes_per_s;   /* each direction of each connection; 0 = no limit */
    atomic_long flip_after;    /* one bit flips in each connection's byte of this number, upwards; 0 = none */
    atomic_long cut_after;     /* a connection is reset when it has carried so many bytes; 0 = never */
    atomic_long cut_one_in;    /* each chunk resets its connection with this chance; 0 = never */
    atomic_uint resets_wanted; /* raised by one: all connections are reset */
    atomic_uint resets_done;   /* follows it */
    atomic_long accepted, cuts, flips, bytes_up, bytes_down, dropped; /* since the start */
    atomic_int open;                                                  /* connections now */
} ChaosControl;

typedef struct Chaos {
    ChaosControl *control;
    pid_t child;
    int port;
} Chaos;

/* Forwards a free loopback port to `target_port`, all passing. */
Chaos *chaos_start(int target_port);
void chaos_stop(Chaos *chaos);

/* Both directions at once. */
void chaos_flow(Chaos *chaos, ChaosFlow up, ChaosFlow down);

/* Resets all connections, and returns when that is done. */
void chaos_reset(Chaos *chaos);
