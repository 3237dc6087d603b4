/* Running operations in a test: a cluster, a bouncer, a reservoir for each way in, and migrations from text.
 *
 * Each reservoir has one connection and the bouncer one server, so that the next user of a connection is the
 * user of the session that an operation leaves behind.
 */
#pragma once
#include "tests/support/cluster.h"
#include "worker/ops/op.h"

typedef struct Bench {
    Cluster *cluster;
    PGconn *admin;
    Reservoir *direct, *pooled;
    atomic_bool cancelled;
    RunOptions options; /* texts are not owned */
    bool recovering;    /* of the tenant's attempt */
    const char *plan;   /* the same; not owned, may be NULL */
    HookSet *hooks;     /* not owned; may be NULL */
} Bench;

Bench *bench_start(const char *extra_settings);
void bench_stop(Bench *bench);

/* A reservoir of its own, for a racing thread. */
Reservoir *bench_reservoir(Bench *bench);
Reservoir *bench_reservoir_as(const char *url);
void bench_reservoir_free(Reservoir *reservoir);

/* Adds a file to a bundle; free with bundle_clear(). */
void bundle_add(Bundle *bundle, const char *name, const char *text, int64_t when_ms);

typedef struct BenchResult {
    TenantMigrationResult result;
    Outcome outcome;
} BenchResult;

/* One tenant "t" of that schema. */
BenchResult bench_run(Bench *bench, OpFunction *operation, Reservoir *reservoir, const char *schema,
                      const Bundle *bundle);
void bench_result_clear(BenchResult *result);

/* What a tenant's advisory lock is called on the server. */
long long lock_key(const char *schema);

/* The names of a list joined by commas, malloc'ed. */
char *join_names(const TextList *list);

#define BENCH_RESULT_CLEANUP __attribute__((cleanup(bench_result_clear), unused))
