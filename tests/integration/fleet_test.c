/* Whole runs over a fleet: the programs as a user runs them, judged by the tenants' own tables. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static Cluster *cluster;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void five_hundred_tenants_over_three_workers(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 500);
    fleet_add_markers(fleet, 5, NULL);
    const char *endpoint = fleet_endpoint();
    Process *workers[3];
    for (int i = 0; i < 3; i++)
        workers[i] = fleet_start_worker(fleet, endpoint, "3");
    char *out, *err;
    assert_int_equal(fleet_run(fleet,
                               WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                     "--min-workers", "3", "--json"),
                               &out, &err),
                     0);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 500);
    json_t *first = json_array_get(json_object_get(report, "results"), 0);
    static const char *const SHAPE[] = {"tenantId",          "schema",     "success",
                                        "appliedMigrations", "durationMs", "format"};
    for (size_t i = 0; i < sizeof SHAPE / sizeof SHAPE[0]; i++)
        assert_non_null(json_object_get(first, SHAPE[i]));
    assert_string_equal(json_string_value(json_object_get(first, "tenantId")), "t0001");
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 5);

    assert_int_equal(fleet_run(fleet,
                               WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                     "--min-workers", "3", "--json"),
                               &out, &err),
                     0);
    report = json_loads(out, 0, NULL);
    json_t *result;
    size_t i;
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        assert_int_equal(json_array_size(json_object_get(result, "appliedMigrations")), 0);
    }
    assert_int_equal(json_number(report, "succeeded"), 500);
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 5);
    for (int w = 0; w < 3; w++) {
        process_signal(workers[w], SIGTERM);
        assert_int_equal(process_wait(workers[w], 20000), 0);
        process_free(workers[w]);
    }
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

typedef struct Progressed {
    Fleet *fleet;
    long long marks;
} Progressed;

static bool has_marks(void *progressed_pointer)
{
    Progressed *progressed = progressed_pointer;
    return sql_number(progressed->fleet->connection, "SELECT count(*) FROM public.marks") >=
           progressed->marks;
}

static void await_marks(Fleet *fleet, long long marks)
{
    await(has_marks, &(Progressed){fleet, marks}, 30000, "the run to get going");
}

static void a_killed_worker_costs_time_and_nothing_else(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 60);
    fleet_add_markers(fleet, 3, "0.02");
    const char *endpoint = fleet_endpoint();
    Process *victim = fleet_start_worker(fleet, endpoint, "4"),
            *other = fleet_start_worker(fleet, endpoint, "4");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                            "--min-workers", "2", "--json"));
    await_marks(fleet, 20);
    process_signal(victim, SIGKILL);
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 60);
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 3);
    process_free(run);
    process_free(victim);
    process_free(other);
    fleet_free(fleet);
}

static void a_killed_coordinator_is_followed_by_a_rerun(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 60);
    fleet_add_markers(fleet, 3, "0.02");
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "4"),
                           fleet_start_worker(fleet, endpoint, "4")};
    const char *const *words = WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                     "--min-workers", "2", "--json");
    Process *run = fleet_start(fleet, words);
    await_marks(fleet, 20);
    process_signal(run, SIGKILL);
    process_wait(run, 10000);
    process_free(run);
    char *out, *err;
    int status = fleet_run(fleet, words, &out, &err);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    json_t *report = json_loads(out, 0, NULL);
    assert_int_equal(json_number(report, "total"), 60);
    assert_int_equal(json_number(report, "succeeded"), 60);
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 3);
    process_free(workers[0]);
    process_free(workers[1]);
    fleet_free(fleet);
}

static void two_coordinators_apply_everything_once_in_each_format(void **state)
{
    (void)state;
    static const char *const FORMATS[] = {"name", "hash", "drizzle-kit"};
    for (int f = 0; f < 3; f++) {
        Fleet *fleet = fleet_new(cluster, 200);
        fleet_add_markers(fleet, 3, NULL);
        const char *const *words = WORDS("pgconvoy", "migrate", "--all", "--default-format", FORMATS[f],
                                         "--concurrency", "5", "--json");
        Process *runs[2] = {fleet_start(fleet, words), fleet_start(fleet, words)};
        for (int i = 0; i < 2; i++) {
            int status = process_wait(runs[i], 120000);
            char *out = process_out(runs[i]), *err = process_err(runs[i]);
            if (status != 0)
                fail_msg("%s, run %d: exit %d: %s", FORMATS[f], i, status, err);
            json_t *report = json_loads(out, 0, NULL);
            assert_int_equal(json_number(report, "succeeded"), 200);
            json_decref(report);
            free(out);
            free(err);
            process_free(runs[i]);
        }
        fleet_assert_complete(fleet, 3);
        fleet_assert_no_leftovers(fleet);
        fleet_free(fleet);
    }
}

/* Tenant t0007's second migration fails. */
static Fleet *failing_fleet(void)
{
    Fleet *fleet = fleet_new(cluster, 100);
    fleet_add_markers(fleet, 2, NULL);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0007.made_2 (x int)");
    return fleet;
}

static void abort_skips_the_tenants_of_later_batches(void **state)
{
    (void)state;
    Fleet *fleet = failing_fleet();
    char *out, *err;
    assert_int_equal(fleet_run(fleet,
                               WORDS("pgconvoy", "migrate", "--all", "--on-error", "abort", "--concurrency",
                                     "10", "--json"),
                               &out, &err),
                     4);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 9);
    assert_int_equal(json_number(report, "failed"), 1);
    assert_int_equal(json_number(report, "skipped"), 90);
    json_t *results = json_object_get(report, "results");
    for (size_t i = 10; i < 100; i++) {
        json_t *result = json_array_get(results, i);
        assert_string_equal(json_string_value(json_object_get(result, "error")), "Skipped due to abort");
        assert_false(json_boolean_value(json_object_get(result, "success")));
    }
    json_t *failed = json_array_get(results, 6);
    assert_string_equal(json_string_value(json_object_get(failed, "error")),
                        "relation \"made_2\" already exists");
    assert_string_equal(json_string_value(json_object_get(failed, "sqlstate")), "42P07");
    assert_string_equal(json_string_value(json_object_get(failed, "migration")), "0002_m2");
    json_decref(report);
    free(out);
    free(err);
    fleet_free(fleet);
}

static void continue_finishes_everybody_else(void **state)
{
    (void)state;
    Fleet *fleet = failing_fleet();
    char *out, *err;
    assert_int_equal(fleet_run(fleet,
                               WORDS("pgconvoy", "migrate", "--all", "--on-error", "continue", "--json"),
                               &out, &err),
                     1);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 99);
    assert_int_equal(json_number(report, "failed"), 1);
    assert_non_null(strstr(err, "rerun: pgconvoy migrate --tenants t0007"));
    json_decref(report);
    free(out);
    free(err);
    fleet_free(fleet);
}

static void a_broken_statement_stops_after_twenty_equal_failures(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 100);
    fleet_add_migration(fleet, "0001_bad", "INSERT INTO nowhere VALUES (1);");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), &out, &err), 4);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "failed"), 20);
    assert_int_equal(json_number(report, "skipped"), 80);
    json_decref(report);
    free(out);
    free(err);
    assert_int_equal(
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--max-failures", "0", "--json"), &out, &err),
        1);
    report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "failed"), 100);
    json_decref(report);
    free(out);
    free(err);
    assert_int_equal(fleet_run(fleet,
                               WORDS("pgconvoy", "migrate", "--all", "--max-failures", "3", "--concurrency",
                                     "1", "--json"),
                               &out, &err),
                     4);
    report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "failed"), 3);
    json_decref(report);
    free(out);
    free(err);
    fleet_free(fleet);
}

static void dry_run_changes_nothing_at_all(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 30);
    fleet_add_markers(fleet, 3, NULL);
    sql_run(fleet->connection, "DROP SCHEMA tenant_t0005");
    char *before = fleet_digest(fleet), *out, *err;
    assert_int_equal(
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--dry-run", "--json"), &out, &err), 1);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    json_t *report = json_loads(out, 0, NULL);
    json_t *results = json_object_get(report, "results");
    assert_int_equal(json_array_size(json_object_get(json_array_get(results, 0), "appliedMigrations")), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(results, 4), "outcome")),
                        "no_schema");
    assert_int_equal(json_number(report, "failed"), 1);
    json_decref(report);
    free(out);
    free(err);
    free(after);
    assert_int_equal(
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--mark-applied", "--dry-run"), &out, &err),
        1);
    after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(out);
    free(err);
    free(before);
    free(after);
    fleet_free(fleet);
}

static void mark_applied_records_without_running(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 20);
    fleet_add_markers(fleet, 3, NULL);
    char *out, *err;
    assert_int_equal(
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--mark-applied", "--json"), &out, &err), 0);
    json_decref(fleet_assert_report(fleet, out));
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 0);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM tenant_t0020.__drizzle_migrations"),
                     3);
    free(out);
    free(err);
    fleet_free(fleet);
}

static void five_hundred_tenants_through_a_transaction_pooler(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 500);
    fleet_add_markers(fleet, 5, NULL);
    char *url = cluster_bouncer_url(cluster, fleet->database), *out, *err;
    fleet_configure(fleet, url, NULL);
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *workers[3];
    for (int i = 0; i < 3; i++)
        workers[i] = fleet_start_worker(fleet, endpoint, "3");
    int status = fleet_run(fleet,
                           WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                 "--min-workers", "3", "--json"),
                           &out, &err);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 500);
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 5);
    for (int w = 0; w < 3; w++)
        process_free(workers[w]);
    fleet_free(fleet);
}

static void workers_may_listen_and_a_drained_one_gives_its_tenants_back(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 60);
    fleet_add_markers(fleet, 3, "0.02");
    const char *endpoints[2] = {fleet_endpoint(), fleet_endpoint()};
    Process *workers[2];
    for (int i = 0; i < 2; i++) {
        workers[i] =
            fleet_start(fleet, WORDS("pgconvoy-worker", "--listen", endpoints[i], "--plain", "--slots", "4"));
        process_await_text(workers[i], "listening on", 10000);
    }
    char both[100];
    snprintf(both, sizeof both, "%s,%s", endpoints[0], endpoints[1]);
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--workers", both, "--plain",
                                            "--min-workers", "2", "--schedule", "rolling", "--json"));
    await_marks(fleet, 20);
    process_signal(workers[0], SIGTERM);
    assert_int_equal(process_wait(workers[0], 35000), 0);
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 60);
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 3);
    process_free(run);
    process_free(workers[0]);
    process_free(workers[1]);
    fleet_free(fleet);
}

static long long sleepers(const Fleet *fleet)
{
    return sql_number(fleet->connection,
                      "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND wait_event = 'PgSleep'",
                      fleet->database);
}

static bool somebody_sleeps(void *fleet)
{
    return sleepers(fleet) > 0;
}

static bool four_sleep(void *fleet)
{
    return sleepers(fleet) == 4;
}

static void the_first_interrupt_aborts_and_the_second_cancels(void **state)
{
    (void)state;
    for (int signals = 1; signals <= 2; signals++) {
        Fleet *fleet = fleet_new(cluster, 40);
        fleet_add_markers(fleet, 1, signals == 1 ? "0.2" : "60");
        Process *run =
            fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--concurrency", "4", "--json"));
        /* Statements of the second round sleep for a minute: only a cancel ends them in time. */
        if (signals == 1)
            await_marks(fleet, 4);
        await(signals == 1 ? somebody_sleeps : four_sleep, fleet, 30000, "statements in flight");
        process_signal(run, SIGINT);
        process_await_text(run, "interrupted: tenants in flight finish", 10000);
        if (signals == 2)
            process_signal(run, SIGINT);
        assert_int_equal(process_wait(run, 20000), 130);
        char *out = process_out(run);
        json_t *report = fleet_assert_report(fleet, out);
        assert_true(json_number(report, "skipped") >= 20);
        assert_int_equal(json_number(report, "failed"), signals == 2 ? 4 : 0);
        json_decref(report);
        free(out);
        process_free(run);
        fleet_assert_nothing_twice(fleet);
        fleet_assert_no_leftovers(fleet);
        fleet_free(fleet);
    }
}

static void a_tenant_listed_twice_is_migrated_once(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 2, NULL);
    char *out, *err;
    assert_int_equal(fleet_run(fleet,
                               WORDS("pgconvoy", "migrate", "--tenants", "t0002,t0001,t0002", "--json"), &out,
                               &err),
                     0);
    json_t *report = json_loads(out, 0, NULL), *results = json_object_get(report, "results");
    assert_int_equal(json_array_size(results), 3);
    assert_int_equal(json_array_size(json_object_get(json_array_get(results, 0), "appliedMigrations")), 2);
    assert_int_equal(json_array_size(json_object_get(json_array_get(results, 2), "appliedMigrations")), 0);
    json_decref(report);
    free(out);
    free(err);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 4);
    fleet_assert_nothing_twice(fleet);
    fleet_free(fleet);
}

static void surprising_plans_are_warned_about(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 2, NULL);
    fleet_configure(fleet, fleet->url, "  default_format: drizzle-kit\n");
    char *journal = NULL;
    assert_true(asprintf(&journal, "%s/migrations/meta", fleet->folder) > 0);
    assert_int_equal(mkdir(journal, 0755), 0);
    free(journal);
    write_file(fleet->folder, "migrations/meta/_journal.json",
               "{\"entries\": [{\"idx\": 0, \"when\": 1700000000001, \"tag\": \"0001_m1\"},"
               " {\"idx\": 1, \"when\": 1700000000002, \"tag\": \"0002_m2\"}]}");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all"), &out, &err), 0);
    assert_null(strstr(err, "changed"));
    assert_null(strstr(err, "older"));
    free(out);
    free(err);

    fleet_add_migration(fleet, "0001_m1", "SELECT 'edited';");
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all"), &out, &err), 0);
    assert_non_null(strstr(err, "3 tenants: files were changed after they were applied"));
    assert_non_null(strstr(err, "0001_m1"));
    free(out);
    free(err);
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--strict"), &out, &err), 1);
    assert_non_null(strstr(err, "was changed after it was applied"));
    free(out);
    free(err);

    fleet_add_markers(fleet, 2, NULL);
    fleet_add_migration(fleet, "0001_late",
                        "INSERT INTO public.marks VALUES (current_schema(), '0001_late');");
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all"), &out, &err), 0);
    assert_non_null(
        strstr(err, "3 tenants: pending files are older than ones already applied, such as 0001_late"));
    free(out);
    free(err);
    fleet_assert_complete(fleet, 3);
    fleet_free(fleet);
}

static bool is_discovering(void *fleet_pointer)
{
    Fleet *fleet = fleet_pointer;
    return sql_number(fleet->connection,
                      "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND wait_event = 'PgSleep'",
                      fleet->database) > 0;
}

static void a_worker_lost_or_cancelled_while_discovering_is_replaced(void **state)
{
    (void)state;
    for (int kill = 0; kill <= 1; kill++) {
        Fleet *fleet = fleet_new(cluster, 10);
        fleet_add_markers(fleet, 1, NULL);
        char text[800];
        snprintf(text, sizeof text,
                 "databases:\n  - name: main\n    url: %s\n"
                 "tenants:\n  query: select id from public.tenants, (select pg_sleep(2)) s order by id\n"
                 "migrations:\n  folder: ./migrations\n",
                 fleet->url);
        write_file(fleet->folder, "pgconvoy.yaml", text);
        const char *endpoint = fleet_endpoint();
        Process *first = fleet_start_worker(fleet, endpoint, "2");
        Process *run = fleet_start(
            fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain", "--json"));
        await(is_discovering, fleet, 30000, "the discovery query");
        Process *second = fleet_start_worker(fleet, endpoint, "2");
        if (!kill) {
            process_signal(first, SIGTERM);
            process_await_text(first, "draining", 10000);
            process_signal(first, SIGTERM);
        } else
            process_signal(first, SIGKILL);
        int status = process_wait(run, 60000);
        char *out = process_out(run), *err = process_err(run);
        if (status != 0)
            fail_msg("exit %d: %s", status, err);
        json_t *report = fleet_assert_report(fleet, out);
        assert_int_equal(json_number(report, "succeeded"), 10);
        json_decref(report);
        free(out);
        free(err);
        fleet_assert_complete(fleet, 1);
        process_free(run);
        process_free(first);
        process_free(second);
        fleet_free(fleet);
    }
}

static void a_run_without_workers_left_reports_what_was_done(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 40);
    fleet_add_markers(fleet, 1, "0.05");
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "2");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                            "--wait", "1000", "--json"));
    await_marks(fleet, 6);
    process_signal(worker, SIGTERM); /* what is in flight ends and is reported */
    assert_int_equal(process_wait(run, 60000), 6);
    char *out = process_out(run), *err = process_err(run);
    json_t *report = fleet_assert_report(fleet, out);
    assert_true(json_number(report, "succeeded") >= 6);
    assert_true(json_number(report, "skipped") > 0);
    assert_string_equal(json_string_value(json_object_get(report, "code")), "no_workers");
    assert_non_null(strstr(err, "no worker"));
    json_decref(report);
    free(out);
    free(err);
    process_free(run);
    process_free(worker);
    fleet_assert_nothing_twice(fleet);
    fleet_free(fleet);
}

static int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 200");
    cluster_start_bouncer(cluster, 8);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_hundred_tenants_over_three_workers),
        cmocka_unit_test(a_killed_worker_costs_time_and_nothing_else),
        cmocka_unit_test(a_killed_coordinator_is_followed_by_a_rerun),
        cmocka_unit_test(two_coordinators_apply_everything_once_in_each_format),
        cmocka_unit_test(abort_skips_the_tenants_of_later_batches),
        cmocka_unit_test(continue_finishes_everybody_else),
        cmocka_unit_test(a_broken_statement_stops_after_twenty_equal_failures),
        cmocka_unit_test(dry_run_changes_nothing_at_all),
        cmocka_unit_test(mark_applied_records_without_running),
        cmocka_unit_test(five_hundred_tenants_through_a_transaction_pooler),
        cmocka_unit_test(workers_may_listen_and_a_drained_one_gives_its_tenants_back),
        cmocka_unit_test(the_first_interrupt_aborts_and_the_second_cancels),
        cmocka_unit_test(a_tenant_listed_twice_is_migrated_once),
        cmocka_unit_test(a_worker_lost_or_cancelled_while_discovering_is_replaced),
        cmocka_unit_test(a_run_without_workers_left_reports_what_was_done),
        cmocka_unit_test(surprising_plans_are_warned_about),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
