/* Workers that die or hang, at each point of a tenant's way. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The aim at the real times; at a tenth of them a busy machine takes a second or two for itself. */
static long long most_ms(int full_ms)
{
    return fault_full() ? full_ms : fault_ms(full_ms) + 2000;
}

/* The first call creates "hooked" and stays as long as its worker lives; all others return at once. */
static void configure_catching_hook(Stage *stage, const char *hook)
{
    char *path, *extra;
    assert_true(asprintf(&path, "%s/catch", stage->fleet->folder) > 0);
    write_file(stage->fleet->folder, "catch",
               "#!/bin/sh\nmkdir hooked 2>/dev/null || exit 0\n"
               "while kill -0 $PPID 2>/dev/null; do sleep 0.05; done\n");
    chmod(path, 0755);
    free(path);
    assert_true(asprintf(&extra, "hooks:\n  %s: [./catch]\n", hook) > 0);
    fleet_configure(stage->fleet, stage->fleet->url, extra);
    free(extra);
}

static bool is_hooked(void *stage_pointer)
{
    const Stage *stage = stage_pointer;
    char *path;
    struct stat info;
    assert_true(asprintf(&path, "%s/hooked", stage->fleet->folder) > 0);
    bool hooked = stat(path, &info) == 0;
    free(path);
    return hooked;
}

/* Kills the only worker that has work; its place takes one that is started now. */
static void replace_worker(Stage *stage)
{
    Process *successor = stage_worker(stage, stage->endpoint);
    process_await_text(successor, "ready with", 10000);
    process_signal(stage->workers[0], SIGKILL);
    process_wait(stage->workers[0], 5000);
}

static void killed_in_hook(const char *hook)
{
    Stage *stage = stage_new(20, 2, NULL);
    configure_catching_hook(stage, hook);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, NULL);
    await(is_hooked, stage, 30000, "the hook");
    replace_worker(stage);
    stage_end_well(stage);
    stage_close(stage);
}

static void worker_killed_at_start(void **state)
{
    (void)state;
    killed_in_hook("before_tenant");
}

static void worker_killed_after_commit(void **state)
{
    (void)state;
    killed_in_hook("after_migration");
}

static void worker_killed_before_commit(void **state)
{
    (void)state;
    Stage *stage = stage_new(20, 2, NULL);
    stage_add_gate(stage, "t0001");
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, NULL);
    stage_await_gate(stage, 0);
    long long killed_ms = fault_clock_ms();
    replace_worker(stage);
    process_await_text(stage->run, "worker gone", fault_ms(150000));
    long long gone_ms = fault_clock_ms() - killed_ms;
    fault_note("a killed worker was given up after %.1f s", (double)gone_ms / 1000);
    assert_true(gone_ms <= most_ms(15000));
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

/* The server has written the COMMIT and waits for a standby that there is not: nobody sees the row, the lock
 * is held, and the worker that waits for the answer dies. */
static void worker_killed_in_commit(void **state)
{
    (void)state;
    Stage *stage = stage_new(10, 2, NULL);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, NULL);
    sql_run(stage->fleet->connection, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    sql_run(stage->fleet->connection, "SELECT pg_reload_conf()");
    stage_await(stage->fleet->connection, 30000,
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    replace_worker(stage);
    process_await_text(stage->run, "worker gone", fault_ms(150000));
    sql_run(stage->fleet->connection, "ALTER SYSTEM RESET synchronous_standby_names");
    sql_run(stage->fleet->connection, "SELECT pg_reload_conf()");
    stage_end_well(stage);
    stage_close(stage);
}

/* Only the stopped worker stands at the gate: the one that takes over finds the tenant busy, or done. */
static void worker_stopped_and_continued(void **state)
{
    (void)state;
    Stage *stage = stage_new(20, 2, NULL);
    stage_add_gate(stage, "t0001");
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, WORDS("--schedule", "rolling"));
    stage_await_gate(stage, 0);
    long long stopped_ms = fault_clock_ms();
    process_signal(stage->workers[0], SIGSTOP);
    stage_worker(stage, stage->endpoint);
    process_await_text(stage->run, "worker gone", fault_ms(200000));
    long long gone_ms = fault_clock_ms() - stopped_ms;
    fault_note("a stopped worker was given up after %.1f s", (double)gone_ms / 1000);
    /* 20 schemas, of which one stands at the gate: others had their turn elsewhere. */
    stage_await(stage->fleet->connection, fault_ms(200000),
                "SELECT (count(DISTINCT schema) = 19)::int FROM public.marks WHERE migration = '9999_gate'");
    long long elsewhere_ms = fault_clock_ms() - stopped_ms;
    fault_note("its tenants had run elsewhere after %.1f s", (double)elsewhere_ms / 1000);
    process_signal(stage->workers[0], SIGCONT);
    stage_open_gate(stage);
    stage_end_well(stage);
    assert_true(gone_ms <= most_ms(15000));
    assert_true(elsewhere_ms <= most_ms(20000));
    stage_close(stage);
}

/* All of its results are late: they wait in its outbox while the others do its work again. */
static void worker_stopped_with_results(void **state)
{
    (void)state;
    Stage *stage = stage_new(40, 3, "0.02");
    stage_add_gate(stage, "t0040");
    Process *first = stage_worker(stage, stage->endpoint);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    for (int round = 0; round < 3; round++) {
        stage_await_marks(stage, 10 + 20 * round);
        process_signal(first, SIGSTOP);
        sleep_ms(fault_ms(round == 1 ? 30000 : 8000)); /* the length of the fault */
        process_signal(first, SIGCONT);
    }
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

/* kill -9 again and again while the others work. */
static void workers_killed_in_turn(void **state)
{
    (void)state;
    Stage *stage = stage_new(60, 3, "0.02");
    for (int i = 0; i < 3; i++)
        stage_worker(stage, stage->endpoint);
    stage_run(stage, 3, WORDS("--schedule", "rolling"));
    for (int i = 0; i < 2; i++) {
        stage_await_marks(stage, 20 + 40 * i);
        process_signal(stage->workers[i], SIGKILL);
    }
    stage_end_well(stage);
    stage_close(stage);
}

/* Whoever begins t0007 is killed: after three of them nobody else is. */
static void poison(void **state)
{
    (void)state;
    Stage *stage = stage_new(12, 1, NULL);
    stage_add_gate(stage, "t0007");
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, WORDS("--on-error", "continue"));
    long long pid = 0;
    for (int i = 0; i < 3; i++) {
        pid = stage_await_gate(stage, pid);
        process_signal(stage->workers[i], SIGKILL);
        process_wait(stage->workers[i], 5000);
        /* As the worker's death ends its transaction at last: nobody may be left to commit for it. */
        sql_run(stage->fleet->connection, "SELECT pg_terminate_backend(%lld)", pid);
        stage_worker(stage, stage->endpoint);
    }
    json_t *report = stage_end_run(stage, 1);
    json_t *poisoned = json_array_get(json_object_get(report, "results"), 6);
    assert_string_equal(json_string_value(json_object_get(poisoned, "outcome")), "quarantined");
    assert_int_equal(json_number(report, "failed"), 1);
    assert_int_equal(json_number(report, "succeeded"), 11);
    json_decref(report);
    stage_open_gate(stage);
    stage_close(stage);
}

static const FaultRow ROWS[] = {
    {"worker_killed_at_start", "kill -9 after START, before the first statement", worker_killed_at_start},
    {"worker_killed_before_commit", "kill -9 in an open transaction", worker_killed_before_commit},
    {"worker_killed_in_commit", "kill -9 while COMMIT waits for a standby", worker_killed_in_commit},
    {"worker_killed_after_commit", "kill -9 after COMMIT, before RESULT", worker_killed_after_commit},
    {"workers_killed_in_turn", "kill -9 of two workers of three", workers_killed_in_turn},
    {"worker_stopped_and_continued", "SIGSTOP in a transaction beyond the dead time, SIGCONT",
     worker_stopped_and_continued},
    {"worker_stopped_with_results", "SIGSTOP and SIGCONT three times, late RESULTs",
     worker_stopped_with_results},
    {"poison", "a tenant that costs its worker the life, three times", poison},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
