/* Simulator: coordinators (real engines) against model workers, a model PostgreSQL and a bad network, on a
 * clock of its own. One seed decides everything, so every run can be replayed.
 *
 * Model: workers crash (often between a commit and its result), hang and come back, are cut off while they
 * work on, drain, and come back under a new number. Messages are lost and resent, delayed, duplicated and
 * reordered. The server keeps locks and applied migrations; what a worker says happens after what the server
 * did. Hosts abort and cancel at random.
 *
 * Checked at every step: totals, states that only rise, attempts, leases, slots, budgets, grants, batches,
 * predecessors, suspects that run alone, failures announced once and before work. At the end: completion,
 * no migration applied twice, and every reported state against what the server holds.
 *
 * With PGCONVOY_SIM_TRACE in the environment, stderr shows what every engine was told and answered.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_TEXT 512

/* What happened, to prove that the runs meet what they are meant to meet. */
typedef struct SimStats {
    uint64_t runs, paired_runs, batch_runs, set_runs, events, dispatches;
    uint64_t crashes, crashes_after_commit, hangs, partitions, drains, rejoins;
    uint64_t duplicates, resent, late_successes, reassigned, recovering, alone;
    uint64_t busy, quarantined, unknown, skipped, aborts, cancels, limits;
} SimStats;

/* False when an invariant broke, with its description. Adds to *stats. */
bool sim_run(uint64_t seed, SimStats *stats, char ret_violation[SIM_TEXT]);

/* PGCONVOY_SIM_SEED and PGCONVOY_SIM_RUNS, or the defaults given. */
uint64_t sim_base_seed(uint64_t otherwise);
uint64_t sim_run_count(uint64_t otherwise);
