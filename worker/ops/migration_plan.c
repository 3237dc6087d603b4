#include "worker/ops/migration_plan.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/sql.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char NO_TABLE[] = "none";

static bool read_rows(MigrationPlan *plan, Connection *connection, const char *schema,
                      const RunOptions *options, Error *error)
{
    const RunDefaults run = run_defaults(options);
    const TrackingTable *tracking = &plan->tracking;
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "SELECT pg_catalog.set_config('lock_timeout', '%lld', true); SELECT %s, %s FROM ",
                   (long long)run.lock_timeout_ms, tracking_identifier_column(tracking->format),
                   tracking_time_expression(tracking));
    sql_append_qualified(&sql, schema, run.migrations_table);
    buffer_append_text(&sql, " ORDER BY id");
    if (buffer_failed(&sql))
        return error_memory(error);
    if (!connection_exec(connection, buffer_text(&sql), &plan->rows, error))
        return false;
    const RecordedRows rows = migration_plan_rows(plan);
    recorded_count(plan->recorded, &rows);
    return true;
}

RecordedRows migration_plan_rows(const MigrationPlan *plan)
{
    return (RecordedRows){.rows = plan->rows, .count = plan->rows != NULL ? PQntuples(plan->rows) : 0};
}

bool migration_plan_find_table(MigrationPlan *plan, Connection *connection, const char *schema,
                               const RunOptions *options, Error *error)
{
    const TrackingWish wish = {options->format, options->default_format, .any_shape = plan->any_shape};
    if (!tracking_find(connection, schema, run_defaults(options).migrations_table, &wish, &plan->tracking,
                       error))
        return false;
    plan->create = !plan->tracking.exists;
    return true;
}

bool migration_plan_read(MigrationPlan *plan, Connection *connection, const char *schema,
                         const RunOptions *options, const Bundle *bundle, Error *error)
{
    if (plan->recorded == NULL && (plan->recorded = recorded_index_new(bundle, error)) == NULL)
        return false;
    PQclear(plan->rows);
    plan->rows = NULL;
    if (!migration_plan_find_table(plan, connection, schema, options, error))
        return false;
    recorded_begin(plan->recorded, plan->tracking.format);
    return plan->create || read_rows(plan, connection, schema, options, error);
}

/* How many of the bundle's first items are recorded, when none of the others is; else false. */
static bool count_first(const RecordedIndex *recorded, const Bundle *bundle, size_t *ret_first)
{
    size_t first = 0;
    while (first < bundle->count && recorded_has(recorded, first))
        first++;
    for (size_t i = 0; i < bundle->count; i++)
        if (recorded_changed(recorded, i) || (i > first && recorded_has(recorded, i)))
            return false;
    *ret_first = first;
    return true;
}

char *migration_plan_word(const TrackingTable *table, const RecordedIndex *recorded, const Bundle *bundle)
{
    TrackingTable ours = {0};
    const char *format = tracking_format_name(table->format);
    if (format != NULL)
        tracking_new(table->format, &ours);
    bool usual = strcmp(table->time_column, ours.time_column) == 0 && table->time_bigint == ours.time_bigint;
    size_t first;
    char *word = NULL;
    if (!usual || bundle == NULL || !count_first(recorded, bundle, &first) ||
        asprintf(&word, "%s %zu", format != NULL ? format : NO_TABLE, first) < 0)
        return NULL;
    return word;
}

/* As if a table had been read that holds the bundle's first items. */
static bool pretend_rows(MigrationPlan *plan, const Bundle *bundle, size_t first)
{
    ERROR_CLEANUP Error error = {0};
    if (plan->recorded == NULL && (plan->recorded = recorded_index_new(bundle, &error)) == NULL)
        return false;
    recorded_begin(plan->recorded, plan->tracking.format);
    bool by_name = plan->tracking.format == TRACKING_NAME;
    for (size_t i = 0; i < first; i++)
        recorded_row(plan->recorded, by_name ? bundle->items[i].name : bundle->items[i].hash, 0);
    return true;
}

bool migration_plan_follow(MigrationPlan *plan, const char *word, const RunOptions *options,
                           const Bundle *bundle)
{
    ERROR_CLEANUP Error error = {0};
    char name[16];
    size_t first;
    int length = 0;
    TrackingFormat format;
    if (sscanf(word, "%15s %zu%n", name, &first, &length) != 2 || word[length] != '\0' ||
        first > bundle->count)
        return false;
    bool create = strcmp(name, NO_TABLE) == 0;
    const TrackingWish wish = {options->format, options->default_format, .any_shape = false};
    if (create && (first > 0 || !tracking_resolve(NULL, 0, &wish, &plan->tracking, &error)))
        return false;
    if (!create) {
        if (!tracking_format_from_name(name, &format))
            return false;
        tracking_new(format, &plan->tracking);
    }
    plan->create = create;
    return pretend_rows(plan, bundle, first);
}

void migration_plan_clear(MigrationPlan *plan)
{
    recorded_index_free(plan->recorded);
    PQclear(plan->rows);
    *plan = (MigrationPlan){0};
}

bool migration_plan_is_pending(const MigrationPlan *plan, size_t item)
{
    return !recorded_has(plan->recorded, item) && !recorded_changed(plan->recorded, item);
}
