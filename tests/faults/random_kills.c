/* Random kills: whole runs during which workers, coordinators, backends and the server are killed at random
 * moments, judged at the end by what the databases say.
 *
 *   faults-random_kills [--runs N] [--seed S] [--append FILE] [--verbose]
 *
 * Each run migrates a fleet of its own with two or three worker processes. Its faults are drawn from its
 * seed, and coordinators that were killed are followed by `run resume` or by the same command again.
 * Afterwards: no migration twice (I1), everybody told of (I2), a rerun finds nothing to do (I3), no session
 * and no lock is left (I4), and reports and journals say what the tracking tables say (I5).
 *
 * A run is replayed with the seed it printed and --runs 1. FILE gets a line for each run: seed, faults,
 * seconds, verdict. The exit code is 1 when something was violated.
 */
#include "tests/support/test.h"
#include "tests/support/truth.h"
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum {
    TENANTS = 60,
    MIGRATIONS = 3,
    MOST_WORKERS = 3,
    MOST_FAULTS = 7,
    RUN_DEADLINE_MS = 60000,
    MOST_RERUNS = 10,
};

typedef enum FaultKind { KILL_WORKER, KILL_COORDINATOR, KILL_BACKEND, KILL_SERVER, FAULT_KINDS } FaultKind;

/* Chances in percent; a server takes long to come back. */
static const struct {
    const char *name;
    unsigned int percent;
} FAULTS[FAULT_KINDS] = {{"worker", 45}, {"coordinator", 25}, {"backend", 25}, {"server", 5}};

typedef struct Trial {
    uint64_t random;
    Cluster *cluster;
    Fleet *fleet;
    const char *endpoint;
    int workers;
    Process *worker[MOST_WORKERS];
    Process *coordinator;
    bool killed; /* the coordinator that ran last was, so there may be something to resume */
    int injected[FAULT_KINDS];
    char *violation; /* the first */
} Trial;

static bool verbose;

/* splitmix64: each state gives a good number, so a seed may be any. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static int draw(Trial *trial, int least, int most)
{
    return least + (int)(next_random(&trial->random) % (uint64_t)(most - least + 1));
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    if (!verbose)
        return;
    va_list args;
    va_start(args, format);
    printf("  %.3f ", now_s());
    vprintf(format, args);
    puts("");
    fflush(stdout);
    va_end(args);
}

/* Keeps the first violation; takes over what (NULL = none). */
static void blame(Trial *trial, const char *when, char *what)
{
    if (what == NULL)
        return;
    if (trial->violation == NULL && asprintf(&trial->violation, "%s: %s", when, what) < 0)
        abort();
    say("VIOLATION %s: %s", when, what);
    free(what);
}

/* --- The programs ------------------------------------------------------------------------------------- */

static void start_coordinator(Trial *trial, const char *const words[])
{
    process_free(trial->coordinator);
    say("coordinator: %s %s", words[1], words[2]);
    trial->coordinator = fleet_start(trial->fleet, words);
    trial->killed = false;
}

static void start_migrate(Trial *trial)
{
    start_coordinator(trial, (const char *const[]){"pgconvoy", "migrate", "--all", "--listen",
                                                   trial->endpoint, "--plain", "--json", NULL});
}

/* The last journal that is not done: its id, or NULL. */
static char *open_run(Trial *trial)
{
    char *out, *id = NULL;
    int status =
        fleet_run(trial->fleet, (const char *const[]){"pgconvoy", "run", "list", "--json", NULL}, &out, NULL);
    json_t *list = json_loads(out, 0, NULL), *run;
    if (status != 0 || list == NULL)
        blame(trial, "run list", strdup(out));
    size_t i;
    json_array_foreach(json_object_get(list, "runs"), i, run)
    {
        const char *state = json_string_value(json_object_get(run, "state"));
        if (state == NULL || strcmp(state, "done") == 0)
            continue;
        free(id);
        id = strdup(json_string_value(json_object_get(run, "run")));
    }
    json_decref(list);
    free(out);
    return id;
}

/* After a kill: what the journal tells must be true, then the run is taken up or begun again. */
static void continue_run(Trial *trial, bool resume)
{
    char *id = open_run(trial);
    if (id != NULL) {
        char *out;
        int status = fleet_run(
            trial->fleet, (const char *const[]){"pgconvoy", "run", "show", id, "--json", NULL}, &out, NULL);
        blame(trial, "journal",
              status == 0 ? truth_untold(trial->fleet, out, MIGRATIONS, false) : strdup("cannot be shown"));
        free(out);
    }
    if (id != NULL && resume)
        start_coordinator(trial, (const char *const[]){"pgconvoy", "run", "resume", id, NULL});
    else
        start_migrate(trial);
    free(id);
}

/* --- The faults: false when there was nobody to hit ---------------------------------------------------- */

static bool kill_worker(Trial *trial)
{
    int victim = draw(trial, 0, trial->workers - 1);
    process_signal(trial->worker[victim], SIGKILL);
    process_wait(trial->worker[victim], 10000);
    process_free(trial->worker[victim]);
    trial->worker[victim] = fleet_start_worker(trial->fleet, trial->endpoint, "4");
    return true;
}

static bool kill_coordinator(Trial *trial)
{
    if (process_ended(trial->coordinator))
        return false;
    bool resume = draw(trial, 0, 1) == 1;
    process_signal(trial->coordinator, SIGKILL);
    process_wait(trial->coordinator, 10000);
    sleep_ms(draw(trial, 0, 1) * draw(trial, 0, 200));
    continue_run(trial, resume);
    return true;
}

static bool kill_backend(Trial *trial)
{
    return sql_number(trial->fleet->connection,
                      "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                      " WHERE datname = current_database() AND application_name LIKE 'pgconvoy/%%'"
                      " ORDER BY hashint4(pid # %d) LIMIT 1) victim",
                      draw(trial, 1, 1 << 30)) == 1;
}

/* pg_ctl -m immediate, and the start that finds a crash to recover from. */
static bool kill_server(Trial *trial)
{
    PQfinish(trial->fleet->connection);
    cluster_restart(trial->cluster);
    trial->fleet->connection = cluster_connect(trial->cluster, trial->fleet->database);
    return true;
}

static void inject(Trial *trial)
{
    static bool (*const INJECT[FAULT_KINDS])(Trial * trial) = {kill_worker, kill_coordinator, kill_backend,
                                                               kill_server};
    unsigned int percent = (unsigned int)draw(trial, 0, 99), kind = 0;
    while (percent >= FAULTS[kind].percent)
        percent -= FAULTS[kind++].percent;
    say("fault: %s", FAULTS[kind].name);
    trial->injected[kind] += INJECT[kind](trial);
}

/* --- One run ------------------------------------------------------------------------------------------ */

/* Waits for the coordinator to end by itself; false when it does not. */
static bool await_end(Trial *trial)
{
    for (double until = now_s() + RUN_DEADLINE_MS / 1000.0; !process_ended(trial->coordinator); sleep_ms(5)) {
        if (now_s() < until)
            continue;
        blame(trial, "coordinator", strdup("did not end"));
        return false;
    }
    say("coordinator ended with %d", trial->coordinator->status);
    return true;
}

/* What the report of a run that ended by itself says. A server that was away leaves failures, and a
 * coordinator that could not even ask it has no report. */
static bool judge_report(Trial *trial, bool nothing_to_do)
{
    char *out = process_out(trial->coordinator), *err = process_err(trial->coordinator);
    int status = trial->coordinator->status;
    bool done = status == 0;
    json_t *report = json_loads(out, 0, NULL);
    if (status >= 128 || (done && report == NULL))
        blame(trial, "coordinator", strdup(err[0] != '\0' ? err : "died"));
    if (report != NULL && json_object_get(report, "results") != NULL)
        blame(trial, "report", truth_untold(trial->fleet, out, MIGRATIONS, true));
    if (!done)
        say("exit %d: %s", status, err);
    json_t *result;
    size_t i;
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        if (nothing_to_do && json_array_size(json_object_get(result, "appliedMigrations")) > 0)
            blame(trial, "rerun", strdup("applied something"));
    }
    json_decref(report);
    free(out);
    free(err);
    return done;
}

static void finish_fleet(Trial *trial)
{
    bool done = await_end(trial) && judge_report(trial, false);
    for (int reruns = 0; !done && trial->violation == NULL && reruns < MOST_RERUNS; reruns++) {
        start_migrate(trial);
        done = await_end(trial) && judge_report(trial, false);
    }
    if (!done)
        blame(trial, "coordinator", process_err(trial->coordinator));
    blame(trial, "databases", truth_incomplete(trial->fleet, MIGRATIONS));
    if (trial->violation != NULL)
        return;
    start_migrate(trial);
    if (await_end(trial) && !judge_report(trial, true))
        blame(trial, "rerun", process_err(trial->coordinator));
    blame(trial, "databases after the rerun", truth_incomplete(trial->fleet, MIGRATIONS));
}

static void stop_workers(Trial *trial)
{
    for (int i = 0; i < trial->workers; i++) {
        process_await_text(trial->worker[i], "ready with", RUN_DEADLINE_MS); /* else it is killed */
        process_signal(trial->worker[i], SIGTERM);
    }
    for (int i = 0; i < trial->workers; i++) {
        int waited = 0;
        while (!process_ended(trial->worker[i]) && waited++ < 20000 / 5)
            sleep_ms(5);
        if (trial->worker[i]->pid != 0 || trial->worker[i]->status != 0)
            blame(trial, "worker", strdup("did not end well"));
        process_free(trial->worker[i]);
    }
}

static void drop_fleet(Trial *trial)
{
    PGconn *admin = cluster_connect(trial->cluster, "postgres");
    PQfinish(trial->fleet->connection);
    trial->fleet->connection = NULL;
    sql_run(admin, "DROP DATABASE %s WITH (FORCE)", trial->fleet->database);
    PQfinish(admin);
    fleet_free(trial->fleet);
}

/* The first makes a table, which nobody can do twice at a time. The others leave nothing but their marks:
 * only we keep a second attempt from doing them again. */
static void add_migrations(Trial *trial)
{
    /* What sleeps for longer than it takes to begin again, or to be given up, is still at work on the server
     * when the next attempt comes. */
    static const char *const SLEEPS[] = {NULL, "0.005", "0.02",
                                         "CASE WHEN random() < 0.08 THEN 0.5 ELSE 0.005 END",
                                         "CASE WHEN random() < 0.02 THEN 2.5 ELSE 0.005 END"};
    const char *sleep_s = SLEEPS[draw(trial, 0, 4)];
    fleet_add_markers(trial->fleet, 1, sleep_s);
    for (int i = 2; i <= MIGRATIONS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%04d_m%d", i, i);
        fleet_add_marker(trial->fleet, i, name, "", sleep_s);
    }
}

static void run_trial(Trial *trial)
{
    trial->fleet = fleet_new(trial->cluster, TENANTS);
    add_migrations(trial);
    /* The name format has a unique index besides; the hash format is kept by us alone. */
    if (draw(trial, 0, 1) == 0)
        fleet_configure(trial->fleet, trial->fleet->url, "  default_format: hash");
    trial->endpoint = fleet_endpoint();
    trial->workers = draw(trial, 2, MOST_WORKERS);
    for (int i = 0; i < trial->workers; i++)
        trial->worker[i] = fleet_start_worker(trial->fleet, trial->endpoint, "4");
    start_migrate(trial);
    int faults = draw(trial, 1, MOST_FAULTS);
    for (int i = 0; i < faults && trial->violation == NULL; i++) {
        int pause = draw(trial, 0, draw(trial, 0, 1) == 0 ? 60 : 400);
        for (int waited = 0; waited < pause && !process_ended(trial->coordinator); waited += 5)
            sleep_ms(5);
        inject(trial);
    }
    finish_fleet(trial);
    stop_workers(trial);
    blame(trial, "left over", truth_left_over(trial->fleet, 10000));
    process_free(trial->coordinator);
    drop_fleet(trial);
}

static void tell(FILE *file, uint64_t seed, const Trial *trial, double seconds)
{
    fprintf(file, "seed=%" PRIu64, seed);
    for (int i = 0; i < FAULT_KINDS; i++)
        fprintf(file, " %s=%d", FAULTS[i].name, trial->injected[i]);
    fprintf(file, " seconds=%.1f %s\n", seconds, trial->violation != NULL ? trial->violation : "ok");
    fflush(file);
}

static int usage(void)
{
    fputs("usage: faults-random_kills [--runs N] [--seed S] [--append FILE] [--verbose]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"runs", required_argument, NULL, 'r'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"append", required_argument, NULL, 'a'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {0}};
    long runs = 6;
    uint64_t seed = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
    FILE *log = NULL;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == 'r')
            runs = strtol(optarg, NULL, 10);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 10);
        else if (option == 'v')
            verbose = true;
        else if (option != 'a' || (log = fopen(optarg, "a")) == NULL)
            return usage();
    }
    /* The checks are long statements about little: compiling them takes seconds. */
    Cluster *cluster = cluster_start("max_connections = 100\njit = off");
    long violations = 0;
    double begun = now_s();
    for (long i = 0; i < runs; i++, seed++) {
        Trial trial = {.random = seed, .cluster = cluster};
        double started = now_s();
        if (verbose)
            printf("seed=%" PRIu64 "\n", seed);
        run_trial(&trial);
        tell(stdout, seed, &trial, now_s() - started);
        if (log != NULL)
            tell(log, seed, &trial, now_s() - started);
        violations += trial.violation != NULL;
        free(trial.violation);
    }
    cluster_stop(cluster);
    if (log != NULL)
        fclose(log);
    printf("%ld runs in %.0f s, %ld with violations\n", runs, now_s() - begun, violations);
    return violations > 0 ? 1 : 0;
}
