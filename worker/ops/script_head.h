/* Script head: what a migration file says before its first real statement, and the transaction around it.
 *
 * Works on tokens alone, with patterns of whole statements that mean the same in every version of the server.
 */
#pragma once
#include "worker/ops/migration_script.h"

/* Line of a comment at the file's head that asks to run without a transaction (pgconvoy's own spelling,
 * goose's, dbmate's or Atlas's); 0 = none. */
int64_t script_no_transaction_line(const MigrationScript *script);

typedef struct ScriptWrapper {
    ScriptPiece begin, commit; /* with their semicolons */
    bool by_end;               /* closed by END, which may as well end the body of a function */
} ScriptWrapper;

/* Is the first statement BEGIN or START TRANSACTION and the last one COMMIT or END? */
bool script_find_wrapper(const MigrationScript *script, ScriptWrapper *ret_wrapper);

/* Adds to script->settings each SET or SELECT set_config() of a timeout among the settings at the head, and
 * blanks it in the text. */
bool script_take_settings(MigrationScript *script, Error *error) MUST_CHECK;

/* COMMIT, SAVEPOINT and so on: does a statement that starts at this offset control transactions? */
bool script_is_transaction(const MigrationScript *script, size_t offset);

/* Overwrites a range of the text with blanks; line ends stay. */
void script_blank(MigrationScript *script, size_t start, size_t length);
bool script_pieces_add(ScriptPieces *pieces, ScriptPiece piece, Error *error) MUST_CHECK;
