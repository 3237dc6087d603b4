/* What the tests of sync share, beside what those of migrate do: its two results as one text each. */
#pragma once
#include "common/buffer.h"
#include "common/results_sync.h"
#include "tests/integration/migrate_support.h"

#define NAME_TABLE \
    "(id serial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, applied_at timestamptz DEFAULT now())"
#define HASH_TABLE "(id serial PRIMARY KEY, hash text, created_at timestamptz DEFAULT now())"
#define KIT_TABLE "(id serial PRIMARY KEY, hash text, created_at bigint)"

static const char *const TABLES[] = {NAME_TABLE, HASH_TABLE, KIT_TABLE};

static inline OpContext sync_context(Reservoir *reservoir, const Bundle *bundle)
{
    return (OpContext){.options = &bench->options,
                       .bundle = bundle,
                       .reservoir = reservoir,
                       .database = "main",
                       .application_name = "pgconvoy/test/0",
                       .clock = &SYSTEM_CLOCK,
                       .cancelled = &bench->cancelled};
}

static inline void append_names(Buffer *text, const char *title, const TextList *names)
{
    buffer_append_text(text, title);
    for (size_t i = 0; i < names->count; i++)
        buffer_appendf(text, "%s%s", i > 0 ? "," : "", names->items[i]);
}

/* "format missing:a,b orphans:x,y changed:c [in sync]" or "outcome: error", malloc'ed. */
static inline char *status_text(const TenantSyncStatus *status, Outcome outcome)
{
    Buffer text = {0};
    if (status->error != NULL) {
        assert_false(status->in_sync);
        assert_int_equal(status->missing.count + status->orphans.count + status->changed.count, 0);
        assert_null(status->format);
        buffer_appendf(&text, "%s: %s", outcome_name(outcome), status->error);
        return buffer_take(&text);
    }
    buffer_append_text(&text, status->format != NULL ? status->format : "null");
    append_names(&text, " missing:", &status->missing);
    append_names(&text, " orphans:", &status->orphans);
    if (status->changed.count > 0)
        append_names(&text, " changed:", &status->changed);
    buffer_append_text(&text, status->in_sync ? " in sync" : "");
    assert_int_equal(outcome, OUTCOME_ALREADY);
    return buffer_take(&text);
}

static inline void expect_status(const Bundle *bundle, const char *expected)
{
    OpContext context = sync_context(bench->pooled, bundle);
    OpTenant tenant = {.id = "id of t", .schema = "t", .attempt = 1};
    TenantSyncStatus status = {0};
    Outcome outcome;
    op_sync_status(&context, &tenant, 1, &status, &outcome);
    char *text = status_text(&status, outcome);
    assert_string_equal(text, expected);
    assert_string_equal(status.tenant_id, "id of t");
    assert_string_equal(status.schema_name, "t");
    free(text);
    record_clear(&TENANT_SYNC_STATUS, &status);
}

typedef struct Repaired {
    TenantSyncResult result;
    Outcome outcome;
} Repaired;

static inline Repaired repair(OpFunction *operation, Reservoir *reservoir, const Bundle *bundle)
{
    OpContext context = sync_context(reservoir, bundle);
    OpTenant tenant = {.id = "id of t", .schema = "t", .attempt = 1};
    Repaired repaired = {0};
    operation(&context, &tenant, 1, &repaired.result, &repaired.outcome);
    assert_string_equal(repaired.result.tenant_id, "id of t");
    assert_string_equal(repaired.result.schema_name, "t");
    assert_string_equal(repaired.result.outcome, outcome_name(repaired.outcome));
    assert_int_equal(repaired.result.success, repaired.result.error == NULL);
    assert_int_equal(repaired.result.success, outcome_state(repaired.outcome) == TENANT_SUCCEEDED);
    return repaired;
}

/* "outcome marked:a,b removed:x" or "outcome: error"; releases the result. */
static inline void expect_repaired(Repaired repaired, const char *expected)
{
    Buffer text = {0};
    buffer_append_text(&text, repaired.result.outcome);
    if (repaired.result.error != NULL) {
        buffer_appendf(&text, ": %s", repaired.result.error);
        assert_int_equal(repaired.result.marked_migrations.count + repaired.result.removed_orphans.count, 0);
    } else {
        append_names(&text, " marked:", &repaired.result.marked_migrations);
        append_names(&text, " removed:", &repaired.result.removed_orphans);
    }
    assert_string_equal(buffer_text(&text), expected);
    buffer_clear(&text);
    record_clear(&TENANT_SYNC_RESULT, &repaired.result);
}

static inline void expect_marked(const Bundle *bundle, const char *expected)
{
    expect_repaired(repair(op_mark_missing, bench->pooled, bundle), expected);
}

static inline void expect_cleaned(const Bundle *bundle, const char *expected)
{
    expect_repaired(repair(op_clean_orphans, bench->pooled, bundle), expected);
}

/* A repair in a thread of its own, on connections of its own. */
typedef struct Repairer {
    pthread_t thread;
    OpFunction *operation;
    const Bundle *bundle;
    Reservoir *reservoir;
    Repaired repaired;
} Repairer;

static inline void *repair_thread(void *argument)
{
    Repairer *repairer = argument;
    repairer->repaired = repair(repairer->operation, repairer->reservoir, repairer->bundle);
    return NULL;
}

static inline void repairer_start(Repairer *repairer, OpFunction *operation, const Bundle *bundle)
{
    *repairer = (Repairer){.operation = operation, .bundle = bundle, .reservoir = bench_reservoir(bench)};
    assert_int_equal(pthread_create(&repairer->thread, NULL, repair_thread, repairer), 0);
}

static inline void repairer_join(Repairer *repairer)
{
    pthread_join(repairer->thread, NULL);
    bench_reservoir_free(repairer->reservoir);
}
