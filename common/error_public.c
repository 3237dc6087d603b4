/* The errors' public face: pgconvoy/error.h over common/error.h. */
#include "common/error.h"
#include <stdarg.h>
#include <stdio.h>

const char *pgconvoy_error_name(pgconvoy_error_code code)
{
    return error_class(code)->name;
}

bool pgconvoy_error_set(pgconvoy_error *error, const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        message = NULL;
    va_end(args);
    error_clear(error);
    error->code = ERROR_CALLBACK;
    error->message = message;
    return false;
}

char *pgconvoy_error_format(const pgconvoy_error *error)
{
    return error_format(error);
}

void pgconvoy_error_clear(pgconvoy_error *error)
{
    error_clear(error);
}
