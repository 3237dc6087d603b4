/* Databases and poolers that refuse, lose, crash, fill up and are locked. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* One worker of a process of its own, so that the coordinator is not what dies. */
static Stage *stage_with_worker(int tenants, int migrations, const char *sleep_s)
{
    Stage *stage = stage_new(tenants, migrations, sleep_s);
    stage_worker(stage, stage->endpoint);
    return stage;
}

/* All but the test's own. */
static long long terminate_all(Stage *stage)
{
    return sql_number(stage->fleet->connection,
                      "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                      " WHERE datname = current_database() AND pid <> pg_backend_pid()");
}

/* Whatever phase each of them is in: connecting, planning, within a migration, between two, idle. A tenant
 * may meet it three times and fail with the server's own words; nobody is lost and nothing happens twice. */
static void backends_killed(void **state)
{
    (void)state;
    Stage *stage = stage_with_worker(60, 4, "0.03");
    stage_run(stage, 1, WORDS("--schedule", "rolling", "--on-error", "continue"));
    stage_await(stage->fleet->connection, 30000,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()");
    long long killed = 0;
    for (int round = 0; !process_ended(stage->run); round++) {
        if (round % 8 == 0)
            killed += terminate_all(stage);
        sleep_ms(50 + round * 13 % 40); /* until the next blow */
    }
    assert_true(killed > 5);
    json_decref(stage_end_run(stage, stage->run->status == 1 ? 1 : 0));
    stage_close(stage);
}

/* In an open transaction, once: tried again, and nobody fails. */
static void backend_killed_in_statement(void **state)
{
    (void)state;
    Stage *stage = stage_with_worker(20, 2, NULL);
    stage_add_gate(stage, "t0003");
    stage_run(stage, 1, NULL);
    long long pid = stage_await_gate(stage, 0);
    sql_run(stage->fleet->connection, "SELECT pg_terminate_backend(%lld)", pid);
    stage_await_gate(stage, pid);
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

static void set_standby(Stage *stage, const char *names)
{
    sql_run(stage->fleet->connection, "ALTER SYSTEM SET synchronous_standby_names = '%s'", names);
    sql_run(stage->fleet->connection, "SELECT pg_reload_conf()");
}

/* The COMMIT is on disk; the client that waits for its answer loses the connection instead. */
static void commit_lost(void **state)
{
    (void)state;
    Stage *stage = stage_with_worker(12, 3, "0.02");
    stage_run(stage, 1, NULL);
    stage_await_marks(stage, 3);
    set_standby(stage, "nobody");
    for (int i = 0; i < 6; i++)
        stage_await(stage->fleet->connection, 30000,
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE wait_event = 'SyncRep' AND datname = current_database()");
    set_standby(stage, "");
    stage_end_well(stage);
    stage_close(stage);
}

/* pg_ctl restart -m immediate: SIGQUIT, and crash recovery at the next start. */
static void restart_at_once(Stage *stage)
{
    PQfinish(stage->fleet->connection);
    cluster_restart(fault_cluster);
    stage->fleet->connection = cluster_connect(fault_cluster, stage->fleet->database);
}

static void server_crash(void **state)
{
    (void)state;
    Stage *stage = stage_with_worker(60, 3, "0.05");
    stage_run(stage, 1, WORDS("--on-error", "continue"));
    stage_await_marks(stage, 20);
    restart_at_once(stage);
    stage_end_well(stage);
    stage_close(stage);
}

/* kill -9 of the whole server, and a while without any. */
static void server_down_for_a_while(void **state)
{
    (void)state;
    Stage *stage = stage_with_worker(40, 3, "0.05");
    stage_run(stage, 1, WORDS("--on-error", "continue", "--schedule", "rolling"));
    stage_await_marks(stage, 20);
    PQfinish(stage->fleet->connection);
    cluster_kill(fault_cluster);
    sleep_ms(1500); /* the length of the fault */
    cluster_restart(fault_cluster);
    stage->fleet->connection = cluster_connect(fault_cluster, stage->fleet->database);
    process_wait(stage->run, 60000);
    json_t *report = stage_end_run(stage, stage->run->status == 1 ? 1 : 0);
    fault_note("%lld of 40 tenants succeeded in the run itself", json_number(report, "succeeded"));
    json_decref(report);
    stage_close(stage);
}

/* The rows of a migration do not fit into the tablespace. */
static void disk_full(void **state)
{
    (void)state;
    char *folder = make_folder(), tablespace[600], options[] = "size=16m,mode=0755";
    snprintf(tablespace, sizeof tablespace, "%s/space", folder);
    if (chmod(folder, 0755) != 0 || mkdir(tablespace, 0700) != 0 ||
        mount("none", tablespace, "tmpfs", 0, options) != 0) {
        remove_tree(folder);
        free(folder);
        fault_not_run("mounting a tmpfs is not permitted here");
    }
    struct passwd *user = getpwnam("postgres");
    assert_non_null(user);
    assert_int_equal(chown(tablespace, user->pw_uid, user->pw_gid), 0);
    Stage *stage = stage_with_worker(40, 1, NULL);
    PGconn *connection = stage->fleet->connection;
    sql_run(connection, "CREATE TABLESPACE small LOCATION '%s'", tablespace);
    fleet_add_migration(stage->fleet, "0002_large",
                        "INSERT INTO public.marks VALUES (current_schema(), '0002_large');\n"
                        "CREATE TABLE large TABLESPACE small AS"
                        " SELECT repeat('x', 1000) AS x FROM generate_series(1, 1000);\n");
    stage->migrations++;
    stage_run(stage, 1, NULL);
    process_wait(stage->run, 60000);
    json_t *report = stage_end_run(stage, 4), *result;
    size_t i, full = 0;
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        const char *code = json_string_value(json_object_get(result, "sqlstate"));
        full += code != NULL && strcmp(code, "53100") == 0;
    }
    json_decref(report);
    fault_note("the run stopped after %zu tenants had failed with 53100", full);
    /* Not twenty: the first one ends the run, and those in flight meet the same. */
    assert_in_range(full, 1, 8);
    assert_int_equal(mount("none", tablespace, "tmpfs", MS_REMOUNT, "size=256m"), 0);
    char *url = strdup(stage->fleet->database);
    stage_close(stage);
    PGconn *admin = cluster_connect(fault_cluster, "postgres");
    sql_run(admin, "DROP DATABASE %s WITH (FORCE)", url);
    sql_run(admin, "DROP TABLESPACE small");
    PQfinish(admin);
    free(url);
    assert_int_equal(umount(tablespace), 0);
    remove_tree(folder);
    free(folder);
}

/* All seats are taken when the run begins and while it goes on. */
static void connections_exhausted(void **state)
{
    (void)state;
    enum { SEATS = 100 };
    Stage *stage = stage_with_worker(40, 2, "0.02");
    PGconn *seats[SEATS];
    int taken = 0;
    sql_run(stage->fleet->connection, "CREATE ROLE somebody LOGIN");
    for (; taken < SEATS; taken++) {
        char *info;
        assert_true(
            asprintf(&info, "host=127.0.0.1 port=%d dbname=postgres user=somebody", fault_cluster->port) > 0);
        seats[taken] = PQconnectdb(info);
        free(info);
        if (PQstatus(seats[taken]) != CONNECTION_OK) {
            assert_non_null(strstr(PQerrorMessage(seats[taken]), "connection slots"));
            PQfinish(seats[taken]);
            break;
        }
    }
    /* Superusers keep three seats, of which the test has one. */
    assert_in_range(taken, 50, SEATS - 1);
    stage_run(stage, 1, WORDS("--on-error", "continue"));
    stage_await_marks(stage, 10);
    json_t *report = stage_end_run(stage, 0);
    assert_int_equal(json_number(report, "failed"), 0);
    json_decref(report);
    for (int i = 0; i < taken; i++)
        PQfinish(seats[i]);
    sql_run(stage->fleet->connection, "DROP ROLE somebody");
    stage_close(stage);
}

/* Not one seat is left for a while. */
static void no_connection_at_all(void **state)
{
    (void)state;
    Stage *stage = stage_with_worker(30, 3, "0.03");
    stage_run(stage, 1, WORDS("--on-error", "continue", "--schedule", "rolling"));
    stage_await_marks(stage, 10);
    sql_run(stage->fleet->connection, "ALTER DATABASE %s CONNECTION LIMIT 0", stage->fleet->database);
    sql_run(stage->fleet->connection, "ALTER DATABASE %s ALLOW_CONNECTIONS true", stage->fleet->database);
    terminate_all(stage);
    sleep_ms(500); /* the length of the fault */
    sql_run(stage->fleet->connection, "ALTER DATABASE %s CONNECTION LIMIT -1", stage->fleet->database);
    process_wait(stage->run, 60000);
    json_decref(stage_end_run(stage, stage->run->status == 1 ? 1 : 0));
    stage_close(stage);
}

/* A table of one tenant stays locked: its tenant fails after eight attempts, readers wait no longer than
 * lock_timeout, and everybody else is done. */
static void table_locked(void **state)
{
    (void)state;
    Stage *stage = stage_with_worker(20, 1, NULL);
    sql_run(stage->fleet->connection, "CREATE TABLE tenant_t0002.precious (x int)");
    fleet_add_migration(stage->fleet, "0002_alter",
                        "INSERT INTO public.marks VALUES (current_schema(), '0002_alter');\n"
                        "ALTER TABLE IF EXISTS precious ADD COLUMN y int;\n");
    stage->migrations++;
    PGconn *holder = cluster_connect(fault_cluster, stage->fleet->database);
    sql_run(holder, "BEGIN; LOCK TABLE tenant_t0002.precious IN ACCESS SHARE MODE");
    stage_run(stage, 1, WORDS("--on-error", "continue", "--lock-timeout", "200"));
    PGconn *reader = cluster_connect(fault_cluster, stage->fleet->database);
    long long longest_ms = 0;
    while (!process_ended(stage->run)) {
        long long start_ms = fault_clock_ms();
        sql_run(reader, "SELECT count(*) FROM tenant_t0002.precious");
        long long took_ms = fault_clock_ms() - start_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        sleep_ms(2);
    }
    PQfinish(reader);
    fault_note("with lock_timeout 200 ms a reader waited for at most %lld ms", longest_ms);
    json_t *report = stage_end_run(stage, 1);
    json_t *locked = json_array_get(json_object_get(report, "results"), 1);
    assert_int_equal(json_number(report, "failed"), 1);
    assert_string_equal(json_string_value(json_object_get(locked, "sqlstate")), "55P03");
    json_decref(report);
    PQfinish(holder);
    assert_true(longest_ms < 2000);
    stage_close(stage);
}

static void pooler_killed(void **state)
{
    (void)state;
    Stage *stage = stage_new(60, 3, "0.03");
    char *url = cluster_bouncer_url(fault_cluster, stage->fleet->database);
    fleet_configure(stage->fleet, url, NULL);
    free(url);
    stage_worker(stage, stage->endpoint);
    stage_run(stage, 1, WORDS("--on-error", "continue"));
    stage_await_marks(stage, 20);
    kill(fault_cluster->bouncer, SIGKILL);
    waitpid(fault_cluster->bouncer, NULL, 0);
    cluster_start_bouncer_again(fault_cluster);
    stage_end_well(stage);
    stage_close(stage);
}

/* Each connection to the database ends after so many bytes of either direction: within the login, the plan,
 * a migration, its answer. */
static void database_link_cut(void **state)
{
    (void)state;
    static const long LENGTHS[] = {50, 300, 700, 1500, 3000, 6000};
    Stage *stage = stage_new(60, 3, "0.03");
    stage->chaos = chaos_start(fault_cluster->port);
    char url[128];
    snprintf(url, sizeof url, "postgresql://postgres@127.0.0.1:%d/%s", stage->chaos->port,
             stage->fleet->database);
    fleet_configure(stage->fleet, url, NULL);
    stage_worker(stage, stage->endpoint);
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        long long before = sql_number(stage->fleet->connection, "SELECT count(*) FROM public.marks");
        stage_run(stage, 1, WORDS("--on-error", "continue"));
        if (before < 175)
            stage_await_marks(stage, before + 1);
        else
            process_wait(stage->run, 60000);
        long cuts = atomic_load(&stage->chaos->control->cuts);
        atomic_store(&stage->chaos->control->cut_after, LENGTHS[i]);
        chaos_reset(stage->chaos);
        /* A tenant whose COMMIT got no answer is asked about for ten minutes, so the fault has to end. */
        while (!process_ended(stage->run) && atomic_load(&stage->chaos->control->cuts) < cuts + 12)
            sleep_ms(5);
        atomic_store(&stage->chaos->control->cut_after, 0);
        int status = process_wait(stage->run, 60000);
        assert_true(status == 0 || status == 1 || status == 4);
        json_decref(stage_end_run(stage, status));
    }
    assert_true(atomic_load(&stage->chaos->control->cuts) > 5);
    atomic_store(&stage->chaos->control->cut_after, 0);
    stage_run(stage, 1, NULL);
    stage_end_well(stage);
    stage_close(stage);
}

static const FaultRow ROWS[] = {
    {"backends_killed", "pg_terminate_backend of all, every half second", backends_killed},
    {"backend_killed_in_statement", "pg_terminate_backend in a transaction", backend_killed_in_statement},
    {"commit_lost", "synchronous_standby_names = nobody, then terminate, six times", commit_lost},
    {"server_crash", "pg_ctl restart -m immediate", server_crash},
    {"server_down_for_a_while", "kill -9 of the server, down for 1.5 s", server_down_for_a_while},
    {"disk_full", "a tablespace on a tmpfs of 16 MiB", disk_full},
    {"connections_exhausted", "all seats but the superuser's two are taken", connections_exhausted},
    {"no_connection_at_all", "no seat for half a second, all backends killed", no_connection_at_all},
    {"table_locked", "LOCK TABLE of another session", table_locked},
    {"pooler_killed", "kill -9 of PgBouncer", pooler_killed},
    {"database_link_cut", "connections to the database cut after 50 to 6000 bytes", database_link_cut},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
