#include "worker/worker.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "worker/conversation.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

enum {
    TRIM_INTERVAL_MS = 1000,
    GOODBYE_LINGER_MS = 2000,
    FRAMES_PER_TURN = 256,
    RECEIVE_MS = 100, /* for each link and turn: who floods must not keep us from speaking to the others */
    PASSING_MAX = 1000,
};

typedef enum WorkerState { WORKER_SERVING, WORKER_DRAINING, WORKER_CANCELLING, WORKER_STOPPING } WorkerState;

typedef struct Peer {
    struct Peer *prev, *next;
    Conversation *conversation;
    bool passing; /* came to our bound link: forgotten when it is over */
} Peer;

struct Worker {
    WorkerOptions options;
    ConversationHost host;
    char uuid[33], name[96];
    HookSet *hooks;
    Executor *executor;
    Link **links; /* coordinators first, then the bound one */
    size_t link_count;
    Peer *peers;
    size_t passing_count;
    pthread_t thread;
    bool started;
    _Atomic WorkerState wish; /* set by any thread */
    WorkerState state;        /* the loop's */
    int64_t cancel_ms;        /* draining turns into cancelling */
    atomic_bool failed;       /* the loop broke */
    int wish_fd, done_fd;
};

static const PeerId ONLY_PEER; /* of a connected link: nameless */

static Conversation *find_conversation(Worker *worker, const Link *link, const IncomingFrame *frame)
{
    Peer *entry;
    DL_FOREACH(worker->peers, entry)
    {
        if (conversation_is_with(entry->conversation, link, &frame->peer))
            return entry->conversation;
    }
    DL_FOREACH(worker->peers, entry)
    {
        if (conversation_adopts(entry->conversation, link, frame))
            return entry->conversation;
    }
    return NULL;
}

static Conversation *add_conversation(Worker *worker, Link *link, const PeerId *peer, int64_t now_ms,
                                      Error *error)
{
    Peer *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        error_memory(error);
        return NULL;
    }
    entry->conversation = conversation_new(&worker->host, link, peer, now_ms, error);
    if (entry->conversation == NULL) {
        free(entry);
        return NULL;
    }
    entry->passing = peer->length > 0;
    worker->passing_count += entry->passing;
    DL_APPEND(worker->peers, entry);
    return entry->conversation;
}

/* On a bound link coordinators speak first: WHO asks for our HELLO. Anything else from a stranger is dropped.
 */
static bool receive_frame(Worker *worker, Link *link, const IncomingFrame *frame, int64_t now_ms,
                          Error *error)
{
    Conversation *conversation = find_conversation(worker, link, frame);
    if (conversation == NULL && frame->header.type == MESSAGE_WHO && worker->state == WORKER_SERVING &&
        worker->passing_count < PASSING_MAX)
        return add_conversation(worker, link, &frame->peer, now_ms, error) != NULL;
    return conversation == NULL || conversation_receive(conversation, frame, now_ms, error);
}

/* Somebody who speaks another protocol may go on for long: one line for each link. */
static void report_dropped(const Link *link)
{
    if (link_dropped(link) == 1)
        log_message(LOG_WARNING, "worker", "malformed frames arrive at %s; they are dropped",
                    link_endpoint(link));
}

static bool receive_all(Worker *worker, Link *link, int64_t now_ms, Error *error)
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
        bool ok = receive_frame(worker, link, &frame, now_ms, error);
        free(frame.body);
        if (!ok)
            return false;
    }
    return true;
}

static bool pass_reports(Worker *worker, Error *error)
{
    bool ok = true;
    for (Report *report = executor_collect(worker->executor), *next; report != NULL; report = next) {
        next = report->next;
        Peer *peer;
        DL_FOREACH(worker->peers, peer)
        {
            if (conversation_takes(peer->conversation, report)) {
                ok = ok && conversation_report(peer->conversation, report, error);
                break;
            }
        }
        report_free(report);
    }
    return ok;
}

/* Turns the wish of another thread, or the passing of time, into the loop's state. */
static bool follow_wish(Worker *worker, int64_t now_ms, Error *error)
{
    eventfd_t ignored;
    eventfd_read(worker->wish_fd, &ignored);
    WorkerState wish = atomic_load(&worker->wish);
    if (worker->state == WORKER_DRAINING && now_ms >= worker->cancel_ms && wish < WORKER_CANCELLING)
        wish = WORKER_CANCELLING;
    if (wish <= worker->state)
        return true;
    if (worker->state == WORKER_SERVING)
        worker->cancel_ms = now_ms + config_int(worker->options.config, SETTING_WIRE_DRAIN_MS);
    worker->state = wish;
    if (wish >= WORKER_CANCELLING)
        executor_abort(worker->executor, 0, true); /* also what was begun for coordinators long gone */
    Peer *peer;
    DL_FOREACH(worker->peers, peer)
    {
        if (!conversation_drain(peer->conversation, wish >= WORKER_CANCELLING, error))
            return false;
    }
    return true;
}

static bool everybody_is_quiet(Worker *worker)
{
    Peer *peer;
    DL_FOREACH(worker->peers, peer)
    {
        if (!conversation_is_quiet(peer->conversation))
            return false;
    }
    return executor_load(worker->executor) == 0;
}

/* Sends what every conversation has to send, forgets the ones that are over, and says when to look again. */
static bool take_turns(Worker *worker, int64_t now_ms, int64_t *wakeup_ms, Error *error)
{
    Peer *peer, *next;
    DL_FOREACH_SAFE(worker->peers, peer, next)
    {
        if (!conversation_turn(peer->conversation, now_ms, error))
            return false;
        int64_t at_ms = conversation_wakeup_ms(peer->conversation);
        *wakeup_ms = at_ms < *wakeup_ms ? at_ms : *wakeup_ms;
        if (!peer->passing || !conversation_is_over(peer->conversation, now_ms))
            continue;
        DL_DELETE(worker->peers, peer);
        worker->passing_count--;
        conversation_free(peer->conversation);
        free(peer);
    }
    return true;
}

static bool loop(Worker *worker, Error *error)
{
    size_t count = worker->link_count + 2;
    LinkPollItem *items = calloc(count, sizeof *items);
    if (items == NULL)
        return error_memory(error);
    for (size_t i = 0; i < worker->link_count; i++)
        items[i].link = worker->links[i];
    items[count - 2].fd = executor_fd(worker->executor);
    items[count - 1].fd = worker->wish_fd;
    bool ok = true;
    while (ok) {
        int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
        int64_t wakeup_ms = now_ms + TRIM_INTERVAL_MS;
        ok = follow_wish(worker, now_ms, error) && pass_reports(worker, error) &&
             take_turns(worker, now_ms, &wakeup_ms, error);
        bool drained = worker->state != WORKER_SERVING && everybody_is_quiet(worker);
        if (!ok || drained || worker->state == WORKER_STOPPING)
            break;
        int64_t timeout_ms = wakeup_ms > now_ms ? wakeup_ms - now_ms : 0;
        ok = link_poll(items, count, timeout_ms, error);
        for (size_t i = 0; ok && i < worker->link_count; i++)
            ok = !items[i].readable ||
                 receive_all(worker, worker->links[i], clock_now_ms(&SYSTEM_CLOCK), error);
    }
    free(items);
    return ok;
}

static void *worker_main(void *worker_pointer)
{
    Worker *worker = worker_pointer;
    ERROR_CLEANUP Error error = {0};
    bool ok = loop(worker, &error);
    int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
    /* Also when the loop broke: whoever hears it need not wait for silence. */
    Peer *peer;
    DL_FOREACH(worker->peers, peer)
    {
        ERROR_CLEANUP Error unsaid = {0};
        if (!conversation_say_bye(peer->conversation, now_ms, ok ? &error : &unsaid))
            ok = false;
    }
    if (!ok)
        log_error_value(LOG_ERROR, "worker", &error);
    atomic_store(&worker->failed, !ok);
    eventfd_write(worker->done_fd, 1);
    return NULL;
}

static bool open_links(Worker *worker, Error *error)
{
    const WorkerOptions *options = &worker->options;
    LinkOptions link = {
        .plain = options->plain,
        .reconnect_ms = config_int(options->config, SETTING_WIRE_RECONNECT_MS),
        .reconnect_max_ms = config_int(options->config, SETTING_WIRE_RECONNECT_MAX_MS),
        .heartbeat_ms = config_int(options->config, SETTING_WIRE_HEARTBEAT_MS) * 2,
    };
    size_t total = options->coordinator_count + (options->listen != NULL);
    if ((worker->links = calloc(total + 1, sizeof *worker->links)) == NULL)
        return error_memory(error);
    for (; worker->link_count < total; worker->link_count++) {
        link.bind = worker->link_count == options->coordinator_count;
        link.endpoint = link.bind ? options->listen : options->coordinators[worker->link_count];
        Link *opened = link_open(options->context, &link, error);
        if (opened == NULL)
            return false;
        worker->links[worker->link_count] = opened;
        if (!link.bind &&
            add_conversation(worker, opened, &ONLY_PEER, clock_now_ms(&SYSTEM_CLOCK), error) == NULL) {
            worker->link_count++;
            return false;
        }
    }
    return true;
}

/* Starts the loop thread with every signal blocked: signals are the program's business. */
static bool start_thread(Worker *worker, Error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->started = failed == 0;
    return worker->started || error_set(error, ERROR_SYSTEM, "cannot start a thread: %s", strerror(failed));
}

Worker *worker_start(const WorkerOptions *options, Error *error)
{
    Worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        error_memory(error);
        return NULL;
    }
    char host[64] = "?";
    gethostname(host, sizeof host - 1);
    snprintf(worker->name, sizeof worker->name, "%s/%ld", host, (long)getpid());
    worker->options = *options;
    worker->wish_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->host = (ConversationHost){.config = options->config,
                                      .worker_uuid = worker->uuid,
                                      .worker_name = worker->name,
                                      .slots = options->slots};
    bool ok = worker->wish_fd >= 0 && worker->done_fd >= 0;
    if (!ok)
        error_set(error, ERROR_SYSTEM, "cannot open an eventfd: %s", strerror(errno));
    uint8_t uuid[SESSION_ID_SIZE];
    ok = ok && session_id_draw(uuid, error);
    if (ok)
        hex_encode(uuid, sizeof uuid, worker->uuid);
    ok = ok && (worker->hooks = hook_set_new(options->config, options->hooks, error)) != NULL;
    ok = ok && (worker->executor = executor_new((size_t)options->slots, worker->hooks, error)) != NULL;
    worker->host.executor = worker->executor;
    worker->host.tenant_hooks = hook_set_wants_tenants(worker->hooks);
    if (!ok || !open_links(worker, error) || !start_thread(worker, error)) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

const char *worker_endpoint(const Worker *worker)
{
    return worker->options.listen != NULL ? link_endpoint(worker->links[worker->link_count - 1]) : NULL;
}

static void wish(Worker *worker, WorkerState state)
{
    WorkerState held = atomic_load(&worker->wish);
    while (held < state && !atomic_compare_exchange_weak(&worker->wish, &held, state))
        continue;
    eventfd_write(worker->wish_fd, 1);
}

void worker_drain(Worker *worker, bool now)
{
    wish(worker, now ? WORKER_CANCELLING : WORKER_DRAINING);
}

int worker_done_fd(const Worker *worker)
{
    return worker->done_fd;
}

bool worker_failed(const Worker *worker)
{
    return atomic_load(&worker->failed);
}

void worker_free(Worker *worker)
{
    if (worker == NULL)
        return;
    if (worker->started) {
        wish(worker, WORKER_STOPPING);
        pthread_join(worker->thread, NULL);
    }
    executor_free(worker->executor);
    hook_set_free(worker->hooks);
    Peer *peer, *next;
    DL_FOREACH_SAFE(worker->peers, peer, next)
    {
        conversation_free(peer->conversation);
        free(peer);
    }
    for (size_t i = 0; i < worker->link_count; i++)
        link_close(worker->links[i], worker->started ? GOODBYE_LINGER_MS : 0);
    free(worker->links);
    if (worker->wish_fd >= 0)
        close(worker->wish_fd);
    if (worker->done_fd >= 0)
        close(worker->done_fd);
    free(worker);
}
