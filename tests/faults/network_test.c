/* Networks between workers and coordinator that lose, delay, damage and cut. */
#include "tests/support/faults.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Two workers: one behind the proxy, one beside it. */
static Stage *stage_with_chaos(int tenants, int migrations, const char *sleep_s)
{
    Stage *stage = stage_new(tenants, migrations, sleep_s);
    stage_put_chaos_before_coordinator(stage);
    stage_worker(stage, stage_chaos_endpoint(stage));
    stage_worker(stage, stage->endpoint);
    return stage;
}

/* The link of one worker goes silent in the middle of the run, which outlasts the silence. */
static void partition(ChaosFlow up, ChaosFlow down, int full_length_ms)
{
    Stage *stage = stage_with_chaos(60, 3, "0.02");
    stage_add_gate(stage, "t0060");
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 20);
    chaos_flow(stage->chaos, up, down);
    sleep_ms(fault_ms(full_length_ms)); /* the length of the fault */
    char *err = process_err(stage->run);
    bool given_up = strstr(err, "worker gone") != NULL;
    free(err);
    long dropped = atomic_load(&stage->chaos->control->dropped);
    chaos_flow(stage->chaos, CHAOS_PASS, CHAOS_PASS);
    stage_open_gate(stage);
    stage_end_well(stage);
    if (up != CHAOS_PASS && full_length_ms > 30000)
        assert_true(given_up);
    if (full_length_ms < 10000)
        assert_false(given_up);
    if (up == CHAOS_DROP || down == CHAOS_DROP)
        assert_true(dropped > 0);
    stage_close(stage);
}

static void partition_5s(void **state)
{
    (void)state;
    partition(CHAOS_HOLD, CHAOS_HOLD, 5000);
}

static void partition_30s(void **state)
{
    (void)state;
    partition(CHAOS_HOLD, CHAOS_HOLD, 30000);
}

static void partition_120s(void **state)
{
    (void)state;
    partition(CHAOS_DROP, CHAOS_DROP, 120000);
}

static void partition_upwards(void **state)
{
    (void)state;
    partition(CHAOS_DROP, CHAOS_PASS, 40000);
}

static void partition_downwards(void **state)
{
    (void)state;
    partition(CHAOS_PASS, CHAOS_DROP, 40000);
}

static long resident_kib(pid_t pid)
{
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void flapping_resets(void **state)
{
    (void)state;
    Stage *stage = stage_with_chaos(100, 3, "0.02");
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 10);
    long before_kib = resident_kib(stage->run->pid);
    unsigned int resets = 0;
    long grown_kib = 0;
    for (; !process_ended(stage->run) && resets < 400; resets++) {
        chaos_reset(stage->chaos);
        sleep_ms(30 + (int)(resets * 37 % 100));      /* up for this long */
        long now_kib = resident_kib(stage->run->pid); /* 0 once it has ended */
        grown_kib = now_kib > before_kib + grown_kib ? now_kib - before_kib : grown_kib;
    }
    stage_end_well(stage);
    fault_note("the coordinator grew by at most %ld KiB over %u resets", grown_kib, resets);
    assert_true(resets >= 5);
    assert_true(grown_kib < (FAULT_SANITIZED ? 65536 : 8192));
    assert_true(atomic_load(&stage->chaos->control->accepted) >= 3);
    stage_close(stage);
}

/* Whoever connects is refused for a while, and comes back by itself. */
static void refused_connections(void **state)
{
    (void)state;
    Stage *stage = stage_with_chaos(60, 3, "0.02");
    stage_add_gate(stage, "t0060");
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 20);
    atomic_store(&stage->chaos->control->refuse, true);
    chaos_reset(stage->chaos);
    sleep_ms(fault_ms(30000)); /* the length of the fault */
    atomic_store(&stage->chaos->control->refuse, false);
    process_signal(stage->workers[1], SIGTERM); /* now the work is all the returned one's */
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

/* No worker may be taken for dead because its link is slow. */
static void slow_link(long delay_ms, long bytes_per_s)
{
    Stage *stage = stage_with_chaos(60, 3, "0.02");
    atomic_store(&stage->chaos->control->delay_ms, delay_ms);
    atomic_store(&stage->chaos->control->bytes_per_s, bytes_per_s);
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    stage_end_well(stage);
    char *err = process_err(stage->run);
    assert_null(strstr(err, "worker gone"));
    assert_null(strstr(err, "worker silent"));
    free(err);
    assert_true(atomic_load(&stage->chaos->control->bytes_up) > 1000);
    stage_close(stage);
}

static void delayed_link(void **state)
{
    (void)state;
    slow_link(fault_full() ? 500 : 200, 0);
}

static void narrow_link(void **state)
{
    (void)state;
    slow_link(0, 16 * 1024);
}

/* TCP loses no bytes, so what a lossy network costs are connections. */
static void lossy_link(void **state)
{
    (void)state;
    Stage *stage = stage_with_chaos(100, 3, "0.02");
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 10);
    atomic_store(&stage->chaos->control->cut_one_in, 10);
    stage_end_well(stage);
    assert_true(atomic_load(&stage->chaos->control->cuts) >= 3);
    stage_close(stage);
}

/* Every connection ends after so many bytes: within the handshake, the greeting, a job, a result. */
static void cut_after_bytes(void **state)
{
    (void)state;
    static const long LENGTHS[] = {1, 40, 64, 100, 200, 400, 800};
    Stage *stage = stage_with_chaos(60, 3, "0.02");
    stage_add_gate(stage, "t0060");
    stage_run(stage, 2, WORDS("--schedule", "rolling"));
    stage_await_marks(stage, 10);
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        long cuts = atomic_load(&stage->chaos->control->cuts);
        atomic_store(&stage->chaos->control->cut_after, LENGTHS[i]);
        for (int waited = 0; waited < 10000 && atomic_load(&stage->chaos->control->cuts) < cuts + 2;
             waited += 10)
            sleep_ms(10);
        assert_true(atomic_load(&stage->chaos->control->cuts) >= cuts + 2);
    }
    atomic_store(&stage->chaos->control->cut_after, 0);
    process_signal(stage->workers[1], SIGTERM);
    stage_open_gate(stage);
    stage_end_well(stage);
    stage_close(stage);
}

/* With keys a damaged byte is noticed by the encryption; the connection ends, and the next one works. */
static void flipped_bits(void **state)
{
    (void)state;
    Stage *stage = stage_new(60, 3, "0.02");
    stage_add_keys(stage);
    stage_put_chaos_before_coordinator(stage);
    stage_worker_with_key(stage, stage_chaos_endpoint(stage), "known.key");
    atomic_store(&stage->chaos->control->flip_after, 20000); /* beyond the largest message */
    stage_run_with_key(stage, stage->endpoint);
    stage_end_well(stage);
    assert_true(atomic_load(&stage->chaos->control->flips) >= 1);
    stage_close(stage);
}

/* The same within the handshake of CURVE: no connection stands, and nothing is let in. */
static void flipped_bits_in_handshake(void **state)
{
    (void)state;
    Stage *stage = stage_new(20, 2, NULL);
    stage_add_keys(stage);
    stage_put_chaos_before_coordinator(stage);
    stage_worker_with_key(stage, stage_chaos_endpoint(stage), "known.key");
    atomic_store(&stage->chaos->control->flip_after, 180);
    stage->run = fleet_start(stage->fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", stage->endpoint,
                                                 "--key-file", "deploy.key", "--peers", "workers", "--json"));
    for (int waited = 0; waited < 20000 && atomic_load(&stage->chaos->control->flips) < 3; waited += 10)
        sleep_ms(10);
    assert_true(atomic_load(&stage->chaos->control->flips) >= 3);
    assert_int_equal(sql_number(stage->fleet->connection, "SELECT count(*) FROM public.marks"), 0);
    atomic_store(&stage->chaos->control->flip_after, 0);
    chaos_reset(stage->chaos);
    stage_end_well(stage);
    stage_close(stage);
}

static const FaultRow ROWS[] = {
    {"partition_5s", "both ways silent, shorter than suspicion", partition_5s},
    {"partition_30s", "both ways silent, held bytes arrive late", partition_30s},
    {"partition_120s", "both ways silent, bytes lost", partition_120s},
    {"partition_upwards", "what the worker says is lost", partition_upwards},
    {"partition_downwards", "what the coordinator says is lost", partition_downwards},
    {"flapping_resets", "connections reset again and again", flapping_resets},
    {"refused_connections", "connections refused beyond the dead time", refused_connections},
    {"delayed_link", "each chunk late by 500 ms (200 ms)", delayed_link},
    {"narrow_link", "16 KiB/s", narrow_link},
    {"lossy_link", "one chunk in ten costs its connection", lossy_link},
    {"cut_after_bytes", "connections cut after 1 to 800 bytes", cut_after_bytes},
    {"flipped_bits", "a bit flips in each encrypted connection", flipped_bits},
    {"flipped_bits_in_handshake", "a bit flips in each handshake", flipped_bits_in_handshake},
};

int main(int argc, char **argv)
{
    return fault_main(argc, argv, ROWS, sizeof ROWS / sizeof ROWS[0]);
}
