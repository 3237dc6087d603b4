/* A migration's message without a block. Nothing in it can be left early, so whatever is not as it was
 * planned is an error of the server's, before the script has begun. */
#include "worker/ops/migration_block_internal.h"
#include "worker/pg/session.h"
#include <string.h>

/* A condition or an error; the words are for the server's log. */
static void append_demand(BlockBuilder *builder, Buffer *sql, const char *condition, const char *otherwise)
{
    buffer_appendf(sql, "SELECT (CASE WHEN %s THEN '1' ELSE 'pgconvoy: %s' END)::pg_catalog.int4;\n",
                   condition, otherwise);
    builder->block->lead++;
}

static void append_lock(BlockBuilder *builder, Buffer *sql)
{
    char condition[96];
    snprintf(condition, sizeof condition, "pg_catalog.pg_try_advisory_xact_lock(%lld)",
             (long long)builder->lock_key);
    append_demand(builder, sql, condition, "the lock of the tenant is held");
}

/* The second look, by a statement of its own after the lock. */
static void append_guard(BlockBuilder *builder, Buffer *sql)
{
    BUFFER_CLEANUP Buffer condition = {0};
    buffer_appendf(&condition, "pg_catalog.current_schema() = %s AND NOT ", builder->schema);
    block_append_forestalled(builder, &condition);
    append_demand(builder, sql, buffer_text(&condition), "the tenant is not as it was planned");
    sql->failed = sql->failed || condition.failed;
}

static void append_table(BlockBuilder *builder, Buffer *sql)
{
    if (!builder->request->create)
        return;
    tracking_append_create(sql, builder->request->tracking.format, builder->qualified);
    buffer_append_text(sql, ";\n");
    builder->block->lead++;
}

static void append_pieces(BlockBuilder *builder, Buffer *sql)
{
    const MigrationScript *script = builder->request->script;
    for (size_t i = 0; i < script->pieces.count; i++) {
        const ScriptPiece *piece = &script->pieces.items[i];
        builder->block->piece_offsets[i] = sql->length;
        buffer_append(sql, script->text + piece->start, piece->length);
        buffer_append_text(sql, "\n;\n");
    }
}

bool block_build_plainly(BlockBuilder *builder, Error *error)
{
    const BlockRequest *request = builder->request;
    BUFFER_CLEANUP Buffer sql = {0};
    block_append_begin(builder, &sql);
    append_lock(builder, &sql);
    append_guard(builder, &sql);
    append_table(builder, &sql);
    append_pieces(builder, &sql);
    block_append_restore(builder, &sql);
    tracking_append_insert(&sql, &request->tracking, builder->qualified, request->migration);
    buffer_appendf(&sql, ";\nCOMMIT;\n%s", SESSION_TAIL);
    return (builder->block->sql = buffer_take(&sql)) != NULL ? true : error_memory(error);
}
