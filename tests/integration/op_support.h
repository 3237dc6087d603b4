/* What the tests of read operations share: a context on a real reservoir, bundles and tenants made in memory.
 */
#pragma once
#include "common/hash.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include "worker/ops/op.h"
#include <stdio.h>

typedef struct OpFixture {
    OpContext context;
    RunOptions options;
    Bundle bundle;
    atomic_bool cancelled;
} OpFixture;

/* Takes url over. */
static inline void fixture_start(OpFixture *fixture, char *url, int64_t limit)
{
    Error error ERROR_CLEANUP = {0};
    *fixture = (OpFixture){0};
    ConnectionString *secret = connection_string_new(url, &error);
    free(url);
    ReservoirOptions options = {.database = "main",
                                .url = secret,
                                .limit = limit,
                                .connect_timeout_ms = 5000,
                                .idle_timeout_ms = 30000,
                                .retire_tenants = 100000,
                                .retire_age_ms = 600000,
                                .clock = &SYSTEM_CLOCK};
    fixture->context = (OpContext){.options = &fixture->options,
                                   .bundle = &fixture->bundle,
                                   .reservoir = reservoir_new(&options, &error),
                                   .database = "main",
                                   .application_name = "pgconvoy/test/1",
                                   .clock = &SYSTEM_CLOCK,
                                   .cancelled = &fixture->cancelled};
    assert_non_null(fixture->context.reservoir);
    connection_string_free(secret);
}

static inline void fixture_stop(OpFixture *fixture)
{
    assert_int_equal(reservoir_counts(fixture->context.reservoir).open,
                     reservoir_counts(fixture->context.reservoir).idle);
    reservoir_close(fixture->context.reservoir);
    reservoir_free(fixture->context.reservoir);
    bundle_clear(&fixture->bundle);
}

static inline Migration *add_migration(OpFixture *fixture, const char *name, const char *sql)
{
    Error error ERROR_CLEANUP = {0};
    Bundle *bundle = &fixture->bundle;
    bundle->items = realloc(bundle->items, (bundle->count + 1) * sizeof *bundle->items);
    Migration *migration = &bundle->items[bundle->count++];
    unsigned char digest[32];
    assert_true(sha256_bytes(sql, strlen(sql), digest, &error));
    *migration = (Migration){.name = strdup(name), .hash = malloc(65), .sql = {strdup(sql), strlen(sql)}};
    hex_encode(digest, sizeof digest, migration->hash);
    return migration;
}
