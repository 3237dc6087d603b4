#include "worker/executor.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/tenant.h"
#include "proto/record_codec.h"
#include "worker/ops/op.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A job as accepted, shared by its tasks. */
typedef struct Job {
    atomic_int references;
    Run *run;
    SharedBundle *bundle;
    JobMessage message;
    OperationId operation;
    struct RunDatabase *database;
} Job;

typedef struct Task {
    struct Task *next;
    Job *job;
    size_t first, count; /* of the job's tenants */
    Report *finished;    /* one for each tenant, made beforehand: no lack of memory may swallow an outcome */
} Task;

/* When the loop is to be woken. */
typedef enum Wake { WAKE_NEVER, WAKE_LATER, WAKE_NOW } Wake;

typedef struct Slot {
    Executor *executor;
    pthread_t thread;
    int number;
    Run *run; /* of the running task; guarded by the executor's mutex */
} Slot;

struct Executor {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    Task *first_task, *last_task;        /* guarded by mutex */
    Report *first_report, **last_report; /* guarded by mutex */
    size_t load;                         /* guarded by mutex: tasks queued or running */
    size_t queued;                       /* guarded by mutex */
    Wake wake;                           /* guarded by mutex: as fd, a timer, is set */
    bool stopping;                       /* guarded by mutex */
    HookSet *hooks;
    int fd;
    size_t slot_count;
    Slot slots[];
};

static void job_release(Job *job)
{
    if (atomic_fetch_sub(&job->references, 1) > 1)
        return;
    record_clear(&JOB_RECORD, &job->message);
    shared_bundle_release(job->bundle);
    run_release(job->run);
    free(job);
}

static JobTenant *job_tenant(const Job *job, size_t i)
{
    return &((JobTenant *)job->message.tenants.items)[i];
}

/* With the mutex held. */
static void wake_loop(Executor *executor, Wake wake)
{
    enum { LATER_NS = 5000000, NOW_NS = 1 };
    if (wake <= executor->wake)
        return;
    executor->wake = wake;
    timerfd_settime(executor->fd, 0,
                    &(struct itimerspec){.it_value.tv_nsec = wake == WAKE_NOW ? NOW_NS : LATER_NS}, NULL);
}

/* Appends a chain of reports and sees to it that the loop is woken. An end goes with the next task's start.
 */
static void executor_report(Executor *executor, Report *first, Report *last)
{
    pthread_mutex_lock(&executor->mutex);
    *executor->last_report = first;
    executor->last_report = &last->next;
    bool follows = executor->first_task != NULL && !executor->stopping;
    bool plenty = executor->queued > executor->slot_count / 2;
    if (first->kind == REPORT_STARTED || (first->kind == REPORT_FINISHED && !follows))
        wake_loop(executor, plenty ? WAKE_LATER : WAKE_NOW);
    pthread_mutex_unlock(&executor->mutex);
}

/* NULL when memory ran out. */
static Report *report_new(const Job *job, ReportKind kind, size_t tenant)
{
    Report *report = calloc(1, sizeof *report);
    if (report == NULL)
        return NULL;
    report->kind = kind;
    report->conversation = job->run->conversation;
    report->phase = job->message.phase;
    report->index = job_tenant(job, tenant)->index;
    report->attempt = job_tenant(job, tenant)->attempt;
    return report;
}

static void report_started(Executor *executor, const Job *job, size_t first, size_t count)
{
    Report *head = NULL, *last = NULL;
    for (size_t i = first + count; i > first; i--) {
        Report *report = report_new(job, REPORT_STARTED, i - 1);
        if (report == NULL)
            continue;
        report->next = head;
        head = report;
        last = last != NULL ? last : report;
    }
    if (head != NULL)
        executor_report(executor, head, last);
}

/* Packs one result. What cannot be packed (a text that is not UTF-8, or too long) is told by its outcome
 * alone; a success becomes unknown then, because nobody could say what was applied. */
static void fill_report(Report *report, const RecordType *type, const void *result, Outcome outcome)
{
    report->outcome = outcome;
    if (type == NULL || result == NULL)
        return;
    BUFFER_CLEANUP Buffer packed = {0};
    ERROR_CLEANUP Error error = {0};
    if (record_pack(type, result, &packed, &error)) {
        report->body.length = packed.length;
        report->body.data = buffer_take(&packed);
        return;
    }
    log_error_value(LOG_ERROR, "worker", &error);
    if (outcome_state(outcome) == TENANT_SUCCEEDED)
        report->outcome = OUTCOME_UNKNOWN;
}

/* Reports a task's outcomes in one go. `outcomes` NULL: it never started. */
static void report_finished(Executor *executor, Task *task, const char *results, const Outcome *outcomes)
{
    const RecordType *type = operation_get(task->job->operation)->result;
    Report *head = task->finished, *last = head;
    task->finished = NULL;
    for (size_t i = 0; i < task->count; i++) {
        const char *result = results != NULL && type != NULL ? results + i * type->size : NULL;
        fill_report(i == 0 ? head : last->next, type, result,
                    outcomes != NULL ? outcomes[i] : OUTCOME_NOT_STARTED);
        last = i == 0 ? head : last->next;
    }
    executor_report(executor, head, last);
}

/* Runs one task in a slot's thread. */
static void task_run(Slot *slot, Task *task)
{
    Job *job = task->job;
    if (atomic_load(&job->run->aborting)) {
        report_finished(slot->executor, task, NULL, NULL);
        return;
    }
    const RecordType *type = operation_get(job->operation)->result;
    OpTenant *tenants = calloc(task->count, sizeof *tenants);
    Outcome *outcomes = calloc(task->count, sizeof *outcomes);
    char *results = type != NULL ? calloc(task->count, type->size) : NULL;
    if (tenants == NULL || outcomes == NULL || (type != NULL && results == NULL)) {
        report_finished(slot->executor, task, NULL, NULL);
        goto done;
    }
    for (size_t i = 0; i < task->count; i++) {
        const JobTenant *tenant = job_tenant(job, task->first + i);
        tenants[i] =
            (OpTenant){tenant->id != NULL ? tenant->id : "", tenant->schema != NULL ? tenant->schema : "",
                       tenant->attempt, tenant->recovering, tenant->plan};
    }
    report_started(slot->executor, job, task->first, task->count);
    char application_name[64];
    snprintf(application_name, sizeof application_name, "pgconvoy/%.8s/%d", job->run->id, slot->number);
    OpContext context = {
        .options = job->message.options.items,
        .bundle = job->bundle != NULL ? &job->bundle->bundle : NULL,
        .scripts = job->bundle != NULL ? job->bundle->scripts : NULL,
        .reservoir = job->database->reservoir,
        .database = job->database->name,
        .application_name = application_name,
        .run_id = job->run->id,
        .clock = &SYSTEM_CLOCK,
        .hooks = slot->executor->hooks,
        .cancelled = &job->run->cancelled,
    };
    op_function(job->operation)(&context, tenants, task->count, results, outcomes);
    report_finished(slot->executor, task, results, outcomes);
    for (size_t i = 0; results != NULL && i < task->count; i++)
        record_clear(type, results + i * type->size);
done:
    free(results);
    free(outcomes);
    free(tenants);
}

static void task_free(Task *task)
{
    for (Report *report = task->finished, *next; report != NULL; report = next) {
        next = report->next;
        report_free(report);
    }
    free(task);
}

/* The next task, or NULL when the executor stops. */
static Task *executor_take(Slot *slot)
{
    Executor *executor = slot->executor;
    pthread_mutex_lock(&executor->mutex);
    while (executor->first_task == NULL && !executor->stopping)
        pthread_cond_wait(&executor->work, &executor->mutex);
    Task *task = executor->stopping ? NULL : executor->first_task;
    if (task != NULL && (executor->first_task = task->next) == NULL)
        executor->last_task = NULL;
    executor->queued -= task != NULL;
    slot->run = task != NULL ? task->job->run : NULL;
    pthread_mutex_unlock(&executor->mutex);
    return task;
}

/* Whoever waits for the load to fall to nothing is woken. */
static void executor_done(Slot *slot)
{
    Executor *executor = slot->executor;
    pthread_mutex_lock(&executor->mutex);
    slot->run = NULL;
    if (--executor->load == 0)
        wake_loop(executor, WAKE_NOW);
    pthread_mutex_unlock(&executor->mutex);
}

static void *slot_main(void *slot_pointer)
{
    Slot *slot = slot_pointer;
    Task *task;
    while ((task = executor_take(slot)) != NULL) {
        Job *job = task->job;
        task_run(slot, task);
        task_free(task);
        executor_done(slot);
        job_release(job);
    }
    return NULL;
}

Executor *executor_new(size_t slots, HookSet *hooks, Error *error)
{
    Executor *executor = calloc(1, sizeof *executor + slots * sizeof *executor->slots);
    if (executor == NULL) {
        error_memory(error);
        return NULL;
    }
    executor->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    executor->last_report = &executor->first_report;
    executor->hooks = hooks;
    pthread_mutex_init(&executor->mutex, NULL);
    pthread_cond_init(&executor->work, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = executor->fd < 0 ? EMFILE : 0;
    for (; failed == 0 && executor->slot_count < slots; executor->slot_count += failed == 0) {
        Slot *slot = &executor->slots[executor->slot_count];
        slot->executor = executor;
        slot->number = (int)executor->slot_count + 1;
        failed = pthread_create(&slot->thread, NULL, slot_main, slot);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        error_set(error, ERROR_SYSTEM, "cannot start %zu slots: %s", slots, strerror(failed));
        executor_free(executor);
        return NULL;
    }
    return executor;
}

void executor_free(Executor *executor)
{
    if (executor == NULL)
        return;
    pthread_mutex_lock(&executor->mutex);
    executor->stopping = true;
    pthread_cond_broadcast(&executor->work);
    pthread_mutex_unlock(&executor->mutex);
    for (size_t i = 0; i < executor->slot_count; i++)
        pthread_join(executor->slots[i].thread, NULL);
    for (Task *task = executor->first_task, *next; task != NULL; task = next) {
        next = task->next;
        job_release(task->job);
        task_free(task);
    }
    for (Report *report = executor->first_report, *next; report != NULL; report = next) {
        next = report->next;
        report_free(report);
    }
    if (executor->fd >= 0)
        close(executor->fd);
    pthread_cond_destroy(&executor->work);
    pthread_mutex_destroy(&executor->mutex);
    free(executor);
}

/* What is wrong with a job that a peer sent, if anything: nothing of it is believed. */
static bool job_check(const Job *job, Error *error)
{
    const JobMessage *message = &job->message;
    if (message->options.count != 1 || message->tenants.count == 0)
        return error_set(error, ERROR_PROTOCOL, "job %lld has %zu options and %zu tenants",
                         (long long)message->job, message->options.count, message->tenants.count);
    const Operation *operation = operation_get(job->operation);
    if (message->tenants.count > operation->tenants_per_job)
        return error_set(error, ERROR_PROTOCOL, "job %lld has %zu tenants, the limit of %s is %zu",
                         (long long)message->job, message->tenants.count, operation->name,
                         operation->tenants_per_job);
    if (operation->needs_bundle && job->bundle == NULL)
        return error_set(error, ERROR_PROTOCOL, "job %lld names no migrations, and %s needs them",
                         (long long)message->job, operation->name);
    const RunOptions *options = message->options.items;
    if (options->shared && !operation_takes_shared(job->operation))
        return error_set(error, ERROR_PROTOCOL, "job %lld: %s does not work on the shared schema",
                         (long long)message->job, operation->name);
    if (operation->shape == OPERATION_DATABASE)
        return true;
    for (size_t i = 0; i < message->tenants.count; i++) {
        const JobTenant *tenant = job_tenant(job, i);
        if (tenant->id == NULL || tenant->schema == NULL)
            return error_set(error, ERROR_PROTOCOL, "job %lld has a tenant without id or schema",
                             (long long)message->job);
        if (!tenant_id_check(tenant->id, error) || !op_schema_check(options, tenant->schema, error))
            return false;
    }
    return true;
}

static struct RunDatabase *run_database(Run *run, const char *name)
{
    for (size_t i = 0; i < run->database_count; i++)
        if (name != NULL && strcmp(run->databases[i].name, name) == 0)
            return &run->databases[i];
    return NULL;
}

static void tasks_free(Task *task)
{
    for (Task *next; task != NULL; task = next) {
        next = task->next;
        task_free(task);
    }
}

static Task *task_new(Job *job, size_t first, size_t count)
{
    Task *task = calloc(1, sizeof *task);
    if (task == NULL)
        return NULL;
    *task = (Task){.job = job, .first = first, .count = count};
    for (size_t i = count; i > 0; i--) {
        Report *report = report_new(job, REPORT_FINISHED, first + i - 1);
        if (report == NULL) {
            task_free(task);
            return NULL;
        }
        report->next = task->finished;
        task->finished = report;
    }
    return task;
}

/* Chains a job's tasks; NULL when memory ran out. */
static Task *job_tasks(Job *job, Task **ret_last)
{
    size_t step = operation_get(job->operation)->shape == OPERATION_SET ? job->message.tenants.count : 1;
    Task *head = NULL, **tail = &head;
    for (size_t first = 0; first < job->message.tenants.count; first += step) {
        Task *task = task_new(job, first, step);
        if (task == NULL) {
            tasks_free(head);
            return NULL;
        }
        *tail = *ret_last = task;
        tail = &task->next;
    }
    return head;
}

bool executor_submit(Executor *executor, Run *run, SharedBundle *bundle, JobMessage *message, Error *error)
{
    Job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return error_memory(error);
    *job = (Job){.run = run, .bundle = bundle, .message = *message};
    *message = (JobMessage){0};
    atomic_init(&job->references, 1);
    atomic_fetch_add(&run->references, 1);
    if (bundle != NULL)
        atomic_fetch_add(&bundle->references, 1);
    const char *operation = job->message.operation != NULL ? job->message.operation : "";
    bool ok = false;
    if (!operation_from_name(operation, &job->operation))
        error_set(error, ERROR_PROTOCOL, "this worker does not know the operation \"%.80s\"", operation);
    else if ((job->database = run_database(run, job->message.database)) == NULL)
        error_set(error, ERROR_PROTOCOL, "this worker does not reach the database \"%.80s\"",
                  job->message.database != NULL ? job->message.database : "");
    else
        ok = job_check(job, error);
    Task *last = NULL;
    Task *first = ok ? job_tasks(job, &last) : NULL;
    if (first == NULL) {
        *message = job->message;
        job->message = (JobMessage){0};
        job_release(job);
        return ok ? error_memory(error) : false;
    }
    int64_t limit = job->message.grant < job->database->max_connections ? job->message.grant
                                                                        : job->database->max_connections;
    reservoir_set_limit(job->database->reservoir, limit > 0 ? limit : 1);

    pthread_mutex_lock(&executor->mutex);
    size_t tasks = 0;
    for (Task *task = first; task != NULL; task = task->next)
        tasks++;
    atomic_store(&job->references, (int)tasks);
    executor->load += tasks;
    executor->queued += tasks;
    if (executor->last_task != NULL)
        executor->last_task->next = first;
    else
        executor->first_task = first;
    executor->last_task = last;
    pthread_cond_broadcast(&executor->work);
    pthread_mutex_unlock(&executor->mutex);
    return true;
}

void executor_abort(Executor *executor, uint64_t conversation, bool cancel)
{
    /* Cancelling talks to servers: not under the mutex. */
    Run **running = calloc(executor->slot_count + 1, sizeof(Run *));
    size_t count = 0;
    pthread_mutex_lock(&executor->mutex);
    for (Task *task = executor->first_task; task != NULL; task = task->next)
        if (conversation == 0 || task->job->run->conversation == conversation)
            atomic_store(&task->job->run->aborting, true);
    for (size_t i = 0; running != NULL && i < executor->slot_count; i++) {
        Run *run = executor->slots[i].run;
        if (run == NULL || (conversation != 0 && run->conversation != conversation))
            continue;
        atomic_fetch_add(&run->references, 1);
        running[count++] = run;
    }
    pthread_mutex_unlock(&executor->mutex);
    for (size_t i = 0; i < count; i++) {
        run_abort(running[i], cancel);
        run_release(running[i]);
    }
    free(running);
}

int executor_fd(const Executor *executor)
{
    return executor->fd;
}

Report *executor_collect(Executor *executor)
{
    static const struct itimerspec NEVER = {0};
    pthread_mutex_lock(&executor->mutex);
    if (executor->wake != WAKE_NEVER)
        timerfd_settime(executor->fd, 0, &NEVER, NULL); /* clears what has expired, too */
    executor->wake = WAKE_NEVER;
    Report *reports = executor->first_report;
    executor->first_report = NULL;
    executor->last_report = &executor->first_report;
    pthread_mutex_unlock(&executor->mutex);
    return reports;
}

void report_free(Report *report)
{
    if (report == NULL)
        return;
    free(report->body.data);
    free(report);
}

size_t executor_load(Executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    size_t load = executor->load;
    pthread_mutex_unlock(&executor->mutex);
    return load;
}
