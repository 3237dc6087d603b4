#include "worker/ops/migration_plan.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/sql.h"
#include <stdlib.h>
#include <string.h>

/* A failed allocation leaves hh.tbl NULL instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* How often an identifier stands in the tracking table. */
typedef struct Recorded {
    const char *identifier; /* the result's */
    int64_t rows;
    UT_hash_handle hh;
} Recorded;

typedef struct Ledger {
    PGresult *rows;
    Recorded *entries, *table;
} Ledger;

static void ledger_clear(Ledger *ledger)
{
    HASH_CLEAR(hh, ledger->table);
    free(ledger->entries);
    PQclear(ledger->rows);
}

static Recorded *ledger_find(const Ledger *ledger, const char *identifier)
{
    Recorded *found;
    HASH_FIND_STR(ledger->table, identifier, found);
    return found;
}

static bool ledger_index(Ledger *ledger, Error *error)
{
    int count = PQntuples(ledger->rows);
    ledger->entries = calloc((size_t)count + 1, sizeof *ledger->entries);
    if (ledger->entries == NULL)
        return error_memory(error);
    for (int i = 0; i < count; i++) {
        const char *identifier = PQgetvalue(ledger->rows, i, 0);
        Recorded *entry = ledger_find(ledger, identifier);
        if (entry != NULL) {
            entry->rows++;
            continue;
        }
        entry = &ledger->entries[i];
        *entry = (Recorded){.identifier = identifier, .rows = 1};
        HASH_ADD_KEYPTR(hh, ledger->table, identifier, strlen(identifier), entry);
        if (entry->hh.tbl == NULL)
            return error_memory(error);
    }
    return true;
}

static bool ledger_read(Ledger *ledger, Connection *connection, const TrackingTable *tracking,
                        const char *schema, const RunOptions *options, Error *error)
{
    const RunDefaults run = run_defaults(options);
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "SELECT pg_catalog.set_config('lock_timeout', '%lld', true); SELECT %s, %s FROM ",
                   (long long)run.lock_timeout_ms, tracking_identifier_column(tracking->format),
                   tracking->time_column);
    sql_append_qualified(&sql, schema, run.migrations_table);
    if (buffer_failed(&sql))
        return error_memory(error);
    return connection_exec(connection, buffer_text(&sql), &ledger->rows, error) &&
           ledger_index(ledger, error);
}

static bool is_recorded(const Ledger *ledger, TrackingFormat format, const Bundle *bundle, size_t index)
{
    const Migration *migration = &bundle->items[index];
    if (ledger_find(ledger, migration->name) != NULL)
        return true;
    if (format == TRACKING_NAME)
        return false;
    const Recorded *content = ledger_find(ledger, migration->hash);
    return content != NULL && content->rows >= tracking_ordinal(bundle, index);
}

static bool holds_hash(const Bundle *bundle, const char *hash)
{
    for (size_t i = 0; i < bundle->count; i++)
        if (strcmp(bundle->items[i].hash, hash) == 0)
            return true;
    return false;
}

/* A row at the journal's time of this file, whose content is none of the bundle's. */
static bool is_changed(const Ledger *ledger, TrackingFormat format, const Bundle *bundle, size_t index)
{
    int64_t when_ms = bundle->items[index].when_ms;
    if (format != TRACKING_DRIZZLE_KIT || when_ms <= 0)
        return false;
    for (int i = 0; i < PQntuples(ledger->rows); i++)
        if (!PQgetisnull(ledger->rows, i, 1) &&
            strtoll(PQgetvalue(ledger->rows, i, 1), NULL, 10) == when_ms &&
            !holds_hash(bundle, PQgetvalue(ledger->rows, i, 0)))
            return true;
    return false;
}

bool migration_plan_find_table(MigrationPlan *plan, Connection *connection, const char *schema,
                               const RunOptions *options, Error *error)
{
    const RunDefaults run = run_defaults(options);
    TrackingTable found;
    if (!tracking_find(connection, schema, run.migrations_table, &found, error) ||
        !tracking_choose(&found, options->format, options->default_format, &plan->tracking, error))
        return false;
    plan->create = found.format == TRACKING_NONE;
    return true;
}

bool migration_plan_read(MigrationPlan *plan, Connection *connection, const char *schema,
                         const RunOptions *options, const Bundle *bundle, Error *error)
{
    migration_plan_clear(plan);
    if (!migration_plan_find_table(plan, connection, schema, options, error))
        return false;
    plan->applied = calloc(bundle->count + 1, sizeof *plan->applied);
    plan->changed = calloc(bundle->count + 1, sizeof *plan->changed);
    if (plan->applied == NULL || plan->changed == NULL)
        return error_memory(error);
    if (plan->create)
        return true;
    Ledger ledger __attribute__((cleanup(ledger_clear))) = {0};
    if (!ledger_read(&ledger, connection, &plan->tracking, schema, options, error))
        return false;
    for (size_t i = 0; i < bundle->count; i++) {
        bool recorded = is_recorded(&ledger, plan->tracking.format, bundle, i);
        plan->changed[i] = !recorded && is_changed(&ledger, plan->tracking.format, bundle, i);
        plan->applied[i] = recorded || plan->changed[i];
    }
    return true;
}

void migration_plan_clear(MigrationPlan *plan)
{
    free(plan->applied);
    free(plan->changed);
    *plan = (MigrationPlan){0};
}
