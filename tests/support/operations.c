#include "tests/support/operations.h"
#include "common/buffer.h"
#include "common/hash.h"
#include "tests/support/test.h"
#include "worker/pg/tenant_lock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(bool good, const Error *error)
{
    if (good)
        return;
    char *text = error_format(error);
    fputs(text != NULL ? text : "out of memory\n", stderr);
    free(text);
    exit(99);
}

Reservoir *bench_reservoir_as(const char *url)
{
    Error error = {0};
    ConnectionString *secret = connection_string_new(url, &error);
    require(secret != NULL, &error);
    ReservoirOptions options = {.database = "main",
                                .url = secret,
                                .limit = 1,
                                .connect_timeout_ms = 5000,
                                .idle_timeout_ms = 600000,
                                .retire_tenants = 1000000,
                                .retire_age_ms = 3600000,
                                .clock = &SYSTEM_CLOCK};
    Reservoir *reservoir = reservoir_new(&options, &error);
    require(reservoir != NULL, &error);
    connection_string_free(secret);
    return reservoir;
}

Reservoir *bench_reservoir(Bench *bench)
{
    char *url = cluster_url(bench->cluster, "postgres");
    Reservoir *reservoir = bench_reservoir_as(url);
    free(url);
    return reservoir;
}

void bench_reservoir_free(Reservoir *reservoir)
{
    reservoir_close(reservoir);
    reservoir_free(reservoir);
}

Bench *bench_start(const char *extra_settings)
{
    Bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        abort();
    bench->cluster = cluster_start(extra_settings);
    cluster_start_bouncer(bench->cluster, 1);
    bench->admin = cluster_connect(bench->cluster, "postgres");
    bench->direct = bench_reservoir(bench);
    char *url = cluster_bouncer_url(bench->cluster, "postgres");
    bench->pooled = bench_reservoir_as(url);
    free(url);
    atomic_init(&bench->cancelled, false);
    return bench;
}

void bench_stop(Bench *bench)
{
    bench_reservoir_free(bench->direct);
    bench_reservoir_free(bench->pooled);
    PQfinish(bench->admin);
    cluster_stop(bench->cluster);
    free(bench);
}

void bundle_add(Bundle *bundle, const char *name, const char *text, int64_t when_ms)
{
    Error error = {0};
    unsigned char digest[32];
    char hash[65];
    require(sha256_bytes(text, strlen(text), digest, &error), &error);
    hex_encode(digest, sizeof digest, hash);
    Migration *items = reallocarray(bundle->items, bundle->count + 1, sizeof *items);
    if (items == NULL)
        abort();
    bundle->items = items;
    items[bundle->count++] = (Migration){
        .name = strdup(name), .hash = strdup(hash), .when_ms = when_ms, .sql = {strdup(text), strlen(text)}};
}

BenchResult bench_run(Bench *bench, OpFunction *operation, Reservoir *reservoir, const char *schema,
                      const Bundle *bundle)
{
    OpContext context = {.options = &bench->options,
                         .bundle = bundle,
                         .reservoir = reservoir,
                         .database = "main",
                         .application_name = "pgconvoy/test/0",
                         .clock = &SYSTEM_CLOCK,
                         .cancelled = &bench->cancelled,
                         .hooks = bench->hooks};
    OpTenant tenant = {
        .id = "t", .schema = schema, .attempt = 1, .recovering = bench->recovering, .plan = bench->plan};
    BenchResult ended = {0};
    operation(&context, &tenant, 1, &ended.result, &ended.outcome);
    return ended;
}

void bench_result_clear(BenchResult *result)
{
    record_clear(&TENANT_MIGRATION_RESULT, &result->result);
}

char *join_names(const TextList *list)
{
    Buffer text = {0};
    for (size_t i = 0; i < list->count; i++)
        buffer_appendf(&text, "%s%s", i > 0 ? "," : "", list->items[i]);
    return buffer_take(&text);
}

long long lock_key(const char *schema)
{
    ERROR_CLEANUP Error error = {0};
    int64_t key;
    assert_true(tenant_lock_key(schema, &key, &error));
    return (long long)key;
}
