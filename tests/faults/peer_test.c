/* Peers with every right that flood, send garbage, never end or never read: what they make the other side
 * hold stays within bounds, and everybody else's work goes on. */
#include "common/buffer.h"
#include "common/clock.h"
#include "common/migration.h"
#include "common/operation.h"
#include "proto/record_codec.h"
#include "tests/support/faults.h"
#include "tests/support/peer.h"
#include "tests/support/raw_peer.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { FLOOD_MS = 2000, MOST_MIB = 768, PART_COUNT = MESSAGE_SIZE_MAX / FRAME_PART_SIZE + 1 };

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static char noise[FRAME_BODY_MAX];

static long long memory_kib(pid_t pid, const char *which)
{
    char path[64], line[128];
    long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, which, strlen(which)) == 0)
            kib = atoll(line + strlen(which));
    fclose(file);
    assert_true(kib > 0);
    return kib;
}

/* ---- the two sides under attack ---- */

typedef struct Victim {
    Stage *stage;
    Process *process;
    const char *endpoint;
    long long before_kib;
} Victim;

static Victim open_victim(Stage *stage, Process *process)
{
    memset(noise, 0xc1, sizeof noise); /* a byte that msgpack does not have */
    return (Victim){stage, process, stage->endpoint, memory_kib(process->pid, "VmRSS:")};
}

/* A coordinator in the middle of a run with two good workers, which ends when the gate is opened. */
static Victim coordinator_at_work(void)
{
    Stage *stage = stage_new(40, 2, "0.02");
    stage_add_gate(stage, "t0040");
    stage_worker(stage, stage->endpoint);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 2, WORDS("--schedule", "rolling", "--verbose"));
    stage_await_marks(stage, 10);
    return open_victim(stage, stage->run);
}

/* A worker that listens; whoever runs next is a good coordinator. */
static Victim listening_worker(void)
{
    Stage *stage = stage_new(20, 2, "0.02");
    Process *worker = stage_worker_words(
        stage, WORDS("pgconvoy-worker", "--listen", stage->endpoint, "--plain", "--slots", "4"));
    process_await_text(worker, "listening on", 20000);
    return open_victim(stage, worker);
}

static void start_good_run(Victim *victim)
{
    victim->stage->run =
        fleet_start(victim->stage->fleet, WORDS("pgconvoy", "migrate", "--all", "--workers", victim->endpoint,
                                                "--plain", "--schedule", "rolling", "--json"));
}

/* The peak of what it held, and everybody's work is done. */
static void close_victim(Victim *victim)
{
    bool is_worker = victim->process != victim->stage->run;
    long long mib = (memory_kib(victim->process->pid, "VmHWM:") - victim->before_kib) / 1024;
    if (!is_worker)
        stage_open_gate(victim->stage);
    stage_end_well(victim->stage);
    fault_note("the %s grew by at most %lld MiB", is_worker ? "worker" : "coordinator", mib);
    if (!FAULT_SANITIZED)
        assert_in_range(mib, 0, MOST_MIB);
    stage_close(victim->stage);
}

static const char ENDLESS[] = "a message does not end";

static bool has_said(Process *process, const char *text)
{
    char *err = process_err(process);
    bool said = strstr(err, text) != NULL;
    free(err);
    return said;
}

/* ---- what needs no session ---- */

static void flood_garbage(const Victim *victim)
{
    int fd = raw_open(victim->endpoint);
    FrameHeader header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HELLO};
    long long until_ms = fault_clock_ms() + FLOOD_MS;
    for (size_t i = 0; fault_clock_ms() < until_ms; i++) {
        header.type = i % 2 == 0 ? MESSAGE_HELLO : MESSAGE_WHO;
        if (i % 3 == 0)
            raw_send(fd, false, noise, sizeof noise);
        else
            raw_send_frame(fd, &header, noise, sizeof noise);
    }
    close(fd);
}

/* Frames of one message for ever, until the connection was closed for it. */
static void flood_endless(const Victim *victim, size_t frame_size)
{
    static char frames[sizeof noise + RAW_PREFIX];
    size_t length = 0;
    while (length + RAW_PREFIX + frame_size <= sizeof frames)
        length += raw_make_frame(frames + length, true, noise, frame_size);
    int fd = raw_open(victim->endpoint);
    long long begun_ms = fault_clock_ms();
    while (raw_send_bytes(fd, frames, length))
        assert_true(fault_clock_ms() - begun_ms < 20000);
    close(fd);
    fault_note("frames of %zu bytes went on for %.1f s, it held %lld MiB then", frame_size,
               (double)(fault_clock_ms() - begun_ms) / 1000,
               memory_kib(victim->process->pid, "VmHWM:") / 1024);
    assert_true(has_said(victim->process, ENDLESS));
}

/* ---- workers against a coordinator ---- */

static HelloDatabase main_database = {(char *)"main", 20};

static HelloMessage hello_new(void)
{
    static char uuid[33];
    static int number;
    snprintf(uuid, sizeof uuid, "%032x", ++number);
    return (HelloMessage){.proto_min = PROTOCOL_MAJOR,
                          .proto_max = PROTOCOL_MAJOR,
                          .worker = uuid,
                          .name = (char *)"evil",
                          .slots = 4,
                          .incarnation = 1,
                          .databases = {&main_database, 1}};
}

static void worker_floods_garbage(void **state)
{
    (void)state;
    Victim victim = coordinator_at_work();
    flood_garbage(&victim);
    close_victim(&victim);
}

static void worker_never_ends_a_message(void **state)
{
    (void)state;
    Victim victim = coordinator_at_work();
    flood_endless(&victim, 1);
    flood_endless(&victim, sizeof noise);
    close_victim(&victim);
}

/* Whole RESULTs of the largest size, well-formed and about nothing. */
static void worker_floods_messages(void **state)
{
    (void)state;
    Victim victim = coordinator_at_work();
    ERROR_CLEANUP Error error = {0};
    WireContext *context = wire_context_new(&error);
    HelloMessage hello = hello_new();
    TestPeer evil = peer_open(context, victim.endpoint, false);
    peer_join(&evil, &hello);
    peer_send(&evil, MESSAGE_DRAIN, NULL); /* so that no tenant waits for it */
    ResultMessage lies = {.phase = 1};
    for (int i = 0; i < 60; i++) {
        ResultItem *item = record_list_add(&RESULT_ITEM_RECORD, &lies.items);
        *item = (ResultItem){1 << 20, 1, strdup("applied"), {calloc(1, sizeof noise), sizeof noise}};
    }
    for (int i = 0; i < 3; i++) {
        Message heartbeat;
        peer_send(&evil, MESSAGE_RESULT, &lies);
        while (session_backlog(evil.session) > 0)
            if (peer_hears(&evil, MESSAGE_HEARTBEAT, 50, &heartbeat))
                message_clear(&heartbeat);
    }
    record_clear(&RESULT_RECORD, &lies);
    assert_false(has_said(victim.process, ENDLESS)); /* large ones do */
    close_victim(&victim);
    peer_close(&evil);
    wire_context_free(context);
}

/* Numbered parts of a message that has no last one: sessions break, and the next begins. */
static void worker_never_ends_parts(void **state)
{
    (void)state;
    Victim victim = coordinator_at_work();
    int fd = raw_open(victim.endpoint);
    for (int round = 0; round < 3; round++) {
        HelloMessage hello = hello_new();
        FrameHeader header = {.major = PROTOCOL_MAJOR,
                              .type = MESSAGE_RESULT,
                              .flags = FRAME_MUST_UNDERSTAND | FRAME_PART,
                              .session_id = {(uint8_t)(round + 1)}};
        assert_true(raw_greet(fd, MESSAGE_HELLO, header.session_id, &hello));
        for (uint64_t seq = 1; seq <= PART_COUNT; seq++) {
            header.seq = seq;
            assert_true(raw_send_frame(fd, &header, noise, FRAME_PART_SIZE));
        }
    }
    process_await_text(victim.process, "makes its message too large", 20000);
    close(fd);
    close_victim(&victim);
}

/* It is alive, takes tenants and asks for migrations, and reads nothing: its tenants must not wait for it. */
static void worker_never_reads(void **state)
{
    (void)state;
    Victim victim = coordinator_at_work();
    HelloMessage hello = hello_new();
    int fd = raw_open(victim.endpoint);
    FrameHeader header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HEARTBEAT, .session_id = {7}};
    assert_true(raw_greet(fd, MESSAGE_HELLO, header.session_id, &hello));
    process_await_text(victim.process, "evil: worker joined", 10000);
    stage_open_gate(victim.stage);
    long long begun_ms = fault_clock_ms();
    while (!process_ended(victim.process)) {
        assert_true(fault_clock_ms() - begun_ms < fault_ms(300000));
        if (!raw_send_frame(fd, &header, "\x80", 1))
            break;
        sleep_ms(fault_ms(1000));
    }
    fault_note("a worker that never reads held its tenants for %.1f s",
               (double)(fault_clock_ms() - begun_ms) / 1000);
    stage_end_well(victim.stage);
    close(fd);
    stage_close(victim.stage);
}

/* ---- coordinators against a worker ---- */

/* A coordinator that a worker serves, and what it sends without hearing anything. */
typedef struct EvilCoordinator {
    WireContext *context;
    TestPeer peer;
    int64_t jobs;
} EvilCoordinator;

static EvilCoordinator evil_open(const Victim *victim)
{
    ERROR_CLEANUP Error error = {0};
    EvilCoordinator evil = {.context = wire_context_new(&error)};
    evil.peer = peer_open(evil.context, victim->endpoint, false);
    memset(evil.peer.session_id, 0, SESSION_ID_SIZE);
    peer_greet(&evil.peer, MESSAGE_WHO, NULL);
    peer_welcome(&evil.peer, "00112233445566778899aabbccddeeff");
    evil.peer.may_be_left = true;
    return evil;
}

static void evil_close(EvilCoordinator *evil)
{
    peer_close(&evil->peer);
    wire_context_free(evil->context);
}

/* One numbered frame, acknowledging nothing. */
static void send_job(EvilCoordinator *evil, const char *operation, const char *digest, size_t tenants)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer body = {0};
    RunOptions options = {.retry_max_attempts = 1};
    JobMessage job = {.job = ++evil->jobs,
                      .phase = 1,
                      .operation = (char *)operation,
                      .database = (char *)"main",
                      .grant = 4,
                      .bundle = (char *)digest,
                      .options = {&options, 1},
                      .tenants = {calloc(tenants, sizeof(JobTenant)), tenants}};
    assert_non_null(job.tenants.items);
    for (size_t i = 0; i < tenants; i++)
        ((JobTenant *)job.tenants.items)[i] = (JobTenant){
            .index = (int64_t)i, .attempt = 1, .id = (char *)"t0001", .schema = (char *)"tenant_t0001"};
    assert_true(record_pack(&JOB_RECORD, &job, &body, &error));
    free(job.tenants.items);
    FrameHeader header = {.major = PROTOCOL_MAJOR,
                          .type = MESSAGE_JOB,
                          .flags = FRAME_MUST_UNDERSTAND,
                          .seq = (uint64_t)evil->jobs};
    memcpy(header.session_id, evil->peer.session_id, SESSION_ID_SIZE);
    peer_send_frame(&evil->peer, &header, body.data, body.length);
}

static void coordinator_floods_garbage(void **state)
{
    (void)state;
    Victim victim = listening_worker();
    start_good_run(&victim);
    flood_garbage(&victim);
    close_victim(&victim);
}

static void coordinator_never_ends_a_message(void **state)
{
    (void)state;
    Victim victim = listening_worker();
    start_good_run(&victim);
    flood_endless(&victim, 1);
    flood_endless(&victim, sizeof noise);
    close_victim(&victim);
}

/* Jobs are answered at once, as nobody knows their operation; the answers are never read. */
static void coordinator_never_reads(void **state)
{
    (void)state;
    Victim victim = listening_worker();
    EvilCoordinator evil = evil_open(&victim);
    start_good_run(&victim);
    for (int i = 0; i < 3000; i++)
        send_job(&evil, "explode", NULL, 500);
    process_await_text(victim.process, "of unacknowledged results are kept", 30000);
    close_victim(&victim);
    evil_close(&evil);
}

/* A frame of this type comes, whatever the evil one's session would make of it. */
static bool hears_frame(TestPeer *peer, MessageType type, int64_t wait_ms)
{
    ERROR_CLEANUP Error error = {0};
    for (int64_t until_ms = clock_now_ms(&SYSTEM_CLOCK) + wait_ms; clock_now_ms(&SYSTEM_CLOCK) < until_ms;) {
        IncomingFrame frame = {0};
        if (link_receive(peer->link, &frame, &error) == LINK_OK) {
            free(frame.body);
            if (frame.header.type == type)
                return true;
            continue;
        }
        assert_true(link_poll(&(LinkPollItem){.link = peer->link}, 1, 50, &error));
    }
    return false;
}

/* Jobs wait for migrations that never come. */
static void coordinator_hoards_jobs(void **state)
{
    (void)state;
    Victim victim = listening_worker();
    EvilCoordinator evil = evil_open(&victim);
    start_good_run(&victim);
    for (int i = 0; i < 3000; i++)
        send_job(&evil, "migrate", "nobody has these", 50);
    process_await_text(victim.process, "are in flight, the limit is 8000", 30000);
    /* An honest one would not know otherwise that the last job, which it sees acknowledged, is not done. */
    assert_true(hears_frame(&evil.peer, MESSAGE_BYE, 10000));
    close_victim(&victim);
    evil_close(&evil);
}

/* Migrations of 48 MiB, other ones each time, and a job for each that takes its time. */
static void coordinator_floods_messages(void **state)
{
    (void)state;
    Victim victim = listening_worker();
    EvilCoordinator evil = evil_open(&victim);
    start_good_run(&victim);
    enum { LARGE = 48 << 20 };
    char *text = malloc(LARGE);
    assert_non_null(text);
    memset(text, ' ', LARGE);
    for (int i = 0; i < 6; i++) {
        ERROR_CLEANUP Error error = {0};
        char name[16];
        snprintf(name, sizeof name, "%04d_big", i);
        Migration migration = {.name = name, .hash = (char *)"00", .sql = {text, LARGE}};
        Bundle bundle = {.items = &migration, .count = 1};
        assert_true(bundle_digest(&bundle, &error));
        peer_send(&evil.peer, MESSAGE_BUNDLE, &(BundleMessage){bundle.digest, {&migration, 1}});
        Message heartbeat;
        while (session_backlog(evil.peer.session) > 0)
            if (peer_hears(&evil.peer, MESSAGE_HEARTBEAT, 50, &heartbeat))
                message_clear(&heartbeat);
    }
    free(text);
    assert_false(has_said(victim.process, ENDLESS)); /* large ones do */
    close_victim(&victim);
    evil_close(&evil);
}

static void coordinator_never_ends_parts(void **state)
{
    (void)state;
    Victim victim = listening_worker();
    EvilCoordinator evil = evil_open(&victim);
    start_good_run(&victim);
    FrameHeader header = {
        .major = PROTOCOL_MAJOR, .type = MESSAGE_BUNDLE, .flags = FRAME_MUST_UNDERSTAND | FRAME_PART};
    memcpy(header.session_id, evil.peer.session_id, SESSION_ID_SIZE);
    for (header.seq = 1; header.seq <= PART_COUNT; header.seq++)
        peer_send_frame(&evil.peer, &header, noise, FRAME_PART_SIZE);
    process_await_text(victim.process, "makes its message too large", 20000);
    close_victim(&victim);
    evil_close(&evil);
}

static const FaultRow ROWS[] = {
    {"worker_floods_garbage", "a worker sends frames of 1 MiB that are no messages", worker_floods_garbage},
    {"worker_floods_messages", "a worker sends RESULTs of 60 MiB about nothing", worker_floods_messages},
    {"worker_never_ends_a_message", "a worker's ZeroMQ message has frames without end",
     worker_never_ends_a_message},
    {"worker_never_ends_parts", "a worker's RESULT has parts without end", worker_never_ends_parts},
    {"worker_never_reads", "a worker lives, takes tenants and reads nothing", worker_never_reads},
    {"coordinator_floods_garbage", "a coordinator sends frames of 1 MiB that are no messages",
     coordinator_floods_garbage},
    {"coordinator_floods_messages", "a coordinator sends migrations of 48 MiB, again and again",
     coordinator_floods_messages},
    {"coordinator_never_ends_a_message", "a coordinator's ZeroMQ message has frames without end",
     coordinator_never_ends_a_message},
    {"coordinator_never_ends_parts", "a coordinator's BUNDLE has parts without end",
     coordinator_never_ends_parts},
    {"coordinator_never_reads", "a coordinator gives jobs and reads no result", coordinator_never_reads},
    {"coordinator_hoards_jobs", "a coordinator gives jobs without their migrations", coordinator_hoards_jobs},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
