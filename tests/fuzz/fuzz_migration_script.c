/* A migration file of any bytes: its pieces and settings lie in the text, in order and apart, the rest holds
 * nothing but comments, and quoting it gives exactly one string. */
#include "common/buffer.h"
#include "worker/ops/migration_block.h"
#include "worker/ops/sql_token.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_pieces(const ScriptPieces *pieces, size_t length)
{
    size_t end = 0;
    for (size_t i = 0; i < pieces->count; i++) {
        const ScriptPiece *piece = &pieces->items[i];
        require(piece->start >= end && piece->length > 0 && piece->length <= length - piece->start);
        end = piece->start + piece->length;
    }
}

static void check_quoting(const char *text, size_t length)
{
    BUFFER_CLEANUP Buffer quoted = {0};
    size_t start = block_append_dollar_quoted(&quoted, text, length, "\n;SELECT");
    require(!quoted.failed && memcmp(quoted.data + start, text, length) == 0);
    SqlToken token = sql_token_at(quoted.data, quoted.length, 0);
    require(token.kind == SQL_STRING && token.length == quoted.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memchr(data, '\0', size) != NULL) /* refused when the folder is read */
        return 0;
    char *sql = malloc(size + 1);
    if (sql == NULL)
        return 0;
    memcpy(sql, data, size);
    sql[size] = '\0';
    Migration migration = {.name = (char *)"0001_fuzz", .hash = (char *)"00", .sql = {sql, size}};
    ERROR_CLEANUP Error error = {0};
    MigrationScript script = {0};
    if (migration_script_read(&migration, &script, &error)) {
        check_pieces(&script.pieces, script.length);
        check_pieces(&script.settings, script.length);
        check_quoting(script.text, script.length);
        require(strlen(script.text) == script.length);
        require(migration_script_line(&script, script.length) >= 1);
        require(migration_script_column(&script, script.length) >= 1);
    }
    migration_script_clear(&script);
    free(sql);
    return 0;
}
