/* Executor: the slots of one worker, threads that take tasks from one queue and run operations.
 *
 * The loop thread submits jobs and collects reports; executor_fd() becomes readable when there are
 * reports, at once when few tasks are left in front of the slots, else within 5 ms: so fast work does not
 * wake the loop for each tenant. A job of a tenant operation becomes one task per tenant, a set job one task.
 * What a task reports: it started, it finished with outcome and packed result. Jobs of an aborted Run that
 * have not started finish at once as OUTCOME_NOT_STARTED.
 */
#pragma once
#include "common/config.h"
#include "common/migration.h"
#include "common/operation.h"
#include "proto/message.h"
#include "worker/hooks.h"
#include "worker/ops/script_cache.h"
#include "worker/pg/reservoir.h"
#include <stdatomic.h>

typedef struct Executor Executor;

/* A bundle shared by the jobs that use it. */
typedef struct SharedBundle {
    Bundle bundle;
    ScriptCache *scripts; /* of the bundle; owned */
    atomic_int references;
} SharedBundle;

void shared_bundle_release(SharedBundle *bundle); /* accepts NULL */

/* What the jobs of one conversation share; reference-counted because tasks may outlive the conversation. */
typedef struct Run {
    atomic_int references;
    atomic_bool aborting;  /* start nothing new */
    atomic_bool cancelled; /* statements in flight are being cancelled */
    char id[33];           /* hex run id, for application_name */
    uint64_t conversation; /* whose reports these are */
    size_t database_count;
    struct RunDatabase {
        const char *name; /* the configuration's */
        Reservoir *reservoir;
        int64_t max_connections;
    } * databases;
} Run;

/* One reservoir per configured database, still without a connection. */
Run *run_new(const Config *config, const char *id, uint64_t conversation, Error *error) MUST_CHECK;
void run_release(Run *run); /* accepts NULL; the last one closes the connections */
void run_abort(Run *run, bool cancel);

/* Moves the content of *message away; on failure it is untouched. Takes references of its own to run and
 * bundle. The job's grant becomes the limit of the run's connections to that database. */
bool executor_submit(Executor *executor, Run *run, SharedBundle *bundle, JobMessage *message,
                     Error *error) MUST_CHECK;

/* run_abort() for every Run that has tasks queued or running here: of one conversation, also an earlier Run
 * of it, or with 0 of all, also of those that nobody listens to any more. */
void executor_abort(Executor *executor, uint64_t conversation, bool cancel);

typedef enum ReportKind { REPORT_STARTED, REPORT_FINISHED } ReportKind;

typedef struct Report {
    struct Report *next;
    ReportKind kind;
    uint64_t conversation; /* of the job's Run */
    int64_t phase, index, attempt;
    Outcome outcome;
    ByteString body; /* finished: packed result */
} Report;

/* `hooks`, which may be NULL, must outlive the executor. */
Executor *executor_new(size_t slots, HookSet *hooks, Error *error) MUST_CHECK;

/* Cancels nothing by itself: abort the runs first. Drops queued tasks, joins the slots. Accepts NULL. */
void executor_free(Executor *executor);
int executor_fd(const Executor *executor);

/* All reports so far, oldest first, the caller's to free one by one; clears executor_fd(), which also becomes
 * readable when the load has fallen to nothing. */
Report *executor_collect(Executor *executor);
void report_free(Report *report);

/* Tasks queued or running. */
size_t executor_load(Executor *executor);
