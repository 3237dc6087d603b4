/* Processes without descriptors, without memory, and with a wall clock that jumps. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Processor time so far, of all threads. */
static double cpu_s(pid_t pid)
{
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
            user = system = 0;
        fclose(file);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int descriptors(pid_t pid)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], first;
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        count += readlink(path, &first, 1) == 1;
    }
    return count;
}

static void set_descriptors(pid_t pid, rlim_t most)
{
    struct rlimit limit;
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* No more than it has now. */
static void limit_descriptors(pid_t pid)
{
    set_descriptors(pid, (rlim_t)descriptors(pid));
}

static void free_descriptors(pid_t pid)
{
    set_descriptors(pid, RLIM_INFINITY);
}

/* It may wait and refuse, but not turn in circles. */
static void assert_no_spin(Process *process, const char *name)
{
    sleep_ms(1200); /* it may take a look's time to see that something is wrong */
    double before_s = cpu_s(process->pid);
    sleep_ms(2000); /* the length of the fault */
    double spent_s = cpu_s(process->pid) - before_s;
    fault_note("the %s without descriptors used %.2f s of processor time in 2 s", name, spent_s);
    /* On a machine with much to do, one that turns in circles gets little more than this. */
    assert_true(spent_s < (FAULT_SANITIZED ? 0.5 : 0.1));
}

/* The worker has its link and none for a connection to the database. */
static void worker_without_descriptors(void **state)
{
    (void)state;
    Stage *stage = stage_new(30, 2, "0.02");
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, NULL);
    stage_await_marks(stage, 8);
    limit_descriptors(stage->workers[0]->pid);
    sql_run(stage->fleet->connection, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
                                      " datname = current_database() AND pid <> pg_backend_pid()");
    assert_no_spin(stage->workers[0], "worker");
    free_descriptors(stage->workers[0]->pid);
    int status = process_wait(stage->run, 60000);
    json_decref(stage_end_run(stage, status == 1 || status == 4 ? status : 0));
    /* And the worker is as good as new. */
    stage_run(stage, 1, WORDS("--on-error", "continue"));
    stage_end_well(stage);
    stage_close(stage);
}

/* From its start it has too few for all of its slots. */
static void worker_with_few_descriptors(void **state)
{
    (void)state;
    Stage *stage = stage_new(30, 2, NULL);
    stage_worker_words(stage, WORDS("/bin/sh", "-c", "ulimit -n 40; exec \"$0\" \"$@\"",
                                    fault_program("pgconvoy-worker"), "--coordinator", stage->endpoint,
                                    "--plain", "--slots", "40"));
    sleep_ms(1000); /* it ends with a message, or serves */
    Process *poor = stage->workers[0];
    if (process_ended(poor)) {
        char *err = process_err(poor);
        assert_in_range(poor->status, 1, 10);
        assert_non_null(strstr(err, "error"));
        free(err);
        fault_note("the worker said what it lacks and ended with status %d", poor->status);
        stage_worker(stage, stage->endpoint);
    }
    stage_run(stage, 1, WORDS("--on-error", "continue"));
    int status = process_wait(stage->run, 60000);
    json_decref(stage_end_run(stage, status == 1 || status == 4 ? status : 0));
    if (!process_ended(poor))
        assert_no_spin(poor, "worker");
    stage_close(stage);
}

/* Workers that come cannot be let in. The known one goes on, and who waits outside is let in later. */
static void coordinator_without_descriptors(void **state)
{
    (void)state;
    Stage *stage = stage_new(40, 2, "0.02");
    stage_add_gate(stage, "t0040");
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 8);
    limit_descriptors(stage->run->pid);
    for (int i = 0; i < 2; i++)
        stage_worker(stage, stage->endpoint);
    process_await_text(stage->workers[2], "ready with", 10000);
    process_await_text(stage->run, "no file descriptors are left", 10000);
    assert_no_spin(stage->run, "coordinator");
    free_descriptors(stage->run->pid);
    process_await_text(stage->workers[1], "serving", 30000);
    process_await_text(stage->workers[2], "serving", 30000);
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

/* Address space, as of `ulimit -v`, that ends in the middle of the work. */
static void worker_without_memory(void **state)
{
    (void)state;
    if (FAULT_SANITIZED)
        fault_not_run("a sanitizer needs the address space");
    Stage *stage = stage_new(40, 2, "0.02");
    stage_worker(stage, stage->endpoint);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 2, WORDS("--schedule", "rolling", "--on-error", "continue"));
    stage_await_marks(stage, 8);
    assert_int_equal(prlimit(stage->workers[0]->pid, RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20}, NULL), 0);
    int status = process_wait(stage->run, 60000);
    json_decref(stage_end_run(stage, status == 1 ? 1 : 0));
    bool ended = process_ended(stage->workers[0]);
    if (ended)
        fault_note("the worker ended with status %d", stage->workers[0]->status);
    else
        fault_note("the worker went on with the memory that it had");
    assert_true(!ended || stage->workers[0]->status < 128);
    process_signal(stage->workers[0], SIGKILL); /* a goodbye needs memory, too */
    stage_close(stage);
}

/* A worker with so much address space; it serves, or has ended with a message, never by a signal. */
static Process *start_poor_worker(Stage *stage, int mib)
{
    char command[64];
    snprintf(command, sizeof command, "ulimit -v %d; exec \"$0\" \"$@\"", mib * 1024);
    Process *poor =
        fleet_start(stage->fleet, WORDS("/bin/sh", "-c", command, fault_program("pgconvoy-worker"),
                                        "--coordinator", stage->endpoint, "--plain", "--slots", "4"));
    bool ready = false;
    while (!ready && !process_ended(poor)) {
        char *err = process_err(poor);
        ready = strstr(err, "ready with") != NULL;
        free(err);
        sleep_ms(5);
    }
    return poor;
}

static void assert_no_signal(Process *poor, int mib)
{
    char *err = process_err(poor);
    if (process_ended(poor) && poor->status >= 128)
        fail_msg("with %d MiB the worker died of signal %d: %s", mib, poor->status - 128, err);
    free(err);
}

/* From too little for a start to enough for a little work, in small steps: the files of the run are large, so
 * that memory runs out while they are received and applied. A start has to end with a message; later libzmq
 * aborts the process when it gets no memory, which is as good or bad as a kill. */
static void worker_with_little_memory(void **state)
{
    (void)state;
    if (FAULT_SANITIZED)
        fault_not_run("a sanitizer needs the address space");
    Stage *stage = stage_new(10, 1, NULL);
    enum { LARGE = 3 * 1024 * 1024 };
    char *text = malloc(LARGE + 100);
    assert_non_null(text);
    memset(text, ' ', LARGE);
    strcpy(text + LARGE, "INSERT INTO public.marks VALUES (current_schema(), '0002_large');\n");
    fleet_add_migration(stage->fleet, "0002_large", text);
    free(text);
    stage->migrations++;
    int refused = 0, served = 0, succeeded = 0, aborted = 0;
    for (int mib = 16; mib <= 640 && served < 5; mib += 12) {
        Process *poor = start_poor_worker(stage, mib);
        assert_no_signal(poor, mib);
        if (process_ended(poor)) {
            refused++;
            process_free(poor);
            continue;
        }
        served++;
        stage_run(stage, 1, WORDS("--on-error", "continue", "--wait", "2000"));
        int status = process_wait(stage->run, 60000);
        aborted += process_ended(poor) && poor->status >= 128;
        /* Without a worker that can discover the tenants there is nothing to report of. */
        char *out = process_out(stage->run);
        json_t *report = json_loads(out, 0, NULL);
        if (status == 0 || json_number(report, "total") > 0)
            json_decref(stage_end_run(stage, status));
        json_decref(report);
        free(out);
        succeeded += status == 0;
        process_free(poor);
    }
    fault_note(
        "from 16 MiB in steps of 12: %d workers ended with a message at once, %d served, %d of their runs"
        " succeeded, %d workers were aborted by a library",
        refused, served, succeeded, aborted);
    assert_true(refused > 0 && served > 0);
    stage_close(stage);
}

/* Whether programs started now see it: `date` twice, on both sides of a jump. */
static bool clock_does_jump(void)
{
    long long seen[4];
    for (int i = 0; i < 4; i++) {
        char *out;
        assert_int_equal(process_run(NULL, NULL, WORDS("/bin/date", "+%s"), &out, NULL), 0);
        seen[i] = atoll(out);
        free(out);
        sleep_ms(250); /* the next one is in the next period, or the one after */
    }
    return llabs(seen[0] - seen[1]) + llabs(seen[1] - seen[2]) + llabs(seen[2] - seen[3]) > 3000;
}

/* Leases, heartbeats and deadlines are told by the monotonic clock. */
static void clock_jumps(void **state)
{
    (void)state;
    if (FAULT_SANITIZED)
        fault_not_run("a sanitizer does not share the program with a preloaded library");
    Stage *stage = stage_new(60, 3, "0.03");
    setenv("LD_PRELOAD", fault_program("clock_jump.so"), 1);
    assert_true(clock_does_jump());
    stage_worker(stage, stage->endpoint);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    unsetenv("LD_PRELOAD");
    stage_end_well(stage);
    char *err = process_err(stage->run), *log = process_err(stage->workers[0]);
    assert_null(strstr(err, "worker gone"));
    assert_null(strstr(err, "worker silent"));
    assert_null(strstr(log, "has been silent"));
    free(err);
    free(log);
    stage_close(stage);
}

static const FaultRow ROWS[] = {
    {"worker_without_descriptors", "prlimit --nofile in the middle of the work", worker_without_descriptors},
    {"worker_with_few_descriptors", "ulimit -n 40 for 40 slots", worker_with_few_descriptors},
    {"coordinator_without_descriptors", "prlimit --nofile, then more workers",
     coordinator_without_descriptors},
    {"worker_without_memory", "prlimit --as in the middle of the work", worker_without_memory},
    {"worker_with_little_memory", "ulimit -v from 16 MiB upwards, files of 3 MiB", worker_with_little_memory},
    {"clock_jumps", "the wall clock jumps by an hour every 0.3 s, on all sides", clock_jumps},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
