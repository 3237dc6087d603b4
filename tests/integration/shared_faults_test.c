/* The shared schema under stress: races, locks, lost connections and workers, interruptions; with workers of
 * other processes and through a pooler. */
#include "tests/integration/shared_support.h"
#include "worker/pg/tenant_lock.h"
#include <signal.h>
#include <time.h>

static void two_coordinators_apply_it_once(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(0);
    add_shared(fleet, "0003_slow", "SELECT pg_sleep(0.3); INSERT INTO marks VALUES ('slow', '0003_slow');");
    Process *runs[3];
    for (int i = 0; i < 3; i++)
        runs[i] = fleet_start(fleet, WORDS("pgconvoy", "migrate:shared", "--json"));
    size_t applied = 0;
    for (int i = 0; i < 3; i++) {
        int status = process_wait(runs[i], 60000);
        char *out = process_out(runs[i]), *err = process_err(runs[i]);
        if (status != 0)
            fail_msg("exit %d: %s", status, err);
        json_t *report = json_loads(out, 0, NULL);
        applied += json_array_size(json_object_get(report, "appliedMigrations"));
        json_decref(report);
        free(out);
        free(err);
        process_free(runs[i]);
    }
    assert_int_equal(applied, 3);
    expect_number(fleet, 3, SHARED_ROWS);
    expect_number(fleet, 3, "SELECT count(*) FROM public.marks");
    fleet_assert_nothing_twice(fleet);
    fleet_free(fleet);
}

static void a_locked_shared_schema_is_busy(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    int64_t key;
    Error error = {0};
    assert_true(tenant_lock_key("public", &key, &error));
    sql_run(fleet->connection, "SELECT pg_advisory_lock(%lld)", (long long)key);
    Answer answer = ask(fleet, 6, WORDS("pgconvoy", "migrate:shared", "--lock-wait", "100", "--json"));
    assert_string_equal(json_string_value(json_object_get(answer.json, "outcome")), "busy");
    forget(&answer);
    expect_number(fleet, 0, SHARED_TABLES);
    fleet_free(fleet);
}

#define REMOTE(...) \
    WORDS("pgconvoy", __VA_ARGS__, "--listen", endpoint, "--plain", "--min-workers", "2", "--json")

static void workers_of_other_processes_do_both_through_a_pooler(void **state)
{
    (void)state;
    enum { TENANTS = 60 };
    Fleet *fleet = shared_fleet(TENANTS);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    fleet_configure(fleet, url, "shared:\n  folder: ./shared");
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "3"),
                           fleet_start_worker(fleet, endpoint, "3")};
    Answer answer = ask(fleet, 0, REMOTE("migrate", "--all", "--with-shared"));
    json_t *shared = json_object_get(answer.json, "shared");
    assert_int_equal(json_array_size(json_object_get(shared, "appliedMigrations")), 2);
    assert_int_equal(json_number(answer.json, "succeeded"), TENANTS);
    forget(&answer);
    expect_number(fleet, 2, SHARED_ROWS);
    expect_number(fleet, TENANTS * 2 + 2, "SELECT count(*) FROM public.marks");
    fleet_assert_nothing_twice(fleet);
    answer = ask(fleet, 0, REMOTE("status", "--include-shared", "--exit-code"));
    forget(&answer);
    answer = ask(fleet, 0, REMOTE("migrate:shared"));
    assert_string_equal(json_string_value(json_object_get(answer.json, "outcome")), "already");
    forget(&answer);
    for (int i = 0; i < 2; i++)
        process_free(workers[i]);
    fleet_free(fleet);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* COMMIT waits for a standby that does not exist, and meanwhile the worker dies: the table is there, but
 * nobody has told. */
static void what_a_dead_worker_committed_is_this_run_s_work(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    const char *endpoint = fleet_endpoint();
    sql_run(fleet->connection, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    sql_run(fleet->connection, "SELECT pg_reload_conf()");
    Process *first = fleet_start_worker(fleet, endpoint, "1");
    Process *run =
        fleet_start(fleet, WORDS("pgconvoy", "migrate:shared", "--listen", endpoint, "--plain", "--json"));
    for (int waited = 0; waited < 30000; waited += 5, pause_ms(5))
        if (sql_number(fleet->connection,
                       "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") > 0)
            break;
    process_signal(first, SIGKILL);
    sql_run(fleet->connection, "ALTER SYSTEM RESET synchronous_standby_names");
    sql_run(fleet->connection, "SELECT pg_reload_conf()");
    Process *second = fleet_start_worker(fleet, endpoint, "1");
    int status = process_wait(run, 60000);
    Answer answer = {.out = process_out(run), .err = process_err(run)};
    if (status != 0)
        fail_msg("exit %d: %s", status, answer.err);
    answer.json = json_loads(answer.out, 0, NULL);
    expect_json(answer.json, "{\"schemaName\":\"public\",\"success\":true,\"appliedMigrations\":"
                             "[\"0001_plans\",\"0002_roles\"],\"durationMs\":0,\"format\":\"name\","
                             "\"outcome\":\"applied\"}");
    forget(&answer);
    expect_number(fleet, 2, SHARED_ROWS);
    fleet_assert_nothing_twice(fleet);
    process_free(run);
    process_free(first);
    process_free(second);
    fleet_free(fleet);
}

static const char SLEEPER[] =
    "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";

static void await_sleeper(Fleet *fleet)
{
    for (int waited = 0; waited < 30000; waited += 5, pause_ms(5))
        if (sql_number(fleet->connection, "SELECT count(*) %s", SLEEPER) > 0)
            return;
    fail_msg("nobody sleeps");
}

static void a_lost_connection_costs_time_and_nothing_else(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    add_shared(fleet, "0003_slow", "CREATE TABLE slow (i int); SELECT pg_sleep(1);");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate:shared", "--json"));
    await_sleeper(fleet);
    expect_number(fleet, 2, SHARED_ROWS);
    sql_number(fleet->connection, "SELECT pg_terminate_backend(pid)::int %s", SLEEPER);
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 0)
        fail_msg("exit %d: %s%s", status, out, err);
    json_t *report = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(report, "appliedMigrations")), 3);
    json_decref(report);
    free(out);
    free(err);
    process_free(run);
    expect_number(fleet, 3, SHARED_ROWS);
    fleet_assert_nothing_twice(fleet);
    fleet_free(fleet);
}

static void a_cancellation_leaves_the_rest_pending(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(1);
    add_shared(fleet, "0003_slow", "CREATE TABLE slow (i int); SELECT pg_sleep(60);");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate:shared", "--json"));
    await_sleeper(fleet);
    process_signal(run, SIGTERM);
    process_await_text(run, "interrupted", 20000);
    process_signal(run, SIGTERM);
    int status = process_wait(run, 30000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 130)
        fail_msg("exit %d: %s%s", status, out, err);
    json_t *report = json_loads(out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(report, "outcome")), "cancelled");
    assert_int_equal(json_array_size(json_object_get(report, "appliedMigrations")), 2);
    json_decref(report);
    free(out);
    free(err);
    process_free(run);
    expect_number(fleet, 2, SHARED_ROWS);
    expect_number(fleet, 0, "SELECT count(*) FROM pg_tables WHERE tablename = 'slow'");
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void an_interruption_between_leaves_the_tenants_alone(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(2);
    add_shared(fleet, "0003_slow", "SELECT pg_sleep(1.5);");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--json"));
    await_sleeper(fleet);
    process_signal(run, SIGTERM);
    assert_int_equal(process_wait(run, 30000), 130);
    char *out = process_out(run);
    json_t *report = json_loads(out, 0, NULL);
    json_t *shared = json_object_get(report, "shared");
    assert_int_equal(json_array_size(json_object_get(shared, "appliedMigrations")), 3);
    json_decref(report);
    free(out);
    process_free(run);
    expect_number(fleet, 3, SHARED_ROWS);
    expect_number(fleet, 0, TENANT_OBJECTS);
    fleet_free(fleet);
}

/* Who was to follow is known, and told to be skipped. */
static void expect_two_skipped(json_t *report, const char *reason)
{
    assert_int_equal(json_number(report, "total"), 2);
    assert_int_equal(json_number(report, "skipped"), 2);
    json_t *entry = json_array_get(json_object_get(report, "results"), 1);
    assert_string_equal(json_string_value(json_object_get(entry, "tenantId")), "t0002");
    assert_string_equal(json_string_value(json_object_get(entry, "error")), reason);
}

static void named_tenants_are_skipped_by_an_interruption(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(2);
    add_shared(fleet, "0003_slow", "SELECT pg_sleep(1);");
    Process *run = fleet_start(
        fleet, WORDS("pgconvoy", "migrate", "--tenants", "t0001,t0002", "--with-shared", "--json"));
    await_sleeper(fleet);
    process_signal(run, SIGTERM);
    assert_int_equal(process_wait(run, 30000), 130);
    char *out = process_out(run);
    json_t *report = json_loads(out, 0, NULL);
    expect_two_skipped(report, "Skipped due to abort");
    json_decref(report);
    free(out);
    process_free(run);
    expect_number(fleet, 0, TENANT_OBJECTS);
    fleet_free(fleet);
}

/* The journal is the tenants'; what there is of the shared schema is looked at again. */
static void an_interrupted_run_is_resumed(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(4);
    fleet_add_migration(fleet, "0003_slow", "SELECT pg_sleep(0.5);");
    Process *run = fleet_start(
        fleet, WORDS("pgconvoy", "migrate", "--all", "--with-shared", "--concurrency", "1", "--json"));
    await_sleeper(fleet);
    process_signal(run, SIGTERM);
    assert_int_equal(process_wait(run, 30000), 130);
    process_free(run);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "run", "list", "--json"));
    json_t *kept = json_array_get(json_object_get(answer.json, "runs"), 0);
    char *id = strdup(json_string_value(json_object_get(kept, "run")));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "run", "resume", id));
    assert_int_equal(json_number(answer.json, "succeeded"), 4);
    json_t *shared = json_object_get(answer.json, "shared");
    assert_string_equal(json_string_value(json_object_get(shared, "outcome")), "already");
    forget(&answer);
    free(id);
    expect_number(fleet, 2, SHARED_ROWS);
    fleet_assert_nothing_twice(fleet);
    fleet_free(fleet);
}

static void without_workers_the_report_says_how_far_it_came(void **state)
{
    (void)state;
    Fleet *fleet = shared_fleet(2);
    add_shared(fleet, "0003_slow", "SELECT pg_sleep(30);");
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "2");
    Process *run =
        fleet_start(fleet, WORDS("pgconvoy", "migrate", "--tenants", "t0001,t0002", "--with-shared", "--json",
                                 "--listen", endpoint, "--plain", "--wait", "3000"));
    await_sleeper(fleet);
    process_signal(worker, SIGKILL);
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 6)
        fail_msg("exit %d: %s%s", status, out, err);
    json_t *report = json_loads(out, 0, NULL);
    expect_two_skipped(report, "Skipped due to abort");
    assert_true(json_is_false(json_object_get(json_object_get(report, "shared"), "success")));
    assert_int_equal(strncmp(json_string_value(json_object_get(report, "error")), "shared schema: ", 15), 0);
    json_decref(report);
    free(out);
    free(err);
    process_free(run);
    process_free(worker);
    sql_number(fleet->connection, "SELECT pg_terminate_backend(pid)::int %s", SLEEPER);
    expect_number(fleet, 0, TENANT_OBJECTS);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_coordinators_apply_it_once),
        cmocka_unit_test(a_locked_shared_schema_is_busy),
        cmocka_unit_test(workers_of_other_processes_do_both_through_a_pooler),
        cmocka_unit_test(what_a_dead_worker_committed_is_this_run_s_work),
        cmocka_unit_test(a_lost_connection_costs_time_and_nothing_else),
        cmocka_unit_test(a_cancellation_leaves_the_rest_pending),
        cmocka_unit_test(an_interruption_between_leaves_the_tenants_alone),
        cmocka_unit_test(named_tenants_are_skipped_by_an_interruption),
        cmocka_unit_test(an_interrupted_run_is_resumed),
        cmocka_unit_test(without_workers_the_report_says_how_far_it_came),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
