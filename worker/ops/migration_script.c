#include "worker/ops/migration_script.h"
#include "worker/ops/plain_script.h"
#include "worker/ops/script_head.h"
#include "worker/ops/sql_token.h"
#include <pg_query.h>
#include <stdlib.h>
#include <string.h>

static const char BREAKPOINT[] = "--> statement-breakpoint";

void migration_script_clear(MigrationScript *script)
{
    free(script->text);
    free(script->pieces.items);
    free(script->settings.items);
    *script = (MigrationScript){0};
}

int64_t migration_script_line(const MigrationScript *script, size_t offset)
{
    int64_t line = 1;
    for (size_t i = 0; i < offset && i < script->length; i++)
        line += script->original[i] == '\n';
    return line;
}

int64_t migration_script_column(const MigrationScript *script, size_t offset)
{
    int64_t column = 1;
    for (size_t i = offset; i > 0 && script->original[i - 1] != '\n'; i--)
        column += (script->original[i - 1] & 0xC0) != 0x80; /* the first byte of a character */
    return column;
}

/* What the piece's words say. Where one statement ends and the next begins only matters when the parser could
 * not cut it. */
static void look_through(const MigrationScript *script, bool parsed, ScriptPiece *piece)
{
    size_t end = piece->start + piece->length;
    SqlToken token = sql_token_next(script->text, end, piece->start);
    bool insert = sql_token_is(script->text, token, "INSERT"), after_semicolon = true;
    for (; token.kind != SQL_END; token = sql_token_next(script->text, end, token.start + token.length)) {
        bool semicolon = sql_token_is(script->text, token, ";");
        if (after_semicolon && !semicolon && (!parsed || token.start == piece->start)) {
            piece->several = token.start > piece->start;
            piece->transaction = piece->transaction || script_is_transaction(script, token.start);
        }
        after_semicolon = semicolon;
        piece->into = piece->into || sql_token_is(script->text, token, "INTO");
        if (parsed && (insert || piece->into))
            break;
    }
    piece->into = piece->into && (piece->several || !insert);
}

/* Adds a piece that starts at the first token of [start, end); a range without any adds nothing. */
static bool add_piece(MigrationScript *script, size_t start, size_t end, bool parsed, Error *error)
{
    SqlToken first = sql_token_next(script->text, end, start);
    if (first.kind == SQL_END)
        return true;
    ScriptPiece piece = {.start = first.start, .length = end - first.start, .parsed = parsed};
    look_through(script, parsed, &piece);
    return script_pieces_add(&script->pieces, piece, error);
}

/* Adds the statements of [start, end), or, when the parser does not read it, says so in *ret_parsed and adds
 * nothing. */
static bool add_statements(MigrationScript *script, size_t start, size_t end, bool *ret_parsed, Error *error)
{
    char kept = script->text[end];
    script->text[end] = '\0';
    PgQuerySplitResult split = pg_query_split_with_parser(script->text + start);
    script->text[end] = kept;
    bool good = true;
    *ret_parsed = split.error == NULL;
    for (int i = 0; good && *ret_parsed && i < split.n_stmts; i++) {
        size_t from = start + (size_t)split.stmts[i]->stmt_location;
        good = add_piece(script, from, from + (size_t)split.stmts[i]->stmt_len, true, error);
    }
    pg_query_free_split_result(split);
    return good;
}

static bool add_chunk(MigrationScript *script, size_t start, size_t end, Error *error)
{
    bool parsed;
    if (!add_statements(script, start, end, &parsed, error))
        return false;
    return parsed || add_piece(script, start, end, false, error);
}

static bool is_breakpoint(const MigrationScript *script, SqlToken token)
{
    return token.kind == SQL_COMMENT && token.length >= strlen(BREAKPOINT) &&
           memcmp(script->text + token.start, BREAKPOINT, strlen(BREAKPOINT)) == 0;
}

/* Breakpoints separate statements that lack their semicolons. */
static bool cut_at_breakpoints(MigrationScript *script, Error *error)
{
    size_t start = 0;
    for (size_t at = 0; at < script->length;) {
        SqlToken token = sql_token_at(script->text, script->length, at);
        at = token.start + token.length;
        if (!is_breakpoint(script, token))
            continue;
        if (!add_chunk(script, start, token.start, error))
            return false;
        start = at;
    }
    if (start == 0)
        return add_piece(script, 0, script->length, false, error);
    return add_chunk(script, start, script->length, error);
}

static bool restore_text(MigrationScript *script, Error *error)
{
    if (script->text == NULL && (script->text = malloc(script->length + 1)) == NULL)
        return error_memory(error);
    memcpy(script->text, script->original, script->length);
    script->text[script->length] = '\0';
    script->settings.count = 0;
    return true;
}

/* With a wrapper, an END that the parser then misses belongs to a function's body and no wrapper is there. */
static bool cut(MigrationScript *script, const ScriptWrapper *wrapper, bool *ret_again, Error *error)
{
    *ret_again = false;
    if (!restore_text(script, error))
        return false;
    if (wrapper != NULL) {
        script_blank(script, wrapper->begin.start, wrapper->begin.length);
        script_blank(script, wrapper->commit.start, wrapper->commit.length);
    }
    bool parsed;
    if (!script_take_settings(script, error) || !add_statements(script, 0, script->length, &parsed, error))
        return false;
    *ret_again = !parsed && wrapper != NULL && wrapper->by_end;
    return parsed || *ret_again || cut_at_breakpoints(script, error);
}

bool migration_script_read(const Migration *migration, MigrationScript *ret_script, Error *error)
{
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
    script.original = migration_text(migration, &script.length);
    if (!restore_text(&script, error))
        return false;
    script.no_transaction_line = script_no_transaction_line(&script);
    ScriptWrapper wrapper;
    bool wrapped = script_find_wrapper(&script, &wrapper), again = false;
    if (!cut(&script, wrapped ? &wrapper : NULL, &again, error) ||
        (again && !cut(&script, NULL, &again, error)))
        return false;
    script.plain = script_is_plain(&script);
    *ret_script = script;
    script = (MigrationScript){0};
    return true;
}
