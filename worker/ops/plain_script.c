#include "worker/ops/plain_script.h"
#include "worker/ops/sql_token.h"

/* The server parses the whole message before it runs the first statement. */
enum { MOST_PIECES = 500, MOST_BYTES = 1024 * 1024 };

static bool begins_plainly(const MigrationScript *script, SqlToken token)
{
    static const char *const WORDS[] = {"ALTER", "COMMENT", "CREATE", "DELETE",   "DROP",
                                        "GRANT", "INSERT",  "REVOKE", "TRUNCATE", "UPDATE"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (sql_token_is(script->text, token, WORDS[i]))
            return true;
    return false;
}

static bool piece_is_plain(const MigrationScript *script, const ScriptPiece *piece)
{
    size_t end = piece->start + piece->length;
    SqlToken token = sql_token_next(script->text, end, piece->start);
    if (!piece->parsed || !begins_plainly(script, token))
        return false;
    for (; token.kind != SQL_END; token = sql_token_next(script->text, end, token.start + token.length))
        if (sql_token_is(script->text, token, ";") || sql_token_is(script->text, token, "RETURNING"))
            return false;
    return true;
}

bool script_is_plain(const MigrationScript *script)
{
    const ScriptPieces *pieces = &script->pieces;
    if (script->settings.count > 0 || pieces->count == 0 || pieces->count > MOST_PIECES ||
        script->length > MOST_BYTES)
        return false;
    for (size_t i = 0; i < pieces->count; i++)
        if (!piece_is_plain(script, &pieces->items[i]))
            return false;
    return true;
}
