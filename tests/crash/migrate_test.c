/* Migrating when a process dies at any of its messages to the server or lines of its journal. */
#include "tests/support/crash.h"
#include "tests/support/test.h"
#include "tests/support/truth.h"
#include <signal.h>
#include <stdio.h>

enum { TENANTS = 6, MIGRATIONS = 2, LEFT_OVER_MS = 20000, DEADLINE_MS = 60000 };

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;
static Fleet *fleet;

static int start(void **state)
{
    (void)state;
    /* The checks are long statements about little: compiling them takes seconds. */
    cluster = cluster_start("max_connections = 60\njit = off");
    fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, MIGRATIONS, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fleet_free(fleet);
    cluster_stop(cluster);
    return 0;
}

/* The id of the only run, when there is one and it can be resumed; malloc'ed. */
static char *open_run(void)
{
    char *out, *id = NULL;
    crash_run(fleet, WORDS("pgconvoy", "run", "list", "--json"), 0, &out);
    json_t *list = json_loads(out, 0, NULL);
    json_t *runs = json_object_get(list, "runs"), *run = json_array_get(runs, 0);
    assert_true(json_array_size(runs) <= 1);
    if (run != NULL && strcmp(json_string_value(json_object_get(run, "state")), "done") != 0)
        id = strdup(json_string_value(json_object_get(run, "run")));
    json_decref(list);
    free(out);
    return id;
}

/* What the journal tells must be there, also while a worker goes on. Returns the run that can be resumed. */
static char *expect_true_journal(const char *what, long at)
{
    char *out, *id = open_run();
    if (id == NULL)
        return NULL;
    crash_run(fleet, WORDS("pgconvoy", "run", "show", id, "--json"), 0, &out);
    crash_expect(truth_untold(fleet, out, MIGRATIONS, false), what, at);
    free(out);
    return id;
}

/* A run to the end: its report is true, everybody has everything, and once more nothing is left to do. */
static void finish(const char *const words[], const char *const again[], const char *what, long at)
{
    char *out;
    crash_run(fleet, words, 0, &out);
    crash_expect(truth_untold(fleet, out, MIGRATIONS, true), what, at);
    crash_expect(truth_incomplete(fleet, MIGRATIONS), what, at);
    free(out);
    crash_run(fleet, again, 0, &out);
    json_t *report = json_loads(out, 0, NULL), *result;
    size_t i;
    assert_int_equal(json_number(report, "succeeded"), TENANTS);
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        assert_int_equal(json_array_size(json_object_get(result, "appliedMigrations")), 0);
    }
    json_decref(report);
    free(out);
    crash_expect(truth_incomplete(fleet, MIGRATIONS), what, at);
}

/* How a sweep goes: the worker is hosted unless there is an endpoint, and a broken run is resumed or only run
 * again. */
typedef struct Way {
    const char *what;
    const char *const *words;
    const char *endpoint;
    bool resume;
    long tries;
} Way;

static void stop_worker(Process *worker)
{
    if (worker == NULL)
        return;
    process_await_text(worker, "ready with", DEADLINE_MS); /* before that the signal kills it */
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, DEADLINE_MS), 0);
    process_free(worker);
}

static Process *start_worker(const char *endpoint, long at)
{
    return endpoint == NULL
               ? NULL
               : crash_start(fleet,
                             WORDS("pgconvoy-worker", "--coordinator", endpoint, "--plain", "--slots", "2"),
                             at);
}

/* The command dies at one of its points, and the run is brought to its end. True when it did die. */
static bool die_and_finish(const Way *way, long at)
{
    crash_renew(fleet);
    Process *worker = start_worker(way->endpoint, 0);
    bool died = crash_run(fleet, way->words, at, NULL);
    if (worker == NULL) {
        crash_expect(truth_left_over(fleet, LEFT_OVER_MS), way->what, at);
        crash_expect(truth_violated(fleet), way->what, at);
    }
    char *id = expect_true_journal(way->what, at);
    finish(way->resume && id != NULL ? WORDS("pgconvoy", "run", "resume", id) : way->words, way->words,
           way->what, at);
    free(id);
    stop_worker(worker);
    crash_expect(truth_left_over(fleet, LEFT_OVER_MS), way->what, at);
    return died;
}

static void sweep(const Way *way)
{
    crash_renew(fleet);
    Process *worker = start_worker(way->endpoint, 0);
    long points = crash_count(fleet, way->words, way->what), deaths = 0;
    stop_worker(worker);
    for (long at = 1; at <= points; at += crash_step(points, way->tries))
        deaths += die_and_finish(way, at);
    assert_true(deaths > 0);
}

#define MIGRATE "pgconvoy", "migrate", "--all", "--json"

static void a_run_with_its_worker_inside_is_resumed_after_any_point(void **state)
{
    (void)state;
    sweep(&(Way){"one tenant at a time, resumed", WORDS(MIGRATE, "--concurrency", "1"), NULL, true, 10});
}

static void a_run_with_its_worker_inside_is_run_again_after_any_point(void **state)
{
    (void)state;
    sweep(&(Way){"all tenants at a time, run again", WORDS(MIGRATE, "--concurrency", "6"), NULL, false, 10});
}

static void a_coordinator_may_die_at_any_line_of_its_journal(void **state)
{
    (void)state;
    const char *endpoint = fleet_endpoint();
    for (int resume = 0; resume < 2; resume++)
        sweep(&(Way){resume == 1 ? "coordinator, resumed" : "coordinator, run again",
                     WORDS(MIGRATE, "--listen", endpoint, "--plain"), endpoint, resume == 1, 3});
}

/* The coordinator of a worker that dies gives its tenants to the next worker, and tells the truth of both. */
static void a_worker_may_die_at_any_message_to_the_server(void **state)
{
    (void)state;
    const char *endpoint = fleet_endpoint(), *what = "worker";
    const char *const *words = WORDS(MIGRATE, "--listen", endpoint, "--plain");
    crash_renew(fleet);
    CrashCount count = crash_count_begin(fleet);
    Process *worker =
        process_start(fleet->folder, (const char *const[]){count.entry, NULL},
                      WORDS("pgconvoy-worker", "--coordinator", endpoint, "--plain", "--slots", "2"));
    crash_run(fleet, words, 0, NULL);
    stop_worker(worker);
    long points = crash_count_end(&count, what), deaths = 0;
    for (long at = 1; at <= points; at += crash_step(points, 5)) {
        crash_renew(fleet);
        Process *dies = start_worker(endpoint, at), *run = crash_start(fleet, words, 0);
        while (!process_ended(dies) && !process_ended(run))
            sleep_ms(5);
        deaths += process_ended(dies);
        Process *next = start_worker(endpoint, 0);
        if (process_wait(run, DEADLINE_MS) != 0)
            fail_msg("point %ld: exit %d: %s", at, run->status, process_err(run));
        char *out = process_out(run);
        crash_expect(truth_untold(fleet, out, MIGRATIONS, true), what, at);
        crash_expect(truth_incomplete(fleet, MIGRATIONS), what, at);
        free(out);
        process_free(run);
        process_free(dies);
        stop_worker(next);
        crash_expect(truth_left_over(fleet, LEFT_OVER_MS), what, at);
    }
    assert_true(deaths > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_with_its_worker_inside_is_resumed_after_any_point),
        cmocka_unit_test(a_run_with_its_worker_inside_is_run_again_after_any_point),
        cmocka_unit_test(a_coordinator_may_die_at_any_line_of_its_journal),
        cmocka_unit_test(a_worker_may_die_at_any_message_to_the_server),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
