/* Coordinators that die, hang or are two; orders that must reach every worker in time. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool nobody_at_work(void *stage_pointer)
{
    Stage *stage = stage_pointer;
    return sql_number(stage->fleet->connection,
                      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                      " AND pid <> pg_backend_pid() AND state <> 'idle'") == 0;
}

/* The workers notice, finish the migrations that run and begin none; the next coordinator finds them. */
static void coordinator_killed(void **state)
{
    (void)state;
    Stage *stage = stage_new(60, 4, "0.03");
    stage_worker(stage, stage->endpoint);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 2, NULL);
    stage_await_marks(stage, 30);
    process_signal(stage->run, SIGKILL);
    process_wait(stage->run, 5000);
    process_await_text(stage->workers[0], "the coordinator has been silent", fault_ms(200000));
    await(nobody_at_work, stage, 10000, "the orphans to end");
    long long marks = sql_number(stage->fleet->connection, "SELECT count(*) FROM public.marks");
    assert_true(marks < 240);
    stage_run(stage, 2, NULL);
    stage_end_well(stage);
    stage_close(stage);
}

/* Not even a moment between the death and the next one on the same address. */
static void coordinator_killed_and_restarted(void **state)
{
    (void)state;
    Stage *stage = stage_new(60, 3, "0.02");
    stage_worker(stage, stage->endpoint);
    stage_worker(stage, stage->endpoint);
    for (int i = 0; i < 4; i++) {
        stage_run(stage, 1, WORDS("--schedule", "rolling"));
        stage_await_marks(stage, 10 + i * 30);
        process_signal(stage->run, SIGKILL);
        process_wait(stage->run, 5000);
    }
    stage_run(stage, 2, NULL);
    stage_end_well(stage);
    stage_close(stage);
}

static void coordinator_stopped_and_continued(void **state)
{
    (void)state;
    Stage *stage = stage_new(60, 3, "0.02");
    stage_worker(stage, stage->endpoint);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 20);
    process_signal(stage->run, SIGSTOP);
    process_await_text(stage->workers[0], "the coordinator has been silent", fault_ms(200000));
    process_signal(stage->run, SIGCONT);
    stage_end_well(stage);
    stage_close(stage);
}

/* Each with workers of its own, on the same fleet. */
static void two_coordinators(void **state)
{
    (void)state;
    Stage *stage = stage_new(80, 3, "0.01");
    const char *other = fleet_endpoint();
    stage_worker(stage, stage->endpoint);
    stage_worker(stage, other);
    stage_run(stage, 1, NULL);
    Process *rival = fleet_start(stage->fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", other,
                                                     "--plain", "--min-workers", "1", "--json"));
    stage_end_well(stage);
    assert_int_equal(process_wait(rival, 60000), 0);
    process_free(rival);
    stage_close(stage);
}

/* One worker that listens serves both. */
static void two_coordinators_of_one_worker(void **state)
{
    (void)state;
    Stage *stage = stage_new(80, 3, "0.01");
    stage_worker_words(stage,
                       WORDS("pgconvoy-worker", "--listen", stage->endpoint, "--plain", "--slots", "4"));
    process_await_text(stage->workers[0], "listening on", 10000);
    const char *const *words =
        WORDS("pgconvoy", "migrate", "--all", "--workers", stage->endpoint, "--plain", "--json");
    stage->run = fleet_start(stage->fleet, words);
    Process *rival = fleet_start(stage->fleet, words);
    stage_end_well(stage);
    assert_int_equal(process_wait(rival, 60000), 0);
    process_free(rival);
    stage_close(stage);
}

/* Starts of migrations are in the marks; from one second after the signal none is added. */
static void abort_reaches_everybody(void **state)
{
    (void)state;
    Stage *stage = stage_new(300, 1, "0.2");
    for (int i = 0; i < 3; i++)
        stage_worker(stage, stage->endpoint);
    stage_run(stage, 3, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 30);
    long long asked_ms = fault_clock_ms();
    process_signal(stage->run, SIGINT);
    await(nobody_at_work, stage, 10000, "the workers to stop");
    long long stopped_ms = fault_clock_ms() - asked_ms;
    fault_note("after an interrupt the last migration, of 0.2 s, had ended within %.2f s",
               (double)stopped_ms / 1000);
    assert_true(stopped_ms <= (fault_full() ? 1000 : 2000));
    json_t *report = stage_end_run(stage, 130);
    assert_true(json_number(report, "skipped") > 100);
    json_decref(report);
    stage_close(stage);
}

static bool has_ended(void *process)
{
    return process_ended(process);
}

/* A tenant that does not end holds the drain up until its time is over; it is cancelled then, and another
 * worker takes it. */
static void drain_is_bounded(void **state)
{
    (void)state;
    Stage *stage = stage_new(20, 1, NULL);
    stage_add_gate(stage, "t0002");
    if (!fault_full())
        setenv("PGCONVOY_WIRE_DRAIN_MS", "3000", 1);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, WORDS("--schedule", "rolling"));
    long long pid = stage_await_gate(stage, 0);
    stage_worker(stage, stage->endpoint);
    process_await_text(stage->workers[1], "serving", 10000);
    long long asked_ms = fault_clock_ms();
    process_signal(stage->workers[0], SIGTERM);
    await(has_ended, stage->workers[0], fault_full() ? 60000 : 20000, "the drained worker's end");
    long long drained_ms = fault_clock_ms() - asked_ms;
    unsetenv("PGCONVOY_WIRE_DRAIN_MS");
    fault_note("a worker with a tenant that does not end had drained after %.1f s",
               (double)drained_ms / 1000);
    assert_true(drained_ms <= fault_ms(30000) + 5000);
    assert_int_equal(stage->workers[0]->status, 0);
    stage_await_gate(stage, pid);
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

static const FaultRow ROWS[] = {
    {"coordinator_killed", "kill -9, the workers are alone, rerun", coordinator_killed},
    {"coordinator_killed_and_restarted", "kill -9 and at once the next, four times",
     coordinator_killed_and_restarted},
    {"coordinator_stopped_and_continued", "SIGSTOP beyond the dead time, SIGCONT",
     coordinator_stopped_and_continued},
    {"two_coordinators", "two runs at a time with workers of their own", two_coordinators},
    {"two_coordinators_of_one_worker", "two runs at a time over one listening worker",
     two_coordinators_of_one_worker},
    {"abort_reaches_everybody", "SIGINT with three workers at work", abort_reaches_everybody},
    {"drain_is_bounded", "SIGTERM of a worker whose tenant does not end", drain_is_bounded},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
