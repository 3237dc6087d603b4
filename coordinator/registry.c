#include "coordinator/dispatcher_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    WHO_INTERVAL_MS = 1000,
    CONNECTIONS_MAX = 1000000,
    DATABASES_MAX = 10000, /* that all workers of a run may reach together */
    NAME_MAX_BYTES = 255,
    STUCK_DEATHS = 4, /* so many times dead_ms without an acknowledgement are no slow link any more */
};
_Static_assert(ENGINE_MAX_SLOTS == 4096, "a refusal says so in words");

static int64_t setting(const Dispatcher *dispatcher, SettingId id)
{
    return config_int(dispatcher->options.config, id);
}

static RegisteredWorker *find_by_uuid(Dispatcher *dispatcher, const char *uuid)
{
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (strcmp(worker->uuid, uuid) == 0)
            return worker;
    }
    return NULL;
}

RegisteredWorker *registry_find(Dispatcher *dispatcher, const Link *link, const IncomingFrame *frame)
{
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (!worker->serving || worker->channel.link != link ||
            !channel_owns(&worker->channel, &frame->header))
            continue;
        worker->channel.peer = frame->peer;
        return worker;
    }
    return NULL;
}

/* Whom this connection has served so far. */
static RegisteredWorker *find_by_connection(Dispatcher *dispatcher, const Link *link, const PeerId *peer)
{
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        const Channel *channel = &worker->channel;
        if (worker->serving && channel->link == link && channel->peer.length == peer->length &&
            memcmp(channel->peer.bytes, peer->bytes, peer->length) == 0)
            return worker;
    }
    return NULL;
}

bool registry_tell_stranger(Dispatcher *dispatcher, Link *link, const IncomingFrame *frame, int64_t now_ms,
                            Error *error)
{
    if (!dispatcher->stray_logged)
        log_message(LOG_INFO, link_endpoint(link), "frames of an unknown session arrive; they are dropped");
    dispatcher->stray_logged = true;
    Stranger *known = NULL;
    for (size_t i = 0; i < STRANGERS && known == NULL; i++) {
        Stranger *stranger = &dispatcher->strangers[i];
        if (stranger->link == link && stranger->peer.length == frame->peer.length &&
            memcmp(stranger->peer.bytes, frame->peer.bytes, frame->peer.length) == 0)
            known = stranger;
    }
    if (known != NULL && now_ms - known->told_ms < WHO_INTERVAL_MS)
        return true;
    if (known == NULL)
        known = &dispatcher->strangers[dispatcher->next_stranger++ % STRANGERS];
    *known = (Stranger){link, frame->peer, now_ms};
    Channel stranger = {.link = link, .peer = frame->peer};
    return channel_greet(&stranger, MESSAGE_WHO, frame->header.session_id, NULL, error);
}

/* Index of a database by name, added when it is new; ENGINE_NONE when memory ran out. */
static uint32_t database_index(Dispatcher *dispatcher, const HelloDatabase *database)
{
    TextList *names = &dispatcher->databases;
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], database->name) == 0) {
            if (database->max_connections < dispatcher->budgets[i])
                dispatcher->budgets[i] = database->max_connections;
            return (uint32_t)i;
        }
    int64_t *budgets = realloc(dispatcher->budgets, (names->count + 1) * sizeof *budgets);
    if (budgets == NULL)
        return ENGINE_NONE;
    dispatcher->budgets = budgets;
    budgets[names->count] = database->max_connections;
    return text_list_add(names, database->name) ? (uint32_t)(names->count - 1) : ENGINE_NONE;
}

/* Takes over what a HELLO says about its worker. */
static bool learn(Dispatcher *dispatcher, RegisteredWorker *worker, const HelloMessage *hello, Error *error)
{
    const HelloDatabase *databases = hello->databases.items;
    for (size_t i = 0; i < hello->databases.count; i++) {
        uint32_t index = database_index(dispatcher, &databases[i]);
        if (index == ENGINE_NONE)
            return error_memory(error);
        if (index >= worker->reach_count) {
            bool *reaches = realloc(worker->reaches, (index + 1) * sizeof *reaches);
            if (reaches == NULL)
                return error_memory(error);
            memset(reaches + worker->reach_count, 0, (index + 1 - worker->reach_count) * sizeof *reaches);
            worker->reaches = reaches;
            worker->reach_count = index + 1;
        }
        worker->reaches[index] = true;
    }
    char *name = strdup(hello->name != NULL ? hello->name : "?");
    if (name == NULL)
        return error_memory(error);
    free(worker->name);
    worker->name = name;
    worker->slots = hello->slots;
    worker->incarnation = hello->incarnation;
    worker->draining = false;
    worker->tenant_hooks = hello->tenant_hooks;
    return true;
}

static void free_worker(Dispatcher *dispatcher, RegisteredWorker *worker)
{
    DL_DELETE(dispatcher->workers, worker);
    dispatcher->worker_count--;
    registry_forget_jobs(worker);
    channel_close(&worker->channel);
    free(worker->reaches);
    free(worker->name);
    free(worker);
}

/* Where all seats are taken, one that was left and never had anything to do makes room. */
static bool has_room(Dispatcher *dispatcher)
{
    RegisteredWorker *worker;
    if (dispatcher->worker_count < WORKERS_MAX)
        return true;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (!worker->serving && !worker->leased) {
            free_worker(dispatcher, worker);
            return true;
        }
    }
    return false;
}

static bool knows_databases(const Dispatcher *dispatcher, const HelloMessage *hello)
{
    const HelloDatabase *databases = hello->databases.items;
    size_t unknown = 0;
    for (size_t i = 0; i < hello->databases.count; i++)
        unknown += !text_list_has(&dispatcher->databases, databases[i].name);
    return dispatcher->databases.count + unknown <= DATABASES_MAX;
}

/* Why a HELLO cannot be accepted, or NULL. */
static const char *refusal(const HelloMessage *hello)
{
    if (hello->proto_min > PROTOCOL_MAJOR || hello->proto_max < PROTOCOL_MAJOR)
        return "no common protocol version";
    if (hello->worker == NULL || strlen(hello->worker) != 32)
        return "a worker must name itself by 32 hex digits";
    if (hello->slots < 1 || hello->slots > ENGINE_MAX_SLOTS)
        return "a worker must have 1 to 4096 slots";
    if (hello->databases.count == 0)
        return "a worker must reach at least one database";
    const HelloDatabase *databases = hello->databases.items;
    if (hello->name != NULL && strlen(hello->name) > NAME_MAX_BYTES)
        return "a worker's name must not be longer than 255 bytes";
    for (size_t i = 0; i < hello->databases.count; i++)
        if (databases[i].name[0] == '\0' || strlen(databases[i].name) > NAME_MAX_BYTES ||
            databases[i].max_connections < 1 || databases[i].max_connections > CONNECTIONS_MAX)
            return "every database of a worker needs a name of at most 255 bytes and 1 to 1000000 "
                   "connections";
    return NULL;
}

static bool say_welcome(Dispatcher *dispatcher, Channel *channel, const uint8_t *session_id, Error *error)
{
    WelcomeMessage welcome = {
        .proto = PROTOCOL_MAJOR,
        .coordinator = dispatcher->name,
        .run = dispatcher->run_id,
        .heartbeat_ms = setting(dispatcher, SETTING_WIRE_HEARTBEAT_MS),
        .suspect_ms = setting(dispatcher, SETTING_WIRE_SUSPECT_MS),
        .dead_ms = setting(dispatcher, SETTING_WIRE_DEAD_MS),
    };
    return channel_greet(channel, MESSAGE_WELCOME, session_id, &welcome, error);
}

/* Jobs that an ended session may have lost go out again; the worker drops the ones it has. */
static bool resend_jobs(RegisteredWorker *worker, Error *error)
{
    SentJob *job;
    DL_FOREACH(worker->jobs, job)
    {
        if (!session_send(worker->channel.session, MESSAGE_JOB, &job->message, &job->seq, error))
            return false;
    }
    return true;
}

static bool accept_hello(Dispatcher *dispatcher, Link *link, const IncomingFrame *frame,
                         const HelloMessage *hello, int64_t now_ms, Error *error)
{
    Channel stranger = {.link = link, .peer = frame->peer};
    RegisteredWorker *worker = find_by_uuid(dispatcher, hello->worker);
    const char *why = refusal(hello);
    if (why == NULL && !knows_databases(dispatcher, hello))
        why = "there are too many databases";
    if (why == NULL && worker == NULL && !has_room(dispatcher))
        why = "there are too many workers";
    if (why != NULL) {
        RejectMessage reject = {(char *)"refused", (char *)why};
        if (log_budget_take(&dispatcher->refusals, link_endpoint(link)))
            log_message(LOG_WARNING, hello->name, "worker refused: %s", why);
        return channel_greet(&stranger, MESSAGE_REJECT, frame->header.session_id, &reject, error);
    }
    if (worker != NULL && worker->serving && channel_owns(&worker->channel, &frame->header))
        return say_welcome(dispatcher, &worker->channel, frame->header.session_id,
                           error); /* our answer got lost */
    if (worker != NULL && hello->incarnation <= worker->incarnation)
        return true; /* a greeting that came late */
    RegisteredWorker *earlier = find_by_connection(dispatcher, link, &frame->peer);
    if (earlier != NULL && earlier != worker &&
        !registry_lose(dispatcher, earlier, "another one has its connection", now_ms, error))
        return false;
    bool is_new = worker == NULL;
    if (is_new) {
        if ((worker = calloc(1, sizeof *worker)) == NULL)
            return error_memory(error);
        strcpy(worker->uuid, hello->worker);
        dispatcher->worker_count++;
        DL_APPEND(dispatcher->workers, worker);
    }
    if (!learn(dispatcher, worker, hello, error))
        return false;
    worker->channel.link = link;
    worker->channel.peer = frame->peer;
    worker->channel.heartbeat_ms = setting(dispatcher, SETTING_WIRE_HEARTBEAT_MS);
    if (!channel_open(&worker->channel, frame->header.session_id, setting(dispatcher, SETTING_WIRE_RESEND_MS),
                      setting(dispatcher, SETTING_WIRE_RESEND_MAX_MS), now_ms, error) ||
        !say_welcome(dispatcher, &worker->channel, frame->header.session_id, error))
        return false;
    if (log_budget_take(&worker->sessions, worker->name))
        log_message(LOG_INFO, worker->name,
                    is_new ? "worker joined with %lld slots" : "worker greeted again, %lld slots",
                    (long long)worker->slots);
    bool was_serving = worker->serving;
    worker->serving = true;
    worker->suspect = false;
    worker->bundle_seq = 0;
    worker->acked = 0;
    worker->progress_ms = now_ms;
    if (was_serving)
        return resend_jobs(worker, error);
    return phase_join(dispatcher, worker, now_ms, error);
}

bool registry_greet(Dispatcher *dispatcher, Link *link, const IncomingFrame *frame, int64_t now_ms,
                    Error *error)
{
    if (frame->header.type != MESSAGE_HELLO || dispatcher->leaving)
        return true; /* WELCOME, REJECT and WHO are ours to say */
    ERROR_CLEANUP Error broken = {0};
    Message message;
    if (!message_unpack(MESSAGE_HELLO, frame->body, frame->body_length, &message, &broken)) {
        log_error_value(LOG_WARNING, link_endpoint(link), &broken);
        return true;
    }
    bool ok = accept_hello(dispatcher, link, frame, message.record, now_ms, error);
    message_clear(&message);
    return ok;
}

void registry_forget_jobs(RegisteredWorker *worker)
{
    SentJob *job, *next;
    DL_FOREACH_SAFE(worker->jobs, job, next)
    {
        DL_DELETE(worker->jobs, job);
        free(job->message.tenants.items);
        free(job);
    }
}

bool registry_lose(Dispatcher *dispatcher, RegisteredWorker *worker, const char *why, int64_t now_ms,
                   Error *error)
{
    if (log_budget_take(&worker->sessions, worker->name))
        log_message(dispatcher->leaving ? LOG_INFO : LOG_WARNING, worker->name, "worker gone: %s", why);
    worker->serving = false;
    channel_close(&worker->channel);
    registry_forget_jobs(worker);
    if (!worker->joined)
        return true;
    worker->joined = false;
    EngineEvent event = {.kind = ENGINE_WORKER_LOST, .worker = worker->engine_id};
    return engine_apply(dispatcher->engine, &event, now_ms, error);
}

/* Heard of, but not listening: what it was given must not wait for it for ever. */
static bool is_stuck(RegisteredWorker *worker, int64_t dead_ms, int64_t now_ms)
{
    uint64_t acked = session_acked(worker->channel.session);
    if (acked != worker->acked || session_backlog(worker->channel.session) == 0) {
        worker->acked = acked;
        worker->progress_ms = now_ms;
    }
    return now_ms - worker->progress_ms > STUCK_DEATHS * dead_ms;
}

bool registry_check_silence(Dispatcher *dispatcher, int64_t now_ms, Error *error)
{
    int64_t suspect_ms = setting(dispatcher, SETTING_WIRE_SUSPECT_MS);
    int64_t dead_ms = setting(dispatcher, SETTING_WIRE_DEAD_MS);
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (!worker->serving)
            continue;
        int64_t silent_ms = now_ms - worker->channel.heard_ms;
        int64_t unreachable_ms = worker->channel.unreachable_ms;
        if (silent_ms > dead_ms && !registry_lose(dispatcher, worker, "silent for too long", now_ms, error))
            return false;
        if (worker->serving && unreachable_ms != 0 && now_ms - unreachable_ms > suspect_ms &&
            !registry_lose(dispatcher, worker, "its connection is gone", now_ms, error))
            return false;
        if (worker->serving && is_stuck(worker, dead_ms, now_ms) &&
            !registry_lose(dispatcher, worker, "it acknowledges nothing", now_ms, error))
            return false;
        bool suspect = silent_ms > suspect_ms;
        if (worker->serving && suspect && !worker->suspect)
            log_message(LOG_WARNING, worker->name, "worker silent for %lld ms", (long long)silent_ms);
        worker->suspect = suspect;
    }
    return true;
}

static void forget_acknowledged(RegisteredWorker *worker)
{
    uint64_t acked = session_acked(worker->channel.session);
    SentJob *job, *next;
    DL_FOREACH_SAFE(worker->jobs, job, next)
    {
        if (job->seq > acked)
            return;
        DL_DELETE(worker->jobs, job);
        free(job->message.tenants.items);
        free(job);
    }
}

bool registry_send(Dispatcher *dispatcher, int64_t now_ms, int64_t *wakeup_ms, Error *error)
{
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        Channel *channel = &worker->channel;
        if (!worker->serving)
            continue;
        if (now_ms >= channel->beat_ms) {
            HeartbeatMessage beat = {.aborting = dispatcher->aborting, .cancelling = dispatcher->cancelling};
            channel->beat_ms = now_ms + channel->heartbeat_ms;
            if (!session_send(channel->session, MESSAGE_HEARTBEAT, &beat, NULL, error))
                return false;
        }
        forget_acknowledged(worker);
        if (!channel_pump(channel, now_ms, error))
            return false;
        int64_t at_ms = channel_wakeup_ms(channel);
        *wakeup_ms = at_ms < *wakeup_ms ? at_ms : *wakeup_ms;
    }
    return true;
}

void registry_free(Dispatcher *dispatcher)
{
    while (dispatcher->workers != NULL)
        free_worker(dispatcher, dispatcher->workers);
}
