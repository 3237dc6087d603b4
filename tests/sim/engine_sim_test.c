/* 10,000 random runs of the engine against a hostile world. Another base seed, more runs, or one run again:
 *     PGCONVOY_SIM_SEED=0x1234 PGCONVOY_SIM_RUNS=1 build/debug/bin/sim-engine_sim_test
 * Run i of a base seed is run 0 of base seed + i. */
#include "tests/support/sim.h"
#include "tests/support/test.h"
#include <stdio.h>

static void print_stats(const SimStats *stats)
{
    printf("%llu runs: %llu events, %llu dispatches, %llu crashes, %llu after a commit\n",
           (unsigned long long)stats->runs, (unsigned long long)stats->events,
           (unsigned long long)stats->dispatches, (unsigned long long)stats->crashes,
           (unsigned long long)stats->crashes_after_commit);
}

static void no_run_breaks_an_invariant(void **state)
{
    SimStats *stats = *state;
    uint64_t seed = sim_base_seed(1), runs = sim_run_count(10000);
    printf("base seed 0x%llx, %llu runs\n", (unsigned long long)seed, (unsigned long long)runs);
    for (uint64_t i = 0; i < runs; i++) {
        char violation[SIM_TEXT];
        if (!sim_run(seed + i, stats, violation))
            fail_msg("%s\nreplay: PGCONVOY_SIM_SEED=0x%llx PGCONVOY_SIM_RUNS=1 "
                     "build/debug/bin/sim-engine_sim_test",
                     violation, (unsigned long long)(seed + i));
    }
    print_stats(stats);
}

/* A fault that never occurs is a fault that is not tested. */
static void every_kind_of_trouble_occurred(void **state)
{
    const SimStats *stats = *state;
    if (stats->runs < 1000)
        skip();
    const struct {
        const char *name;
        uint64_t count;
    } TROUBLES[] = {
        {"paired runs", stats->paired_runs},
        {"batch runs", stats->batch_runs},
        {"set runs", stats->set_runs},
        {"crashes after a commit", stats->crashes_after_commit},
        {"hangs", stats->hangs},
        {"partitions", stats->partitions},
        {"drains", stats->drains},
        {"rejoins", stats->rejoins},
        {"duplicates", stats->duplicates},
        {"resends", stats->resent},
        {"late successes", stats->late_successes},
        {"reassigned leases", stats->reassigned},
        {"recovering leases", stats->recovering},
        {"suspects alone", stats->alone},
        {"busy tenants", stats->busy},
        {"quarantined tenants", stats->quarantined},
        {"unknown outcomes", stats->unknown},
        {"skipped tenants", stats->skipped},
        {"aborts", stats->aborts},
        {"cancels", stats->cancels},
        {"limits reached", stats->limits},
    };
    for (size_t i = 0; i < sizeof(TROUBLES) / sizeof(TROUBLES[0]); i++) {
        printf("  %-24s %llu\n", TROUBLES[i].name, (unsigned long long)TROUBLES[i].count);
        if (TROUBLES[i].count < stats->runs / 100)
            fail_msg("too few: %s", TROUBLES[i].name);
    }
}

int main(void)
{
    SimStats stats = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(no_run_breaks_an_invariant, &stats),
        cmocka_unit_test_prestate(every_kind_of_trouble_occurred, &stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
