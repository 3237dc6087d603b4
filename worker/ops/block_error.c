#include "worker/ops/block_error.h"
#include "worker/ops/sql_token.h"
#include "worker/pg/connection.h"
#include <string.h>

/* A place in the script. */
typedef struct Place {
    const ScriptPiece *piece; /* NULL = not in the script */
    bool exact;               /* `offset` is where the server pointed, else the start of the piece */
    size_t offset;
} Place;

/* The byte at which character number `position` (1-based) of a text starts. */
static size_t byte_of(const char *text, int64_t position)
{
    size_t at = 0;
    while (text[at] != '\0' && position > 1) {
        at++;
        if ((text[at] & 0xC0) != 0x80)
            position--;
    }
    return at;
}

static bool is_text_of(const MigrationScript *script, const ScriptPiece *piece, const char *query)
{
    return strncmp(query, script->text + piece->start, piece->length) == 0 &&
           strcmp(query + piece->length, block_piece_suffix(piece)) == 0;
}

/* A run-time error names the statement by its text only. Of two that fit, the longer one is meant. */
static const ScriptPiece *piece_in_context(const MigrationScript *script, const BlockUnit *unit,
                                           const char *context)
{
    const ScriptPiece *found = NULL;
    size_t length = strlen(context);
    for (size_t i = 0; i < unit->piece_count; i++) {
        const ScriptPiece *piece = &script->pieces.items[unit->first_piece + i];
        bool longer = found == NULL || piece->length > found->length;
        if (longer && memmem(context, length, script->text + piece->start, piece->length) != NULL)
            found = piece;
    }
    return found;
}

static const BlockUnit *unit_at_line(const MigrationBlock *block, int64_t line)
{
    for (size_t i = 0; i < block->unit_count; i++)
        if (block->units[i].line == line)
            return &block->units[i];
    return NULL;
}

static bool begins_with(const MigrationScript *script, const ScriptPiece *piece, const char *word)
{
    size_t end = piece->start + piece->length;
    return sql_token_is(script->text, sql_token_next(script->text, end, piece->start), word);
}

/* CREATE [OR REPLACE] FUNCTION or PROCEDURE. */
static bool creates_routine(const MigrationScript *script, const ScriptPiece *piece)
{
    static const char *const WORDS[] = {"CREATE", "OR", "REPLACE"};
    size_t end = piece->start + piece->length;
    SqlToken token = sql_token_next(script->text, end, piece->start);
    for (size_t i = 0; i < 3; i++)
        if (sql_token_is(script->text, token, WORDS[i]))
            token = sql_token_next(script->text, end, token.start + token.length);
    return sql_token_is(script->text, token, "FUNCTION") || sql_token_is(script->text, token, "PROCEDURE");
}

/* The server points into the text that EXECUTE parsed, but for the body of a new function, which it looks for
 * in what the client sent, into the message: by a position that mostly is outside of the text. */
static Place place_at(const MigrationBlock *block, const MigrationScript *script, size_t index,
                      int64_t position)
{
    const ScriptPiece *piece = &script->pieces.items[index];
    Place place = {.piece = piece, .offset = piece->start};
    if (position <= 0)
        return place;
    size_t start = block->piece_offsets[index], in_message = byte_of(block->sql, position);
    size_t in_text = byte_of(block->sql + start, position);
    bool fits_text = in_text <= piece->length;
    bool fits_message = in_message >= start && in_message < start + piece->length;
    place.exact = fits_text || fits_message;
    if (fits_message && (!fits_text || creates_routine(script, piece)))
        place.offset += in_message - start;
    else if (fits_text)
        place.offset += in_text;
    return place;
}

static Place place_in_unit(const PGresult *failure, const MigrationBlock *block,
                           const MigrationScript *script, const BlockUnit *unit)
{
    const char *query = result_internal_query(failure), *context = result_context(failure);
    for (size_t i = unit->first_piece; query != NULL && i < unit->first_piece + unit->piece_count; i++)
        if (is_text_of(script, &script->pieces.items[i], query))
            return place_at(block, script, i, result_internal_position(failure));
    const ScriptPiece *piece = unit->piece_count == 1 ? &script->pieces.items[unit->first_piece]
                                                      : piece_in_context(script, unit, context);
    return (Place){.piece = piece, .offset = piece != NULL ? piece->start : 0};
}

static const struct {
    const char *sqlstate;
    const char *word; /* the first of the failing statement; NULL = any, "" = controls transactions */
    const char *hint;
    const char *seed_hint; /* the same in a seed */
} HINTS[] = {
    {"0A000", "", "a migration runs in one transaction of its own; take transaction commands out of the file",
     "a seed runs in one transaction of its own; take transaction commands out of the file"},
    {"2D000", NULL,
     "a migration runs in one transaction of its own; take transaction commands out of the file",
     "a seed runs in one transaction of its own; take transaction commands out of the file"},
    {"0A000", "COPY", "COPY from or to the client is not possible in a migration; use INSERT",
     "COPY from or to the client is not possible in a seed; use INSERT"},
    {"25001", "SET",
     "a migration runs in a READ COMMITTED transaction of its own; take this statement out of the file",
     "a seed runs in a READ COMMITTED transaction of its own; take this statement out of the file"},
    {"25001", NULL,
     "this statement cannot run inside a transaction, and the directive \"-- pgconvoy:transaction off\" is "
     "not available yet; run it by hand and record the migration with --mark-applied",
     "this statement cannot run inside a transaction; take it out of the seed"},
    {"55P03", NULL, "another session holds a lock that the migration needs; try again when it has ended",
     "another session holds a lock that the seed needs; try again when it has ended"},
};

static const char *hint_for(const char *sqlstate, const MigrationScript *script, const ScriptPiece *piece,
                            bool seed)
{
    for (size_t i = 0; i < sizeof HINTS / sizeof HINTS[0]; i++) {
        const char *word = HINTS[i].word;
        if (strcmp(HINTS[i].sqlstate, sqlstate) != 0)
            continue;
        if (word == NULL || (word[0] == '\0' ? piece->transaction : begins_with(script, piece, word)))
            return seed ? HINTS[i].seed_hint : HINTS[i].hint;
    }
    return NULL;
}

/* Without a block the server points into the message, or at nothing: then the results tell which statement it
 * was. */
static Place place_in_message(const PGresult *failure, size_t results, const MigrationBlock *block,
                              const MigrationScript *script)
{
    const ScriptPieces *pieces = &script->pieces;
    int64_t position = result_position(failure);
    size_t at = position > 0 ? byte_of(block->sql, position) : 0, index = results - block->lead;
    for (size_t i = 0; position > 0 && i < pieces->count; i++)
        if (at >= block->piece_offsets[i] && at <= block->piece_offsets[i] + pieces->items[i].length)
            return (Place){.piece = &pieces->items[i],
                           .exact = true,
                           .offset = pieces->items[i].start + at - block->piece_offsets[i]};
    if (results < block->lead || index >= pieces->count)
        return (Place){0};
    return (Place){.piece = &pieces->items[index], .offset = pieces->items[index].start};
}

static Place place_in_block(const PGresult *failure, size_t results, const MigrationBlock *block,
                            const MigrationScript *script)
{
    const BlockUnit *unit = unit_at_line(block, result_block_line(failure));
    if (results != block->lead || unit == NULL)
        return (Place){0};
    return place_in_unit(failure, block, script, unit);
}

void block_error_explain(Error *error, const PGresult *failure, size_t results, const MigrationBlock *block,
                         const MigrationScript *script)
{
    error->line = error->column = 0;
    if (script == NULL)
        return;
    size_t first_setting = block->lead - block->settings;
    if (results >= first_setting && results < block->lead) {
        error->line = migration_script_line(script, script->settings.items[results - first_setting].start);
        return;
    }
    Place place = block->mode == BLOCK_PLAIN ? place_in_message(failure, results, block, script)
                                             : place_in_block(failure, results, block, script);
    if (place.piece == NULL)
        return;
    if (place.exact)
        error->column = migration_script_column(script, place.offset);
    if (place.exact || !place.piece->several)
        error->line = migration_script_line(script, place.offset);
    bool seed = block->mode == BLOCK_SEED;
    const char *hint = error->hint == NULL ? hint_for(error->sqlstate, script, place.piece, seed) : NULL;
    if (hint != NULL)
        error_set_hint(error, "%s", hint);
}
