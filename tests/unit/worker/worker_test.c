/* A worker against a coordinator that loses sessions, sends nonsense and goes away: what it must not forget,
 * and what it must not believe. No server is needed: nobody listens, or nobody answers. */
#include "common/clock.h"
#include "common/migration.h"
#include "common/operation.h"
#include "tests/support/peer.h"
#include "tests/support/test.h"
#include "worker/worker.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUN "00112233445566778899aabbccddeeff"

enum { DEADLINE_MS = 20000 };

typedef struct Fixture {
    WireContext *context;
    Config *config;
    Worker *worker;
    TestPeer coordinator;
    int deaf; /* a port that accepts and never answers */
} Fixture;

/* Two databases: nobody listens at `gone`, and `deaf` never says a word. */
static Config *configure(int deaf_port)
{
    ERROR_CLEANUP Error error = {0};
    char text[600];
    int length =
        snprintf(text, sizeof text,
                 "databases:\n"
                 "  - name: gone\n    url: postgresql://nobody@127.0.0.1:1/nowhere\n"
                 "  - name: deaf\n    url: postgresql://nobody@127.0.0.1:%d/nowhere\n"
                 "wire: {heartbeat_ms: 500, reconnect_ms: 50, reconnect_max_ms: 100, resend_ms: 200}\n",
                 deaf_port);
    Config *config = config_load_text("test", text, (size_t)length, &error);
    if (config == NULL)
        fail_msg("%s", error.message);
    return config;
}

static int listen_deaf(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void start(Fixture *fixture, bool worker_listens)
{
    static int number;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://worker-test-%d", ++number);
    ERROR_CLEANUP Error error = {0};
    int port;
    *fixture = (Fixture){.context = wire_context_new(&error), .deaf = listen_deaf(&port)};
    fixture->config = configure(port);
    if (!worker_listens)
        fixture->coordinator = peer_open(fixture->context, endpoint, true);
    fixture->worker = worker_start(&(WorkerOptions){.config = fixture->config,
                                                    .context = fixture->context,
                                                    .slots = 2,
                                                    .coordinators = (const char *const[]){endpoint},
                                                    .coordinator_count = worker_listens ? 0 : 1,
                                                    .listen = worker_listens ? "tcp://127.0.0.1:*" : NULL,
                                                    .plain = true},
                                   &error);
    if (fixture->worker == NULL)
        fail_msg("%s", error.message);
    if (worker_listens) {
        fixture->coordinator = peer_open(fixture->context, worker_endpoint(fixture->worker), false);
        memset(fixture->coordinator.session_id, 0, SESSION_ID_SIZE);
        peer_greet(&fixture->coordinator, MESSAGE_WHO, NULL);
    }
    peer_welcome(&fixture->coordinator, RUN);
}

static void stop(Fixture *fixture)
{
    worker_free(fixture->worker);
    peer_close(&fixture->coordinator);
    config_free(fixture->config);
    wire_context_free(fixture->context);
    close(fixture->deaf);
}

/* The coordinator forgets the session: the worker must greet with a new one. */
static void renew_session(Fixture *fixture)
{
    peer_greet(&fixture->coordinator, MESSAGE_WHO, NULL);
    peer_welcome(&fixture->coordinator, RUN);
}

static JobTenant tenants[] = {
    {.index = 7, .attempt = 1, .id = (char *)"a", .schema = (char *)"tenant_a"},
    {.index = 8, .attempt = 1, .id = (char *)"b", .schema = (char *)"tenant_b"},
};
static RunOptions options = {.retry_max_attempts = 1, .connect_timeout_ms = 3000};

static JobMessage job_of(const char *operation, const char *database, const char *bundle)
{
    static int64_t number;
    return (JobMessage){
        .job = ++number,
        .phase = 1,
        .operation = (char *)operation,
        .database = (char *)database,
        .grant = 2,
        .bundle = (char *)bundle,
        .options = {&options, 1},
        .tenants = {tenants, 2},
    };
}

/* Takes RESULTs until all of the jobs' tenants have one. */
static void await_results_of(Fixture *fixture, size_t jobs, const char *outcome)
{
    for (size_t seen = 0; seen < 2 * jobs;) {
        Message message = peer_await(&fixture->coordinator, MESSAGE_RESULT);
        ResultMessage *result = message.record;
        ResultItem *items = result->items.items;
        for (size_t i = 0; i < result->items.count; i++)
            assert_string_equal(items[i].outcome, outcome);
        seen += result->items.count;
        message_clear(&message);
    }
}

static void await_results(Fixture *fixture, const char *outcome)
{
    await_results_of(fixture, 1, outcome);
}

static void a_bundle_that_a_lost_session_was_to_bring_is_asked_for_again(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    Migration migration = {.name = (char *)"0001_a", .hash = (char *)"00", .sql = {(char *)"SELECT 1", 8}};
    ERROR_CLEANUP Error error = {0};
    Bundle bundle = {.items = &migration, .count = 1};
    assert_true(bundle_digest(&bundle, &error));
    JobMessage job = job_of("migrate", "gone", bundle.digest);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    Message request = peer_await(&fixture.coordinator, MESSAGE_BUNDLE_REQ);
    message_clear(&request);
    renew_session(&fixture);
    request = peer_await(&fixture.coordinator, MESSAGE_BUNDLE_REQ);
    assert_string_equal(((BundleRequestMessage *)request.record)->digest, bundle.digest);
    message_clear(&request);
    BundleMessage answer = {bundle.digest, {&migration, 1}};
    peer_send(&fixture.coordinator, MESSAGE_BUNDLE, &answer);
    await_results(&fixture, "error"); /* there is no server */
    stop(&fixture);
}

static void migrations_that_the_job_does_not_name_are_not_run(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    Migration migration = {.name = (char *)"0001_a", .hash = (char *)"00", .sql = {(char *)"SELECT 1", 8}};
    ERROR_CLEANUP Error error = {0};
    Bundle bundle = {.items = &migration, .count = 1};
    assert_true(bundle_digest(&bundle, &error));
    JobMessage job = job_of("migrate", "deaf", "another digest"); /* running would take seconds */
    int64_t asked_ms = clock_now_ms(&SYSTEM_CLOCK);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    BundleMessage answer = {bundle.digest, {&migration, 1}};
    peer_send(&fixture.coordinator, MESSAGE_BUNDLE, &answer);
    Message report = peer_await(&fixture.coordinator, MESSAGE_ERROR);
    assert_non_null(strstr(((ErrorMessage *)report.record)->message, "not the ones"));
    message_clear(&report);
    await_results(&fixture, "error");
    assert_true(clock_now_ms(&SYSTEM_CLOCK) - asked_ms < 3000);
    stop(&fixture);
}

/* One run may have tenants' files in one phase and the shared schema's in the next. */
static void a_job_of_other_migrations_asks_for_its_own(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    ERROR_CLEANUP Error error = {0};
    Migration first = {.name = (char *)"0001_a", .hash = (char *)"00", .sql = {(char *)"SELECT 1", 8}};
    Migration second = {.name = (char *)"0001_b", .hash = (char *)"00", .sql = {(char *)"SELECT 2", 8}};
    Bundle bundles[2] = {{.items = &first, .count = 1}, {.items = &second, .count = 1}};
    JobMessage jobs[2];
    for (int i = 0; i < 2; i++) {
        assert_true(bundle_digest(&bundles[i], &error));
        jobs[i] = job_of("migrate", "gone", bundles[i].digest);
        jobs[i].phase = i + 1;
        peer_send(&fixture.coordinator, MESSAGE_JOB, &jobs[i]);
    }
    for (int i = 0; i < 2; i++) {
        Message request = peer_await(&fixture.coordinator, MESSAGE_BUNDLE_REQ);
        assert_string_equal(((BundleRequestMessage *)request.record)->digest, bundles[i].digest);
        message_clear(&request);
        BundleMessage answer = {bundles[i].digest, {bundles[i].items, 1}};
        peer_send(&fixture.coordinator, MESSAGE_BUNDLE, &answer);
    }
    await_results_of(&fixture, 2, "error"); /* there is no server */
    stop(&fixture);
}

static void a_renewed_session_hears_again_what_has_begun(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    JobMessage job = job_of("status", "deaf", NULL);
    Migration migration = {.name = (char *)"0001_a", .hash = (char *)"00", .sql = {(char *)"SELECT 1", 8}};
    ERROR_CLEANUP Error error = {0};
    Bundle bundle = {.items = &migration, .count = 1};
    assert_true(bundle_digest(&bundle, &error));
    job.bundle = bundle.digest;
    BundleMessage answer = {bundle.digest, {&migration, 1}};
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    peer_send(&fixture.coordinator, MESSAGE_BUNDLE, &answer);
    Message message = peer_await(&fixture.coordinator, MESSAGE_START);
    message_clear(&message);
    renew_session(&fixture);
    message = peer_await(&fixture.coordinator, MESSAGE_START);
    StartMessage *started = message.record;
    assert_int_equal(started->phase, 1);
    assert_int_equal(started->leases.count, 2);
    message_clear(&message);
    await_results(&fixture, "error");
    renew_session(&fixture);
    assert_false(peer_hears(&fixture.coordinator, MESSAGE_START, 300, &message)); /* nothing runs any more */
    stop(&fixture);
}

static void a_result_that_nobody_acknowledged_is_sent_again(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    fixture.coordinator.silent = true;
    JobMessage job = job_of("null", "gone", NULL);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    await_results(&fixture, "applied");
    fixture.coordinator.silent = false;
    renew_session(&fixture);
    await_results(&fixture, "applied");
    /* A job that comes again, because its acknowledgement was lost with the session, is not run again. */
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    Message message;
    assert_false(peer_hears(&fixture.coordinator, MESSAGE_START, 300, &message));
    renew_session(&fixture);
    assert_false(peer_hears(&fixture.coordinator, MESSAGE_RESULT, 300, &message));
    stop(&fixture);
}

static bool ends(Worker *worker)
{
    struct pollfd item = {.fd = worker_done_fd(worker), .events = POLLIN};
    return poll(&item, 1, DEADLINE_MS) == 1;
}

static void a_drained_worker_gives_back_what_waits_for_its_bundle(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    JobMessage job = job_of("migrate", "gone", "never comes");
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    Message message = peer_await(&fixture.coordinator, MESSAGE_BUNDLE_REQ);
    message_clear(&message);
    worker_drain(fixture.worker, false);
    await_results(&fixture, "not_started");
    message = peer_await(&fixture.coordinator, MESSAGE_BYE);
    message_clear(&message);
    assert_true(ends(fixture.worker));
    assert_false(worker_failed(fixture.worker));
    stop(&fixture);
}

static void a_job_of_any_length_is_refused_and_survived(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    size_t length = 600 * 1024;
    char *name = malloc(length + 1);
    memset(name, 'x', length);
    name[length] = '\0';
    JobMessage job = job_of(name, "gone", NULL);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    await_results(&fixture, "error");
    job = job_of("null", name, NULL);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    await_results(&fixture, "error");
    job = job_of("migrate", "gone", NULL); /* names no migrations */
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    await_results(&fixture, "error");
    free(name);
    job = job_of("null", "gone", NULL);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    await_results(&fixture, "applied");
    stop(&fixture);
}

static void a_session_outlives_its_connection(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, true);
    TestPeer *old = &fixture.coordinator;
    TestPeer moved = peer_open(fixture.context, worker_endpoint(fixture.worker), false);
    memcpy(moved.session_id, old->session_id, SESSION_ID_SIZE);
    moved.session = old->session;
    old->session = NULL;
    peer_close(old);
    fixture.coordinator = moved;
    JobMessage job = job_of("null", "gone", NULL);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    await_results(&fixture, "applied");
    stop(&fixture);
}

static void what_breaks_a_session_is_told_and_survived(void **state)
{
    (void)state;
    Fixture fixture;
    start(&fixture, false);
    FrameHeader header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HEARTBEAT};
    memcpy(header.session_id, fixture.coordinator.session_id, SESSION_ID_SIZE);
    peer_send_frame(&fixture.coordinator, &header, "\xc1", 1);
    Message message = peer_await(&fixture.coordinator, MESSAGE_ERROR);
    assert_string_equal(((ErrorMessage *)message.record)->code, "protocol");
    message_clear(&message);
    peer_welcome(&fixture.coordinator, RUN);
    JobMessage job = job_of("null", "gone", NULL);
    peer_send(&fixture.coordinator, MESSAGE_JOB, &job);
    await_results(&fixture, "applied");
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_that_a_lost_session_was_to_bring_is_asked_for_again),
        cmocka_unit_test(migrations_that_the_job_does_not_name_are_not_run),
        cmocka_unit_test(a_job_of_other_migrations_asks_for_its_own),
        cmocka_unit_test(a_renewed_session_hears_again_what_has_begun),
        cmocka_unit_test(a_result_that_nobody_acknowledged_is_sent_again),
        cmocka_unit_test(a_drained_worker_gives_back_what_waits_for_its_bundle),
        cmocka_unit_test(a_job_of_any_length_is_refused_and_survived),
        cmocka_unit_test(a_session_outlives_its_connection),
        cmocka_unit_test(what_breaks_a_session_is_told_and_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
