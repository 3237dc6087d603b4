/* Allocations that fail, one or many, at points all over a program's life: it ends with a message or carries
 * on, and what it did is told as it is. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Where allocations begin to fail, and how many of those that follow. The first points are those of a start,
 * the last lie beyond the end of a small run. With PGCONVOY_SWEEP=all they stand ten times as dense. */
typedef struct Point {
    long after;
    int percent;
} Point;

typedef struct Tally {
    int points, ended, succeeded;
} Tally;

static bool next_point(Point *point)
{
    bool dense = getenv("PGCONVOY_SWEEP") != NULL;
    if (point->percent == 0 && point->after < 20000) {
        point->after = dense ? point->after * 26 / 25 + 1 : point->after * 3 / 2 + 7;
        return true;
    }
    if (point->percent == 0)
        *point = (Point){.after = 30, .percent = 1};
    point->after *= 4;
    point->percent = point->percent == 1 ? 20 : 1;
    return point->after < 40000;
}

static void set_point(const Point *point)
{
    char number[32];
    setenv("LD_PRELOAD", fault_program("failing_malloc.so"), 1);
    snprintf(number, sizeof number, "%ld", point->after);
    setenv("PGCONVOY_FAIL_AFTER", number, 1);
    setenv("PGCONVOY_FAIL_SEED", number, 1);
    snprintf(number, sizeof number, "%d", point->percent);
    setenv("PGCONVOY_FAIL_PERCENT", number, 1);
}

static void unset_point(void)
{
    unsetenv("LD_PRELOAD");
}

/* Each point gets a migration of its own, so that there is something to do. */
static void add_migration(Stage *stage)
{
    char name[32];
    snprintf(name, sizeof name, "%04d_next", ++stage->migrations);
    fleet_add_marker(stage->fleet, stage->migrations, name, "", NULL);
}

/* It ends by itself or lives; a signal, or an end without a word, is a defect. */
static void assert_clean(Process *process, const Point *point, Tally *tally)
{
    char *err = process_err(process);
    tally->points++;
    if (process_ended(process)) {
        tally->ended += process->status != 0;
        if (process->status >= 128 || (process->status != 0 && err[0] == '\0'))
            fail_msg("allocation %ld, then %d %%: ended with %d: %s", point->after, point->percent,
                     process->status, err);
    }
    free(err);
}

static void tell(const char *who, const Tally *tally)
{
    fault_note("%d points: %d times the %s ended with a message, %d runs succeeded", tally->points,
               tally->ended, who, tally->succeeded);
    assert_true(tally->ended > 0 && tally->succeeded > 0);
}

/* A report that was begun must be whole and true; one that could not be made is none. */
static void judge_run(Stage *stage, Tally *tally)
{
    int status = process_wait(stage->run, 60000);
    char *out = process_out(stage->run);
    json_t *report = json_loads(out, 0, NULL);
    if (status == 0 || json_object_get(report, "results") != NULL)
        json_decref(stage_end_run(stage, status));
    json_decref(report);
    free(out);
    tally->succeeded += status == 0;
    fleet_assert_nothing_twice(stage->fleet);
}

static void coordinator_allocations_fail(void **state)
{
    (void)state;
    if (FAULT_SANITIZED)
        fault_not_run("a sanitizer has the allocations to itself");
    Stage *stage = stage_new(4, 1, NULL);
    stage_worker(stage, stage->endpoint);
    Tally tally = {0};
    for (Point point = {0}; next_point(&point);) {
        add_migration(stage);
        set_point(&point);
        stage_run(stage, 1, WORDS("--on-error", "continue", "--wait", "2000"));
        unset_point();
        judge_run(stage, &tally);
        assert_clean(stage->run, &point, &tally);
    }
    tell("coordinator", &tally);
    stage_close(stage);
}

static void worker_allocations_fail(void **state)
{
    (void)state;
    if (FAULT_SANITIZED)
        fault_not_run("a sanitizer has the allocations to itself");
    Stage *stage = stage_new(4, 1, NULL);
    stage_worker(stage, stage->endpoint);
    Tally tally = {0};
    for (Point point = {0}; next_point(&point);) {
        add_migration(stage);
        set_point(&point);
        Process *poor = fleet_start_worker(stage->fleet, stage->endpoint, "2");
        unset_point();
        stage_run(stage, 1, WORDS("--on-error", "continue", "--schedule", "rolling"));
        judge_run(stage, &tally);
        process_signal(poor, SIGTERM);
        for (int waited = 0; !process_ended(poor) && waited < 3000; waited += 5)
            sleep_ms(5);
        assert_clean(poor, &point, &tally);
        process_free(poor);
    }
    tell("worker", &tally);
    stage_close(stage);
}

static const FaultRow ROWS[] = {
    {"coordinator_allocations_fail", "malloc fails once or again and again, at points all over a run",
     coordinator_allocations_fail},
    {"worker_allocations_fail", "the same in a worker, beside a good one", worker_allocations_fail},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
