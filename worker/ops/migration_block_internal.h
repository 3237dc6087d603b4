/* What the two ways to write a migration's message share: with a DO block, and plainly. */
#pragma once
#include "worker/ops/migration_block.h"

/* A message in the making. */
typedef struct BlockBuilder {
    const BlockRequest *request;
    MigrationBlock *block;
    Buffer body;                            /* of the DO block */
    char *schema, *qualified, *search_path; /* as SQL: literal, "schema"."table", names */
    char *state;                            /* "schema"."__pgconvoy_state" */
    int64_t lock_key;
    int64_t line; /* of the body, where `counted` bytes of it end */
    size_t counted;
} BlockBuilder;

/* A literal that means the same within a DO block. */
void block_append_literal(Buffer *sql, const char *text);

/* BEGIN and settings, unless the transaction is open, and the script's own settings. */
void block_append_begin(const BlockBuilder *builder, Buffer *sql);

/* A condition: is there a table where none was, or the migration's row in the one that was? */
void block_append_forestalled(const BlockBuilder *builder, Buffer *condition);

/* Whatever the text did to role and search_path is undone: the row is written by whom we are, and deferred
 * constraints have spoken while the text's own role was in effect. The role needs a line of its own because
 * servers from before the fix of CVE-2024-10978 keep it when the session's user changes. */
void block_append_restore(const BlockBuilder *builder, Buffer *sql);

/* Writes block->sql for BLOCK_PLAIN, in a builder whose names and offsets are prepared. */
bool block_build_plainly(BlockBuilder *builder, Error *error) MUST_CHECK;
