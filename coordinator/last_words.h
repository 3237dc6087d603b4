/* Last words: what a command says on stderr when it is over: totals, the five most frequent errors, and the
 * command that runs only the failed again.
 */
#pragma once
#include "common/buffer.h"
#include "common/tenant.h"
#include "coordinator/engine.h"
#include <stdio.h>

/* How one tenant failed; texts may be NULL and belong to the report. */
typedef struct TenantFailure {
    const char *error, *sqlstate, *detail, *hint;
    const char *migration; /* the file that failed, without its ending */
    int64_t line;
} TenantFailure;

typedef struct LastWords {
    const char *command; /* how it was called up to the selection, such as "pgconvoy migrate" */
    const char *file;    /* what a failure's `migration` is: NULL = "migration" */
    bool repeats;        /* does its work again on tenants that have succeeded */
    EngineTotals totals;
    int64_t duration_ms;
    bool several_databases;
    size_t count; /* tenants */
    const void *report;
    const Tenant *(*tenant)(const void *report, size_t index);
    /* False when the tenant did not fail. */
    bool (*failure)(const void *report, size_t index, TenantFailure *ret_failure);
} LastWords;

/* Appends text so that a shell reads it as one word. */
void last_words_append_shell_word(Buffer *command, const char *text);

void last_words_print(FILE *file, const LastWords *words);
