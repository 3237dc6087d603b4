#include "common/error.h"
#include "common/buffer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ErrorClass CATALOGUE[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {"none", EXIT_DONE, "no error"},
    [ERROR_USAGE] = {"usage", EXIT_USAGE, "the command line is wrong"},
    [ERROR_CONFIG] = {"config", EXIT_USAGE, "the configuration is wrong"},
    [ERROR_TENANTS] = {"tenants", EXIT_USAGE, "tenant ids, template, list or discovery were refused"},
    [ERROR_MIGRATIONS] = {"migrations", EXIT_MIGRATIONS, "the migration folder or a file in it was refused"},
    [ERROR_CONNECT] = {"connect", EXIT_FAILED, "the server could not be reached or the connection was lost"},
    [ERROR_SERVER] = {"server", EXIT_FAILED, "the server refused a statement"},
    [ERROR_NO_SCHEMA] = {"no_schema", EXIT_FAILED, "the tenant's schema does not exist"},
    [ERROR_TRACKING] = {"tracking", EXIT_FAILED, "the tracking table has an unknown shape"},
    [ERROR_BUSY] = {"busy", EXIT_UNAVAILABLE, "somebody else holds the tenant's lock"},
    [ERROR_UNKNOWN] = {"unknown", EXIT_FAILED, "whether a COMMIT took place could not be learned"},
    [ERROR_CANCELLED] = {"cancelled", EXIT_INTERRUPTED, "cancelled by the operator or a deadline"},
    [ERROR_NO_WORKERS] = {"no_workers", EXIT_UNAVAILABLE, "not enough workers came or stayed"},
    [ERROR_PROTOCOL] = {"protocol", EXIT_FAILED, "a peer broke the wire protocol"},
    [ERROR_TOO_LARGE] = {"too_large", EXIT_FAILED, "a result or message is above its limit"},
    [ERROR_ABORTED] = {"aborted", EXIT_ABORTED, "stopped by policy"},
    [ERROR_MEMORY] = {"memory", EXIT_FAILED, "out of memory"},
    [ERROR_SYSTEM] = {"system", EXIT_FAILED, "an operating system call failed"},
    [ERROR_CALLBACK] = {"callback", EXIT_FAILED, "a hook or callback reported a failure"},
};

const ErrorClass *error_class(ErrorCode code)
{
    return &CATALOGUE[code < ERROR_CODE_COUNT ? code : ERROR_NONE];
}

static char *format_text(const char *format, va_list args)
{
    char *text = NULL;
    return vasprintf(&text, format, args) < 0 ? NULL : text;
}

bool error_set(Error *error, ErrorCode code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message =
        format_text(format, args); /* before clearing: an argument may come from this very error */
    va_end(args);
    error_clear(error);
    error->code = code;
    error->message = message;
    return false;
}

/* Replaces *field, unless memory ran out: an old text is better than none. */
static void replace_text(char **field, const char *format, va_list args)
{
    char *text = format_text(format, args);
    if (text == NULL)
        return;
    free(*field);
    *field = text;
}

void error_set_detail(Error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    replace_text(&error->detail, format, args);
    va_end(args);
}

void error_set_hint(Error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    replace_text(&error->hint, format, args);
    va_end(args);
}

void error_prefix(Error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *prefix = format_text(format, args);
    va_end(args);
    char *message = NULL;
    if (prefix != NULL && asprintf(&message, "%s: %s", prefix, error->message ? error->message : "") >= 0) {
        free(error->message);
        error->message = message;
    }
    free(prefix);
}

bool error_memory(Error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory");
}

void error_move(Error *target, Error *source)
{
    error_clear(target);
    *target = *source;
    *source = (Error){0};
}

void error_clear(Error *error)
{
    free(error->message);
    free(error->detail);
    free(error->hint);
    free(error->tenant);
    free(error->migration);
    *error = (Error){0};
}

char *error_format(const Error *error)
{
    Buffer text = {0};
    buffer_append_text(&text, "error: ");
    if (error->tenant != NULL)
        buffer_appendf(&text, "tenant \"%s\": ", error->tenant);
    if (error->migration != NULL) {
        buffer_appendf(&text, "migration %s", error->migration);
        if (error->line > 0)
            buffer_appendf(&text, ":%lld", (long long)error->line);
        if (error->column > 0)
            buffer_appendf(&text, ":%lld", (long long)error->column);
        buffer_append_text(&text, ": ");
    }
    buffer_append_text(&text, error->message != NULL ? error->message : error_class(error->code)->doc);
    if (error->sqlstate[0] != '\0')
        buffer_appendf(&text, " (SQLSTATE %s)", error->sqlstate);
    buffer_append_char(&text, '\n');
    if (error->detail != NULL)
        buffer_appendf(&text, "DETAIL: %s\n", error->detail);
    if (error->hint != NULL)
        buffer_appendf(&text, "HINT: %s\n", error->hint);
    return buffer_take(&text);
}
