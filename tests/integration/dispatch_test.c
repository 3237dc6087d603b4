/* Dispatcher and workers in one process, doing nothing ten thousand times over every transport: what is
 * drained, frozen, aborted or gone must cost no tenant. No server takes part. */
#include "common/clock.h"
#include "coordinator/dispatcher.h"
#include "tests/support/cluster.h"
#include "tests/support/peer.h"
#include "tests/support/test.h"
#include "worker/worker.h"
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TENANTS = 10000, SLOTS = 4 };

static const char TEXT[] =
    "databases:\n  - name: main\n    url: postgresql://nobody@127.0.0.1:1/nowhere\n    max_connections: 50\n"
    "wire: {heartbeat_ms: 200, suspect_ms: 600, dead_ms: 1500, resend_ms: 200, resend_max_ms: 400,"
    " reconnect_ms: 50, reconnect_max_ms: 100}\n";

/* One run: what its callbacks count, and when they act. */
typedef struct Host {
    size_t results;
    unsigned char *seen; /* by tenant */
    Worker *drain;       /* ... once so many results came */
    bool now;
    size_t act_at;
    Request request; /* from then on */
    int interrupt_fd;
    size_t polls;
} Host;

typedef struct Bench {
    Config *config;
    WireContext *context;
    Dispatcher *dispatcher;
    Host host;
    size_t tenant_count;
    Tenant *tenants;
    const Tenant **pointers;
    Worker *workers[4];
    size_t worker_count;
} Bench;

static Request poll_host(void *host_pointer)
{
    Host *host = host_pointer;
    eventfd_t ignored;
    if (host->interrupt_fd >= 0 && eventfd_read(host->interrupt_fd, &ignored) == 0)
        host->request = REQUEST_ABORT;
    host->polls++;
    return host->results >= host->act_at ? host->request : REQUEST_NONE;
}

static uint64_t count_result(void *host_pointer, uint32_t tenant, uint32_t attempt, Outcome outcome,
                             void *record)
{
    (void)attempt;
    (void)record;
    Host *host = host_pointer;
    host->results++;
    host->seen[tenant] |= outcome == OUTCOME_APPLIED;
    if (host->drain != NULL && host->results >= host->act_at) {
        worker_drain(host->drain, host->now);
        host->drain = NULL;
    }
    return 0;
}

static Config *configure(void)
{
    ERROR_CLEANUP Error error = {0};
    Config *config = config_load_text("test", TEXT, sizeof TEXT - 1, &error);
    if (config == NULL)
        fail_msg("%s", error.message);
    return config;
}

static void add_tenants(Bench *bench, size_t count)
{
    bench->tenant_count = count;
    bench->tenants = calloc(count, sizeof *bench->tenants);
    bench->pointers = calloc(count, sizeof *bench->pointers);
    bench->host.seen = calloc(count, 1);
    for (size_t i = 0; i < count; i++) {
        char *id, *schema;
        assert_true(asprintf(&id, "t%zu", i) > 0);
        assert_true(asprintf(&schema, "tenant_t%zu", i) > 0);
        bench->tenants[i] = (Tenant){.database = (char *)"main", .id = id, .schema = schema};
        bench->pointers[i] = &bench->tenants[i];
    }
}

/* With `endpoint` bound, or connected to workers when `connect`. */
static Bench *bench_new(const char *endpoint, bool connect, int64_t min_workers, int64_t wait_ms,
                        size_t tenants)
{
    ERROR_CLEANUP Error error = {0};
    Bench *bench = calloc(1, sizeof *bench);
    bench->host = (Host){.act_at = SIZE_MAX, .interrupt_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    bench->config = configure();
    bench->context = wire_context_new(&error);
    add_tenants(bench, tenants);
    bench->dispatcher = dispatcher_new(&(DispatcherOptions){.config = bench->config,
                                                            .context = bench->context,
                                                            .connect = &endpoint,
                                                            .connect_count = connect,
                                                            .listen = &endpoint,
                                                            .listen_count = !connect,
                                                            .plain = true,
                                                            .min_workers = min_workers,
                                                            .wait_ms = wait_ms,
                                                            .poll_host = poll_host,
                                                            .interrupt_fd = bench->host.interrupt_fd,
                                                            .host = &bench->host},
                                       &error);
    if (bench->dispatcher == NULL)
        fail_msg("%s", error.message);
    return bench;
}

static void bench_free(Bench *bench)
{
    dispatcher_free(bench->dispatcher);
    for (size_t i = 0; i < bench->worker_count; i++)
        worker_free(bench->workers[i]);
    wire_context_free(bench->context);
    config_free(bench->config);
    for (size_t i = 0; i < bench->tenant_count; i++) {
        free(bench->tenants[i].id);
        free(bench->tenants[i].schema);
    }
    free(bench->tenants);
    free(bench->pointers);
    free(bench->host.seen);
    close(bench->host.interrupt_fd);
    free(bench);
}

static Worker *worker_on(Bench *bench, const char *endpoint, bool listen)
{
    ERROR_CLEANUP Error error = {0};
    Worker *worker = worker_start(&(WorkerOptions){.config = bench->config,
                                                   .context = bench->context,
                                                   .slots = SLOTS,
                                                   .coordinators = &endpoint,
                                                   .coordinator_count = !listen,
                                                   .listen = listen ? endpoint : NULL,
                                                   .plain = true},
                                  &error);
    if (worker == NULL)
        fail_msg("%s", error.message);
    bench->workers[bench->worker_count++] = worker;
    return worker;
}

static bool run(Bench *bench, EngineSchedule schedule, PhaseOutcome *outcome, Error *error)
{
    static const RunOptions OPTIONS;
    Phase phase = {.operation = OPERATION_NULL,
                   .tenants = bench->pointers,
                   .tenant_count = bench->tenant_count,
                   .options = &OPTIONS,
                   .schedule = schedule,
                   .max_failures = -1,
                   .on_result = count_result,
                   .host = &bench->host};
    return dispatcher_run(bench->dispatcher, &phase, outcome, error);
}

static void assert_all_done(const Bench *bench, PhaseOutcome *outcome)
{
    assert_int_equal(outcome->totals.succeeded, bench->tenant_count);
    assert_false(outcome->aborted);
    for (size_t i = 0; i < bench->tenant_count; i++) {
        assert_int_equal(outcome->states[i], TENANT_SUCCEEDED);
        assert_true(bench->host.seen[i]);
        assert_true(outcome->attempts[i] >= 1);
    }
    phase_outcome_clear(outcome);
}

/* A worker that says HELLO, and never reads a word. */
static TestPeer frozen_on(Bench *bench, const char *endpoint)
{
    HelloDatabase database = {(char *)"main", 50};
    HelloMessage hello = {.proto_min = PROTOCOL_MAJOR,
                          .proto_max = PROTOCOL_MAJOR,
                          .worker = (char *)"0123456789abcdef0123456789abcdef",
                          .incarnation = 1,
                          .name = (char *)"frozen",
                          .slots = SLOTS,
                          .databases = {&database, 1}};
    TestPeer frozen = peer_open(bench->context, endpoint, false);
    peer_greet(&frozen, MESSAGE_HELLO, &hello);
    return frozen;
}

static void check_transport(const char *endpoint)
{
    ERROR_CLEANUP Error error = {0};
    PhaseOutcome outcome = {0};
    Bench *bench = bench_new(endpoint, false, 3, 20000, TENANTS);
    const char *bound = dispatcher_endpoint(bench->dispatcher, 0);
    worker_on(bench, bound, false);
    bench->host.drain = worker_on(bench, bound, false);
    TestPeer frozen = frozen_on(bench, bound);
    if (!dispatcher_gather(bench->dispatcher, &error))
        fail_msg("%s", error.message);
    bench->host.act_at = TENANTS / 4;
    if (!run(bench, ENGINE_ROLLING, &outcome, &error))
        fail_msg("%s", error.message);
    size_t again = 0;
    for (size_t i = 0; i < TENANTS; i++)
        again += outcome.attempts[i] > 1;
    assert_true(again > 0); /* what the frozen one got went to others */
    assert_all_done(bench, &outcome);
    assert_int_equal(dispatcher_worker_count(bench->dispatcher), 1);
    peer_close(&frozen);
    bench_free(bench);
}

static void a_drained_and_a_frozen_worker_cost_no_tenant(void **state)
{
    (void)state;
    char *folder = make_folder(), ipc[200];
    snprintf(ipc, sizeof ipc, "ipc://%s/wire", folder);
    check_transport("inproc://dispatch-test");
    check_transport(ipc);
    check_transport("tcp://127.0.0.1:*");
    remove_tree(folder);
    free(folder);
}

static void an_abort_ends_the_phase_and_the_sum_is_right(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    for (int cancel = 0; cancel <= 1; cancel++) {
        PhaseOutcome outcome = {0};
        Bench *bench = bench_new("inproc://dispatch-test", false, 1, 20000, TENANTS);
        worker_on(bench, "inproc://dispatch-test", false);
        assert_true(dispatcher_gather(bench->dispatcher, &error));
        bench->host.act_at = TENANTS / 4;
        bench->host.request = cancel ? REQUEST_CANCEL : REQUEST_ABORT;
        assert_true(run(bench, ENGINE_BATCH, &outcome, &error));
        assert_true(outcome.aborted);
        assert_int_equal(outcome.cancelled, cancel);
        assert_false(outcome.aborted_by_policy);
        assert_true(outcome.totals.skipped > 0);
        assert_int_equal(outcome.totals.succeeded + outcome.totals.failed + outcome.totals.skipped, TENANTS);
        for (size_t i = 0; i < TENANTS; i++)
            assert_true(outcome.states[i] != TENANT_SUCCEEDED || bench->host.seen[i]);
        phase_outcome_clear(&outcome);
        bench_free(bench);
    }
}

static void without_any_worker_left_it_says_so_and_what_was_done(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    PhaseOutcome outcome = {0};
    Bench *bench = bench_new("inproc://dispatch-test", false, 1, 300, TENANTS);
    bench->host.drain = worker_on(bench, "inproc://dispatch-test", false);
    bench->host.now = true;
    bench->host.act_at = TENANTS / 4;
    assert_true(dispatcher_gather(bench->dispatcher, &error));
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    assert_false(run(bench, ENGINE_ROLLING, &outcome, &error));
    assert_int_equal(error.code, ERROR_NO_WORKERS);
    assert_true(clock_now_ms(&SYSTEM_CLOCK) - started_ms >= 300);
    assert_true(outcome.totals.succeeded >= TENANTS / 4);
    assert_true(outcome.totals.skipped > 0);
    assert_int_equal(outcome.totals.succeeded + outcome.totals.failed + outcome.totals.skipped, TENANTS);
    phase_outcome_clear(&outcome);
    bench_free(bench);
}

static void a_worker_that_comes_within_the_wait_rescues_the_phase(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    PhaseOutcome outcome = {0};
    Bench *bench = bench_new("inproc://dispatch-test", false, 1, 20000, TENANTS);
    bench->host.drain = worker_on(bench, "inproc://dispatch-test", false);
    bench->host.act_at = TENANTS / 4;
    assert_true(dispatcher_gather(bench->dispatcher, &error));
    /* It greets now, and is taken in when the phase runs. */
    worker_on(bench, "inproc://dispatch-test", false);
    assert_true(run(bench, ENGINE_ROLLING, &outcome, &error));
    assert_all_done(bench, &outcome);
    bench_free(bench);
}

static void phases_follow_each_other_over_the_same_workers(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Bench *bench = bench_new("inproc://dispatch-test", false, 2, 20000, 300);
    worker_on(bench, "inproc://dispatch-test", false);
    worker_on(bench, "inproc://dispatch-test", false);
    assert_true(dispatcher_gather(bench->dispatcher, &error));
    for (int phase = 0; phase < 20; phase++) {
        PhaseOutcome outcome = {0};
        memset(bench->host.seen, 0, 300);
        bench->host.results = 0;
        assert_true(run(bench, phase % 2 ? ENGINE_BATCH : ENGINE_ROLLING, &outcome, &error));
        assert_int_equal(bench->host.results, 300); /* no result of an earlier phase was counted */
        assert_all_done(bench, &outcome);
    }
    bench_free(bench);
}

static void an_interrupt_wakes_it_and_does_not_spin(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Bench *bench = bench_new("inproc://dispatch-test", false, 1, 600, 1);
    eventfd_write(bench->host.interrupt_fd, 1);
    bench->host.act_at = 0;
    assert_false(dispatcher_gather(bench->dispatcher, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
    bench->host.request = REQUEST_NONE;
    bench->host.polls = 0;
    assert_false(dispatcher_gather(bench->dispatcher, &error));
    assert_int_equal(error.code, ERROR_NO_WORKERS);
    assert_true(bench->host.polls < 40); /* every 100 ms, for 600 ms */
    bench_free(bench);
}

static void *run_second(void *endpoint_pointer)
{
    ERROR_CLEANUP Error error = {0};
    PhaseOutcome outcome = {0};
    Bench *bench = bench_new(endpoint_pointer, true, 1, 20000, 3000);
    bool ok = dispatcher_gather(bench->dispatcher, &error) && run(bench, ENGINE_ROLLING, &outcome, &error);
    size_t succeeded = outcome.totals.succeeded;
    phase_outcome_clear(&outcome);
    bench_free(bench);
    return ok && succeeded == 3000 ? endpoint_pointer : NULL;
}

static void one_listening_worker_serves_two_coordinators(void **state)
{
    (void)state;
    Bench *home = bench_new("inproc://dispatch-test", false, 1, 20000, 1);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "%s", worker_endpoint(worker_on(home, "tcp://127.0.0.1:*", true)));
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_second, endpoint), 0);
    for (int i = 0; i < 2; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    bench_free(home);
}

static void *gather_in_vain(void *bench_pointer)
{
    ERROR_CLEANUP Error error = {0};
    Bench *bench = bench_pointer;
    return dispatcher_gather(bench->dispatcher, &error) ? bench_pointer : NULL;
}

static void a_worker_keeps_its_session_over_a_new_connection(void **state)
{
    (void)state;
    Bench *bench = bench_new("tcp://127.0.0.1:*", false, 2, 3000, 1);
    TestPeer first = frozen_on(bench, dispatcher_endpoint(bench->dispatcher, 0));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, gather_in_vain, bench), 0);
    Message message = peer_await(&first, MESSAGE_WELCOME);
    message_clear(&message);
    TestPeer second = peer_open(bench->context, dispatcher_endpoint(bench->dispatcher, 0), false);
    memcpy(second.session_id, first.session_id, SESSION_ID_SIZE);
    peer_close(&first);
    peer_open_session(&second);
    peer_send(&second, MESSAGE_HEARTBEAT, &(HeartbeatMessage){0});
    message = peer_await(&second, MESSAGE_HEARTBEAT);
    message_clear(&message);
    pthread_join(thread, NULL);
    peer_close(&second);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drained_and_a_frozen_worker_cost_no_tenant),
        cmocka_unit_test(an_abort_ends_the_phase_and_the_sum_is_right),
        cmocka_unit_test(without_any_worker_left_it_says_so_and_what_was_done),
        cmocka_unit_test(a_worker_that_comes_within_the_wait_rescues_the_phase),
        cmocka_unit_test(phases_follow_each_other_over_the_same_workers),
        cmocka_unit_test(an_interrupt_wakes_it_and_does_not_spin),
        cmocka_unit_test(one_listening_worker_serves_two_coordinators),
        cmocka_unit_test(a_worker_keeps_its_session_over_a_new_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
