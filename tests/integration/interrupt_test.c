/* An interrupt before the first tenant's turn ends the run as one in the middle does. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <signal.h>

static Cluster *cluster;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool somebody_sleeps(void *fleet_pointer)
{
    return sql_number(((Fleet *)fleet_pointer)->connection,
                      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0;
}

/* Discovery takes long, and the interrupt comes meanwhile. What was in flight finishes well, so it is the
 * next phase that must not begin. */
static void interrupt_discovery(Fleet *fleet, const char *const words[])
{
    Process *run = fleet_start(fleet, words);
    await(somebody_sleeps, fleet, 30000, "discovery");
    process_signal(run, SIGTERM);
    if (process_wait(run, 20000) != 130)
        fail_msg("exit %d: %s", run->status, process_err(run));
    process_free(run);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 0);
}

static void an_interrupt_while_tenants_are_discovered_ends_the_run(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 5);
    fleet_add_markers(fleet, 1, NULL);
    sql_run(fleet->connection, "ALTER TABLE public.tenants RENAME TO everybody;"
                               "CREATE VIEW public.tenants AS SELECT id FROM public.everybody, pg_sleep(1)");
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "2");
    const char *const *commands[] = {
        WORDS("pgconvoy", "migrate", "--all"),
        WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain"),
        WORDS("pgconvoy", "status", "--listen", endpoint, "--plain"),
        WORDS("pgconvoy", "sync", "--mark-missing", "--all", "--listen", endpoint, "--plain"),
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        interrupt_discovery(fleet, commands[i]);
    assert_int_equal(fleet_run(fleet, commands[1], NULL, NULL), 0);
    fleet_assert_complete(fleet, 1);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 20000), 0);
    process_free(worker);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupt_while_tenants_are_discovered_ends_the_run),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
