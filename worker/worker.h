/* Worker: does the database work that coordinators hand out. The one header of this layer that the
 * coordinator sees.
 *
 * A worker is stateless: it holds credentials, connections and a bounded outbox, and killing it costs time,
 * never correctness. It owns a loop thread (all its links) and `slots` threads that run operations; it starts
 * and stops synchronously, blocks all signals in its threads and installs no handler. The coordinator's
 * process hosts one over inproc://; pgconvoy-worker is one in a process of its own, for any number of
 * coordinators one after another or side by side.
 */
#pragma once
#include "common/config.h"
#include "common/error.h"
#include "common/host_callbacks.h"
#include "proto/link.h"

typedef struct Worker Worker;

typedef struct WorkerOptions {
    const Config *config; /* databases, pools, retry, wire times; must outlive the worker */
    WireContext *context; /* shared with whoever it talks to over inproc:// */
    int64_t slots;
    const char *const *coordinators; /* endpoints to connect to */
    size_t coordinator_count;
    const char *listen;         /* endpoint to bind, or NULL */
    bool plain;                 /* allow loopback TCP without keys */
    const HostCallbacks *hooks; /* of the hosting program, or NULL; copied */
} WorkerOptions;

/* Opens the links and starts the threads. The links are open when this returns; greeting goes on in the
 * background. */
Worker *worker_start(const WorkerOptions *options, Error *error) MUST_CHECK;

/* The endpoint as bound, with the real port; NULL when it does not listen. */
const char *worker_endpoint(const Worker *worker);

/* Asks it to take nothing new, finish or give back what it has, deliver the results and say goodbye; `now`
 * cancels the statements in flight too. Thread-safe, returns at once. */
void worker_drain(Worker *worker, bool now);

/* Becomes readable when the drained worker has ended. */
int worker_done_fd(const Worker *worker);

/* True when it has ended because its machinery broke; the log says how. */
bool worker_failed(const Worker *worker);

/* Stops whatever still runs (cancelling it), joins all threads, closes links and connections. Accepts NULL.
 */
void worker_free(Worker *worker);
