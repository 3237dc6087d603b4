#include "tests/support/chaos.h"
#include "tests/support/process.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 200, CHUNK = 4096, QUEUE_LIMIT = 64, LOOK_MS = 5 };

typedef struct Chunk {
    struct Chunk *next;
    int64_t due_ms;
    size_t length, sent;
    unsigned char bytes[CHUNK];
} Chunk;

/* One direction of a connection. */
typedef struct Lane {
    int from, to;
    Chunk *first, **last;
    int queued;
    bool ended; /* nothing more comes; `to` hears of it when the queue is empty */
    long carried;
    int64_t free_ms; /* when a limited lane may carry the next chunk */
} Lane;

typedef struct Pair {
    bool used, broken, tainted; /* tainted: it lost bytes, so it must not live on */
    Lane up, down;
} Pair;

typedef struct Proxy {
    ChaosControl *control;
    int listener, target_port;
    unsigned int random;
    Pair pairs[PAIRS];
} Proxy;

static void die(const char *what)
{
    fprintf(stderr, "chaos: %s: %s\n", what, strerror(errno));
    _exit(97);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* With RST: whoever is at the other end sees an error, not an end. */
static void close_hard(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
}

static void lane_clear(Lane *lane)
{
    while (lane->first != NULL) {
        Chunk *chunk = lane->first;
        lane->first = chunk->next;
        free(chunk);
    }
}

static void pair_close(Proxy *proxy, Pair *pair)
{
    if (pair->broken) {
        close_hard(pair->up.from);
        close_hard(pair->up.to);
    } else {
        close(pair->up.from);
        close(pair->up.to);
    }
    lane_clear(&pair->up);
    lane_clear(&pair->down);
    *pair = (Pair){0};
    atomic_fetch_sub(&proxy->control->open, 1);
}

static void proxy_accept(Proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return;
    Pair *pair = proxy->pairs;
    while (pair < proxy->pairs + PAIRS && pair->used)
        pair++;
    struct sockaddr_in address = loopback(proxy->target_port);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (atomic_load(&proxy->control->refuse) || pair == proxy->pairs + PAIRS ||
        connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        close_hard(client);
        close(server);
        return;
    }
    fcntl(server, F_SETFL, O_NONBLOCK);
    *pair =
        (Pair){.used = true, .up = {.from = client, .to = server}, .down = {.from = server, .to = client}};
    pair->up.last = &pair->up.first;
    pair->down.last = &pair->down.first;
    atomic_fetch_add(&proxy->control->accepted, 1);
    atomic_fetch_add(&proxy->control->open, 1);
}

static bool lane_may_read(const Lane *lane, ChaosFlow flow)
{
    return !lane->ended && flow != CHAOS_HOLD && lane->queued < QUEUE_LIMIT;
}

/* What is to happen to a chunk that has just come upwards or downwards. False: the connection is to be cut.
 */
static bool pair_judge(Proxy *proxy, Lane *lane, bool upwards, Chunk *chunk)
{
    ChaosControl *control = proxy->control;
    long flip = atomic_load(&control->flip_after), cut = atomic_load(&control->cut_after);
    long one_in = atomic_load(&control->cut_one_in);
    long before = lane->carried;
    lane->carried += (long)chunk->length;
    if (upwards && flip > before && flip <= lane->carried) {
        chunk->bytes[flip - before - 1] ^= 0x10;
        atomic_fetch_add(&control->flips, 1);
    }
    bool unlucky = one_in > 0 && rand_r(&proxy->random) % one_in == 0;
    if (!unlucky && (cut == 0 || lane->carried < cut))
        return true;
    atomic_fetch_add(&control->cuts, 1);
    return false;
}

static void lane_read(Proxy *proxy, Pair *pair, Lane *lane, bool upwards, ChaosFlow flow)
{
    ChaosControl *control = proxy->control;
    Chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL)
        die("out of memory");
    *chunk = (Chunk){.due_ms = now_ms() + atomic_load(&control->delay_ms)};
    ssize_t length = recv(lane->from, chunk->bytes, CHUNK, 0);
    if (length <= 0) {
        lane->ended = length == 0;
        pair->broken |= length < 0 && errno != EAGAIN && errno != EINTR;
        free(chunk);
        return;
    }
    chunk->length = (size_t)length;
    atomic_fetch_add(upwards ? &control->bytes_up : &control->bytes_down, length);
    if (flow == CHAOS_DROP) {
        pair->tainted = true;
        atomic_fetch_add(&control->dropped, length);
        free(chunk);
        return;
    }
    pair->broken |= !pair_judge(proxy, lane, upwards, chunk);
    long rate = atomic_load(&control->bytes_per_s);
    if (rate > 0) {
        int64_t start = chunk->due_ms > lane->free_ms ? chunk->due_ms : lane->free_ms;
        chunk->due_ms = lane->free_ms = start + (int64_t)length * 1000 / rate;
    }
    *lane->last = chunk;
    lane->last = &chunk->next;
    lane->queued++;
}

/* Sends what is due; a full receiver is tried again at the next look. */
static void lane_write(Pair *pair, Lane *lane, ChaosFlow flow)
{
    while (lane->first != NULL && flow == CHAOS_PASS && lane->first->due_ms <= now_ms()) {
        Chunk *chunk = lane->first;
        ssize_t sent = send(lane->to, chunk->bytes + chunk->sent, chunk->length - chunk->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            pair->broken |= errno != EAGAIN && errno != EINTR;
            return;
        }
        chunk->sent += (size_t)sent;
        if (chunk->sent < chunk->length)
            return;
        lane->first = chunk->next;
        if (lane->first == NULL)
            lane->last = &lane->first;
        lane->queued--;
        free(chunk);
    }
    if (lane->ended && lane->first == NULL)
        shutdown(lane->to, SHUT_WR);
}

static void pair_serve(Proxy *proxy, Pair *pair, bool up_readable, bool down_readable)
{
    ChaosFlow up = (ChaosFlow)atomic_load(&proxy->control->up);
    ChaosFlow down = (ChaosFlow)atomic_load(&proxy->control->down);
    if (up_readable && lane_may_read(&pair->up, up))
        lane_read(proxy, pair, &pair->up, true, up);
    if (down_readable && lane_may_read(&pair->down, down))
        lane_read(proxy, pair, &pair->down, false, down);
    lane_write(pair, &pair->up, up);
    lane_write(pair, &pair->down, down);
    pair->broken |= pair->tainted && up != CHAOS_DROP && down != CHAOS_DROP;
    if (pair->broken || (pair->up.ended && pair->down.ended && pair->up.queued + pair->down.queued == 0))
        pair_close(proxy, pair);
}

static void proxy_reset_all(Proxy *proxy, unsigned int wanted)
{
    for (Pair *pair = proxy->pairs; pair < proxy->pairs + PAIRS; pair++) {
        if (pair->used) {
            pair->broken = true;
            pair_close(proxy, pair);
        }
    }
    atomic_store(&proxy->control->resets_done, wanted);
}

static short wanted_events(const Lane *lane, ChaosFlow flow)
{
    return lane_may_read(lane, flow) ? POLLIN : 0;
}

static void proxy_turn(Proxy *proxy)
{
    struct pollfd polled[2 * PAIRS + 1] = {{.fd = proxy->listener, .events = POLLIN}};
    ChaosFlow up = (ChaosFlow)atomic_load(&proxy->control->up);
    ChaosFlow down = (ChaosFlow)atomic_load(&proxy->control->down);
    for (int i = 0; i < PAIRS; i++) {
        Pair *pair = &proxy->pairs[i];
        short events[2] = {wanted_events(&pair->up, up), wanted_events(&pair->down, down)};
        /* A side of which nothing is asked would report its end for ever. */
        polled[2 * i + 1] =
            (struct pollfd){.fd = pair->used && events[0] ? pair->up.from : -1, .events = POLLIN};
        polled[2 * i + 2] =
            (struct pollfd){.fd = pair->used && events[1] ? pair->down.from : -1, .events = POLLIN};
    }
    if (poll(polled, 2 * PAIRS + 1, LOOK_MS) < 0 && errno != EINTR)
        die("poll");
    unsigned int wanted = atomic_load(&proxy->control->resets_wanted);
    if (wanted != atomic_load(&proxy->control->resets_done)) {
        proxy_reset_all(proxy, wanted);
        return;
    }
    for (int i = 0; i < PAIRS; i++)
        if (proxy->pairs[i].used)
            pair_serve(proxy, &proxy->pairs[i], polled[2 * i + 1].revents != 0,
                       polled[2 * i + 2].revents != 0);
    if (polled[0].revents != 0)
        proxy_accept(proxy);
}

static void child_main(ChaosControl *control, int listener, int target_port, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    static Proxy proxy;
    proxy = (Proxy){.control = control, .listener = listener, .target_port = target_port, .random = 1};
    for (;;)
        proxy_turn(&proxy);
}

Chaos *chaos_start(int target_port)
{
    Chaos *chaos = calloc(1, sizeof *chaos);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    if (chaos == NULL || listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        die("listen");
    chaos->port = ntohs(address.sin_port);
    chaos->control =
        mmap(NULL, sizeof *chaos->control, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (chaos->control == MAP_FAILED)
        die("mmap");
    pid_t parent = getpid();
    chaos->child = fork();
    if (chaos->child < 0)
        die("fork");
    if (chaos->child == 0)
        child_main(chaos->control, listener, target_port, parent);
    close(listener);
    return chaos;
}

void chaos_stop(Chaos *chaos)
{
    if (chaos == NULL)
        return;
    kill(chaos->child, SIGKILL);
    waitpid(chaos->child, NULL, 0);
    munmap(chaos->control, sizeof *chaos->control);
    free(chaos);
}

void chaos_flow(Chaos *chaos, ChaosFlow up, ChaosFlow down)
{
    atomic_store(&chaos->control->up, up);
    atomic_store(&chaos->control->down, down);
}

static bool reset_done(void *chaos_pointer)
{
    Chaos *chaos = chaos_pointer;
    return atomic_load(&chaos->control->resets_done) == atomic_load(&chaos->control->resets_wanted);
}

void chaos_reset(Chaos *chaos)
{
    atomic_fetch_add(&chaos->control->resets_wanted, 1);
    await(reset_done, chaos, 5000, "the proxy to reset its connections");
}
