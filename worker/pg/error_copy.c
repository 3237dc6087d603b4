#include "worker/pg/error_copy.h"
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

void error_copy(Error *target, const Error *source)
{
    error_clear(target);
    *target = *source;
    target->message = copy_text(source->message);
    target->detail = copy_text(source->detail);
    target->hint = copy_text(source->hint);
    target->tenant = copy_text(source->tenant);
    target->migration = copy_text(source->migration);
}
