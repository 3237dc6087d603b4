/* A worker in a network namespace of its own: links that really lose packets, and keys. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static char space[32], near_end[16], far_end[16], near_address[32], far_address[32];

static bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool shell(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return process_run(NULL, NULL, WORDS("/bin/sh", "-c", command), NULL, NULL) == 0;
}

static void remove_namespace(void)
{
    shell("ip link del %s; ip netns del %s", near_end, space);
}

/* A namespace, its loopback, and a link to it. Names and addresses are of this process. */
static bool make_namespace(void)
{
    int number = getpid() % 60000;
    snprintf(space, sizeof space, "pgconvoy%d", number);
    snprintf(near_end, sizeof near_end, "pgcn%d", number);
    snprintf(far_end, sizeof far_end, "pgcf%d", number);
    snprintf(near_address, sizeof near_address, "10.%d.%d.1", 200 + number / 256 % 50, number % 256);
    snprintf(far_address, sizeof far_address, "10.%d.%d.2", 200 + number / 256 % 50, number % 256);
    remove_namespace(); /* of a row that failed */
    bool made = shell("ip netns add %s && ip link add %s type veth peer name %s netns %s", space, near_end,
                      far_end, space) &&
                shell("ip addr add %s/30 dev %s && ip link set %s up", near_address, near_end, near_end) &&
                shell("ip -n %s addr add %s/30 dev %s && ip -n %s link set %s up && ip -n %s link set lo up",
                      space, far_address, far_end, space, far_end, space);
    if (!made)
        remove_namespace();
    return made;
}

/* One worker inside, which is named first, and one outside, which knows the same database by its socket's
 * path: that is the same in every network. */
static Stage *stage_over_namespace(int tenants, bool gate)
{
    if (!make_namespace())
        fault_not_run("network namespaces are not permitted here");
    atexit(remove_namespace);
    Stage *stage = stage_new(tenants, 3, "0.02");
    if (gate) {
        char tenant[16];
        snprintf(tenant, sizeof tenant, "t%04d", tenants);
        stage_add_gate(stage, tenant);
    }
    char url[256], endpoint[64];
    snprintf(url, sizeof url, "postgresql:///%s?user=postgres&host=%s&port=%d", stage->fleet->database,
             fault_cluster->directory, fault_cluster->port);
    fleet_configure(stage->fleet, url, NULL);
    stage_add_keys(stage);
    snprintf(endpoint, sizeof endpoint, "tcp://%s:5570", near_address);
    stage_worker_words(stage, WORDS("/sbin/ip", "netns", "exec", space, fault_program("pgconvoy-worker"),
                                    "--coordinator", endpoint, "--slots", "4", "--key-file", "known.key",
                                    "--peers", "coordinators"));
    stage_run_with_key(stage, endpoint);
    process_await_text(stage->workers[0], "serving", 20000);
    stage_worker_with_key(stage, endpoint, "other.key");
    process_await_text(stage->workers[1], "serving", 20000);
    return stage;
}

static void close_over_namespace(Stage *stage)
{
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
    remove_namespace();
}

static void partition(const char *begin, const char *end, int full_length_ms)
{
    Stage *stage = stage_over_namespace(60, true);
    stage_await_marks(stage, 20);
    assert_true(shell("%s", begin));
    sleep_ms(fault_ms(full_length_ms)); /* the length of the fault */
    char *err = process_err(stage->run);
    bool given_up = strstr(err, "worker gone") != NULL;
    free(err);
    assert_true(shell("%s", end));
    if (full_length_ms > 20000)
        assert_true(given_up);
    if (full_length_ms < 10000)
        assert_false(given_up);
    close_over_namespace(stage);
}

static void partition_by_link(int full_length_ms)
{
    char begin[128], end[128];
    int number = getpid() % 60000;
    snprintf(begin, sizeof begin, "ip -n pgconvoy%d link set pgcf%d down", number, number);
    snprintf(end, sizeof end, "ip -n pgconvoy%d link set pgcf%d up", number, number);
    partition(begin, end, full_length_ms);
}

static void packets_lost_5s(void **state)
{
    (void)state;
    partition_by_link(5000);
}

static void packets_lost_30s(void **state)
{
    (void)state;
    partition_by_link(30000);
}

/* What the worker sends ends in its own namespace; what it is sent arrives. */
static void packets_lost_upwards(void **state)
{
    (void)state;
    char begin[160], end[160];
    int number = getpid() % 60000;
    snprintf(begin, sizeof begin, "ip -n pgconvoy%d route add blackhole 10.%d.%d.1/32", number,
             200 + number / 256 % 50, number % 256);
    snprintf(end, sizeof end, "ip -n pgconvoy%d route del blackhole 10.%d.%d.1/32", number,
             200 + number / 256 % 50, number % 256);
    partition(begin, end, 40000);
}

static void link_of_1_mbit(void **state)
{
    (void)state;
    Stage *stage = stage_over_namespace(60, true);
    if (!shell("tc qdisc add dev %s root tbf rate 1mbit burst 4kb latency 400ms", near_end)) {
        close_over_namespace(stage);
        fault_not_run("this kernel has no token bucket filter");
    }
    stage_await_marks(stage, 150);
    char *err = process_err(stage->run);
    assert_null(strstr(err, "worker gone"));
    free(err);
    close_over_namespace(stage);
}

/* A line is taken out of the peers file in the middle of the run: that worker is not heard any more. */
static void key_revoked(void **state)
{
    (void)state;
    Stage *stage = stage_new(60, 3, "0.02");
    stage_add_gate(stage, "t0060");
    stage_add_keys(stage);
    stage_worker_with_key(stage, stage->endpoint, "known.key");
    stage_run_with_key(stage, stage->endpoint);
    stage_await_marks(stage, 8);
    stage_worker_with_key(stage, stage->endpoint, "other.key");
    process_await_text(stage->workers[1], "serving", 20000);
    char command[256];
    snprintf(command, sizeof command, "cd %s && grep -v known workers > new && mv new workers",
             stage->fleet->folder);
    assert_true(shell("%s", command));
    process_await_text(stage->run, "worker gone", fault_ms(200000));
    process_signal(stage->workers[0], SIGTERM); /* while it drains it is no more welcome */
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

static const FaultRow ROWS[] = {
    {"packets_lost_5s", "a link down for 5 s (0.5 s)", packets_lost_5s},
    {"packets_lost_30s", "a link down for 30 s (3 s)", packets_lost_30s},
    {"packets_lost_upwards", "a route into nowhere, one way, 40 s (4 s)", packets_lost_upwards},
    {"link_of_1_mbit", "token bucket filter of 1 Mbit/s", link_of_1_mbit},
    {"key_revoked", "a worker's key leaves the peers file, also while it drains", key_revoked},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
