#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { ROWS_MAX = 64, RUN_MS = 60000, FULL_RUN_MS = 500000, MORE_WORDS = 24 };

Cluster *fault_cluster;

static int start_cluster(void **state)
{
    (void)state;
    fault_cluster = cluster_start("max_connections = 100");
    cluster_start_bouncer(fault_cluster, 8);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(fault_cluster);
    return 0;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

int fault_main(int argc, char **argv, const FaultRow rows[], size_t count)
{
    struct CMUnitTest tests[ROWS_MAX];
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0)
            printf("%s\t%s\n", rows[i].name, rows[i].fault);
        else if (wanted < ROWS_MAX && is_wanted(rows[i].name, argc, argv))
            tests[wanted++] = (struct CMUnitTest){.name = rows[i].name, .test_func = rows[i].run};
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return 0;
    if (wanted == 0) {
        fprintf(stderr, "no such row; --list names them\n");
        return 2;
    }
    return _cmocka_run_group_tests("faults", tests, wanted, start_cluster, stop_cluster);
}

void fault_not_run(const char *reason)
{
    printf("not run: %s\n", reason);
    fflush(stdout);
    skip();
}

const char *fault_program(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, PGCONVOY_BIN_DIR "/%s", name);
    return path;
}

void fault_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("note: ");
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

bool fault_full(void)
{
    const char *full = getenv("PGCONVOY_FAULTS_FULL");
    return full != NULL && strcmp(full, "1") == 0;
}

int fault_ms(int full_ms)
{
    return fault_full() ? full_ms : full_ms / 10;
}

long long fault_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Stage *stage_new(int tenants, int migrations, const char *sleep_s)
{
    Stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->fleet = fleet_new(fault_cluster, tenants);
    stage->migrations = migrations;
    stage->endpoint = fleet_endpoint();
    fleet_add_markers(stage->fleet, migrations, sleep_s);
    return stage;
}

void stage_add_gate(Stage *stage, const char *tenant)
{
    char *text;
    sql_run(stage->fleet->connection, "CREATE TABLE public.gate (open bool)");
    assert_true(asprintf(&text,
                         "INSERT INTO public.marks VALUES (current_schema(), '9999_gate');\n"
                         "DO $$ BEGIN WHILE current_schema() = 'tenant_%s'"
                         " AND NOT EXISTS (SELECT FROM public.gate) LOOP\n"
                         "PERFORM pg_sleep(0.02); END LOOP; END $$;\n",
                         tenant) > 0);
    fleet_add_migration(stage->fleet, "9999_gate", text);
    free(text);
    stage->migrations++;
}

void stage_open_gate(Stage *stage)
{
    sql_run(stage->fleet->connection, "INSERT INTO public.gate VALUES (true)");
}

long long stage_await_gate(Stage *stage, long long not_pid)
{
    return stage_await(stage->fleet->connection, fault_full() ? 120000 : 40000,
                       "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = current_database()"
                       " AND wait_event = 'PgSleep' AND pid <> %lld",
                       not_pid);
}

void stage_put_chaos_before_coordinator(Stage *stage)
{
    stage->chaos = chaos_start(atoi(strrchr(stage->endpoint, ':') + 1));
}

const char *stage_chaos_endpoint(const Stage *stage)
{
    static char endpoint[40];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", stage->chaos->port);
    return endpoint;
}

Process *stage_worker_words(Stage *stage, const char *const words[])
{
    assert_true(stage->worker_count < STAGE_WORKERS);
    return stage->workers[stage->worker_count++] = fleet_start(stage->fleet, words);
}

Process *stage_worker(Stage *stage, const char *endpoint)
{
    return stage_worker_words(stage, (const char *const[]){"pgconvoy-worker", "--coordinator", endpoint,
                                                           "--plain", "--slots", "4", NULL});
}

void stage_run(Stage *stage, int min_workers, const char *const more[])
{
    char number[16];
    snprintf(number, sizeof number, "%d", min_workers);
    const char *words[MORE_WORDS] = {"pgconvoy", "migrate",       "--all", "--listen", stage->endpoint,
                                     "--plain",  "--min-workers", number,  "--json"};
    for (size_t i = 0, n = 9; more != NULL && more[i] != NULL && n + 1 < MORE_WORDS; i++)
        words[n++] = more[i];
    process_free(stage->run);
    stage->run = fleet_start(stage->fleet, words);
}

/* Makes NAME.key and appends its line to a peers file. */
static void add_key(Stage *stage, const char *name, const char *role, const char *peers)
{
    char key[64], *path, *line;
    snprintf(key, sizeof key, "%s.key", name);
    int status = process_run(
        stage->fleet->folder, NULL,
        (const char *const[]){"pgconvoy", "keygen", "--file", key, "--role", role, "--name", name, NULL},
        &line, NULL);
    assert_int_equal(status, 0);
    assert_true(asprintf(&path, "%s/%s", stage->fleet->folder, peers) > 0);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(line, file);
    fclose(file);
    chmod(path, 0644);
    free(line);
    free(path);
}

void stage_add_keys(Stage *stage)
{
    add_key(stage, "deploy", "coordinator", "coordinators");
    add_key(stage, "known", "worker", "workers");
    add_key(stage, "other", "worker", "workers");
}

Process *stage_worker_with_key(Stage *stage, const char *endpoint, const char *key)
{
    return stage_worker_words(stage,
                              (const char *const[]){"pgconvoy-worker", "--coordinator", endpoint, "--slots",
                                                    "4", "--key-file", key, "--peers", "coordinators", NULL});
}

void stage_run_with_key(Stage *stage, const char *endpoint)
{
    stage->run =
        fleet_start(stage->fleet, (const char *const[]){"pgconvoy", "migrate", "--all", "--listen", endpoint,
                                                        "--key-file", "deploy.key", "--peers", "workers",
                                                        "--schedule", "rolling", "--json", NULL});
}

long long stage_await(PGconn *connection, int deadline_ms, const char *format, ...)
{
    char *sql;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&sql, format, args) > 0);
    va_end(args);
    long long number, deadline = fault_clock_ms() + deadline_ms;
    while ((number = sql_number(connection, "%s", sql)) == 0) {
        if (fault_clock_ms() > deadline)
            fail_msg("never true: %s", sql);
        sleep_ms(5);
    }
    free(sql);
    return number;
}

void stage_await_marks(Stage *stage, long long marks)
{
    stage_await(stage->fleet->connection, 60000, "SELECT (count(*) >= %lld)::int FROM public.marks", marks);
}

/* Names in the tenant's tracking table, in a JSON array. */
static json_t *tracked_names(Stage *stage, const char *schema)
{
    char *table = sql_text(stage->fleet->connection, "SELECT to_regclass('%s.__drizzle_migrations')", schema);
    char *rows = table[0] == '\0' ? strdup("[]")
                                  : sql_text(stage->fleet->connection,
                                             "SELECT coalesce(json_agg(name ORDER BY id), '[]')"
                                             " FROM %s.__drizzle_migrations",
                                             schema);
    json_t *names = json_loads(rows, 0, NULL);
    assert_non_null(names);
    free(table);
    free(rows);
    return names;
}

static bool names_contain(json_t *names, const char *name)
{
    json_t *one;
    size_t i;
    json_array_foreach(names, i, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

/* I5 for one tenant. An outcome "unknown" says itself that it does not know. */
static void assert_state(Stage *stage, json_t *result)
{
    const char *schema = json_string_value(json_object_get(result, "schema"));
    const char *outcome = json_string_value(json_object_get(result, "outcome"));
    json_t *tracked = tracked_names(stage, schema), *applied = json_object_get(result, "appliedMigrations"),
           *name;
    size_t i;
    json_array_foreach(applied, i, name)
    {
        if (!names_contain(tracked, json_string_value(name)))
            fail_msg("%s: %s is reported and not recorded", schema, json_string_value(name));
    }
    bool complete = json_array_size(tracked) == (size_t)stage->migrations;
    bool success = json_boolean_value(json_object_get(result, "success"));
    if (success != complete && !(complete && outcome != NULL && strcmp(outcome, "unknown") == 0))
        fail_msg("%s: success is %d (outcome %s), %zu of %d migrations are recorded", schema, success,
                 outcome != NULL ? outcome : "-", json_array_size(tracked), stage->migrations);
    json_decref(tracked);
}

/* I1, I2 and I5. */
static json_t *assert_report(Stage *stage, const char *text)
{
    fleet_assert_nothing_twice(stage->fleet);
    json_t *report = json_loads(text, 0, NULL);
    if (report == NULL)
        fail_msg("the report is not JSON: %.200s", text);
    assert_int_equal(json_number(report, "total"), stage->fleet->tenants);
    assert_int_equal(json_number(report, "total"), json_number(report, "succeeded") +
                                                       json_number(report, "failed") +
                                                       json_number(report, "skipped"));
    json_t *results = json_object_get(report, "results"), *result;
    assert_int_equal(json_array_size(results), stage->fleet->tenants);
    size_t i;
    long long succeeded = 0;
    json_array_foreach(results, i, result)
    {
        assert_state(stage, result);
        succeeded += json_boolean_value(json_object_get(result, "success"));
    }
    assert_int_equal(succeeded, json_number(report, "succeeded"));
    return report;
}

json_t *stage_end_run(Stage *stage, int status)
{
    int ended = process_wait(stage->run, fault_full() ? FULL_RUN_MS : RUN_MS);
    char *out = process_out(stage->run), *err = process_err(stage->run);
    if (ended != status)
        fail_msg("exit %d instead of %d: %s", ended, status, err);
    json_t *report = assert_report(stage, out);
    free(out);
    free(err);
    return report;
}

void stage_end_well(Stage *stage)
{
    json_t *report = stage_end_run(stage, 0);
    assert_int_equal(json_number(report, "succeeded"), stage->fleet->tenants);
    json_decref(report);
    fleet_assert_complete(stage->fleet, stage->migrations);
}

/* A run in one process, straight to the database: everybody has succeeded then. Returns how many migrations
 * it applied. */
static size_t rerun(Stage *stage)
{
    char *out, *err;
    int status = fleet_run(stage->fleet,
                           (const char *const[]){"pgconvoy", "migrate", "--all", "--json", NULL}, &out, &err);
    if (status != 0)
        fail_msg("the rerun: exit %d: %s", status, err);
    json_t *report = assert_report(stage, out), *result;
    assert_int_equal(json_number(report, "succeeded"), stage->fleet->tenants);
    size_t i, applied = 0;
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        applied += json_array_size(json_object_get(result, "appliedMigrations"));
    }
    json_decref(report);
    free(out);
    free(err);
    return applied;
}

void stage_close(Stage *stage)
{
    for (int i = 0; i < stage->worker_count; i++) {
        process_signal(stage->workers[i], SIGCONT);
        process_signal(stage->workers[i], SIGTERM);
    }
    for (int i = 0; i < stage->worker_count; i++) {
        process_wait(stage->workers[i], fault_full() ? 40000 : 20000);
        process_free(stage->workers[i]);
    }
    process_free(stage->run);
    chaos_stop(stage->chaos);
    fleet_configure(stage->fleet, stage->fleet->url, NULL);
    rerun(stage);
    assert_int_equal(rerun(stage), 0);
    fleet_assert_complete(stage->fleet, stage->migrations);
    fleet_assert_no_leftovers(stage->fleet);
    fleet_free(stage->fleet);
    free(stage);
}
