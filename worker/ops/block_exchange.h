/* Block exchange: sends a migration block, learns what became of it, and leaves the session clean.
 *
 * The one hard question is asked here: did it commit? Only COMMIT's own tag says yes; an error that came
 * before it says no; a connection that was lost without either says nothing, and the caller has to look.
 */
#pragma once
#include "worker/ops/migration_block.h"
#include "worker/pg/connection.h"

typedef enum ExchangeVerdict {
    EXCHANGE_DECIDED,   /* the transaction ended; its outcome is known */
    EXCHANGE_REFUSED,   /* an error, and nothing of the block stays */
    EXCHANGE_UNPLANNED, /* a plain message met something that was not planned: a block will tell what */
    EXCHANGE_LOST,      /* no answer, or none that could be read: the block may have committed */
} ExchangeVerdict;

/* Fills *ret_outcome when decided, else *error; an error inside the script has its line, and its column when
 * the server gave a position. Unless the connection is lost it is clean afterwards. */
ExchangeVerdict block_exchange(Connection *connection, const MigrationBlock *block,
                               const MigrationScript *script, BlockOutcome *ret_outcome,
                               Error *error) MUST_CHECK;
