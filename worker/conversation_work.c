#include "common/log.h"
#include "worker/conversation_internal.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    RESULT_BATCH_BYTES = 4 << 20,
    RESULT_BODY_BYTES = 48 << 20, /* with a batch in front of it still one message */
};

void work_forget(Conversation *conversation)
{
    if (conversation->run != NULL)
        run_abort(conversation->run, false);
    run_release(conversation->run);
    conversation->run = NULL;
    shared_bundle_release(conversation->bundle);
    conversation->bundle = NULL;
    WaitingJob *job, *next_job;
    DL_FOREACH_SAFE(conversation->waiting, job, next_job)
    {
        record_clear(&JOB_RECORD, &job->message);
        free(job);
    }
    conversation->waiting = NULL;
    Unacknowledged *result, *next_result;
    DL_FOREACH_SAFE(conversation->outbox, result, next_result)
    {
        record_clear(&RESULT_RECORD, &result->message);
        free(result);
    }
    conversation->outbox = NULL;
    record_clear(&START_RECORD, &conversation->running);
    record_clear(&START_RECORD, &conversation->starts);
    record_clear(&RESULT_RECORD, &conversation->results);
    conversation->result_bytes = 0;
    conversation->phase = conversation->job = 0;
    conversation->in_flight = 0;
    conversation->number = 0;
    conversation->run_id[0] = '\0';
}

bool work_send_again(Conversation *conversation, Error *error)
{
    Session *session = conversation->channel.session;
    if (conversation->waiting != NULL) {
        BundleRequestMessage request = {conversation->waiting->message.bundle};
        if (!session_send(session, MESSAGE_BUNDLE_REQ, &request, NULL, error))
            return false;
    }
    if (conversation->running.leases.count > 0 &&
        !session_send(session, MESSAGE_START, &conversation->running, NULL, error))
        return false;
    Unacknowledged *result;
    DL_FOREACH(conversation->outbox, result)
    {
        if (!session_send(session, MESSAGE_RESULT, &result->message, &result->seq, error))
            return false;
    }
    return true;
}

/* Moves the collected results into the outbox and, in a session, onto the wire. */
bool work_send_results(Conversation *conversation, Error *error)
{
    if (conversation->results.items.count == 0)
        return true;
    Unacknowledged *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return error_memory(error);
    entry->message = conversation->results;
    conversation->results = (ResultMessage){0};
    conversation->result_bytes = 0;
    DL_APPEND(conversation->outbox, entry);
    if (conversation->channel.session == NULL)
        return true;
    return session_send(conversation->channel.session, MESSAGE_RESULT, &entry->message, &entry->seq, error);
}

/* Adds one outcome to the RESULT that the next turn sends. Takes over body. */
static bool add_result(Conversation *conversation, int64_t phase, int64_t index, int64_t attempt,
                       Outcome outcome, ByteString *body, Error *error)
{
    bool other_phase = conversation->results.phase != phase;
    if ((other_phase || conversation->result_bytes > RESULT_BATCH_BYTES) &&
        !work_send_results(conversation, error))
        return false;
    conversation->results.phase = phase;
    ResultItem *item = record_list_add(&RESULT_ITEM_RECORD, &conversation->results.items);
    if (item == NULL)
        return error_memory(error);
    item->index = index;
    item->attempt = attempt;
    item->outcome = strdup(outcome_name(outcome));
    if (body != NULL && body->length > RESULT_BODY_BYTES) {
        log_message(LOG_ERROR, conversation->log_context, "a result of %zu bytes is too large to send",
                    body->length);
        free(item->outcome);
        item->outcome =
            strdup(outcome_name(outcome_state(outcome) == TENANT_SUCCEEDED ? OUTCOME_UNKNOWN : outcome));
    } else if (body != NULL) {
        item->body = *body;
        *body = (ByteString){0};
        conversation->result_bytes += item->body.length;
    }
    if (conversation->in_flight > 0)
        conversation->in_flight--;
    return item->outcome != NULL || error_memory(error);
}

bool work_answer(Conversation *conversation, const JobMessage *job, Outcome outcome, Error *error)
{
    const JobTenant *tenants = job->tenants.items;
    for (size_t i = 0; i < job->tenants.count; i++)
        if (!add_result(conversation, job->phase, tenants[i].index, tenants[i].attempt, outcome, NULL, error))
            return false;
    return true;
}

/* A job that cannot run is answered, so that its coordinator does not wait for it. */
static bool refuse_job(Conversation *conversation, const JobMessage *job, const Error *reason, Error *error)
{
    log_error_value(LOG_WARNING, conversation->log_context, reason);
    /* The reason may quote what the peer sent, at any length; what is too long to send the log has. */
    ErrorMessage message = {(char *)error_class(reason->code)->name, reason->message};
    if (!session_send(conversation->channel.session, MESSAGE_ERROR, &message, NULL, error)) {
        if (error->code != ERROR_TOO_LARGE)
            return false;
        error_clear(error);
    }
    return work_answer(conversation, job, OUTCOME_ERROR, error);
}

/* Gives a job to the executor; its content is taken over. */
static bool submit(Conversation *conversation, JobMessage *job, Error *error)
{
    ERROR_CLEANUP Error reason = {0};
    SharedBundle *bundle = job->bundle != NULL ? conversation->bundle : NULL;
    bool ok = executor_submit(conversation->host->executor, conversation->run, bundle, job, &reason);
    if (!ok)
        ok = refuse_job(conversation, job, &reason, error);
    record_clear(&JOB_RECORD, job);
    return ok;
}

static bool has_bundle(const Conversation *conversation, const char *digest)
{
    return conversation->bundle != NULL && strcmp(conversation->bundle->bundle.digest, digest) == 0;
}

bool work_receive_job(Conversation *conversation, JobMessage *job, Error *error)
{
    bool newer = job->phase > conversation->phase ||
                 (job->phase == conversation->phase && job->job > conversation->job);
    if (!newer)
        return true; /* sent again after a renewed greeting; the first copy arrived */
    conversation->phase = job->phase;
    conversation->job = job->job;
    conversation->in_flight += job->tenants.count;
    if (job->bundle == NULL || has_bundle(conversation, job->bundle))
        return submit(conversation, job, error);
    WaitingJob *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL)
        return error_memory(error);
    bool asked = conversation->waiting != NULL;
    waiting->message = *job;
    *job = (JobMessage){0};
    DL_APPEND(conversation->waiting, waiting);
    BundleRequestMessage request = {waiting->message.bundle};
    return asked || session_send(conversation->channel.session, MESSAGE_BUNDLE_REQ, &request, NULL, error);
}

/* Checks a bundle against its digest and starts the jobs that waited for it. */
bool work_receive_bundle(Conversation *conversation, BundleMessage *message, Error *error)
{
    SharedBundle *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return error_memory(error);
    atomic_init(&shared->references, 1);
    shared->bundle.items = message->migrations.items;
    shared->bundle.count = message->migrations.count;
    message->migrations = (RecordList){0};
    if (!bundle_digest(&shared->bundle, error)) {
        shared_bundle_release(shared);
        return false;
    }
    ERROR_CLEANUP Error mismatch = {0};
    bool intact = message->digest != NULL && strcmp(message->digest, shared->bundle.digest) == 0;
    error_set(&mismatch, ERROR_PROTOCOL, "%s",
              intact ? "the migrations that arrived are not the ones that the job names"
                     : "the migrations that arrived do not have the digest they were sent with");
    shared_bundle_release(conversation->bundle);
    conversation->bundle = intact ? shared : NULL;
    if (!intact)
        shared_bundle_release(shared);
    WaitingJob *job, *next;
    DL_FOREACH_SAFE(conversation->waiting, job, next)
    {
        DL_DELETE(conversation->waiting, job);
        bool ok = intact && has_bundle(conversation, job->message.bundle)
                      ? submit(conversation, &job->message, error)
                      : refuse_job(conversation, &job->message, &mismatch, error);
        record_clear(&JOB_RECORD, &job->message);
        free(job);
        if (!ok)
            return false;
    }
    return true;
}

void work_abort(Conversation *conversation, bool cancel)
{
    if (conversation->run == NULL)
        return;
    run_abort(conversation->run, cancel);
    executor_abort(conversation->host->executor, conversation->number, cancel);
}

bool conversation_takes(const Conversation *conversation, const Report *report)
{
    return conversation->number != 0 && report->conversation == conversation->number;
}

static void forget_running(Conversation *conversation, const Report *report)
{
    RecordList *running = &conversation->running.leases;
    LeaseItem *leases = running->items;
    for (size_t i = 0; i < running->count; i++)
        if (leases[i].index == report->index && leases[i].attempt == report->attempt) {
            leases[i] = leases[--running->count];
            return;
        }
}

bool conversation_report(Conversation *conversation, Report *report, Error *error)
{
    if (report->kind == REPORT_STARTED) {
        conversation->starts.phase = report->phase;
        LeaseItem *lease = record_list_add(&LEASE_ITEM_RECORD, &conversation->starts.leases);
        if (lease == NULL)
            return error_memory(error);
        *lease = (LeaseItem){report->index, report->attempt};
        if (conversation->running.phase != report->phase)
            record_clear(&START_RECORD, &conversation->running);
        conversation->running.phase = report->phase;
        lease = record_list_add(&LEASE_ITEM_RECORD, &conversation->running.leases);
        if (lease == NULL)
            return error_memory(error);
        *lease = (LeaseItem){report->index, report->attempt};
        return true;
    }
    if (report->kind == REPORT_EVENT) {
        EventMessage event = {report->phase, report->index, report->migration, report->duration_ms};
        return conversation->channel.session == NULL ||
               session_send(conversation->channel.session, MESSAGE_EVENT, &event, NULL, error);
    }
    forget_running(conversation, report);
    /* Cancelled because this worker leaves, not because the coordinator said so: another worker may do it. */
    Outcome outcome = report->outcome;
    if (outcome == OUTCOME_CANCELLED && conversation->draining)
        outcome = OUTCOME_NOT_STARTED;
    return add_result(conversation, report->phase, report->index, report->attempt, outcome, &report->body,
                      error);
}

bool work_send_starts(Conversation *conversation, Error *error)
{
    bool ok = conversation->starts.leases.count == 0 || conversation->channel.session == NULL ||
              session_send(conversation->channel.session, MESSAGE_START, &conversation->starts, NULL, error);
    record_clear(&START_RECORD, &conversation->starts);
    return ok;
}

void work_forget_acknowledged(Conversation *conversation)
{
    uint64_t acked = session_acked(conversation->channel.session);
    Unacknowledged *entry, *next;
    DL_FOREACH_SAFE(conversation->outbox, entry, next)
    {
        if (entry->seq > acked)
            break;
        DL_DELETE(conversation->outbox, entry);
        record_clear(&RESULT_RECORD, &entry->message);
        free(entry);
    }
}
