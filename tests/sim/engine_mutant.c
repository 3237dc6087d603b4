/* Proof that the simulator has teeth: linked with an engine that has one planted defect (PGCONVOY_MUTANT, see
 * coordinator/engine_internal.h), it must report a violation within the runs that a sound engine survives. */
#include "tests/support/sim.h"
#include "tests/support/test.h"
#include <stdio.h>

static void simulator_finds_the_defect(void **state)
{
    (void)state;
    SimStats stats = {0};
    char violation[SIM_TEXT];
    uint64_t seed = sim_base_seed(1), runs = sim_run_count(10000);
    for (uint64_t i = 0; i < runs; i++) {
        if (!sim_run(seed + i, &stats, violation)) {
            printf("found in run %llu: %s\n", (unsigned long long)(i + 1), violation);
            return;
        }
    }
    fail_msg("%llu runs did not find the defect", (unsigned long long)runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(simulator_finds_the_defect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
