/* Dispatcher, inside: what its files share. dispatcher.c owns links and loop, registry.c the workers and
 * their greetings, dispatcher_phase.c turns engine actions into messages and messages into engine events. */
#pragma once
#include "common/log.h"
#include "coordinator/dispatcher.h"
#include "proto/channel.h"

/* A JOB that its worker has not acknowledged yet. Texts belong to the phase. */
typedef struct SentJob {
    struct SentJob *prev, *next;
    uint64_t seq; /* in the worker's current session */
    JobMessage message;
} SentJob;

/* A worker as the coordinator sees it, from its first HELLO to the end of the run. */
typedef struct RegisteredWorker {
    struct RegisteredWorker *prev, *next;
    char uuid[33];
    char *name;
    int64_t incarnation; /* of the newest HELLO */
    int64_t slots;
    bool *reaches; /* by index of the dispatcher's databases */
    size_t reach_count;
    Channel channel;
    bool serving; /* greeted and not lost since */
    bool suspect; /* silent for longer than suspect_ms */
    bool draining;
    bool tenant_hooks; /* wants tenants without work too */
    bool joined;       /* known to the current engine as engine_id */
    uint32_t engine_id;
    SentJob *jobs;
    bool confused;                  /* asked for migrations that this run does not have */
    uint64_t bundle_seq;            /* of the BUNDLE sent last in this session; 0 = none */
    uint64_t acked;                 /* when we looked last, ... */
    int64_t progress_ms;            /* ... and since when it acknowledges nothing of what it was sent */
    bool leased;                    /* it was given a tenant once: the run may point to it */
    LogBudget complaints, sessions; /* of what it does, and of beginnings and ends */
} RegisteredWorker;

/* Whom a WHO was sent to lately: one a second for each, however many stray frames they send. */
typedef struct Stranger {
    const Link *link;
    PeerId peer;
    int64_t told_ms;
} Stranger;

enum { STRANGERS = 64, WORKERS_MAX = 10000 };

struct Dispatcher {
    DispatcherOptions options;
    char run_id[33];
    char name[96];
    Link **links; /* connected ones first, then bound ones */
    size_t link_count;
    LinkPollItem *items; /* the links and, last, the host's interrupt_fd */
    RegisteredWorker *workers;
    size_t worker_count; /* in the list */
    Stranger strangers[STRANGERS];
    size_t next_stranger;
    bool stray_logged;
    LogBudget refusals;
    TextList databases;
    int64_t *budgets;  /* by database: the smallest announced */
    int64_t greet_ms;  /* when connected links say WHO again */
    int64_t reopen_ms; /* when links with keys that nobody answers are opened again */
    bool aborting, cancelling;
    bool leaving; /* the run is over: goodbyes are answers, greetings come too late */

    /* The phase under way. */
    const Phase *phase;
    int64_t phase_number;
    Engine *engine;
    const RegisteredWorker **holders; /* by tenant: who got the newest attempt */
    size_t starts;                    /* heard of */
    uint32_t last_engine_id;
    size_t engine_databases;
    bool aborted_by_policy;
    bool complete;
    int64_t alone_since_ms; /* pending work that no worker can do; 0 = there is none */
};

/* registry.c */
bool registry_greet(Dispatcher *dispatcher, Link *link, const IncomingFrame *frame, int64_t now_ms,
                    Error *error) MUST_CHECK;

/* Whose session a frame belongs to. The session goes on under the frame's peer id: after a broken connection
 * ZeroMQ gives the same worker another one. */
RegisteredWorker *registry_find(Dispatcher *dispatcher, const Link *link, const IncomingFrame *frame);
bool registry_tell_stranger(Dispatcher *dispatcher, Link *link, const IncomingFrame *frame, int64_t now_ms,
                            Error *error) MUST_CHECK;

/* Declares it gone: what it held goes to others. A later HELLO brings it back. */
bool registry_lose(Dispatcher *dispatcher, RegisteredWorker *worker, const char *why, int64_t now_ms,
                   Error *error) MUST_CHECK;
bool registry_check_silence(Dispatcher *dispatcher, int64_t now_ms, Error *error) MUST_CHECK;
bool registry_send(Dispatcher *dispatcher, int64_t now_ms, int64_t *wakeup_ms, Error *error) MUST_CHECK;
void registry_forget_jobs(RegisteredWorker *worker);
void registry_free(Dispatcher *dispatcher);

/* dispatcher_phase.c */
bool phase_join(Dispatcher *dispatcher, RegisteredWorker *worker, int64_t now_ms, Error *error) MUST_CHECK;
bool phase_handle(Dispatcher *dispatcher, RegisteredWorker *worker, Message *message, int64_t now_ms,
                  Error *error) MUST_CHECK;
bool phase_act(Dispatcher *dispatcher, int64_t now_ms, Error *error) MUST_CHECK;
