/* Soak: one process that does the same work over and over must not grow.
 *
 *   faults-soak worker|coordinator [--seconds N] [--seed S]
 *
 * worker: a worker process serves run after run: migrations that it has not seen, status, runs that are
 * stopped, coordinators that are killed. coordinator: this process itself makes run after run by calls of the
 * library, with a worker hosted inside.
 *
 * Resident memory and open descriptors are looked at between runs. After SETTLING_S everything has been used
 * once, and from there on memory may grow by a tenth, and the fewest descriptors of a minute by none. A
 * shorter run judges the descriptors of its second half alone: allocators have not come to rest by then.
 */
#include "common/log.h"
#include "tests/support/truth.h"
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <pgconvoy/migrator.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TENANTS = 10, MIGRATIONS = 3, SETTLING_S = 180, WINDOW_S = 60, RUN_DEADLINE_MS = 60000 };

typedef struct Sample {
    double at_s;
    double rss_kib;
    int descriptors;
} Sample;

typedef struct Soak {
    Cluster *cluster;
    Fleet *fleet;
    const char *endpoint;
    Process *worker;
    unsigned int random;
    long rounds;
    double begun_s, seconds;
    Sample *samples;
    size_t count, capacity;
} Soak;

/* Ends the program with words; cmocka's assertions are mute outside a test. */
static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what != NULL ? what : "failed", strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- Looking ------------------------------------------------------------------------------------------ */

static double rss_kib(pid_t pid)
{
    char path[64];
    long pages = -1;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    need(file != NULL && fscanf(file, "%*d %ld", &pages) == 1, path);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static int descriptors(pid_t pid)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    need(folder != NULL, path);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void look(Soak *soak, pid_t pid)
{
    if (soak->count == soak->capacity) {
        soak->capacity = soak->capacity * 2 + 1024;
        soak->samples = realloc(soak->samples, soak->capacity * sizeof *soak->samples);
        need(soak->samples != NULL, "samples");
    }
    soak->samples[soak->count++] = (Sample){now_s() - soak->begun_s, rss_kib(pid), descriptors(pid)};
}

/* What a stretch of time looks like. */
typedef struct Stretch {
    double mean_kib;
    int fewest, most;
    long count;
} Stretch;

static Stretch stretch_of(const Soak *soak, double from_s, double to_s)
{
    Stretch stretch = {.fewest = 1 << 20};
    for (size_t i = 0; i < soak->count; i++) {
        const Sample *sample = &soak->samples[i];
        if (sample->at_s < from_s || sample->at_s >= to_s)
            continue;
        stretch.mean_kib += sample->rss_kib;
        stretch.fewest = sample->descriptors < stretch.fewest ? sample->descriptors : stretch.fewest;
        stretch.most = sample->descriptors > stretch.most ? sample->descriptors : stretch.most;
        stretch.count++;
    }
    stretch.mean_kib /= stretch.count > 0 ? (double)stretch.count : 1;
    return stretch;
}

/* Least squares over what came after from_s. */
static double slope_kib_per_minute(const Soak *soak, double from_s)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < soak->count; i++) {
        const Sample *sample = &soak->samples[i];
        if (sample->at_s < from_s)
            continue;
        double minute = sample->at_s / 60;
        n++, x += minute, y += sample->rss_kib, xx += minute * minute, xy += minute * sample->rss_kib;
    }
    double spread = n * xx - x * x;
    return spread > 0 ? (n * xy - x * y) / spread : 0;
}

static int judge(const Soak *soak, const char *part)
{
    bool is_long = soak->seconds >= 2 * SETTLING_S;
    double settled = is_long ? SETTLING_S : soak->seconds / 2, end = soak->samples[soak->count - 1].at_s;
    double window = is_long ? WINDOW_S : soak->seconds / 4;
    Stretch before = stretch_of(soak, settled - window, settled),
            after = stretch_of(soak, end - window, end + 1);
    double growth = (after.mean_kib / before.mean_kib - 1) * 100;
    printf(
        "%s: %ld rounds in %.0f s; memory %.0f KiB after %.0f s, %.0f KiB at the end (%+.1f %%), slope %+.1f "
        "KiB/min; descriptors %d..%d, then %d..%d\n",
        part, soak->rounds, end, before.mean_kib, settled, after.mean_kib, growth,
        slope_kib_per_minute(soak, settled), before.fewest, before.most, after.fewest, after.most);
    bool leaks = after.fewest > before.fewest, grows = is_long && growth > 10;
    if (before.count == 0 || after.count == 0)
        puts("FAILED: too few rounds to tell");
    if (leaks)
        puts("FAILED: descriptors grow");
    if (grows)
        puts("FAILED: memory grows");
    return leaks || grows || before.count == 0 || after.count == 0 ? 1 : 0;
}

static bool time_is_left(const Soak *soak)
{
    return now_s() - soak->begun_s < soak->seconds;
}

/* --- The work ----------------------------------------------------------------------------------------- */

/* Everybody is empty again, and the files are others: nobody may live on what it remembers. */
static void renew(Soak *soak)
{
    sql_run(soak->fleet->connection,
            "DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname LIKE"
            " 'tenant\\_%%' LOOP EXECUTE format('DROP SCHEMA %%I CASCADE', s);"
            " EXECUTE format('CREATE SCHEMA %%I', s); END LOOP; TRUNCATE public.marks; END $$");
    char pause[32];
    snprintf(pause, sizeof pause, "%.6f", 0.002 + (double)(++soak->rounds % 1000) * 1e-6);
    fleet_add_markers(soak->fleet, MIGRATIONS, pause);
}

static void hold_true(char *violation)
{
    if (violation == NULL)
        return;
    fprintf(stderr, "violated: %s\n", violation);
    exit(1);
}

static void run_well(Soak *soak, const char *const words[])
{
    char *out, *err;
    int status = fleet_run(soak->fleet, words, &out, &err);
    if (status != 0) {
        fprintf(stderr, "%s: exit %d: %s\n", words[1], status, err);
        exit(1);
    }
    free(out);
    free(err);
}

/* A run that ends before its time, by this signal. */
static void break_off(Soak *soak, const char *const words[], int signal_number)
{
    Process *run = fleet_start(soak->fleet, words);
    sleep_ms((int)(rand_r(&soak->random) % 150)); /* any moment is as good as another */
    process_signal(run, signal_number);
    process_wait(run, RUN_DEADLINE_MS);
    process_free(run);
}

static void worker_round(Soak *soak)
{
    const char *const migrate[] = {"pgconvoy", "migrate", "--all",        "--listen", soak->endpoint,
                                   "--plain",  "--json",  "--no-journal", NULL};
    const char *const status[] = {"pgconvoy", "status", "--listen", soak->endpoint,
                                  "--plain",  "--json", NULL};
    renew(soak);
    if (soak->rounds % 5 == 0)
        break_off(soak, migrate, SIGTERM);
    if (soak->rounds % 5 == 1)
        break_off(soak, migrate, SIGKILL);
    run_well(soak, migrate);
    hold_true(truth_incomplete(soak->fleet, MIGRATIONS));
    run_well(soak, status);
    if (process_ended(soak->worker)) {
        fprintf(stderr, "the worker ended: %s\n", process_err(soak->worker));
        exit(1);
    }
}

static void soak_worker(Soak *soak)
{
    soak->endpoint = fleet_endpoint();
    soak->worker = fleet_start_worker(soak->fleet, soak->endpoint, "4");
    while (time_is_left(soak)) {
        worker_round(soak);
        look(soak, soak->worker->pid);
    }
    process_free(soak->worker);
}

static pgconvoy_migrator *open_migrator(void)
{
    pgconvoy_error error = {0};
    pgconvoy_migrator *migrator =
        pgconvoy_migrator_new(&(pgconvoy_migrator_options){.config_file = "pgconvoy.yaml"}, &error);
    need(migrator != NULL, error.message);
    return migrator;
}

/* As a host program does it: a call, a look at its result, and the result given back. */
static void call_library(pgconvoy_migrator *migrator)
{
    pgconvoy_error error = {0};
    pgconvoy_migration_results migrated = {0};
    pgconvoy_migration_statuses statuses = {0};
    need(pgconvoy_migrate_all(migrator, NULL, &migrated, &error), error.message);
    need(migrated.succeeded == TENANTS, "not everybody was migrated");
    pgconvoy_migration_results_clear(&migrated);
    need(pgconvoy_get_status(migrator, &statuses, &error), error.message);
    need(statuses.details.count == TENANTS, "not everybody was looked at");
    pgconvoy_migration_statuses_clear(&statuses);
}

/* A migrator serves ten rounds, then it is another one's turn. */
static void soak_coordinator(Soak *soak)
{
    need(chdir(soak->fleet->folder) == 0, soak->fleet->folder);
    pgconvoy_migrator *migrator = open_migrator();
    while (time_is_left(soak)) {
        renew(soak);
        call_library(migrator);
        hold_true(truth_incomplete(soak->fleet, MIGRATIONS));
        if (soak->rounds % 10 == 0) {
            pgconvoy_migrator_free(migrator);
            migrator = open_migrator();
        }
        look(soak, getpid());
    }
    pgconvoy_migrator_free(migrator);
    need(chdir("/") == 0, "/");
}

static int usage(void)
{
    fputs("usage: faults-soak worker|coordinator [--seconds N] [--seed S]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"seconds", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'}, {0}};
    Soak soak = {.seconds = 1200, .random = 1};
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == '?')
            return usage();
        if (option == 'n')
            soak.seconds = strtod(optarg, NULL);
        else
            soak.random = (unsigned int)strtoul(optarg, NULL, 10);
    }
    const char *part = optind == argc - 1 ? argv[optind] : "";
    bool of_worker = strcmp(part, "worker") == 0;
    if ((!of_worker && strcmp(part, "coordinator") != 0) || soak.seconds < 4)
        return usage();
    log_configure(LOG_WARNING, false);
    /* The checks are long statements about little: compiling them takes seconds. */
    soak.cluster = cluster_start("max_connections = 60\njit = off");
    soak.fleet = fleet_new(soak.cluster, TENANTS);
    soak.begun_s = now_s();
    (of_worker ? soak_worker : soak_coordinator)(&soak);
    int code = judge(&soak, part);
    free(soak.samples);
    fleet_free(soak.fleet);
    cluster_stop(soak.cluster);
    return code;
}
