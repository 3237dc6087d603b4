/* Hook environment: what a hook's program finds in its environment.
 *
 * The worker's own, as it was when the worker started, without whatever would hand on its access to the
 * databases: connection strings and passwords, known by the variable's name or by its value. A program that
 * needs a database gets its access by its own means, such as PGPASSFILE. Then the PGCONVOY_ variables that
 * say what the call is about. Pure: the environment is an argument.
 */
#pragma once
#include "common/config.h"

/* What one call is about; texts may be NULL, and then their variables are absent. */
typedef struct HookFacts {
    const char *hook; /* "before_tenant" */
    const char *tenant, *schema, *database, *run;
    const char *migration;
    int64_t duration_ms; /* -1 = there is none */
} HookFacts;

/* Appends the entries that a program may see. */
bool hook_environment_keep(char *const *environment, const Config *config, TextList *list,
                           Error *error) MUST_CHECK;

/* kept and what the facts add, for free() in one piece; NULL when memory ran out. */
char **hook_environment_build(const TextList *kept, const HookFacts *facts);
