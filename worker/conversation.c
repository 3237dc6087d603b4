#include "worker/conversation.h"
#include "common/log.h"
#include "worker/burden.h"
#include "worker/hello.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

typedef enum ConversationState {
    CONVERSATION_GREETING, /* HELLO goes out each heartbeat until WELCOME answers it */
    CONVERSATION_SERVING,
} ConversationState;

/* A job that waits for its bundle. */
typedef struct WaitingJob {
    struct WaitingJob *prev, *next;
    JobMessage message;
} WaitingJob;

struct Conversation {
    ConversationHost *host;
    Channel channel;
    ConversationState state;
    uint8_t greeting_id[SESSION_ID_SIZE];
    int64_t dead_ms; /* as the coordinator said */
    bool draining, parted;
    int64_t greeting_since_ms;
    int64_t tried_ms; /* when the link was opened the last time */
    char log_context[80];
    LogBudget complaints, sessions; /* of what it does, and of beginnings and ends */

    char run_id[33];
    uint64_t number; /* of this run's conversation; reports carry it */
    Run *run;
    int64_t phase, job; /* the last job accepted: a resent one is not newer */
    Burden burden;
    WaitingJob *waiting;
    Outbox outbox;
};

Conversation *conversation_new(ConversationHost *host, Link *link, const PeerId *peer, int64_t now_ms,
                               Error *error)
{
    Conversation *conversation = calloc(1, sizeof *conversation);
    if (conversation == NULL) {
        error_memory(error);
        return NULL;
    }
    conversation->host = host;
    conversation->greeting_since_ms = conversation->tried_ms = now_ms;
    conversation->channel = (Channel){.link = link, .peer = *peer, .beat_ms = now_ms};
    conversation->channel.heartbeat_ms = config_int(host->config, SETTING_WIRE_HEARTBEAT_MS);
    snprintf(conversation->log_context, sizeof conversation->log_context, "coordinator=%s",
             link_endpoint(link));
    if (!session_id_draw(conversation->greeting_id, error)) {
        free(conversation);
        return NULL;
    }
    return conversation;
}

/* Forgets everything that belongs to the run served so far. Its tasks finish what they began; nobody hears of
 * it. */
static void forget_run(Conversation *conversation)
{
    if (conversation->run != NULL)
        run_abort(conversation->run, false);
    run_release(conversation->run);
    conversation->run = NULL;
    burden_clear(&conversation->burden);
    WaitingJob *job, *next_job;
    DL_FOREACH_SAFE(conversation->waiting, job, next_job)
    {
        record_clear(&JOB_RECORD, &job->message);
        free(job);
    }
    conversation->waiting = NULL;
    outbox_clear(&conversation->outbox);
    conversation->phase = conversation->job = 0;
    conversation->number = 0;
    conversation->run_id[0] = '\0';
}

void conversation_free(Conversation *conversation)
{
    if (conversation == NULL)
        return;
    forget_run(conversation);
    channel_close(&conversation->channel);
    free(conversation);
}

bool conversation_adopts(Conversation *conversation, const Link *link, const IncomingFrame *frame)
{
    if (conversation->channel.link != link || !channel_owns(&conversation->channel, &frame->header))
        return false;
    conversation->channel.peer = frame->peer;
    return true;
}

bool conversation_is_with(const Conversation *conversation, const Link *link, const PeerId *peer)
{
    const Channel *channel = &conversation->channel;
    return channel->link == link && channel->peer.length == peer->length &&
           memcmp(channel->peer.bytes, peer->bytes, peer->length) == 0;
}

/* Drops the session and greets anew; the run, its tasks and its outbox stay until a coordinator says
 * otherwise. */
static bool greet_anew(Conversation *conversation, int64_t now_ms, Error *error)
{
    channel_close(&conversation->channel);
    conversation->state = CONVERSATION_GREETING;
    conversation->greeting_since_ms = now_ms;
    conversation->channel.beat_ms = now_ms;
    return session_id_draw(conversation->greeting_id, error);
}

/* After a pause: whatever ended the session may end the next one, too. */
static bool greet_later(Conversation *conversation, int64_t now_ms, Error *error)
{
    bool ok = greet_anew(conversation, now_ms, error);
    conversation->channel.beat_ms = now_ms + conversation->channel.heartbeat_ms;
    return ok;
}

static bool ask_for_bundle(Conversation *conversation, Error *error)
{
    if (conversation->waiting == NULL)
        return true;
    BundleRequestMessage request = {conversation->waiting->message.bundle};
    return session_send(conversation->channel.session, MESSAGE_BUNDLE_REQ, &request, NULL, error);
}

/* Sends again what the coordinator may have missed when a session ended. */
static bool send_again(Conversation *conversation, Error *error)
{
    return ask_for_bundle(conversation, error) &&
           outbox_renew(&conversation->outbox, conversation->channel.session, error);
}

static bool start_serving(Conversation *conversation, const FrameHeader *header,
                          const WelcomeMessage *welcome, int64_t now_ms, Error *error)
{
    const Config *config = conversation->host->config;
    if (conversation->state != CONVERSATION_GREETING ||
        memcmp(header->session_id, conversation->greeting_id, SESSION_ID_SIZE) != 0 || conversation->draining)
        return true; /* an answer to an older greeting */
    if (!channel_open(&conversation->channel, header->session_id, config_int(config, SETTING_WIRE_RESEND_MS),
                      config_int(config, SETTING_WIRE_RESEND_MAX_MS), now_ms, error))
        return false;
    const char *run_id = welcome->run != NULL ? welcome->run : "";
    bool same_run = strncmp(conversation->run_id, run_id, sizeof conversation->run_id - 1) == 0;
    if (!same_run) {
        forget_run(conversation);
        strncpy(conversation->run_id, run_id, sizeof conversation->run_id - 1);
        conversation->number = ++conversation->host->conversations;
    }
    if (conversation->run == NULL || atomic_load(&conversation->run->aborting)) {
        /* After a silence the old Run starts nothing any more; a renewed session brings new jobs. */
        Run *run = run_new(config, conversation->run_id, conversation->number, error);
        if (run == NULL)
            return false;
        run_release(conversation->run);
        conversation->run = run;
    }
    conversation->state = CONVERSATION_SERVING;
    conversation->parted = false;
    conversation->channel.heartbeat_ms =
        welcome->heartbeat_ms > 0 ? welcome->heartbeat_ms : config_int(config, SETTING_WIRE_HEARTBEAT_MS);
    conversation->dead_ms =
        welcome->dead_ms > 0 ? welcome->dead_ms : config_int(config, SETTING_WIRE_DEAD_MS);
    snprintf(conversation->log_context, sizeof conversation->log_context, "run=%.8s", conversation->run_id);
    if (log_budget_take(&conversation->sessions, conversation->log_context))
        log_message(LOG_INFO, conversation->log_context, "serving %.255s",
                    welcome->coordinator != NULL ? welcome->coordinator : "a coordinator");
    return send_again(conversation, error);
}

/* Adds one outcome to what the next turn sends. Takes over body. */
static bool add_result(Conversation *conversation, const OutboxLease *lease, Outcome outcome,
                       ByteString *body, Error *error)
{
    bool too_large = false;
    if (!outbox_add_result(&conversation->outbox, conversation->channel.session, lease, outcome, body,
                           &too_large, error))
        return false;
    if (too_large)
        log_message(LOG_ERROR, conversation->log_context, "a result of %zu bytes is too large to send",
                    body->length);
    burden_drop_tenant(&conversation->burden);
    return true;
}

static bool answer_job(Conversation *conversation, const JobMessage *job, Outcome outcome, Error *error)
{
    const JobTenant *tenants = job->tenants.items;
    for (size_t i = 0; i < job->tenants.count; i++) {
        OutboxLease lease = {job->phase, tenants[i].index, tenants[i].attempt};
        if (!add_result(conversation, &lease, outcome, NULL, error))
            return false;
    }
    return true;
}

/* A job that cannot run is answered, so that its coordinator does not wait for it. */
static bool refuse_job(Conversation *conversation, const JobMessage *job, const Error *reason, Error *error)
{
    if (log_budget_take(&conversation->complaints, conversation->log_context))
        log_error_value(LOG_WARNING, conversation->log_context, reason);
    /* The reason may quote what the peer sent, at any length; what is too long to send the log has. */
    ErrorMessage message = {(char *)error_class(reason->code)->name, reason->message};
    if (!session_send(conversation->channel.session, MESSAGE_ERROR, &message, NULL, error)) {
        if (error->code != ERROR_TOO_LARGE)
            return false;
        error_clear(error);
    }
    return answer_job(conversation, job, OUTCOME_ERROR, error);
}

/* Gives a job to the executor; its content is taken over. */
static bool submit(Conversation *conversation, JobMessage *job, Error *error)
{
    ERROR_CLEANUP Error reason = {0};
    SharedBundle *bundle = job->bundle != NULL ? conversation->burden.bundle : NULL;
    bool ok = executor_submit(conversation->host->executor, conversation->run, bundle, job, &reason);
    if (!ok)
        ok = refuse_job(conversation, job, &reason, error);
    record_clear(&JOB_RECORD, job);
    return ok;
}

/* Ends the session with a coordinator that broke the protocol, and greets anew. */
static bool break_off(Conversation *conversation, Error *broken, int64_t now_ms, Error *error)
{
    if (log_budget_take(&conversation->sessions, conversation->log_context))
        log_error_value(LOG_WARNING, conversation->log_context, broken);
    /* What there was no memory for comes again, and again; another worker may have it. */
    if (broken->code == ERROR_MEMORY) {
        error_move(error, broken);
        return false;
    }
    channel_break(&conversation->channel, broken, now_ms);
    return greet_later(conversation, now_ms, error);
}

/* The same with one that gives more than this worker holds. What it gave last was acknowledged by arriving
 * and is not done: BYE tells it to give those tenants to somebody else. */
static bool cast_off(Conversation *conversation, Error *broken, int64_t now_ms, Error *error)
{
    return conversation_say_bye(conversation, now_ms, error) &&
           break_off(conversation, broken, now_ms, error);
}

static bool receive_job(Conversation *conversation, JobMessage *job, size_t size, int64_t now_ms,
                        Error *error)
{
    bool newer = job->phase > conversation->phase ||
                 (job->phase == conversation->phase && job->job > conversation->job);
    if (!newer)
        return true; /* sent again after a renewed greeting; the first copy arrived */
    ERROR_CLEANUP Error broken = {0};
    if (!burden_add_job(&conversation->burden, job, size, &conversation->outbox,
                        (size_t)conversation->host->slots, &broken))
        return cast_off(conversation, &broken, now_ms, error);
    conversation->phase = job->phase;
    conversation->job = job->job;
    if (job->bundle == NULL || burden_has_bundle(&conversation->burden, job->bundle))
        return submit(conversation, job, error);
    WaitingJob *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL)
        return error_memory(error);
    bool asked = conversation->waiting != NULL;
    waiting->message = *job;
    *job = (JobMessage){0};
    DL_APPEND(conversation->waiting, waiting);
    return asked || ask_for_bundle(conversation, error);
}

/* A bundle has come, or not the right one, for the jobs that wait like the first one; the others, of a later
 * phase with other files, are asked for next. */
static bool serve_waiting(Conversation *conversation, const Error *mismatch, bool intact, Error *error)
{
    if (conversation->waiting == NULL)
        return true;
    char *asked = strdup(conversation->waiting->message.bundle);
    if (asked == NULL)
        return error_memory(error);
    bool ok = true;
    WaitingJob *job, *next;
    DL_FOREACH_SAFE(conversation->waiting, job, next)
    {
        bool fits = intact && burden_has_bundle(&conversation->burden, job->message.bundle);
        if (!ok || (!fits && strcmp(job->message.bundle, asked) != 0))
            continue;
        DL_DELETE(conversation->waiting, job);
        ok = fits ? submit(conversation, &job->message, error)
                  : refuse_job(conversation, &job->message, mismatch, error);
        record_clear(&JOB_RECORD, &job->message);
        free(job);
    }
    free(asked);
    return ok && ask_for_bundle(conversation, error);
}

/* Checks a bundle against its digest and starts the jobs that waited for it. */
static bool receive_bundle(Conversation *conversation, BundleMessage *message, int64_t now_ms, Error *error)
{
    SharedBundle *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return error_memory(error);
    atomic_init(&shared->references, 1);
    shared->bundle.items = message->migrations.items;
    shared->bundle.count = message->migrations.count;
    message->migrations = (RecordList){0};
    if (!bundle_digest(&shared->bundle, error) ||
        (shared->scripts = script_cache_new(&shared->bundle, error)) == NULL) {
        shared_bundle_release(shared);
        return false;
    }
    ERROR_CLEANUP Error mismatch = {0};
    bool intact = message->digest != NULL && strcmp(message->digest, shared->bundle.digest) == 0;
    error_set(&mismatch, ERROR_PROTOCOL, "%s",
              intact ? "the migrations that arrived are not the ones that the job names"
                     : "the migrations that arrived do not have the digest they were sent with");
    ERROR_CLEANUP Error broken = {0};
    if (intact && !burden_add_bundle(&conversation->burden, shared, &broken))
        return cast_off(conversation, &broken, now_ms, error);
    if (!intact) {
        shared_bundle_release(shared);
        burden_drop_bundle(&conversation->burden);
    }
    return serve_waiting(conversation, &mismatch, intact, error);
}

/* The coordinator is done with us: nothing of its run matters any more. */
static bool part(Conversation *conversation, int64_t now_ms, Error *error)
{
    log_message(LOG_INFO, conversation->log_context, "the coordinator said goodbye");
    if (!conversation_say_bye(conversation, now_ms, error))
        return false;
    forget_run(conversation);
    conversation->parted = true;
    return greet_later(conversation, now_ms, error);
}

/* Also what an earlier Run of this conversation, from before a silence, still has running. */
static void abort_work(Conversation *conversation, bool cancel)
{
    if (conversation->run == NULL)
        return;
    run_abort(conversation->run, cancel);
    executor_abort(conversation->host->executor, conversation->number, cancel);
}

static bool handle(Conversation *conversation, Message *message, int64_t now_ms, Error *error)
{
    switch (message->type) {
    case MESSAGE_JOB:
        return receive_job(conversation, message->record, message->size, now_ms, error);
    case MESSAGE_BUNDLE:
        return receive_bundle(conversation, message->record, now_ms, error);
    case MESSAGE_ABORT:
        abort_work(conversation, ((AbortMessage *)message->record)->cancel);
        return true;
    case MESSAGE_HEARTBEAT: {
        const HeartbeatMessage *beat = message->record;
        if (beat->aborting || beat->cancelling)
            abort_work(conversation, beat->cancelling);
        return true;
    }
    case MESSAGE_BYE:
        return part(conversation, now_ms, error);
    case MESSAGE_ERROR: {
        const ErrorMessage *report = message->record;
        if (log_budget_take(&conversation->complaints, conversation->log_context))
            log_message(LOG_WARNING, conversation->log_context, "the coordinator reports: %.1000s",
                        report->message != NULL ? report->message : "an error");
        return true;
    }
    default:
        return true; /* ACK, and what only workers send */
    }
}

/* WHO names the session that its sender does not know; a coordinator that just connected knows none. */
static bool concerns_session(const Conversation *conversation, const FrameHeader *header)
{
    static const uint8_t NO_SESSION[SESSION_ID_SIZE];
    return conversation->state == CONVERSATION_SERVING &&
           (channel_owns(&conversation->channel, header) ||
            memcmp(header->session_id, NO_SESSION, SESSION_ID_SIZE) == 0);
}

/* HELLO's answers; true when the frame was one. */
static bool receive_greeting(Conversation *conversation, const IncomingFrame *frame, int64_t now_ms,
                             bool *ret_handled, Error *error)
{
    const MessageSpec *spec = message_spec(frame->header.type);
    *ret_handled = spec != NULL && spec->class == MESSAGE_GREETING;
    if (!*ret_handled)
        return true;
    ERROR_CLEANUP Error broken = {0};
    Message message;
    if (!message_unpack(frame->header.type, frame->body, frame->body_length, &message, &broken)) {
        log_error_value(LOG_WARNING, conversation->log_context, &broken);
        return true;
    }
    bool ok = true;
    if (message.type == MESSAGE_WELCOME)
        ok = start_serving(conversation, &frame->header, message.record, now_ms, error);
    else if (message.type == MESSAGE_WHO && concerns_session(conversation, &frame->header))
        ok = greet_anew(conversation, now_ms, error);
    else if (message.type == MESSAGE_WHO && conversation->parted)
        conversation->channel.beat_ms = now_ms;
    else if (message.type == MESSAGE_REJECT) {
        const RejectMessage *reject = message.record;
        log_message(LOG_ERROR, conversation->log_context, "the coordinator refuses this worker: %s",
                    reject->message != NULL ? reject->message : "no reason given");
        conversation->channel.beat_ms =
            now_ms + config_int(conversation->host->config, SETTING_WIRE_RECONNECT_MAX_MS);
    }
    message_clear(&message);
    return ok;
}

bool conversation_receive(Conversation *conversation, const IncomingFrame *frame, int64_t now_ms,
                          Error *error)
{
    bool handled = false;
    if (!receive_greeting(conversation, frame, now_ms, &handled, error))
        return false;
    if (handled || !channel_owns(&conversation->channel, &frame->header))
        return true;
    conversation->channel.heard_ms = now_ms;
    ERROR_CLEANUP Error broken = {0};
    Message message;
    SessionReceipt receipt = session_receive(conversation->channel.session, &frame->header, frame->body,
                                             frame->body_length, now_ms, &message, &broken);
    if (receipt == SESSION_BROKEN)
        return break_off(conversation, &broken, now_ms, error);
    if (receipt == SESSION_NOTHING)
        return true;
    outbox_forget(&conversation->outbox, session_acked(conversation->channel.session));
    bool ok = handle(conversation, &message, now_ms, error);
    message_clear(&message);
    return ok;
}

bool conversation_takes(const Conversation *conversation, const Report *report)
{
    return conversation->number != 0 && report->conversation == conversation->number;
}

bool conversation_report(Conversation *conversation, Report *report, Error *error)
{
    OutboxLease lease = {report->phase, report->index, report->attempt};
    if (report->kind == REPORT_STARTED)
        return outbox_add_start(&conversation->outbox, &lease, error);
    /* Cancelled because this worker leaves, not because the coordinator said so: another worker may do it. */
    Outcome outcome = report->outcome;
    if (outcome == OUTCOME_CANCELLED && conversation->draining)
        outcome = OUTCOME_NOT_STARTED;
    return add_result(conversation, &lease, outcome, &report->body, error);
}

/* A coordinator that refused our key, or proved itself with another one than we tried, is not heard of; it
 * may know us, or we it, the next time. */
static void try_other_key(Conversation *conversation, int64_t now_ms)
{
    const Link *link = conversation->channel.link;
    int64_t patience_ms = 2 * config_int(conversation->host->config, SETTING_WIRE_HEARTBEAT_MS);
    if (conversation->channel.peer.length != 0 || !link_has_keys(link) ||
        now_ms - conversation->tried_ms < patience_ms)
        return;
    conversation->tried_ms = now_ms;
    ERROR_CLEANUP Error kept = {0};
    if (!link_reopen(conversation->channel.link, &kept))
        log_error_value(LOG_WARNING, conversation->log_context, &kept);
}

/* A coordinator that was silent for too long: start nothing new for it, keep what it must hear, greet anew.
 */
static bool check_silence(Conversation *conversation, int64_t now_ms, Error *error)
{
    if (conversation->state != CONVERSATION_SERVING ||
        now_ms - conversation->channel.heard_ms <= conversation->dead_ms)
        return true;
    log_message(LOG_WARNING, conversation->log_context, "the coordinator has been silent for %lld ms",
                (long long)(now_ms - conversation->channel.heard_ms));
    abort_work(conversation, false);
    ERROR_CLEANUP Error kept = {0};
    if (conversation->channel.peer.length == 0 && !link_reopen(conversation->channel.link, &kept))
        log_error_value(LOG_WARNING, conversation->log_context, &kept); /* the old socket goes on */
    return greet_anew(conversation, now_ms, error);
}

/* What a beat says depends on the state. */
static bool beat(Conversation *conversation, int64_t now_ms, Error *error)
{
    if (now_ms < conversation->channel.beat_ms)
        return true;
    if (conversation->state == CONVERSATION_GREETING) {
        conversation->channel.beat_ms =
            now_ms + config_int(conversation->host->config, SETTING_WIRE_RECONNECT_MS);
        try_other_key(conversation, now_ms);
        return conversation->draining ||
               hello_say(&conversation->channel, conversation->greeting_id, conversation->host,
                         outbox_count(&conversation->outbox), error);
    }
    conversation->channel.beat_ms = now_ms + conversation->channel.heartbeat_ms;
    HeartbeatMessage heartbeat = {.in_flight = (int64_t)conversation->burden.tenants};
    return session_send(conversation->channel.session, MESSAGE_HEARTBEAT, &heartbeat, NULL, error);
}

bool conversation_turn(Conversation *conversation, int64_t now_ms, Error *error)
{
    if (!check_silence(conversation, now_ms, error) ||
        !outbox_send(&conversation->outbox, conversation->channel.session, error) ||
        !beat(conversation, now_ms, error))
        return false;
    if (conversation->channel.session == NULL)
        return true;
    outbox_forget(&conversation->outbox, session_acked(conversation->channel.session));
    return channel_pump(&conversation->channel, now_ms, error);
}

int64_t conversation_wakeup_ms(const Conversation *conversation)
{
    return channel_wakeup_ms(&conversation->channel);
}

bool conversation_drain(Conversation *conversation, bool cancel, Error *error)
{
    bool first = !conversation->draining;
    conversation->draining = true;
    abort_work(conversation, cancel);
    WaitingJob *job, *next;
    DL_FOREACH_SAFE(conversation->waiting, job, next)
    {
        DL_DELETE(conversation->waiting, job);
        bool ok = answer_job(conversation, &job->message, OUTCOME_NOT_STARTED, error);
        record_clear(&JOB_RECORD, &job->message);
        free(job);
        if (!ok)
            return false;
    }
    return !first || conversation->channel.session == NULL ||
           session_send(conversation->channel.session, MESSAGE_DRAIN, &(EmptyMessage){0}, NULL, error);
}

bool conversation_is_quiet(const Conversation *conversation)
{
    bool nothing_kept = outbox_count(&conversation->outbox) == 0;
    return conversation->burden.tenants == 0 && conversation->waiting == NULL &&
           (nothing_kept || conversation->state != CONVERSATION_SERVING);
}

bool conversation_say_bye(Conversation *conversation, int64_t now_ms, Error *error)
{
    if (conversation->channel.session == NULL)
        return true;
    return session_send(conversation->channel.session, MESSAGE_BYE, &(EmptyMessage){0}, NULL, error) &&
           channel_pump(&conversation->channel, now_ms, error);
}

bool conversation_is_over(const Conversation *conversation, int64_t now_ms)
{
    int64_t patience_ms = 4 * config_int(conversation->host->config, SETTING_WIRE_DEAD_MS);
    bool unanswered = now_ms - conversation->greeting_since_ms > patience_ms;
    return conversation->state == CONVERSATION_GREETING && conversation->burden.tenants == 0 &&
           (conversation->parted || unanswered);
}
