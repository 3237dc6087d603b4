/* Block error: where in the migration's file an error happened, and what one can do about it. */
#pragma once
#include "worker/ops/migration_block.h"
#include <libpq-fe.h>

/* Sets line and column of an error that already has the server's words, and a hint where the server gave
 * none. `results` is how many statements of the message had succeeded before; script may be NULL. */
void block_error_explain(Error *error, const PGresult *failure, size_t results, const MigrationBlock *block,
                         const MigrationScript *script);
