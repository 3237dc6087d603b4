/* As little as it takes: a database role with no more than deploy/role.sql grants, programs of a user that is
 * nobody, and a password that is nowhere but in the configuration. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    assert_non_null(file);
    if (getdelim(&text, &size, '\0', file) < 0)
        text[0] = '\0';
    fclose(file);
    return text;
}

/* A fleet whose workers come as the role of deploy/role.sql; what the migrations themselves touch is granted
 * besides. */
static Fleet *fleet_of_role(int tenants)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    char *role = read_text("deploy/role.sql"), *url;
    sql_run(fleet->connection,
            "REVOKE ALL ON DATABASE %s FROM public; REVOKE ALL ON SCHEMA public FROM public",
            fleet->database);
    PGresult *result = PQexec(fleet->connection, role);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(fleet->connection));
    PQclear(result);
    free(role);
    sql_run(fleet->connection, "GRANT INSERT ON public.marks TO pgconvoy");
    assert_true(asprintf(&url, "postgresql://pgconvoy@127.0.0.1:%d/%s", cluster->port, fleet->database) > 0);
    fleet_configure(fleet, url, NULL);
    free(url);
    return fleet;
}

static void a_role_with_the_documented_rights_migrates_a_fleet(void **state)
{
    (void)state;
    Fleet *fleet = fleet_of_role(12);
    fleet_add_markers(fleet, 3, NULL);
    assert_int_equal(sql_number(fleet->connection,
                                "SELECT count(*) FROM pg_roles WHERE rolname = 'pgconvoy' AND (rolsuper OR"
                                " rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"),
                     0);
    char *out;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), &out, NULL), 0);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), 12);
    json_decref(report);
    free(out);
    fleet_assert_complete(fleet, 3);
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "status", "--exit-code"), NULL, NULL), 0);
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "sync", "--exit-code"), NULL, NULL), 0);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

/* Tables that another role made earlier, too: the script runs again and knows them. */
static void tracking_tables_of_another_role_are_carried_on(void **state)
{
    (void)state;
    Fleet *fleet = fleet_of_role(4);
    sql_run(fleet->connection, "CREATE TABLE tenant_t0001.__drizzle_migrations (id serial PRIMARY KEY,"
                               " name varchar(255) NOT NULL UNIQUE, applied_at timestamptz DEFAULT now())");
    char *role = read_text("deploy/role.sql");
    PQclear(PQexec(fleet->connection, role));
    free(role);
    fleet_add_markers(fleet, 2, NULL);
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all"), NULL, NULL), 0);
    fleet_assert_complete(fleet, 2);
    fleet_free(fleet);
}

/* Takes a right away: the command fails, says which one, and what to do. */
static void expect_hint(Fleet *fleet, const char *revoke, const char *says)
{
    char *out, *err;
    sql_run(fleet->connection, "%s", revoke);
    assert_int_not_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), &out, &err), 0);
    if (strstr(out, says) == NULL && strstr(err, says) == NULL)
        fail_msg("after %s nobody said \"%s\": %s%s", revoke, says, out, err);
    if (strstr(out, "grant ") == NULL && strstr(err, "grant ") == NULL)
        fail_msg("after %s there is no hint: %s%s", revoke, out, err);
    free(out);
    free(err);
}

static void a_missing_right_is_named_with_a_hint(void **state)
{
    (void)state;
    Fleet *fleet = fleet_of_role(2);
    fleet_add_markers(fleet, 1, NULL);
    expect_hint(fleet, "REVOKE CREATE ON SCHEMA tenant_t0001, tenant_t0002 FROM pgconvoy",
                "permission denied for schema tenant_t0001");
    expect_hint(fleet, "REVOKE USAGE ON SCHEMA tenant_t0002 FROM pgconvoy",
                "permission denied for schema tenant_t0002");
    expect_hint(fleet, "REVOKE SELECT ON public.tenants FROM pgconvoy",
                "permission denied for table tenants");
    expect_hint(fleet,
                "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM pgconvoy',"
                " current_database()); END $$",
                "permission denied for database");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 0);
    fleet_free(fleet);
}

/* The program as user nobody, when the test itself may become that. */
static Process *start_as_nobody(Fleet *fleet, const char *program, const char *const more[])
{
    const char *words[24] = {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    size_t count = getuid() == 0 ? 4 : 0;
    words[count++] = fault_program(program);
    for (size_t i = 0; more[i] != NULL; i++)
        words[count++] = more[i];
    return fleet_start(fleet, words);
}

static void an_unprivileged_user_runs_the_programs(void **state)
{
    (void)state;
    Fleet *fleet = fleet_of_role(6);
    fleet_add_markers(fleet, 2, NULL);
    chmod(fleet->folder, 0777);
    const char *endpoint = fleet_endpoint();
    Process *worker = start_as_nobody(fleet, "pgconvoy-worker",
                                      WORDS("--coordinator", endpoint, "--plain", "--slots", "2"));
    Process *run = start_as_nobody(fleet, "pgconvoy",
                                   WORDS("migrate", "--all", "--listen", endpoint, "--plain", "--json"));
    if (process_wait(run, 60000) != 0)
        fail_msg("%s", process_err(run));
    fleet_assert_complete(fleet, 2);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 30000), 0);
    process_free(worker);
    process_free(run);
    fleet_free(fleet);
}

/* ---- secrets ---- */

static const char PASSWORD[] = "correct-horse-battery";

static void assert_absent(const char *where, const char *text)
{
    if (strstr(text, PASSWORD) != NULL)
        fail_msg("the password stands in %s: %s", where, text);
}

/* Every file below a folder but the configuration. */
static void assert_absent_below(const char *folder)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "pgconvoy.yaml") == 0)
            continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR) {
            assert_absent_below(path);
            continue;
        }
        char *text = read_text(path);
        assert_absent(path, text);
        free(text);
    }
    closedir(directory);
}

/* Of a process that runs: its arguments, and that it leaves no core. */
static void assert_discreet(const Process *process)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)process->pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char arguments[4096] = "";
    size_t length = fread(arguments, 1, sizeof arguments - 1, file);
    fclose(file);
    assert_null(memmem(arguments, length, PASSWORD, strlen(PASSWORD)));
    snprintf(path, sizeof path, "/proc/%d/limits", (int)process->pid);
    char *limits = read_text(path), *core = strstr(limits, "Max core file size");
    assert_non_null(core);
    assert_int_equal(atoi(core + strlen("Max core file size")), 0);
    assert_memory_not_equal(core + 26, "unlimited", 9);
    free(limits);
}

static void assert_said_nothing(Process *process)
{
    char *out = process_out(process), *err = process_err(process);
    assert_absent("an output", out);
    assert_absent("a log", err);
    free(out);
    free(err);
}

static void run_with_url(Fleet *fleet, const char *format, const char *level)
{
    char *url, *extra;
    assert_true(asprintf(&url, format, PASSWORD, cluster->port, fleet->database) > 0);
    assert_true(asprintf(&extra, "log:\n  level: %s\n", level) > 0);
    fleet_configure(fleet, url, extra);
    free(url);
    free(extra);
    static const char *const COMMANDS[][5] = {
        {"pgconvoy", "migrate", "--all", "--json"},
        {"pgconvoy", "migrate", "--all", "--verbose"},
        {"pgconvoy", "status"},
        {"pgconvoy", "doctor"},
        {"pgconvoy", "doctor", "--json"},
        {"pgconvoy", "metrics", "--health"},
        {"pgconvoy", "run", "list", "--json"},
    };
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        Process *process = fleet_start(fleet, COMMANDS[i]);
        process_wait(process, 60000);
        assert_said_nothing(process);
        process_free(process);
    }
}

/* Connections that work, ones that are refused, ones to nowhere, and ones whose url is wrong. */
static void the_password_is_nowhere(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 4);
    fleet_add_markers(fleet, 2, NULL);
    fleet_add_migration(fleet, "0003_wrong", "SELECT no_such_column FROM public.tenants;\n");
    run_with_url(fleet, "postgresql://postgres:%s@127.0.0.1:%d/%s", "debug");
    run_with_url(fleet, "postgresql://nobody:%s@127.0.0.1:%d/%s", "debug");
    run_with_url(fleet, "postgresql://postgres:%s@127.0.0.1:1%d/%s", "debug");
    run_with_url(fleet, "postgresql://postgres:%s@127.0.0.1:%d/%s?no_such_option=1", "debug");
    run_with_url(fleet, "host=127.0.0.1 password=%s port=%d dbname=%s user=postgres sslmode=nonsense",
                 "debug");
    char *url;
    assert_true(asprintf(&url, "postgresql://postgres:%s@127.0.0.1:%d/%s", PASSWORD, cluster->port,
                         fleet->database) > 0);
    fleet_configure(fleet, url, "log:\n  level: debug\n");
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "2");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain"));
    process_await_text(worker, "serving", 20000);
    assert_discreet(worker);
    process_wait(run, 60000);
    assert_said_nothing(run);
    process_signal(worker, SIGTERM);
    process_wait(worker, 30000);
    assert_said_nothing(worker);
    assert_absent_below(fleet->folder);
    assert_int_equal(
        sql_number(fleet->connection,
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%' || 'correct-horse'"
                   " || '-battery%%' OR application_name LIKE '%%horse%%'"),
        0);
    process_free(worker);
    process_free(run);
    fleet_free(fleet);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 100");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_with_the_documented_rights_migrates_a_fleet),
        cmocka_unit_test(tracking_tables_of_another_role_are_carried_on),
        cmocka_unit_test(a_missing_right_is_named_with_a_hint),
        cmocka_unit_test(an_unprivileged_user_runs_the_programs),
        cmocka_unit_test(the_password_is_nowhere),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
