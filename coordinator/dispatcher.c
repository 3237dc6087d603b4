#include "coordinator/dispatcher.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "coordinator/dispatcher_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum {
    HOST_INTERVAL_MS = 100,
    FRAMES_PER_TURN = 1024,
    RECEIVE_MS = 100, /* for each link and turn: who floods must not keep us from speaking to the others */
    GOODBYE_WAIT_MS = 1000,
    GOODBYE_LINGER_MS = 2000,
};

static const PeerId ONLY_PEER; /* of a connected link: nameless */

static bool open_links(Dispatcher *dispatcher, Error *error)
{
    const DispatcherOptions *options = &dispatcher->options;
    size_t total = options->connect_count + options->listen_count;
    dispatcher->links = calloc(total + 1, sizeof *dispatcher->links);
    dispatcher->items = calloc(total + 1, sizeof *dispatcher->items);
    if (dispatcher->links == NULL || dispatcher->items == NULL)
        return error_memory(error);
    dispatcher->items[total].fd = options->interrupt_fd;
    for (; dispatcher->link_count < total; dispatcher->link_count++) {
        size_t i = dispatcher->link_count;
        bool bind = i >= options->connect_count;
        Link *link = link_open(
            options->context,
            &(LinkOptions){
                .endpoint = bind ? options->listen[i - options->connect_count] : options->connect[i],
                .bind = bind,
                .plain = options->plain,
                .reconnect_ms = config_int(options->config, SETTING_WIRE_RECONNECT_MS),
                .reconnect_max_ms = config_int(options->config, SETTING_WIRE_RECONNECT_MAX_MS),
                .heartbeat_ms = config_int(options->config, SETTING_WIRE_HEARTBEAT_MS) * 2,
            },
            error);
        if (link == NULL)
            return false;
        dispatcher->links[i] = dispatcher->items[i].link = link;
    }
    return true;
}

Dispatcher *dispatcher_new(const DispatcherOptions *options, Error *error)
{
    Dispatcher *dispatcher = calloc(1, sizeof *dispatcher);
    if (dispatcher == NULL) {
        error_memory(error);
        return NULL;
    }
    dispatcher->options = *options;
    char host[64] = "?";
    gethostname(host, sizeof host - 1);
    snprintf(dispatcher->name, sizeof dispatcher->name, "%s/%ld", host, (long)getpid());
    uint8_t run_id[SESSION_ID_SIZE];
    if (!session_id_draw(run_id, error) || !open_links(dispatcher, error)) {
        dispatcher_free(dispatcher);
        return NULL;
    }
    hex_encode(run_id, sizeof run_id, dispatcher->run_id);
    return dispatcher;
}

const char *dispatcher_endpoint(const Dispatcher *dispatcher, size_t i)
{
    return link_endpoint(dispatcher->links[dispatcher->options.connect_count + i]);
}

const char *dispatcher_run_id(const Dispatcher *dispatcher)
{
    return dispatcher->run_id;
}

const TextList *dispatcher_databases(const Dispatcher *dispatcher)
{
    return &dispatcher->databases;
}

void dispatcher_use_bundle(Dispatcher *dispatcher, const Bundle *bundle)
{
    RegisteredWorker *worker;
    dispatcher->options.bundle = bundle;
    DL_FOREACH(dispatcher->workers, worker)
    {
        worker->bundle_seq = 0; /* what is on its way is another one */
    }
}

size_t dispatcher_worker_count(const Dispatcher *dispatcher)
{
    size_t count = 0;
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        count += worker->serving;
    }
    return count;
}

bool dispatcher_has_tenant_hooks(const Dispatcher *dispatcher)
{
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (worker->serving && worker->tenant_hooks)
            return true;
    }
    return false;
}

static bool receive_frame(Dispatcher *dispatcher, Link *link, const IncomingFrame *frame, int64_t now_ms,
                          Error *error)
{
    const MessageSpec *spec = message_spec(frame->header.type);
    if (spec != NULL && spec->class == MESSAGE_GREETING)
        return registry_greet(dispatcher, link, frame, now_ms, error);
    RegisteredWorker *worker = registry_find(dispatcher, link, frame);
    if (worker == NULL)
        return registry_tell_stranger(dispatcher, link, frame, now_ms, error);
    worker->channel.heard_ms = now_ms;
    worker->channel.unreachable_ms = 0;
    ERROR_CLEANUP Error broken = {0};
    Message message;
    SessionReceipt receipt = session_receive(worker->channel.session, &frame->header, frame->body,
                                             frame->body_length, now_ms, &message, &broken);
    if (receipt == SESSION_NOTHING)
        return true;
    if (receipt == SESSION_BROKEN) {
        if (log_budget_take(&worker->sessions, worker->name))
            log_error_value(LOG_WARNING, worker->name, &broken);
        channel_break(&worker->channel, &broken, now_ms);
        return registry_lose(dispatcher, worker, "it broke the protocol", now_ms, error);
    }
    bool ok = phase_handle(dispatcher, worker, &message, now_ms, error);
    message_clear(&message);
    return ok;
}

/* Somebody who speaks another protocol may go on for long: one line for each link. */
static void report_dropped(const Link *link)
{
    if (link_dropped(link) == 1)
        log_message(LOG_WARNING, link_endpoint(link), "malformed frames arrive; they are dropped");
}

static bool receive_all(Dispatcher *dispatcher, Link *link, int64_t now_ms, Error *error)
{
    for (int i = 0; i < FRAMES_PER_TURN && clock_now_ms(&SYSTEM_CLOCK) - now_ms < RECEIVE_MS; i++) {
        IncomingFrame frame;
        LinkStatus status = link_receive(link, &frame, error);
        if (status == LINK_AGAIN)
            return true;
        if (status == LINK_FAILED)
            return false;
        if (status != LINK_OK) {
            report_dropped(link);
            continue;
        }
        bool ok = receive_frame(dispatcher, link, &frame, now_ms, error);
        free(frame.body);
        if (!ok)
            return false;
    }
    return true;
}

/* A worker that refused our key, or proved itself with another one than we tried, may know us, or we it, the
 * next time. */
static void try_other_key(Link *link)
{
    ERROR_CLEANUP Error kept = {0};
    if (link_has_keys(link) && !link_reopen(link, &kept))
        log_error_value(LOG_WARNING, link_endpoint(link), &kept); /* the old socket goes on */
}

/* Connected links speak first: a worker that listens answers WHO with HELLO. */
static bool call_workers(Dispatcher *dispatcher, int64_t now_ms, Error *error)
{
    if (dispatcher->options.connect_count == 0 || now_ms < dispatcher->greet_ms)
        return true;
    dispatcher->greet_ms = now_ms + config_int(dispatcher->options.config, SETTING_WIRE_RECONNECT_MS);
    bool reopen = dispatcher->reopen_ms != 0 && now_ms >= dispatcher->reopen_ms;
    if (reopen || dispatcher->reopen_ms == 0)
        dispatcher->reopen_ms =
            now_ms + 2 * config_int(dispatcher->options.config, SETTING_WIRE_HEARTBEAT_MS);
    static const uint8_t NO_SESSION[SESSION_ID_SIZE];
    for (size_t i = 0; i < dispatcher->options.connect_count; i++) {
        bool answered = false;
        RegisteredWorker *worker;
        DL_FOREACH(dispatcher->workers, worker)
        {
            answered |= worker->serving && worker->channel.link == dispatcher->links[i];
        }
        if (!answered && reopen)
            try_other_key(dispatcher->links[i]);
        Channel channel = {.link = dispatcher->links[i], .peer = ONLY_PEER};
        if (!answered && !channel_greet(&channel, MESSAGE_WHO, NO_SESSION, NULL, error))
            return false;
    }
    return true;
}

/* Asks the host whether to go on, and passes its wish to the engine. */
static bool ask_host(Dispatcher *dispatcher, int64_t now_ms, Request *ret_request, Error *error)
{
    *ret_request = dispatcher->options.poll_host(dispatcher->options.host);
    bool cancel = *ret_request == REQUEST_CANCEL && !dispatcher->cancelling;
    bool abort = *ret_request == REQUEST_ABORT && !dispatcher->aborting;
    if (dispatcher->engine == NULL || (!abort && !cancel))
        return true;
    EngineEvent event = {.kind = cancel ? ENGINE_CANCEL : ENGINE_ABORT};
    return engine_apply(dispatcher->engine, &event, now_ms, error);
}

/* One round: send what is due, wait for something to happen, take it in. */
static bool turn(Dispatcher *dispatcher, Error *error)
{
    int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
    int64_t wakeup_ms = now_ms + HOST_INTERVAL_MS;
    if (!call_workers(dispatcher, now_ms, error) || !registry_send(dispatcher, now_ms, &wakeup_ms, error))
        return false;
    if (dispatcher->engine != NULL && engine_wakeup_ms(dispatcher->engine) < wakeup_ms)
        wakeup_ms = engine_wakeup_ms(dispatcher->engine);
    LinkPollItem *items = dispatcher->items;
    size_t count = dispatcher->link_count + (dispatcher->options.interrupt_fd >= 0);
    if (!link_poll(items, count, wakeup_ms > now_ms ? wakeup_ms - now_ms : 0, error))
        return false;
    for (size_t i = 0; i < dispatcher->link_count; i++)
        if (items[i].readable &&
            !receive_all(dispatcher, dispatcher->links[i], clock_now_ms(&SYSTEM_CLOCK), error))
            return false;
    return registry_check_silence(dispatcher, clock_now_ms(&SYSTEM_CLOCK), error);
}

bool dispatcher_gather(Dispatcher *dispatcher, Error *error)
{
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    size_t wanted = (size_t)dispatcher->options.min_workers;
    while (dispatcher_worker_count(dispatcher) < wanted) {
        int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
        Request request = REQUEST_NONE;
        if (!ask_host(dispatcher, now_ms, &request, error))
            return false;
        if (request != REQUEST_NONE)
            return error_set(error, ERROR_CANCELLED,
                             "stopped while waiting for workers; nothing was changed");
        if (now_ms - started_ms > dispatcher->options.wait_ms) {
            error_set(error, ERROR_NO_WORKERS, "%zu of %zu workers came within %lld ms",
                      dispatcher_worker_count(dispatcher), wanted, (long long)dispatcher->options.wait_ms);
            error_set_hint(
                error, "start workers with `pgconvoy-worker --coordinator ENDPOINT`, or lower --min-workers");
            return false;
        }
        if (!turn(dispatcher, error))
            return false;
    }
    return true;
}

static uint32_t index_of(const TextList *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return (uint32_t)i;
    return ENGINE_NONE;
}

static bool start_engine(Dispatcher *dispatcher, const Phase *phase, Error *error)
{
    const Operation *operation = operation_get(phase->operation);
    EngineTenant *tenants = calloc(phase->tenant_count + 1, sizeof *tenants);
    if (tenants == NULL)
        return error_memory(error);
    for (size_t i = 0; i < phase->tenant_count; i++) {
        tenants[i].database = index_of(&dispatcher->databases, phase->tenants[i]->database);
        tenants[i].predecessor = phase->predecessors != NULL ? phase->predecessors[i] : ENGINE_NONE;
        if (tenants[i].database == ENGINE_NONE) {
            free(tenants);
            return error_set(error, ERROR_TENANTS, "no worker reaches the database \"%s\"",
                             phase->tenants[i]->database);
        }
    }
    size_t per_job = operation->tenants_per_job > 0 ? operation->tenants_per_job : 1;
    uint64_t seed = 0;
    memcpy(&seed, dispatcher->run_id, sizeof seed);
    EngineSpec spec = {
        .tenants = tenants,
        .tenant_count = phase->tenant_count,
        .budgets = dispatcher->budgets,
        .database_count = dispatcher->databases.count,
        .concurrency = phase->concurrency,
        .schedule = phase->schedule,
        .tenants_per_job = (int64_t)per_job,
        .set_jobs = operation->shape == OPERATION_SET,
        .lock_wait_ms = phase->lock_wait_ms,
        .max_failures = phase->max_failures,
        .equal_failures = phase->equal_failures,
        .seed = seed + (uint64_t)dispatcher->phase_number,
    };
    dispatcher->engine_databases = spec.database_count;
    dispatcher->holders = calloc(phase->tenant_count + 1, sizeof(RegisteredWorker *));
    if (dispatcher->holders == NULL)
        error_memory(error);
    else
        dispatcher->engine = engine_new(&spec, error);
    free(tenants);
    return dispatcher->engine != NULL;
}

/* False, with ERROR_NO_WORKERS, once work has been waiting for wait_ms without a worker that could do it. */
static bool check_stranded(Dispatcher *dispatcher, int64_t now_ms, Error *error)
{
    size_t stranded = engine_unreachable(dispatcher->engine);
    if (stranded == 0) {
        dispatcher->alone_since_ms = 0;
        return true;
    }
    if (dispatcher->alone_since_ms == 0)
        dispatcher->alone_since_ms = now_ms;
    if (now_ms - dispatcher->alone_since_ms <= dispatcher->options.wait_ms)
        return true;
    error_set(error, ERROR_NO_WORKERS, "%zu tenants wait and no worker that reaches their database is left",
              stranded);
    error_set_hint(
        error, "start workers and run the same command again: tenants that are up to date are left alone");
    return false;
}

/* What was asked for during an earlier phase holds for this one too: the workers start nothing any more, and
 * an engine that did not know would offer them its tenants for ever. */
static bool carry_abort(Dispatcher *dispatcher, int64_t now_ms, Error *error)
{
    EngineEvent event = {.kind = dispatcher->cancelling ? ENGINE_CANCEL : ENGINE_ABORT};
    return !dispatcher->aborting || engine_apply(dispatcher->engine, &event, now_ms, error);
}

/* Drives the engine until every tenant is terminal. */
static bool drive(Dispatcher *dispatcher, Error *error)
{
    int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK), host_ms = now_ms;
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (!phase_join(dispatcher, worker, now_ms, error))
            return false;
    }
    if (!carry_abort(dispatcher, now_ms, error))
        return false;
    for (;;) {
        now_ms = clock_now_ms(&SYSTEM_CLOCK);
        Request request;
        if (!ask_host(dispatcher, now_ms, &request, error) || !phase_act(dispatcher, now_ms, error))
            return false;
        if (now_ms >= host_ms && dispatcher->options.on_progress != NULL) {
            dispatcher->options.on_progress(dispatcher->options.host, dispatcher->engine);
            host_ms = now_ms + HOST_INTERVAL_MS;
        }
        if (dispatcher->complete)
            return true;
        if (!check_stranded(dispatcher, now_ms, error) || !turn(dispatcher, error))
            return false;
    }
}

static bool keep_outcome(Dispatcher *dispatcher, PhaseOutcome *ret_outcome, Error *error)
{
    const Engine *engine = dispatcher->engine;
    size_t count = dispatcher->phase->tenant_count;
    PhaseOutcome outcome = {
        .totals = engine_totals(engine),
        .abort_reason = engine_abort_reason(engine),
        .cancelled = dispatcher->cancelling,
        .starts = dispatcher->starts,
        .states = calloc(count + 1, sizeof *outcome.states),
        .outcomes = calloc(count + 1, sizeof *outcome.outcomes),
        .attempts = calloc(count + 1, sizeof *outcome.attempts),
    };
    outcome.aborted = outcome.abort_reason != ENGINE_NOT_ABORTED;
    outcome.aborted_by_policy =
        dispatcher->aborted_by_policy || outcome.abort_reason > ENGINE_ABORTED_BY_HOST;
    if (outcome.states == NULL || outcome.outcomes == NULL || outcome.attempts == NULL) {
        phase_outcome_clear(&outcome);
        return error_memory(error);
    }
    for (uint32_t i = 0; i < count; i++) {
        outcome.states[i] = engine_tenant_state(engine, i);
        outcome.outcomes[i] = engine_tenant_outcome(engine, i);
        outcome.attempts[i] = engine_tenant_attempts(engine, i);
    }
    *ret_outcome = outcome;
    return true;
}

/* The machinery broke: nobody starts anything any more, and the engine settles what is open. */
static void settle(Dispatcher *dispatcher)
{
    int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
    Error ignored = {0};
    EngineEvent abort = {.kind = ENGINE_ABORT};
    bool ok = engine_apply(dispatcher->engine, &abort, now_ms, &ignored);
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        EngineEvent lost = {.kind = ENGINE_WORKER_LOST, .worker = worker->engine_id};
        ok = ok && (!worker->joined || engine_apply(dispatcher->engine, &lost, now_ms, &ignored));
    }
    EngineAction action;
    while (ok && engine_next(dispatcher->engine, now_ms, &action))
        continue;
    error_clear(&ignored);
}

bool dispatcher_run(Dispatcher *dispatcher, const Phase *phase, PhaseOutcome *ret_outcome, Error *error)
{
    dispatcher->phase = phase;
    dispatcher->phase_number++;
    dispatcher->complete = false;
    dispatcher->starts = 0;
    dispatcher->aborted_by_policy = false;
    dispatcher->alone_since_ms = 0;
    bool ok = start_engine(dispatcher, phase, error);
    if (ok) {
        ok = drive(dispatcher, error);
        if (!ok)
            settle(dispatcher);
        Error ignored = {0};
        if (!keep_outcome(dispatcher, ret_outcome, ok ? error : &ignored))
            ok = false;
        error_clear(&ignored);
    }
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        worker->joined = false;
        registry_forget_jobs(worker);
    }
    engine_free(dispatcher->engine);
    dispatcher->engine = NULL;
    free(dispatcher->holders);
    dispatcher->holders = NULL;
    dispatcher->phase = NULL;
    return ok;
}

void phase_outcome_clear(PhaseOutcome *outcome)
{
    free(outcome->states);
    free(outcome->outcomes);
    free(outcome->attempts);
    *outcome = (PhaseOutcome){0};
}

/* Waits for the workers' answers too: closing a connection on which something unread has arrived would take
 * our goodbye back from the wire. A goodbye that does not arrive is noticed as silence. */
static void say_goodbye(Dispatcher *dispatcher)
{
    ERROR_CLEANUP Error ignored = {0};
    bool ok = true;
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (worker->serving)
            ok = ok && session_send(worker->channel.session, MESSAGE_BYE, NULL, NULL, &ignored);
    }
    dispatcher->leaving = true;
    dispatcher->options.interrupt_fd = -1;
    int64_t until_ms = clock_now_ms(&SYSTEM_CLOCK) + GOODBYE_WAIT_MS;
    while (ok && dispatcher_worker_count(dispatcher) > 0 && clock_now_ms(&SYSTEM_CLOCK) < until_ms)
        ok = turn(dispatcher, &ignored);
}

void dispatcher_free(Dispatcher *dispatcher)
{
    if (dispatcher == NULL)
        return;
    say_goodbye(dispatcher);
    registry_free(dispatcher);
    for (size_t i = 0; i < dispatcher->link_count; i++)
        link_close(dispatcher->links[i], GOODBYE_LINGER_MS);
    free(dispatcher->links);
    free(dispatcher->items);
    text_list_clear(&dispatcher->databases);
    free(dispatcher->budgets);
    free(dispatcher);
}
