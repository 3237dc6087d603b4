/* status: what is applied and pending, for many tenants with two round trips instead of several for each.
 *
 * One message tells which schemas and tracking tables exist and what columns they have, the next reads all
 * tables. Whatever spoils a read for everybody, a lock or a missing right, is narrowed down to the tenants
 * that it belongs to. Nothing is written and no statement's cost depends on how many tenants there are
 * elsewhere.
 */
#include "common/buffer.h"
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/ops/recorded.h"
#include "worker/ops/status_query.h"
#include <stdlib.h>
#include <string.h>

typedef struct Status {
    const OpContext *context;
    const OpTenant *tenants;
    TenantMigrationStatus *results;
    Outcome *outcomes;
    StatusTenant *found; /* by the job's order, as are the three above */
    RecordedIndex *index;
} Status;

/* The tenants of one message: positions in the job. */
typedef struct Chunk {
    Status *status;
    const size_t *members;
    size_t count;
    PGresult *rows;
    int64_t position; /* of the error in the message that failed */
} Chunk;

static void fail_tenant(Status *status, size_t at, const Error *error)
{
    TenantMigrationStatus *result = &status->results[at];
    free(result->error);
    free(result->sqlstate);
    result->error = strdup(error->message != NULL ? error->message : "");
    result->sqlstate = error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL;
    status->outcomes[at] = op_outcome(error);
    if (error->code == ERROR_NO_SCHEMA && result->outcome == NULL)
        result->outcome = strdup(outcome_name(OUTCOME_NO_SCHEMA));
}

static void fail_chunk(const Chunk *chunk, const Error *error)
{
    for (size_t i = 0; i < chunk->count; i++)
        fail_tenant(chunk->status, chunk->members[i], error);
}

/* Everything of a result that depends on the recorded migrations. */
static bool fill_result(Status *status, size_t at, int64_t rows)
{
    TenantMigrationStatus *result = &status->results[at];
    const Bundle *bundle = status->context->bundle;
    result->applied_count = rows;
    for (size_t i = 0; bundle != NULL && i < bundle->count; i++) {
        TextList *list = recorded_changed(status->index, i) ? &result->changed
                         : recorded_has(status->index, i)   ? NULL
                                                            : &result->pending_migrations;
        if (list != NULL && !text_list_add(list, bundle->items[i].name))
            return false;
    }
    result->pending_count = (int64_t)result->pending_migrations.count;
    return true;
}

/* Counts one tenant's rows, which begin at *row, and moves *row behind them. */
static bool count_rows(Status *status, size_t at, size_t ordinal, const PGresult *rows, int *row)
{
    const TrackingTable *table = &status->found[at].table;
    int64_t count = 0;
    recorded_begin(status->index, table->format);
    for (; *row < PQntuples(rows) && strtoull(PQgetvalue(rows, *row, 0), NULL, 10) == ordinal;
         ++*row, count++) {
        const char *identifier = PQgetisnull(rows, *row, 1) ? NULL : PQgetvalue(rows, *row, 1);
        recorded_row(status->index, identifier, strtoll(PQgetvalue(rows, *row, 2), NULL, 10));
    }
    return fill_result(status, at, count);
}

static void fill_chunk(const Chunk *chunk)
{
    int row = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        if (count_rows(chunk->status, chunk->members[i], i, chunk->rows, &row))
            continue;
        ERROR_CLEANUP Error error = {0};
        error_memory(&error);
        fail_tenant(chunk->status, chunk->members[i], &error);
    }
}

static bool run_message(Connection *connection, Chunk *chunk, Buffer *sql, Error *error)
{
    PQclear(chunk->rows);
    chunk->rows = NULL;
    if (buffer_failed(sql))
        return error_memory(error);
    bool good = connection_exec(connection, buffer_text(sql), &chunk->rows, error);
    chunk->position = good ? 0 : result_position(connection_failure(connection));
    return good;
}

static bool columns_step(Connection *connection, void *state, Error *error)
{
    Chunk *chunk = state;
    BUFFER_CLEANUP Buffer sql = {0};
    status_append_columns(&sql, chunk->status->context->options, chunk->status->found, chunk->members,
                          chunk->count);
    return run_message(connection, chunk, &sql, error);
}

static bool rows_step(Connection *connection, void *state, Error *error)
{
    Chunk *chunk = state;
    BUFFER_CLEANUP Buffer sql = {0};
    status_append_rows(&sql, chunk->status->context->options, chunk->status->found, chunk->members,
                       chunk->count);
    return run_message(connection, chunk, &sql, error);
}

static void read_rows(Chunk *chunk);

static void read_part(const Chunk *whole, size_t from, size_t count)
{
    Chunk part = {.status = whole->status, .members = whole->members + from, .count = count};
    if (count > 0)
        read_rows(&part);
}

/* The server's error position names the tenant that it stumbled over, for locks and missing objects; rights
 * are checked later, without a position, but also without waiting: halving finds those. */
static void narrow_down(const Chunk *chunk, const Error *error)
{
    size_t culprit;
    if (chunk->count == 1) {
        fail_chunk(chunk, error);
    } else if (status_tenant_at(chunk->status->context->options, chunk->status->found, chunk->members,
                                chunk->count, chunk->position, &culprit)) {
        fail_tenant(chunk->status, chunk->members[culprit], error);
        read_part(chunk, 0, culprit);
        read_part(chunk, culprit + 1, chunk->count - culprit - 1);
    } else {
        read_part(chunk, 0, chunk->count / 2);
        read_part(chunk, chunk->count / 2, chunk->count - chunk->count / 2);
    }
}

static void read_rows(Chunk *chunk)
{
    ERROR_CLEANUP Error error = {0};
    if (op_attempt(chunk->status->context, rows_step, chunk, (int64_t)chunk->count, &error))
        fill_chunk(chunk);
    else if (error.code == ERROR_SERVER)
        narrow_down(chunk, &error);
    else
        fail_chunk(chunk, &error);
    PQclear(chunk->rows);
    chunk->rows = NULL;
}

/* Sorts out the tenants that need no second query; the others are moved to the front of `members`. */
static size_t keep_readable(Status *status, size_t *members, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        StatusTenant *found = &status->found[members[i]];
        if (found->error.code != ERROR_NONE) {
            fail_tenant(status, members[i], &found->error);
        } else if (found->table.format == TRACKING_NONE) {
            ERROR_CLEANUP Error error = {0};
            recorded_begin(status->index, TRACKING_NONE);
            if (!fill_result(status, members[i], 0) && !error_memory(&error))
                fail_tenant(status, members[i], &error);
        } else {
            members[kept++] = members[i];
        }
    }
    return kept;
}

static void read_chunk(Status *status, size_t *members, size_t count)
{
    ERROR_CLEANUP Error error = {0};
    Chunk chunk = {.status = status, .members = members, .count = count};
    bool good = op_attempt(status->context, columns_step, &chunk, 0, &error);
    if (good)
        status_read_columns(chunk.rows, status->context->options, status->found, members, count);
    else
        fail_chunk(&chunk, &error);
    PQclear(chunk.rows);
    if (!good)
        return;
    size_t readable = keep_readable(status, members, count);
    for (size_t from = 0; from < readable; from += STATUS_READ_AT_ONCE) {
        size_t left = readable - from;
        read_part(&(Chunk){.status = status, .members = members}, from,
                  left < STATUS_READ_AT_ONCE ? left : STATUS_READ_AT_ONCE);
    }
}

static void read_tenants(Status *status, size_t *members, size_t count)
{
    size_t usable = 0;
    for (size_t i = 0; i < count; i++) {
        ERROR_CLEANUP Error error = {0};
        status->found[i].schema = status->tenants[i].schema;
        if (schema_name_check(status->tenants[i].schema, &error))
            members[usable++] = i;
        else
            fail_tenant(status, i, &error);
    }
    for (size_t from = 0; from < usable; from += STATUS_FIND_AT_ONCE)
        read_chunk(status, members + from,
                   usable - from < STATUS_FIND_AT_ONCE ? usable - from : STATUS_FIND_AT_ONCE);
}

/* The contract's words, last: a tenant with an error shows nothing else. */
static void finish_result(Status *status, size_t at)
{
    TenantMigrationStatus *result = &status->results[at];
    const char *word = "error";
    if (result->error == NULL) {
        const char *format = tracking_format_name(status->found[at].table.format);
        word = result->pending_count > 0 ? "behind" : "ok";
        result->format = format != NULL ? strdup(format) : NULL;
        status->outcomes[at] = OUTCOME_ALREADY;
    } else {
        result->applied_count = result->pending_count = 0;
        text_list_clear(&result->pending_migrations);
        text_list_clear(&result->changed);
    }
    result->tenant_id = strdup(status->tenants[at].id);
    result->schema_name = strdup(status->tenants[at].schema);
    result->status = strdup(word);
}

void op_status(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
               Outcome *ret_outcomes)
{
    ERROR_CLEANUP Error error = {0};
    Status status = {
        .context = context, .tenants = tenants, .results = ret_results, .outcomes = ret_outcomes};
    size_t *members = calloc(count + 1, sizeof *members);
    status.found = calloc(count + 1, sizeof *status.found);
    status.index = recorded_index_new(context->bundle, &error);
    if (members != NULL && status.found != NULL && status.index != NULL)
        read_tenants(&status, members, count);
    else
        for (size_t i = 0; i < count && !error_memory(&error); i++)
            fail_tenant(&status, i, &error);
    for (size_t i = 0; i < count; i++) {
        finish_result(&status, i);
        if (status.found != NULL)
            error_clear(&status.found[i].error);
    }
    recorded_index_free(status.index);
    free(status.found);
    free(members);
}
