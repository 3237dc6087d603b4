/* Keys between real programs: who is in the peers files migrates, everybody else is refused. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static Cluster *cluster;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    return cluster != NULL ? 0 : -1;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

/* Makes NAME.key, and appends its line to a peers file. */
static void add_peer(Fleet *fleet, const char *name, const char *role, const char *peers)
{
    char key[64], *line = NULL, *path = NULL;
    snprintf(key, sizeof key, "%s.key", name);
    int status =
        process_run(fleet->folder, NULL,
                    WORDS("pgconvoy", "keygen", "--file", key, "--role", role, "--name", name), &line, NULL);
    assert_int_equal(status, 0);
    assert_true(asprintf(&path, "%s/%s", fleet->folder, peers) > 0);
    FILE *file = fopen(path, "a");
    fputs(line, file);
    fclose(file);
    chmod(path, 0644);
    free(line);
    free(path);
}

/* A fleet whose coordinator knows the worker "known", and the other way round. */
static Fleet *fleet_with_keys(int tenants, const char *sleep_s)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    fleet_add_markers(fleet, 2, sleep_s);
    add_peer(fleet, "deploy", "coordinator", "coordinators");
    add_peer(fleet, "known", "worker", "workers");
    add_peer(fleet, "stranger", "worker", "nobodies");
    return fleet;
}

static Process *start_worker(Fleet *fleet, const char *link, const char *endpoint, const char *key)
{
    return process_start(fleet->folder, NULL,
                         WORDS("pgconvoy-worker", link, endpoint, "--slots", "4", "--key-file", key,
                               "--peers", "coordinators"));
}

static Process *start_run(Fleet *fleet, const char *link, const char *endpoint, const char *key,
                          const char *wait_ms)
{
    return process_start(fleet->folder, NULL,
                         WORDS("pgconvoy", "migrate", "--all", "--json", link, endpoint, "--key-file", key,
                               "--peers", "workers", "--wait", wait_ms));
}

static void assert_success(Fleet *fleet, Process *run)
{
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    json_decref(fleet_assert_report(fleet, out));
    fleet_assert_complete(fleet, 2);
    free(out);
    free(err);
}

static size_t count_texts(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

static void a_known_worker_migrates_and_a_stranger_is_refused_and_logged_once(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with_keys(60, "0.02");
    const char *endpoint = fleet_endpoint();
    Process *stranger = start_worker(fleet, "--coordinator", endpoint, "stranger.key"),
            *known = start_worker(fleet, "--coordinator", endpoint, "known.key");
    Process *run = start_run(fleet, "--listen", endpoint, "deploy.key", "60000");
    assert_success(fleet, run);
    char *err = process_err(run), *heard = process_err(stranger);
    assert_int_equal(count_texts(err, "refused key"), 1);
    assert_null(strstr(heard, "serving"));
    free(err);
    free(heard);
    process_free(run);
    process_free(stranger);
    process_free(known);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void a_listening_worker_takes_only_coordinators_that_it_knows(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with_keys(20, NULL);
    const char *endpoint = fleet_endpoint();
    Process *worker = start_worker(fleet, "--listen", endpoint, "known.key");
    /* A worker's key in the coordinator's place, and a key that nobody knows. */
    static const char *const KEYS[] = {"known.key", "stranger.key"};
    for (size_t i = 0; i < 2; i++) {
        Process *run = start_run(fleet, "--workers", endpoint, KEYS[i], "1500");
        assert_int_equal(process_wait(run, 30000), 6);
        process_free(run);
    }
    fleet_assert_complete(fleet, 0);
    Process *run = start_run(fleet, "--workers", endpoint, "deploy.key", "60000");
    assert_success(fleet, run);
    process_free(run);
    char *err = process_err(worker);
    assert_int_equal(count_texts(err, "refused key"), 2);
    free(err);
    process_free(worker);
    fleet_free(fleet);
}

static bool somebody_sleeps(void *fleet_pointer)
{
    Fleet *fleet = fleet_pointer;
    return sql_number(fleet->connection, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                                         " AND datname = current_database()") > 0;
}

/* Draining must not open the door. */
static void a_draining_worker_still_refuses_strangers(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with_keys(8, "3");
    const char *endpoint = fleet_endpoint();
    Process *worker = start_worker(fleet, "--listen", endpoint, "known.key");
    Process *run = start_run(fleet, "--workers", endpoint, "deploy.key", "60000");
    await(somebody_sleeps, fleet, 20000, "a migration to run");
    process_signal(worker, SIGTERM);
    process_await_text(worker, "draining", 10000);
    Process *stranger = start_run(fleet, "--workers", endpoint, "stranger.key", "1500");
    assert_int_equal(process_wait(stranger, 30000), 6);
    char *err = process_err(worker);
    assert_int_equal(count_texts(err, "refused key"), 1);
    free(err);
    process_free(stranger);
    process_free(run);
    process_free(worker);
    fleet_free(fleet);
}

static void a_new_key_is_let_in_after_the_file_was_changed(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with_keys(10, NULL);
    const char *endpoint = fleet_endpoint();
    Process *run = start_run(fleet, "--listen", endpoint, "deploy.key", "60000");
    Process *worker = start_worker(fleet, "--coordinator", endpoint, "stranger.key");
    process_await_text(run, "refused key", 20000);
    char command[512];
    snprintf(command, sizeof command, "cat %s/nobodies >> %s/workers", fleet->folder, fleet->folder);
    assert_int_equal(system(command), 0);
    assert_success(fleet, run);
    process_free(run);
    process_free(worker);
    fleet_free(fleet);
}

static void keys_without_peers_and_tcp_without_keys_are_refused_before_anything_starts(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with_keys(3, NULL);
    char *err = NULL;
    int status = process_run(fleet->folder, NULL,
                             WORDS("pgconvoy", "migrate", "--all", "--listen", "tcp://127.0.0.1:19999",
                                   "--key-file", "deploy.key"),
                             NULL, &err);
    assert_int_equal(status, 2);
    assert_non_null(strstr(err, "coordinator.key_file is set without coordinator.peers"));
    free(err);
    status = process_run(fleet->folder, NULL, WORDS("pgconvoy-worker", "--listen", "tcp://0.0.0.0:19999"),
                         NULL, &err);
    assert_int_equal(status, 2);
    assert_non_null(strstr(err, "pgconvoy keygen"));
    free(err);
    fleet_assert_complete(fleet, 0);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_worker_migrates_and_a_stranger_is_refused_and_logged_once),
        cmocka_unit_test(a_listening_worker_takes_only_coordinators_that_it_knows),
        cmocka_unit_test(a_draining_worker_still_refuses_strangers),
        cmocka_unit_test(a_new_key_is_let_in_after_the_file_was_changed),
        cmocka_unit_test(keys_without_peers_and_tcp_without_keys_are_refused_before_anything_starts),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
