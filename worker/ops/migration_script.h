/* Migration script: how one file is run inside our transaction.
 *
 * The file's text is cut into pieces, each run by one EXECUTE, or as it is in a plain script. When
 * libpg_query (version 15) parses the whole file, every statement is a piece of its own, so that an error can
 * name its line. When it does not, drizzle's
 * "--> statement-breakpoint" lines separate pieces, and what still cannot be parsed is run as it stands:
 * nothing is refused here for its syntax, the server alone judges.
 *
 * Two things are taken out of the text, by overwriting them with blanks so that every offset stays a place in
 * the file: a BEGIN ... COMMIT around the whole file, and timeouts set at its head, which have no effect
 * inside a DO block and so become settings that run before it.
 */
#pragma once
#include "common/error.h"
#include "common/migration.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ScriptPiece {
    size_t start, length; /* bytes in the text */
    bool parsed;          /* by libpg_query, as one statement */
    bool several;         /* more than one statement: the parser could not cut it */
    bool transaction;     /* one of its statements is COMMIT or the like */
    bool into;            /* may be SELECT ... INTO, which EXECUTE refuses as its last statement */
} ScriptPiece;

typedef struct ScriptPieces {
    ScriptPiece *items;
    size_t count, capacity;
} ScriptPieces;

typedef struct MigrationScript {
    const char *original; /* the file without byte order mark; the migration's */
    char *text;           /* the same with blanks where something was taken out */
    size_t length;
    ScriptPieces pieces;         /* of text, in order */
    ScriptPieces settings;       /* of original: single SET or SELECT set_config() statements */
    bool plain;                  /* needs no EXECUTE: plain_script.h */
    int64_t no_transaction_line; /* of a directive that asks to run without a transaction, 0 = none */
} MigrationScript;

/* The migration must outlive the script. Fails for lack of memory only. */
bool migration_script_read(const Migration *migration, MigrationScript *ret_script, Error *error) MUST_CHECK;
void migration_script_clear(MigrationScript *script);

/* 1-based line of an offset, and its column in characters. */
int64_t migration_script_line(const MigrationScript *script, size_t offset);
int64_t migration_script_column(const MigrationScript *script, size_t offset);

#define MIGRATION_SCRIPT_CLEANUP __attribute__((cleanup(migration_script_clear)))
