/* Seeding a fleet by a callback of the program that hosts the worker, and what a worker elsewhere says. */
#include "coordinator/seed.h"
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static Cluster *cluster;
static PGconn *admin;
static Config *config;

typedef struct Host {
    pthread_t caller;
    int calls, failures; /* calls come one at a time */
    bool in_caller;
} Host;

static bool seed_items(void *context, const char *tenant_id, PGconn *connection, pgconvoy_error *error)
{
    Host *host = context;
    host->calls++;
    host->in_caller = host->in_caller || pthread_equal(host->caller, pthread_self());
    const char *values[] = {tenant_id};
    PGresult *result =
        PQexecParams(connection, "INSERT INTO items VALUES ($1)", 1, NULL, values, NULL, NULL, 0);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (strcmp(tenant_id, "b") == 0)
        return pgconvoy_error_set(error, "b wants no items");
    return good;
}

static bool count_failed(void *context, const TenantSeedResult *result)
{
    Host *host = context;
    assert_string_equal(result->tenant_id, "b");
    host->failures++;
    return false;
}

static void each_tenant_is_seeded_in_a_slot_s_thread(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    Host host = {.caller = pthread_self()};
    HostCallbacks hooks = {.context = &host, .seed = seed_items};
    SeedRequest request = {.fleet = {.config = config,
                                     .workers = config_worker_endpoints(config),
                                     .hooks = &hooks,
                                     .interrupt_fd = -1,
                                     .host = &host},
                           .on_failed = count_failed};
    SeedReport report;
    if (!seed_run(&request, &report, &error))
        fail_msg("%s", error.message);
    assert_int_equal(host.calls, 3);
    assert_int_equal(host.failures, 1);
    assert_false(host.in_caller);
    assert_int_equal(report.totals.succeeded, 2);
    assert_int_equal(report.totals.failed, 1);
    assert_string_equal(report.entries[1].result.error, "b wants no items");
    assert_int_equal(seed_exit_code(&report), EXIT_FAILED);
    char *who = sql_text(admin, "SELECT (SELECT string_agg(v, ',') FROM tenant_a.items) || '/' || (SELECT "
                                "count(*) FROM tenant_b.items) || '/' || (SELECT string_agg(v, ',') FROM "
                                "tenant_c.items)");
    assert_string_equal(who, "a/0/c");
    free(who);
    seed_report_clear(&report);
    request.once = true;
    assert_false(seed_run(&request, &report, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    seed_report_clear(&report);
}

static void a_worker_elsewhere_has_no_callback(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    char *folder = make_folder(), *url = cluster_url(cluster, "postgres"), *text;
    assert_true(asprintf(&text, "databases:\n  - {name: main, url: \"%s\"}\n", url) > 0);
    write_file(folder, "pgconvoy.yaml", text);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", 19000 + (int)(getpid() % 3000));
    Process *worker = process_start(
        folder, NULL,
        (const char *const[]){"pgconvoy-worker", "--coordinator", endpoint, "--plain", "--slots", "2", NULL});
    Host host = {0};
    HostCallbacks hooks = {.context = &host, .seed = seed_items};
    SeedRequest request = {.fleet = {.config = config,
                                     .workers = config_worker_endpoints(config),
                                     .listen = endpoint,
                                     .plain = true,
                                     .hooks = &hooks,
                                     .interrupt_fd = -1}};
    SeedReport report;
    if (!seed_run(&request, &report, &error))
        fail_msg("%s", error.message);
    assert_int_equal(report.totals.failed, 3);
    assert_string_equal(report.entries[0].result.error, "this worker has no seed callback");
    assert_int_equal(host.calls, 0);
    seed_report_clear(&report);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 20000), 0);
    process_free(worker);
    remove_tree(folder);
    free(folder);
    free(url);
    free(text);
}

static int start(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    cluster = cluster_start(NULL);
    admin = cluster_connect(cluster, "postgres");
    sql_run(admin,
            "CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_b; CREATE SCHEMA tenant_c; CREATE TABLE "
            "tenant_a.items (v text); CREATE TABLE tenant_b.items (v text); CREATE TABLE tenant_c.items "
            "(v text)");
    char *url = cluster_url(cluster, "postgres"), *text;
    assert_true(
        asprintf(&text, "databases:\n  - {name: main, url: \"%s\"}\ntenants: {ids: [a, b, c]}\n", url) > 0);
    config = config_load_text("test", text, strlen(text), &error);
    if (config == NULL)
        fail_msg("%s", error.message);
    free(url);
    free(text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    config_free(config);
    PQfinish(admin);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tenant_is_seeded_in_a_slot_s_thread),
        cmocka_unit_test(a_worker_elsewhere_has_no_callback),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
