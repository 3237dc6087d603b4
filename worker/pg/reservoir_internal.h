/* The reservoir's own structures, for reservoir.c (lending) and reservoir_cancel.c. */
#pragma once
#include "worker/pg/reservoir.h"
#include "worker/pg/seat.h"
#include <pthread.h>

/* A caller in the queue; lives on its stack. */
typedef struct Waiter {
    pthread_cond_t granted;
    const ReservoirRequest *request;
    Seat *seat; /* set by whoever grants */
    struct Waiter *prev, *next;
} Waiter;

struct Reservoir {
    pthread_mutex_t mutex;
    int references; /* the owner's, and one for each thread that cancels */
    char *database;
    ConnectionString *url;
    ReservoirOptions options; /* database and url point at the copies above */
    Seat *idle;               /* most recently returned first */
    Seat *lent;
    Waiter *waiters; /* first come first */
    ReservoirCounts counts;
    int64_t limit;
    bool closed;
    Error connect_error; /* of the last attempt; ERROR_NONE when that went well */
    int64_t failed_at_ms;
    uint64_t random;
};

/* Closes a seat that is in no list and gives its room to the queue. Mutex not held. */
void reservoir_drop_seat(Reservoir *reservoir, Seat *seat);
