#include "worker/ops/clone_script.h"
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_STATEMENTS = 200, MESSAGE_BYTES = 64 * 1024 };

static void count_result(void *context, const PGresult *result)
{
    (void)result;
    ++*(size_t *)context;
}

void clone_error_about(Error *error, const char *label)
{
    if (error->code != ERROR_SERVER || label == NULL)
        return;
    char *detail = error->detail;
    error->detail = NULL;
    if (detail != NULL && detail[0] != '\0')
        error_set_detail(error, "%s\nwhile copying %s", detail, label);
    else
        error_set_detail(error, "while copying %s", label);
    free(detail);
}

bool clone_script_flush(CloneScript *script, Error *error)
{
    if (script->count == 0)
        return true;
    if (buffer_failed(&script->sql))
        return error_memory(error);
    size_t done = 0;
    bool good =
        connection_exec_each(script->connection, buffer_text(&script->sql), count_result, &done, error);
    if (!good)
        clone_error_about(error, done < script->count ? script->labels[done] : NULL);
    buffer_reset(&script->sql);
    script->count = 0;
    return good;
}

bool clone_script_add(CloneScript *script, const char *label, const char *statement, Error *error)
{
    if (script->count == script->capacity) {
        size_t capacity = script->capacity == 0 ? MESSAGE_STATEMENTS : 2 * script->capacity;
        const char **labels = realloc(script->labels, capacity * sizeof *labels);
        if (labels == NULL)
            return error_memory(error);
        script->labels = labels;
        script->capacity = capacity;
    }
    script->labels[script->count++] = label;
    buffer_append_text(&script->sql, statement);
    buffer_append_text(&script->sql, ";\n");
    return (script->count < MESSAGE_STATEMENTS && script->sql.length < MESSAGE_BYTES) ||
           clone_script_flush(script, error);
}

void clone_script_clear(CloneScript *script)
{
    buffer_clear(&script->sql);
    free(script->labels);
    *script = (CloneScript){0};
}
