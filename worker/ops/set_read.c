#include "worker/ops/set_read.h"
#include "common/buffer.h"
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/ops/status_query.h"
#include "worker/pg/copy_text.h"
#include <stdlib.h>
#include <string.h>

/* So many reads wear a connection as much as one tenant's migration: 4 kB of the backend's memory each, where
 * a migration leaves 20 to 80. */
enum { READS_PER_TENANT = 10 };

/* One set read in progress. */
typedef struct Reader {
    const SetRead *read;
    StatusTenant *found; /* by the job's order */
    RecordedIndex *index;
} Reader;

/* The tenants of one message: positions in the job. */
typedef struct Chunk {
    Reader *reader;
    const size_t *members;
    size_t count;
    bool second_look; /* at their columns */
    PGresult *rows;   /* of their columns; or (identifier, time) of all their tables, ... */
    int *row_counts;  /* ... so many of each */
    bool memory_gone;
    size_t read; /* so many tables before the message ended or failed */
} Chunk;

static void chunk_clear(Chunk *chunk)
{
    PQclear(chunk->rows);
    free(chunk->row_counts);
    chunk->rows = NULL;
    chunk->row_counts = NULL;
}

static void fail_tenant(const Reader *reader, size_t at, const Error *error)
{
    reader->read->take_error(reader->read->host, at, error);
}

static void fail_chunk(const Chunk *chunk, const Error *error)
{
    for (size_t i = 0; i < chunk->count; i++)
        fail_tenant(chunk->reader, chunk->members[i], error);
}

static void give_rows(Reader *reader, size_t at, RecordedRows part)
{
    ERROR_CLEANUP Error error = {0};
    const TrackingTable *table = &reader->found[at].table;
    SetRows rows = {.table = table, .recorded = reader->index, .rows = part};
    recorded_begin(reader->index, table->format);
    recorded_count(reader->index, &part);
    if (!reader->read->take_rows(reader->read->host, at, &rows) && !error_memory(&error))
        fail_tenant(reader, at, &error);
}

/* Gives the tables that were read. */
static void give_read(const Chunk *chunk)
{
    RecordedRows part = {.rows = chunk->rows};
    for (size_t i = 0; i < chunk->read; i++) {
        part.count = chunk->row_counts[i];
        give_rows(chunk->reader, chunk->members[i], part);
        part.first += part.count;
    }
}

static bool columns_step(Connection *connection, void *state, Error *error)
{
    Chunk *chunk = state;
    BUFFER_CLEANUP Buffer sql = {0};
    status_append_columns(&sql, chunk->reader->read->context->options, chunk->reader->found, chunk->members,
                          chunk->count);
    PQclear(chunk->rows);
    chunk->rows = NULL;
    if (buffer_failed(&sql))
        return error_memory(error);
    return connection_exec(connection, buffer_text(&sql), &chunk->rows, error);
}

static StatusQuery rows_query(const Chunk *chunk)
{
    return (StatusQuery){.options = chunk->reader->read->context->options,
                         .tenants = chunk->reader->found,
                         .members = chunk->members,
                         .count = chunk->count,
                         .in_order = chunk->reader->read->in_order};
}

static void take_row(void *context, size_t member, char *row, size_t length)
{
    enum { IDENTIFIER, TIME, FIELDS };
    Chunk *chunk = context;
    char *fields[FIELDS] = {0};
    int place = PQntuples(chunk->rows);
    copy_text_cut(row, length, fields, FIELDS);
    for (int i = 0; i < FIELDS; i++)
        if (PQsetvalue(chunk->rows, place, i, fields[i], fields[i] != NULL ? (int)strlen(fields[i]) : -1) ==
            0)
            chunk->memory_gone = true;
    chunk->row_counts[member]++;
}

/* Empties the chunk for another attempt. */
static bool make_room(Chunk *chunk, Error *error)
{
    static PGresAttDesc columns[] = {{.name = (char *)"identifier"}, {.name = (char *)"time"}};
    chunk_clear(chunk);
    chunk->row_counts = calloc(chunk->count, sizeof *chunk->row_counts);
    chunk->rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    chunk->memory_gone =
        chunk->row_counts == NULL || chunk->rows == NULL || PQsetResultAttrs(chunk->rows, 2, columns) == 0;
    return !chunk->memory_gone || error_memory(error);
}

static bool rows_step(Connection *connection, void *state, Error *error)
{
    Chunk *chunk = state;
    BUFFER_CLEANUP Buffer sql = {0};
    const StatusQuery query = rows_query(chunk);
    CopyReader reader = {.take_row = take_row, .context = chunk};
    status_append_rows(&sql, &query);
    if (!make_room(chunk, error))
        return false;
    if (buffer_failed(&sql))
        return error_memory(error);
    bool good = connection_copy_out(connection, buffer_text(&sql), &reader, error);
    chunk->read = reader.done;
    return chunk->memory_gone ? error_memory(error) : good;
}

static void read_rows(Chunk *chunk);

static void read_chunk(Reader *reader, size_t *members, size_t count, bool second_look);

/* The columns are not those that were found, or it is a view now: the table may have been converted or
 * replaced since. */
static bool is_outdated(const Chunk *chunk, const Error *error)
{
    static const char *const STATES[] = {"42703", "42804", "42809"};
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++)
        if (strcmp(error->sqlstate, STATES[i]) == 0)
            return !chunk->second_look;
    return false;
}

static void fail_member(const Chunk *chunk, size_t at, const Error *error)
{
    size_t member = chunk->members[at];
    if (is_outdated(chunk, error))
        read_chunk(chunk->reader, &member, 1, true);
    else
        fail_tenant(chunk->reader, member, error);
}

static void read_part(const Chunk *whole, size_t from, size_t count)
{
    Chunk part = {.reader = whole->reader,
                  .members = whole->members + from,
                  .count = count,
                  .second_look = whole->second_look};
    if (count > 0)
        read_rows(&part);
}

/* The first table that was not read is the one that the server stumbled over. */
static void narrow_down(const Chunk *chunk, const Error *error)
{
    give_read(chunk);
    if (chunk->read == chunk->count)
        return;
    fail_member(chunk, chunk->read, error);
    read_part(chunk, chunk->read + 1, chunk->count - chunk->read - 1);
}

static void read_rows(Chunk *chunk)
{
    ERROR_CLEANUP Error error = {0};
    int64_t served = ((int64_t)chunk->count + READS_PER_TENANT - 1) / READS_PER_TENANT;
    if (op_attempt(chunk->reader->read->context, rows_step, chunk, served, &error))
        give_read(chunk);
    else if (error.code == ERROR_SERVER)
        narrow_down(chunk, &error);
    else
        fail_chunk(chunk, &error);
    chunk_clear(chunk);
}

/* Sorts out the tenants that need no second query; the others are moved to the front of `members`. */
static size_t keep_readable(Reader *reader, size_t *members, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        StatusTenant *found = &reader->found[members[i]];
        if (found->error.code != ERROR_NONE)
            fail_tenant(reader, members[i], &found->error);
        else if (found->table.format == TRACKING_NONE)
            give_rows(reader, members[i], (RecordedRows){0});
        else
            members[kept++] = members[i];
    }
    return kept;
}

static void read_chunk(Reader *reader, size_t *members, size_t count, bool second_look)
{
    ERROR_CLEANUP Error error = {0};
    const OpContext *context = reader->read->context;
    Chunk chunk = {.reader = reader, .members = members, .count = count};
    bool good = op_attempt(context, columns_step, &chunk, 0, &error);
    if (good)
        status_read_columns(chunk.rows, context->options, reader->found, members, count);
    else
        fail_chunk(&chunk, &error);
    chunk_clear(&chunk);
    if (good)
        read_part(&(Chunk){.reader = reader, .members = members, .second_look = second_look}, 0,
                  keep_readable(reader, members, count));
}

static void read_tenants(Reader *reader, size_t *members)
{
    size_t usable = 0;
    for (size_t i = 0; i < reader->read->count; i++) {
        ERROR_CLEANUP Error error = {0};
        reader->found[i].schema = reader->read->tenants[i].schema;
        if (op_schema_check(reader->read->context->options, reader->read->tenants[i].schema, &error))
            members[usable++] = i;
        else
            fail_tenant(reader, i, &error);
    }
    for (size_t from = 0; from < usable; from += STATUS_AT_ONCE)
        read_chunk(reader, members + from, usable - from < STATUS_AT_ONCE ? usable - from : STATUS_AT_ONCE,
                   false);
}

void set_read(const SetRead *read)
{
    ERROR_CLEANUP Error error = {0};
    Reader reader = {.read = read};
    size_t *members = calloc(read->count + 1, sizeof *members);
    reader.found = calloc(read->count + 1, sizeof *reader.found);
    reader.index = recorded_index_new(read->context->bundle, &error);
    if (members != NULL && reader.found != NULL && reader.index != NULL)
        read_tenants(&reader, members);
    else
        for (size_t i = 0; i < read->count && !error_memory(&error); i++)
            fail_tenant(&reader, i, &error);
    for (size_t i = 0; reader.found != NULL && i < read->count; i++)
        error_clear(&reader.found[i].error);
    recorded_index_free(reader.index);
    free(reader.found);
    free(members);
}
