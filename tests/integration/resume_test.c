/* Journals of real runs: listed, shown, resumed after the coordinator was killed. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static Cluster *cluster;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 100");
    return cluster != NULL ? 0 : -1;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

/* Runs, parses stdout, checks the status. */
static json_t *run_json(Fleet *fleet, const char *const words[], int expected)
{
    char *out, *err;
    int status = fleet_run(fleet, words, &out, &err);
    if (status != expected)
        fail_msg("exit %d: %s", status, err);
    json_t *document = json_loads(out, 0, NULL);
    if (document == NULL)
        fail_msg("not JSON: %s", out);
    free(out);
    free(err);
    return document;
}

/* What run:list says of the only run. */
static json_t *only_run(Fleet *fleet)
{
    json_t *list = run_json(fleet, WORDS("pgconvoy", "run", "list", "--json"), 0);
    json_t *runs = json_object_get(list, "runs");
    assert_int_equal(json_array_size(runs), 1);
    json_t *run = json_incref(json_array_get(runs, 0));
    json_decref(list);
    return run;
}

static const char *text_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool has_marks(void *fleet_pointer)
{
    return sql_number(((Fleet *)fleet_pointer)->connection, "SELECT count(*) FROM public.marks") >= 25;
}

/* A run of 60 tenants by a worker that survives, and a coordinator that is killed on the way. */
static Process *killed_run(Fleet *fleet, const char *endpoint)
{
    Process *worker = fleet_start_worker(fleet, endpoint, "4");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                            "--concurrency", "8", "--json"));
    await(has_marks, fleet, 30000, "the run to get going");
    process_signal(run, SIGKILL);
    process_wait(run, 10000);
    process_free(run);
    return worker;
}

static void a_killed_run_is_resumed_and_reports_everything_it_did(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 60);
    fleet_add_markers(fleet, 2, "0.02");
    Process *worker = killed_run(fleet, fleet_endpoint());
    json_t *run = only_run(fleet);
    assert_string_equal(text_of(run, "state"), "broken off");
    json_int_t before = json_integer_value(json_object_get(run, "succeeded"));
    assert_true(before > 0 && before < 60);
    char *id = strdup(text_of(run, "run"));
    json_decref(run);

    json_t *shown = run_json(fleet, WORDS("pgconvoy", "run", "show", id, "--json"), 0);
    assert_int_equal(json_array_size(json_object_get(shown, "results")), before);
    json_decref(shown);

    char *out, *err;
    int status = fleet_run(fleet, WORDS("pgconvoy", "run", "resume", id), &out, &err);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    /* Tenants whose result was lost with the coordinator were committed by nobody that this run heard of;
     * everybody else's migrations are this run's, from before and after. */
    json_t *report = json_loads(out, 0, NULL), *result;
    assert_int_equal(json_number(report, "succeeded"), 60);
    size_t i, untold = 0;
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        untold += json_array_size(json_object_get(result, "appliedMigrations")) < 2;
    }
    assert_true(untold <= 8); /* what was in flight */
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 2);

    run = only_run(fleet);
    assert_string_equal(text_of(run, "state"), "done");
    assert_int_equal(json_integer_value(json_object_get(run, "succeeded")), 60);
    json_decref(run);
    status = fleet_run(fleet, WORDS("pgconvoy", "run", "resume", id), &out, &err);
    assert_int_equal(status, 2);
    assert_non_null(strstr(err, "nothing is left to do"));
    free(out);
    free(err);
    free(id);
    process_free(worker);
    fleet_free(fleet);
}

/* Breaks the run off, changes something, and sees the resumption refused with nothing changed. */
static void refuses_after(const char *what, void (*change)(Fleet *fleet))
{
    Fleet *fleet = fleet_new(cluster, 60);
    fleet_add_markers(fleet, 2, "0.02");
    Process *worker = killed_run(fleet, fleet_endpoint());
    process_signal(worker, SIGTERM);
    process_wait(worker, 20000);
    process_free(worker);
    change(fleet);
    char *before = fleet_digest(fleet), *out, *err;
    json_t *run = only_run(fleet);
    /* The coordinator listens where it did; a worker must come for it to look at the tenants. */
    char *endpoint = NULL;
    json_t *shown = run_json(fleet, WORDS("pgconvoy", "run", "show", text_of(run, "run"), "--json"), 0);
    json_t *words = json_object_get(json_object_get(shown, "run"), "words");
    for (size_t i = 0; i < json_array_size(words); i++)
        if (strcmp(json_string_value(json_array_get(words, i)), "--listen") == 0)
            endpoint = strdup(json_string_value(json_array_get(words, i + 1)));
    json_decref(shown);
    worker = fleet_start_worker(fleet, endpoint, "4");
    int status = fleet_run(fleet, WORDS("pgconvoy", "run", "resume", text_of(run, "run")), &out, &err);
    assert_int_equal(status, 2);
    if (strstr(err, what) == NULL)
        fail_msg("%s", err);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(out);
    free(err);
    free(endpoint);
    json_decref(run);
    process_free(worker);
    fleet_free(fleet);
}

static void add_tenant(Fleet *fleet)
{
    sql_run(fleet->connection, "INSERT INTO public.tenants VALUES ('zz')");
}

static void change_file(Fleet *fleet)
{
    fleet_add_migration(fleet, "0003_more", "SELECT 1;");
}

static void change_option(Fleet *fleet)
{
    fleet_configure(fleet, fleet->url, "run: {lock_timeout_ms: 1234}\n");
}

static void a_run_whose_tenants_files_or_options_changed_is_not_resumed(void **state)
{
    (void)state;
    refuses_after("its tenants were others", add_tenant);
    refuses_after("its migration files were others", change_file);
    refuses_after("its options were others", change_option);
}

static void nothing_to_do_leaves_no_journal_and_a_bad_place_is_refused(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 1, NULL);
    char *err;
    int status =
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--journal", "/nonexistent/j"), NULL, &err);
    assert_int_equal(status, 2);
    assert_non_null(strstr(err, "cannot make journal"));
    free(err);
    fleet_assert_complete(fleet, 0);
    /* Where the usual place cannot be had, the run matters more. */
    status = process_run(fleet->folder, WORDS("XDG_STATE_HOME=/proc/nonexistent"),
                         WORDS("pgconvoy", "migrate", "--all"), NULL, &err);
    assert_int_equal(status, 0);
    assert_non_null(strstr(err, "this run keeps no journal"));
    free(err);
    fleet_assert_complete(fleet, 1);
    status = fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all"), NULL, &err);
    assert_int_equal(status, 0);
    free(err);
    json_t *list = run_json(fleet, WORDS("pgconvoy", "run", "list", "--json"), 0);
    assert_int_equal(json_array_size(json_object_get(list, "runs")), 0);
    json_decref(list);
    fleet_free(fleet);
}

static void only_the_tenants_that_failed_are_tried_again(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 12);
    fleet_add_markers(fleet, 2, NULL);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0003.t1 (i int); CREATE TABLE tenant_t0007.t1 (i int)");
    fleet_add_migration(fleet, "0003_t1", "CREATE TABLE t1 (i int);");
    char *out, *err;
    int status =
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--on-error", "continue"), &out, &err);
    assert_int_equal(status, 1);
    free(out);
    free(err);
    json_t *run = only_run(fleet);
    assert_string_equal(text_of(run, "state"), "failed");
    sql_run(fleet->connection, "DROP TABLE tenant_t0003.t1; DROP TABLE tenant_t0007.t1");
    status = fleet_run(fleet, WORDS("pgconvoy", "run", "retry-failed", text_of(run, "run")), &out, &err);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    assert_non_null(strstr(err, "total 2: 2 succeeded"));
    json_decref(run);
    free(out);
    free(err);
    json_t *list = run_json(fleet, WORDS("pgconvoy", "run", "list", "--json"), 0);
    assert_int_equal(json_array_size(json_object_get(list, "runs")), 2);
    json_t *retry = json_array_get(json_object_get(list, "runs"), 1);
    assert_int_equal(json_integer_value(json_object_get(retry, "tenants")), 2);
    json_decref(list);
    fleet_assert_nothing_twice(fleet);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM pg_tables WHERE tablename = 't1'"),
                     12);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_run_is_resumed_and_reports_everything_it_did),
        cmocka_unit_test(a_run_whose_tenants_files_or_options_changed_is_not_resumed),
        cmocka_unit_test(only_the_tenants_that_failed_are_tried_again),
        cmocka_unit_test(nothing_to_do_leaves_no_journal_and_a_bad_place_is_refused),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
