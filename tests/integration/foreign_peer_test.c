/* The running programs against peers that speak garbage, another protocol, or ours with impossible content:
 * they survive, say it once, change nothing, and the run that goes on beside it ends right. */
#include "common/buffer.h"
#include "common/migration.h"
#include "common/operation.h"
#include "common/results.h"
#include "proto/record_codec.h"
#include "tests/support/fleet.h"
#include "tests/support/peer.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STRAYS = 10000 };

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;
static WireContext *context;

static void open_context(void)
{
    ERROR_CLEANUP Error error = {0};
    assert_non_null(context = wire_context_new(&error));
}

/* ---- what peers can send to either program ---- */

static void send_raw(const char *endpoint, const void *bytes, size_t length)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)atoi(strrchr(endpoint, ':') + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length);
    close(fd);
}

static void send_raw_garbage(const char *endpoint)
{
    static char noise[70000];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 7919 >> 3);
    send_raw(endpoint, noise, sizeof noise);
    static const char HTTP[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    send_raw(endpoint, HTTP, sizeof HTTP - 1);
    send_raw(endpoint, "\xff\0\0\0\0\0\0\0\x01\x7f", 10); /* half a ZMTP greeting */
}

/* Frames of our own kind, each wrong in one way. */
static void send_wrong_frames(const char *endpoint)
{
    TestPeer peer = peer_open(context, endpoint, false);
    FrameHeader header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HELLO};
    static char large[FRAME_BODY_MAX + 1];
    peer_send_frame(&peer, &header, large, sizeof large);
    peer_send_frame(&peer, &header, "\xc1 is no msgpack", 15);
    peer_send_frame(&peer, &header, "\x81\xa6worker", 8); /* cut short */
    header.type = MESSAGE_WHO;
    peer_send_frame(&peer, &header, "\x93\x01\x02\x03", 4);
    header.type = 99;
    header.flags = FRAME_MUST_UNDERSTAND;
    peer_send_frame(&peer, &header, "\x80", 1);
    header = (FrameHeader){.major = PROTOCOL_MAJOR + 1, .type = MESSAGE_HELLO};
    peer_send_frame(&peer, &header, "\x80", 1);
    peer_close(&peer);
}

/* Well-formed frames of sessions that never were. */
static void send_strays(const char *endpoint)
{
    TestPeer peer = peer_open(context, endpoint, false);
    for (int i = 0; i < STRAYS; i++) {
        FrameHeader header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HEARTBEAT};
        memcpy(header.session_id, &i, sizeof i);
        header.session_id[15] = 1;
        peer_send_frame(&peer, &header, "\x80", 1);
    }
    peer_close(&peer);
}

static size_t count_text(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

/* ---- against a coordinator ---- */

static HelloDatabase main_database = {(char *)"main", 20};

static HelloMessage hello_new(void)
{
    return (HelloMessage){.proto_min = PROTOCOL_MAJOR,
                          .proto_max = PROTOCOL_MAJOR,
                          .worker = (char *)"00000000000000000000000000000bad",
                          .name = (char *)"foreign",
                          .slots = 4,
                          .databases = {&main_database, 1}};
}

static void expect_reject(const char *endpoint, const HelloMessage *hello)
{
    TestPeer peer = peer_open(context, endpoint, false);
    peer_greet(&peer, MESSAGE_HELLO, hello);
    Message reject = peer_await(&peer, MESSAGE_REJECT);
    assert_true(strlen(((RejectMessage *)reject.record)->message) > 0);
    message_clear(&reject);
    peer_close(&peer);
}

static void expect_all_rejected(const char *endpoint)
{
    HelloMessage hello = hello_new();
    hello.slots = 0;
    expect_reject(endpoint, &hello);
    hello.slots = 100000;
    expect_reject(endpoint, &hello);
    hello = hello_new();
    hello.databases.count = 0;
    expect_reject(endpoint, &hello);
    hello = hello_new();
    hello.proto_min = hello.proto_max = PROTOCOL_MAJOR + 1;
    expect_reject(endpoint, &hello);
    hello = hello_new();
    hello.worker = (char *)"short";
    expect_reject(endpoint, &hello);
    static char long_name[301];
    memset(long_name, 'x', sizeof long_name - 1);
    hello = hello_new();
    hello.name = long_name;
    expect_reject(endpoint, &hello);
    HelloDatabase nameless = {(char *)"", 20}, endless = {(char *)"main", INT64_MAX};
    hello = hello_new();
    hello.databases.items = &nameless;
    expect_reject(endpoint, &hello);
    hello.databases.items = &endless;
    expect_reject(endpoint, &hello);
    HelloDatabase long_winded = {long_name, 20};
    hello.databases.items = &long_winded;
    expect_reject(endpoint, &hello);
}

/* RESULTs and STARTs about everything that a liar can think of. */
static void send_lies(TestPeer *liar)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer body = {0};
    TenantMigrationResult lie = {.success = true};
    assert_true(text_list_add(&lie.applied_migrations, "9999_lie"));
    assert_true(record_pack(&TENANT_MIGRATION_RESULT, &lie, &body, &error));
    record_clear(&TENANT_MIGRATION_RESULT, &lie);
    static const int64_t INDEXES[] = {0, 1, 2, 3, 29, 30, 1000000, -1, INT64_MAX};
    static const int64_t ATTEMPTS[] = {0, 1, 2, 77, -1, INT64_MAX};
    static const char *const OUTCOMES[] = {"applied", "error", "marvellous", ""};
    for (int64_t phase = 0; phase <= 5; phase++)
        for (size_t i = 0; i < sizeof INDEXES / sizeof INDEXES[0]; i++)
            for (size_t a = 0; a < sizeof ATTEMPTS / sizeof ATTEMPTS[0]; a++) {
                ResultItem item = {
                    INDEXES[i], ATTEMPTS[a], (char *)OUTCOMES[(i + a) % 4], {body.data, body.length}};
                peer_send(liar, MESSAGE_RESULT, &(ResultMessage){phase, {&item, 1}});
                LeaseItem lease = {INDEXES[i], ATTEMPTS[a]};
                peer_send(liar, MESSAGE_START, &(StartMessage){phase, {&lease, 1}});
            }
    for (int i = 0; i < 100; i++)
        peer_send(liar, MESSAGE_BUNDLE_REQ, &(BundleRequestMessage){(char *)"no such digest"});
}

static void a_coordinator_survives_foreign_peers(void **state)
{
    (void)state;
    open_context();
    Fleet *fleet = fleet_new(cluster, 30);
    fleet_add_markers(fleet, 2, "0.05");
    const char *endpoint = fleet_endpoint();
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                            "--min-workers", "2", "--json", "--verbose"));
    HelloMessage hello = hello_new();
    TestPeer liar = peer_open(context, endpoint, false); /* waits until it listens */
    peer_join(&liar, &hello);
    peer_send(&liar, MESSAGE_DRAIN, NULL); /* so that no tenant is given to it */
    char *before = fleet_digest(fleet);
    send_raw_garbage(endpoint);
    send_wrong_frames(endpoint);
    expect_all_rejected(endpoint);
    send_strays(endpoint);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);

    Process *worker = fleet_start_worker(fleet, endpoint, "2");
    liar.may_be_left = true;
    while (!process_ended(run)) {
        send_lies(&liar);
        Message heartbeat;
        if (peer_hears(&liar, MESSAGE_HEARTBEAT, 100, &heartbeat))
            message_clear(&heartbeat);
    }
    char *out = process_out(run), *err = process_err(run);
    if (run->status != 0)
        fail_msg("exit %d: %s", run->status, err);
    assert_null(strstr(out, "9999_lie"));
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 30);
    json_decref(report);
    fleet_assert_complete(fleet, 2);
    if (count_text(err, "malformed frames") != 1 || count_text(err, "unknown session") != 1)
        fail_msg("not told once: %s", err);
    free(out);
    free(err);
    peer_close(&liar);
    process_free(run);
    process_free(worker);
    fleet_free(fleet);
    wire_context_free(context);
}

/* ---- against a worker ---- */

typedef struct BadJob {
    const char *operation, *database, *bundle, *schema;
    size_t tenants, options;
    bool shared;
} BadJob;

static const char LONG_SCHEMA[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static const BadJob BAD_JOBS[] = {
    {"explode", "main", NULL, "tenant_t0001", 1, 1, false},
    {"migrate", "other", "x", "tenant_t0001", 1, 1, false},
    {"migrate", "main", NULL, "tenant_t0001", 1, 1, false},
    {"migrate", "main", "", "public", 1, 1, false},
    {"migrate", "main", "", "pg_temp", 1, 1, false},
    {"migrate", "main", "", LONG_SCHEMA, 1, 1, false},
    {"migrate", "main", "", "tenant_t0001", 1, 2, false},
    {"migrate", "main", "", "tenant_t0001", 1, 0, false},
    {"migrate", "main", "", "tenant_t0001", 51, 1, false},
    {"status", "main", "", "tenant_t0001", 501, 1, false},
    {"mark-applied", "main", "", "public", 1, 1, false},
    {"status", "main", "", "public", 1, 1, false},
    {"drop", "main", NULL, "public", 1, 1, false},
    {"migrate", "main", "", "tenant_t0001", 1, 1, true},
    {"status", "main", "", "tenant_t0001", 1, 1, true},
    {"migrate", "main", "", "pg_temp", 1, 1, true},
    {"drop", "main", NULL, "public", 1, 1, true},
    {"create", "main", "", "public", 1, 1, true},
    {"mark-missing", "main", "", "public", 1, 1, true},
    {"introspect", "main", NULL, "public", 1, 1, true},
    {"exists", "main", NULL, "public", 1, 1, true},
};

/* Sends the job and takes one error for each of its tenants. */
static void expect_refused(TestPeer *coordinator, const BadJob *bad, const char *digest, bool wrong_bundle)
{
    static int64_t number;
    RunOptions options[2] = {{.retry_max_attempts = 1, .shared = bad->shared}, {0}};
    JobTenant *tenants = calloc(bad->tenants, sizeof *tenants);
    assert_non_null(tenants);
    for (size_t i = 0; i < bad->tenants; i++)
        tenants[i] = (JobTenant){
            .index = (int64_t)i, .attempt = 1, .id = (char *)"t0001", .schema = (char *)bad->schema};
    JobMessage job = {.job = ++number,
                      .phase = 1,
                      .operation = (char *)bad->operation,
                      .database = (char *)bad->database,
                      .grant = 4,
                      .bundle = bad->bundle == NULL ? NULL : (char *)digest,
                      .options = {options, bad->options},
                      .tenants = {tenants, bad->tenants}};
    peer_send(coordinator, MESSAGE_JOB, &job);
    free(tenants);
    for (size_t seen = 0; seen < bad->tenants;) {
        Message message;
        if (wrong_bundle && peer_hears(coordinator, MESSAGE_BUNDLE_REQ, 200, &message)) {
            message_clear(&message);
            Migration lie = {.name = (char *)"0001_m1", .hash = (char *)"00", .sql = {(char *)"DROP", 4}};
            peer_send(coordinator, MESSAGE_BUNDLE, &(BundleMessage){(char *)digest, {&lie, 1}});
        }
        if (!peer_hears(coordinator, MESSAGE_RESULT, 10000, &message))
            fail_msg("job %d has no result", (int)number);
        ResultMessage *result = message.record;
        for (size_t i = 0; i < result->items.count; i++)
            assert_string_equal(((ResultItem *)result->items.items)[i].outcome, "error");
        seen += result->items.count;
        message_clear(&message);
    }
}

static void a_worker_survives_foreign_coordinators(void **state)
{
    (void)state;
    open_context();
    Fleet *fleet = fleet_new(cluster, 10);
    fleet_add_markers(fleet, 2, NULL);
    const char *endpoint = fleet_endpoint();
    Process *worker =
        fleet_start(fleet, WORDS("pgconvoy-worker", "--listen", endpoint, "--plain", "--slots", "4"));
    process_await_text(worker, "listening on", 20000);
    char *before = fleet_digest(fleet);
    send_raw_garbage(endpoint);
    send_wrong_frames(endpoint);
    send_strays(endpoint);

    TestPeer coordinator = peer_open(context, endpoint, false);
    memset(coordinator.session_id, 0, SESSION_ID_SIZE);
    peer_greet(&coordinator, MESSAGE_WHO, NULL);
    peer_welcome(&coordinator, "00112233445566778899aabbccddeeff");
    Migration migration = {.name = (char *)"0001_a", .hash = (char *)"00", .sql = {(char *)"SELECT 1", 8}};
    Bundle bundle = {.items = &migration, .count = 1};
    ERROR_CLEANUP Error error = {0};
    assert_true(bundle_digest(&bundle, &error));
    peer_send(&coordinator, MESSAGE_BUNDLE, &(BundleMessage){bundle.digest, {&migration, 1}});
    for (size_t i = 0; i < sizeof BAD_JOBS / sizeof BAD_JOBS[0]; i++)
        expect_refused(&coordinator, &BAD_JOBS[i], bundle.digest, false);
    expect_refused(&coordinator, &(BadJob){"migrate", "main", "", "tenant_t0001", 1, 1, false}, "0000", true);
    peer_close(&coordinator);

    char *after = fleet_digest(fleet), *out, *err;
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_int_equal(
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--workers", endpoint, "--plain", "--json"),
                  &out, &err),
        0);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 10);
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 2);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 30000), 0);
    err = process_err(worker);
    assert_int_equal(count_text(err, "malformed frames"), 1);
    free(err);
    process_free(worker);
    fleet_free(fleet);
    wire_context_free(context);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 100");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coordinator_survives_foreign_peers),
        cmocka_unit_test(a_worker_survives_foreign_coordinators),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
