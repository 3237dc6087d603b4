/* Last words: what a command says on stderr when it is over: totals, the five most frequent errors, and the
 * command that runs only the failed again.
 */
#pragma once
#include "common/tenant.h"
#include "coordinator/engine.h"
#include <stdio.h>

/* How one tenant failed; texts may be NULL and belong to the report. */
typedef struct TenantFailure {
    const char *error, *sqlstate, *detail, *hint;
    const char *migration; /* the one that failed */
    int64_t line;
} TenantFailure;

typedef struct LastWords {
    const char *command; /* how it was called up to the selection, such as "pgconvoy migrate" */
    EngineTotals totals;
    int64_t duration_ms;
    bool several_databases;
    size_t count; /* tenants */
    const void *report;
    const Tenant *(*tenant)(const void *report, size_t index);
    /* False when the tenant did not fail. */
    bool (*failure)(const void *report, size_t index, TenantFailure *ret_failure);
} LastWords;

void last_words_print(FILE *file, const LastWords *words);
