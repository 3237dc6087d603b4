#include "worker/ops/migration_block_internal.h"
#include "worker/pg/session.h"
#include "worker/pg/sql.h"
#include "worker/pg/tenant_lock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A statement of a DO block costs the server about 12 kB while it runs: files of many share. */
enum { MOST_UNITS = 500 };

static const char *const OUTCOME_WORDS[BLOCK_OUTCOME_COUNT] = {
    [BLOCK_DONE] = "done",       [BLOCK_ABSENT] = "absent", [BLOCK_PRESENT] = "present",
    [BLOCK_STALE] = "stale",     [BLOCK_BUSY] = "busy",     [BLOCK_NO_SCHEMA] = "no_schema",
    [BLOCK_CHANGED] = "changed",
};

/* What each mode's message does, besides the middle of its DO block. */
static const struct {
    bool continues; /* the transaction is open, and its settings are in effect */
    bool runs;      /* the script */
} MODES[] = {
    [BLOCK_APPLY] = {.runs = true},
    [BLOCK_PLAIN] = {.runs = true},
    [BLOCK_RECORD] = {0},
    [BLOCK_PROBE] = {0},
    [BLOCK_ENSURE] = {0},
    [BLOCK_OPEN] = {0},
    [BLOCK_SEED] = {.continues = true, .runs = true},
    [BLOCK_CLOSE] = {.continues = true},
};

bool block_outcome_from_word(const char *word, BlockOutcome *ret_outcome)
{
    for (int i = 0; i < BLOCK_OUTCOME_COUNT; i++)
        if (strcmp(word, OUTCOME_WORDS[i]) == 0) {
            *ret_outcome = (BlockOutcome)i;
            return true;
        }
    return false;
}

const char *block_piece_suffix(const ScriptPiece *piece)
{
    return piece->into ? "\n;SELECT" : "";
}

size_t block_append_dollar_quoted(Buffer *out, const char *text, size_t length, const char *suffix)
{
    static const char TAG[] = "$pgc";
    enum { TAG_LENGTH = sizeof TAG - 1, MOST_DIGITS = 9 };
    long number = 0;
    const char *end = text + length;
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), TAG, TAG_LENGTH)) != NULL;) {
        at += TAG_LENGTH;
        long found = 0;
        size_t digits = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            if (++digits <= MOST_DIGITS)
                found = found * 10 + (*at - '0');
        if (digits > 0 && digits <= MOST_DIGITS && found >= number)
            number = found + 1;
    }
    buffer_appendf(out, "%s%ld$", TAG, number);
    size_t start = out->length;
    buffer_append(out, text, length);
    buffer_appendf(out, "%s%s%ld$", suffix, TAG, number);
    return start;
}

void block_append_literal(Buffer *sql, const char *text)
{
    block_append_dollar_quoted(sql, text, strlen(text), "");
}

/* Leaves the block with an outcome when a condition holds. */
static void append_leave_if(BlockBuilder *builder, BlockOutcome outcome, const char *condition)
{
    buffer_appendf(&builder->body,
                   "IF %s THEN\n  PERFORM pg_catalog.set_config('pgconvoy.outcome', '%s', true);\n  "
                   "RETURN;\nEND IF;\n",
                   condition, OUTCOME_WORDS[outcome]);
}

static void append_lock(BlockBuilder *builder)
{
    char condition[96];
    snprintf(condition, sizeof condition, "NOT pg_catalog.pg_try_advisory_xact_lock(%lld)",
             (long long)builder->lock_key);
    append_leave_if(builder, BLOCK_BUSY, condition);
}

/* A schema that is not in effect would let everything fall through to public. */
static void append_schema_check(BlockBuilder *builder)
{
    BUFFER_CLEANUP Buffer condition = {0}, message = {0};
    buffer_appendf(&builder->body, "IF pg_catalog.current_schema() IS DISTINCT FROM %s THEN\n",
                   builder->schema);
    buffer_appendf(&condition, "NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)",
                   builder->schema);
    append_leave_if(builder, BLOCK_NO_SCHEMA, buffer_text(&condition));
    buffer_appendf(&message, "permission denied for schema %s", builder->request->schema);
    buffer_append_text(&builder->body, "RAISE insufficient_privilege USING MESSAGE = ");
    block_append_literal(&builder->body, buffer_text(&message));
    buffer_append_text(&builder->body, ";\nEND IF;\n");
    builder->body.failed = builder->body.failed || condition.failed || message.failed;
}

void block_append_forestalled(const BlockBuilder *builder, Buffer *condition)
{
    const BlockRequest *request = builder->request;
    if (!request->create) {
        tracking_append_applied(condition, &request->tracking, builder->qualified, request->migration,
                                request->ordinal);
        return;
    }
    buffer_append_text(condition, "pg_catalog.to_regclass(");
    block_append_literal(condition, builder->qualified);
    buffer_append_text(condition, ") IS NOT NULL");
}

/* The second look, by a statement of its own after the lock. */
static void append_guard(BlockBuilder *builder)
{
    BUFFER_CLEANUP Buffer condition = {0};
    block_append_forestalled(builder, &condition);
    append_leave_if(builder, builder->request->create ? BLOCK_STALE : BLOCK_PRESENT, buffer_text(&condition));
    builder->body.failed = builder->body.failed || condition.failed;
}

static int64_t body_line(BlockBuilder *builder)
{
    const Buffer *body = &builder->body;
    for (; builder->counted < body->length; builder->counted++)
        builder->line += body->data[builder->counted] == '\n';
    return builder->line;
}

static void append_piece(BlockBuilder *builder, size_t index)
{
    const MigrationScript *script = builder->request->script;
    const ScriptPiece *piece = &script->pieces.items[index];
    builder->block->piece_offsets[index] = block_append_dollar_quoted(
        &builder->body, script->text + piece->start, piece->length, block_piece_suffix(piece));
}

static void append_unit(BlockBuilder *builder, BlockUnit *unit)
{
    Buffer *body = &builder->body;
    if (unit->piece_count == 1) {
        unit->line = body_line(builder);
        buffer_append_text(body, "EXECUTE ");
        append_piece(builder, unit->first_piece);
        buffer_append_text(body, ";\n");
        return;
    }
    buffer_append_text(body, "FOREACH pgconvoy_sql IN ARRAY ARRAY[");
    for (size_t i = 0; i < unit->piece_count; i++) {
        if (i > 0)
            buffer_append_char(body, ',');
        append_piece(builder, unit->first_piece + i);
    }
    buffer_append_text(body, "] LOOP\n");
    unit->line = body_line(builder);
    buffer_append_text(body, "EXECUTE pgconvoy_sql;\nEND LOOP;\n");
}

void block_append_restore(const BlockBuilder *builder, Buffer *sql)
{
    buffer_appendf(sql,
                   "SET CONSTRAINTS ALL IMMEDIATE;\n"
                   "SET LOCAL SESSION AUTHORIZATION DEFAULT;\n"
                   "SET LOCAL role TO DEFAULT;\n"
                   "SET LOCAL search_path TO %s;\n",
                   builder->search_path);
}

static bool append_script(BlockBuilder *builder, Error *error)
{
    const MigrationScript *script = builder->request->script;
    MigrationBlock *block = builder->block;
    size_t pieces = script->pieces.count, share = (pieces + MOST_UNITS - 1) / MOST_UNITS;
    size_t units = share > 0 ? (pieces + share - 1) / share : 0;
    block->units = calloc(units + 1, sizeof *block->units);
    if (block->units == NULL)
        return error_memory(error);
    block->unit_count = units;
    for (size_t i = 0; i < units; i++) {
        size_t first = i * share, left = pieces - first;
        block->units[i] = (BlockUnit){.first_piece = first, .piece_count = left < share ? left : share};
        append_unit(builder, &block->units[i]);
    }
    block_append_restore(builder, &builder->body);
    return true;
}

/* Looks at the tracking table, applies and records. */
static bool append_tracked(BlockBuilder *builder, Error *error)
{
    const BlockRequest *request = builder->request;
    Buffer *body = &builder->body;
    append_guard(builder);
    if (request->mode == BLOCK_PROBE) {
        append_leave_if(builder, BLOCK_ABSENT, "true");
        return true;
    }
    if (request->create) {
        tracking_append_create(body, request->tracking.format, builder->qualified);
        buffer_append_text(body, ";\n");
    }
    if (request->mode == BLOCK_APPLY && !append_script(builder, error))
        return false;
    if (request->mode != BLOCK_ENSURE) {
        tracking_append_insert(body, &request->tracking, builder->qualified, request->migration);
        buffer_append_text(body, ";\n");
    }
    return true;
}

/* The look at the state table: present with this content, or with another one. Where the table is missing
 * nothing is recorded, and the server must not see its name. */
static void append_state_guard(BlockBuilder *builder)
{
    const StateRow *state = builder->request->state;
    Buffer *body = &builder->body;
    buffer_append_text(body, "IF ");
    state_append_exists(body, builder->state);
    buffer_append_text(body, " THEN\n");
    BUFFER_CLEANUP Buffer same = {0}, any = {0};
    state_append_recorded(&same, builder->state, state, true);
    state_append_recorded(&any, builder->state, state, false);
    append_leave_if(builder, BLOCK_PRESENT, buffer_text(&same));
    append_leave_if(builder, BLOCK_CHANGED, buffer_text(&any));
    buffer_append_text(body, "END IF;\n");
    body->failed = body->failed || same.failed || any.failed;
}

static bool append_seed(BlockBuilder *builder, Error *error)
{
    const StateRow *state = builder->request->state;
    if (!append_script(builder, error))
        return false;
    if (state != NULL)
        state_append_record(&builder->body, builder->state, state);
    return true;
}

/* Whoever ended our transaction has given the tenant's lock away, and what was written before is committed or
 * gone. */
static void append_same_transaction(BlockBuilder *builder)
{
    buffer_appendf(&builder->body,
                   "IF pg_catalog.pg_current_xact_id_if_assigned() IS DISTINCT FROM '%s'::pg_catalog.xid8 "
                   "THEN\n  RAISE invalid_transaction_termination USING MESSAGE = 'the transaction was ended "
                   "by the callback that worked in it';\nEND IF;\n",
                   builder->request->xid);
}

static bool append_work(BlockBuilder *builder, Error *error)
{
    BlockMode mode = builder->request->mode;
    if (mode == BLOCK_CLOSE) {
        append_same_transaction(builder);
        return true;
    }
    append_lock(builder);
    append_schema_check(builder);
    if (mode == BLOCK_OPEN && builder->request->state != NULL)
        append_state_guard(builder);
    return mode == BLOCK_OPEN   ? true
           : mode == BLOCK_SEED ? append_seed(builder, error)
                                : append_tracked(builder, error);
}

static bool build_body(BlockBuilder *builder, Error *error)
{
    buffer_append_text(&builder->body, "DECLARE\n  pgconvoy_sql text;\nBEGIN\n");
    if (!append_work(builder, error))
        return false;
    buffer_appendf(&builder->body, "PERFORM pg_catalog.set_config('pgconvoy.outcome', '%s', true);\nEND",
                   OUTCOME_WORDS[BLOCK_DONE]);
    return true;
}

void block_append_begin(const BlockBuilder *builder, Buffer *sql)
{
    const BlockRequest *request = builder->request;
    MigrationBlock *block = builder->block;
    if (!MODES[request->mode].continues)
        block->lead = session_append_begin_write(
            sql, &(SessionSettings){.search_path = builder->search_path,
                                    .lock_timeout_ms = request->lock_timeout_ms,
                                    .statement_timeout_ms = request->statement_timeout_ms,
                                    .patient = request->patient,
                                    .server_version = request->server_version});
    block->settings = MODES[request->mode].runs ? request->script->settings.count : 0;
    block->lead += block->settings;
    for (size_t i = 0; i < block->settings; i++) {
        const ScriptPiece *setting = &request->script->settings.items[i];
        buffer_append(sql, request->script->original + setting->start, setting->length);
        buffer_append_text(sql, "\n;\n");
    }
}

/* The transaction gets its id only now, when there is something to do in it. After a crash or a failover the
 * server may give an id out again whose transaction was lost; then its statistics are new as well. */
static const char OPEN_ANSWER[] =
    ";\nSELECT pg_catalog.current_setting('pgconvoy.outcome'),\n"
    "  CASE pg_catalog.current_setting('pgconvoy.outcome') WHEN 'done'\n"
    "    THEN pg_catalog.pg_current_xact_id() END,\n"
    "  pg_catalog.concat_ws('/', extract(epoch FROM pg_catalog.pg_postmaster_start_time()),\n"
    "    (SELECT extract(epoch FROM stats_reset) FROM pg_catalog.pg_stat_archiver))";

static bool build_message(BlockBuilder *builder, Error *error)
{
    MigrationBlock *block = builder->block;
    BUFFER_CLEANUP Buffer sql = {0};
    if (!build_body(builder, error))
        return false;
    block_append_begin(builder, &sql);
    buffer_append_text(&sql, "DO ");
    size_t body = block_append_dollar_quoted(&sql, buffer_text(&builder->body), builder->body.length, "");
    if (block->mode == BLOCK_OPEN)
        buffer_append_text(&sql, OPEN_ANSWER);
    else
        buffer_appendf(&sql, ";\nSELECT pg_catalog.current_setting('pgconvoy.outcome');\nCOMMIT;\n%s",
                       SESSION_TAIL);
    if (builder->body.failed || (block->sql = buffer_take(&sql)) == NULL)
        return error_memory(error);
    for (size_t i = 0; MODES[block->mode].runs && i < builder->request->script->pieces.count; i++)
        block->piece_offsets[i] += body;
    return true;
}

static bool prepare_names(BlockBuilder *builder, Error *error)
{
    const BlockRequest *request = builder->request;
    Buffer schema = {0}, qualified = {0}, search_path = {0}, state = {0};
    block_append_literal(&schema, request->schema);
    sql_append_qualified(&qualified, request->schema, request->table != NULL ? request->table : "");
    sql_append_qualified(&state, request->schema, STATE_TABLE);
    sql_append_search_path(&search_path, request->schema);
    builder->schema = buffer_take(&schema);
    builder->qualified = buffer_take(&qualified);
    builder->search_path = buffer_take(&search_path);
    builder->state = buffer_take(&state);
    if (builder->schema == NULL || builder->qualified == NULL || builder->search_path == NULL ||
        builder->state == NULL)
        return error_memory(error);
    return tenant_lock_key(request->schema, &builder->lock_key, error);
}

static bool prepare_offsets(BlockBuilder *builder, Error *error)
{
    if (!MODES[builder->request->mode].runs)
        return true;
    size_t *offsets = calloc(builder->request->script->pieces.count + 1, sizeof *offsets);
    builder->block->piece_offsets = offsets;
    return offsets != NULL || error_memory(error);
}

bool migration_block_build(const BlockRequest *request, MigrationBlock *ret_block, Error *error)
{
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {.mode = request->mode};
    BlockBuilder builder = {.request = request, .block = &block, .line = 1};
    bool good = prepare_names(&builder, error) && prepare_offsets(&builder, error) &&
                (request->mode == BLOCK_PLAIN ? block_build_plainly : build_message)(&builder, error);
    buffer_clear(&builder.body);
    free(builder.schema);
    free(builder.qualified);
    free(builder.search_path);
    free(builder.state);
    if (!good)
        return false;
    *ret_block = block;
    block = (MigrationBlock){0};
    return true;
}

void migration_block_clear(MigrationBlock *block)
{
    free(block->sql);
    free(block->units);
    free(block->piece_offsets);
    *block = (MigrationBlock){0};
}
