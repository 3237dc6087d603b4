/* Migration block: the one message that does one migration on one tenant, exactly once.
 *
 * BEGIN, settings, one DO block that takes the tenant's lock, looks again whether the migration is recorded,
 * applies and records it; the outcome; COMMIT; the session's tail. Built as text alone, so that a failed
 * attempt can simply send it again: whatever became of the first one, the block itself decides whether there
 * is anything left to do. What must never change: the look at the tracking table is a statement of its own
 * after the lock (in one statement, or before, it would see what was true before the lock was free), and the
 * effect, the row and the lock share one transaction.
 *
 * A plain script (plain_script.h) needs no block to keep it from ending the transaction, and goes faster
 * without: its statements stand between lock, look and row as they are. Where something is not as planned
 * such a message can only fail; then one with a block tells what it is.
 *
 * A seed takes two messages of one transaction: BLOCK_OPEN takes the lock, looks whether the seed is recorded
 * and tells the transaction's id, by which one can learn later what became of it; then BLOCK_SEED runs the
 * file and records it, or the caller does the work itself and BLOCK_CLOSE ends it.
 */
#pragma once
#include "common/buffer.h"
#include "common/error.h"
#include "common/migration.h"
#include "worker/ops/migration_script.h"
#include "worker/pg/state.h"
#include "worker/pg/tracking.h"

typedef enum BlockMode {
    BLOCK_APPLY,  /* runs the script and records it */
    BLOCK_PLAIN,  /* the same for a plain script, without a block */
    BLOCK_RECORD, /* records without running */
    BLOCK_PROBE,  /* only looks, under the lock */
    BLOCK_ENSURE, /* makes the tracking table when it is missing, and nothing else */
    BLOCK_OPEN,   /* takes the lock, looks into the state table, and leaves the transaction open */
    BLOCK_SEED,   /* continues BLOCK_OPEN's transaction: runs the script, records it in the state table */
    BLOCK_CLOSE,  /* continues it: makes sure that it is the same, and commits */
} BlockMode;

/* What the DO block answers. */
typedef enum BlockOutcome {
    BLOCK_DONE,      /* applied, recorded, made */
    BLOCK_ABSENT,    /* probe: not recorded */
    BLOCK_PRESENT,   /* recorded before us */
    BLOCK_STALE,     /* the tracking table appeared since it was looked for */
    BLOCK_BUSY,      /* the tenant's lock is held */
    BLOCK_NO_SCHEMA, /* the schema does not exist */
    BLOCK_CHANGED,   /* recorded before us, with another content */
    BLOCK_OUTCOME_COUNT,
} BlockOutcome;

bool block_outcome_from_word(const char *word, BlockOutcome *ret_outcome);

typedef struct BlockRequest {
    BlockMode mode;
    const char *schema;
    const char *table;
    TrackingTable tracking; /* what the tenant has or, with create, will have */
    bool create;            /* there was no tracking table when it was looked for */
    const Migration *migration;
    int64_t ordinal;               /* among files of equal content */
    const MigrationScript *script; /* BLOCK_APPLY and BLOCK_SEED */
    const StateRow *state;         /* BLOCK_OPEN and BLOCK_SEED: what is recorded; NULL = nothing */
    bool patient;    /* BLOCK_OPEN: the transaction may be idle for as long as a callback thinks */
    const char *xid; /* BLOCK_CLOSE: the transaction's, as BLOCK_OPEN told it */
    int64_t lock_timeout_ms;
    int64_t statement_timeout_ms; /* of the DO block, so of the whole migration; 0 = none */
    int server_version;           /* as PQserverVersion() */
} BlockRequest;

/* One statement of the DO block that executes pieces of the script. */
typedef struct BlockUnit {
    int64_t line; /* in the DO block, as the server counts */
    size_t first_piece, piece_count;
} BlockUnit;

typedef struct MigrationBlock {
    BlockMode mode;
    char *sql;
    size_t lead;     /* statements before the DO block or a plain script's first one */
    size_t settings; /* the last of them: the script's own */
    BlockUnit *units;
    size_t unit_count;
    size_t *piece_offsets; /* where each piece stands in sql */
} MigrationBlock;

/* The answer to the message has `lead` results, then that of the DO block, the outcome's and COMMIT's; or one
 * for each piece of a plain script, more of ours, and COMMIT's. BLOCK_OPEN has no COMMIT; its last result is
 * one row: outcome, transaction id and the server's incarnation, which changes whenever ids may have been
 * given out again. */

/* What is appended to a piece that EXECUTE would refuse otherwise: "" or "\n;SELECT". */
const char *block_piece_suffix(const ScriptPiece *piece);

bool migration_block_build(const BlockRequest *request, MigrationBlock *ret_block, Error *error) MUST_CHECK;
void migration_block_clear(MigrationBlock *block);

/* $tag$ text suffix $tag$, with a tag that the text does not hold. Returns where in out the text begins. */
size_t block_append_dollar_quoted(Buffer *out, const char *text, size_t length, const char *suffix);

#define MIGRATION_BLOCK_CLEANUP __attribute__((cleanup(migration_block_clear)))
