/* digest: one number for each tenant's schema, computed by the server for many tenants in one query. */
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/ops/schema_sql.h"
#include <stdlib.h>
#include <string.h>

typedef struct Digests {
    const OpContext *context;
    const OpTenant *tenants;
    TenantDigest *results;
    Outcome *outcomes;
} Digests;

/* The tenants of one message: positions in the job. */
typedef struct Chunk {
    const Digests *digests;
    const size_t *members;
    size_t count;
    void (*append)(Buffer *, const RunOptions *, int, const char *const *, size_t);
    PGresult *rows;
} Chunk;

static void fail_tenant(const Digests *digests, size_t at, const Error *error)
{
    TenantDigest *result = &digests->results[at];
    free(result->error);
    free(result->sqlstate);
    result->error = strdup(error->message != NULL ? error->message : "");
    result->sqlstate = error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL;
    digests->outcomes[at] = op_outcome(error);
    if (error->code == ERROR_NO_SCHEMA && result->outcome == NULL)
        result->outcome = strdup(outcome_name(OUTCOME_NO_SCHEMA));
}

static void fail_chunk(const Chunk *chunk, const Error *error)
{
    for (size_t i = 0; i < chunk->count; i++)
        fail_tenant(chunk->digests, chunk->members[i], error);
}

static bool chunk_step(Connection *connection, void *state, Error *error)
{
    Chunk *chunk = state;
    BUFFER_CLEANUP Buffer sql = {0};
    const char **schemas = calloc(chunk->count + 1, sizeof *schemas);
    if (schemas == NULL)
        return error_memory(error);
    for (size_t i = 0; i < chunk->count; i++)
        schemas[i] = chunk->digests->tenants[chunk->members[i]].schema;
    chunk->append(&sql, chunk->digests->context->options, connection_server_version(connection), schemas,
                  chunk->count);
    free(schemas);
    PQclear(chunk->rows);
    chunk->rows = NULL;
    if (buffer_failed(&sql))
        return error_memory(error);
    return connection_exec(connection, buffer_text(&sql), &chunk->rows, error);
}

/* Columns: place, exists, "digest tables". */
static bool read_row(const Digests *digests, size_t at, const PGresult *rows, int row, Error *error)
{
    TenantDigest *result = &digests->results[at];
    if (!schema_row_check(rows, row, digests->tenants[at].schema, error))
        return false;
    const char *answer = PQgetvalue(rows, row, 2), *space = strchr(answer, ' ');
    if (space == NULL)
        return error_set(error, ERROR_SERVER, "the server gave no digest");
    result->digest = strndup(answer, (size_t)(space - answer));
    result->tables = strtoll(space + 1, NULL, 10);
    digests->outcomes[at] = OUTCOME_ALREADY;
    return result->digest != NULL || error_memory(error);
}

static void read_rows(const Chunk *chunk)
{
    for (int row = 0; row < PQntuples(chunk->rows); row++) {
        ERROR_CLEANUP Error error = {0};
        size_t place = strtoull(PQgetvalue(chunk->rows, row, 0), NULL, 10);
        if (place < chunk->count &&
            !read_row(chunk->digests, chunk->members[place], chunk->rows, row, &error))
            fail_tenant(chunk->digests, chunk->members[place], &error);
    }
}

static void digest_chunk(const Digests *digests, size_t *members, size_t count);

/* Moves the members whose relations somebody has locked to the end and returns how many are left in front;
 * `count` when that cannot be learned. */
static size_t part_locked(const Digests *digests, size_t *members, size_t count)
{
    ERROR_CLEANUP Error error = {0};
    Chunk chunk = {.digests = digests, .members = members, .count = count, .append = schema_append_locked};
    if (!op_attempt(digests->context, chunk_step, &chunk, 0, &error))
        return count;
    for (int row = PQntuples(chunk.rows) - 1; row >= 0; row--) { /* places are in order */
        size_t place = strtoull(PQgetvalue(chunk.rows, row, 0), NULL, 10);
        if (place >= count)
            continue;
        size_t locked = members[place];
        members[place] = members[--count];
        members[count] = locked;
    }
    PQclear(chunk.rows);
    return count;
}

/* One tenant's lock or trouble is not the others': those that are known to be locked go alone, and whatever
 * else it is, halving finds it. */
static void narrow_down(const Digests *digests, size_t *members, size_t count, const Error *error)
{
    size_t free_ones = strcmp(error->sqlstate, "55P03") == 0 ? part_locked(digests, members, count) : count;
    if (free_ones == count) {
        digest_chunk(digests, members, count / 2);
        digest_chunk(digests, members + count / 2, count - count / 2);
        return;
    }
    digest_chunk(digests, members, free_ones);
    for (size_t i = free_ones; i < count; i++)
        digest_chunk(digests, members + i, 1);
}

static void digest_chunk(const Digests *digests, size_t *members, size_t count)
{
    ERROR_CLEANUP Error error = {0};
    Chunk chunk = {.digests = digests, .members = members, .count = count, .append = schema_append_digests};
    if (count == 0)
        return;
    if (op_attempt(digests->context, chunk_step, &chunk, (int64_t)count, &error))
        read_rows(&chunk);
    else if (error.code == ERROR_SERVER && count > 1)
        narrow_down(digests, members, count, &error);
    else
        fail_chunk(&chunk, &error);
    PQclear(chunk.rows);
}

void op_digest(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
               Outcome *ret_outcomes)
{
    Digests digests = {context, tenants, ret_results, ret_outcomes};
    size_t *members = calloc(count + 1, sizeof *members);
    size_t usable = 0;
    for (size_t i = 0; i < count; i++) {
        ERROR_CLEANUP Error error = {0};
        digests.results[i].tenant_id = strdup(tenants[i].id);
        digests.results[i].schema_name = strdup(tenants[i].schema);
        if (members == NULL ? error_memory(&error) : schema_name_check(tenants[i].schema, &error))
            members[usable++] = i;
        else
            fail_tenant(&digests, i, &error);
    }
    for (size_t from = 0; from < usable; from += SCHEMA_DIGEST_AT_ONCE)
        digest_chunk(&digests, members + from,
                     usable - from < SCHEMA_DIGEST_AT_ONCE ? usable - from : SCHEMA_DIGEST_AT_ONCE);
    free(members);
}
