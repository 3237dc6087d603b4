#include "worker/hook_environment.h"
#include "common/buffer.h"
#include "worker/pg/conninfo.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FACTS = 7, FACT_SIZE = 24 };

/* Hold a secret by their name, whatever the value; and ours, which say what another call was about. */
static const char *const DROPPED_NAMES[] = {
    "DATABASE_URL",       "*_DATABASE_URL",     "PG*PASSWORD",          "PGCONVOY_*URL*",
    "PGCONVOY_*PASSWORD", "PGCONVOY_HOOK",      "PGCONVOY_TENANT",      "PGCONVOY_SCHEMA",
    "PGCONVOY_DATABASE",  "PGCONVOY_MIGRATION", "PGCONVOY_DURATION_MS", "PGCONVOY_RUN",
};

static bool is_dropped_name(const char *entry, const char *value)
{
    BUFFER_CLEANUP Buffer name = {0};
    buffer_append(&name, entry, (size_t)(value - entry) - 1);
    if (buffer_failed(&name))
        return true;
    for (size_t i = 0; i < sizeof DROPPED_NAMES / sizeof DROPPED_NAMES[0]; i++)
        if (fnmatch(DROPPED_NAMES[i], buffer_text(&name), 0) == 0)
            return true;
    return false;
}

/* A connection string under any name: the configuration may take it from wherever it likes. */
static bool is_secret_value(const char *value, const Config *config)
{
    if (strncmp(value, "postgres://", 11) == 0 || strncmp(value, "postgresql://", 13) == 0 ||
        strstr(value, "password=") != NULL)
        return true;
    size_t count = 0;
    const DatabaseConfig *databases = config_databases(config, &count);
    for (size_t i = 0; i < count; i++)
        if (databases[i].url != NULL && conninfo_reveals(databases[i].url, value))
            return true;
    return false;
}

bool hook_environment_keep(char *const *environment, const Config *config, TextList *list, Error *error)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals == NULL || is_dropped_name(*environment, equals + 1) ||
            is_secret_value(equals + 1, config))
            continue;
        if (!text_list_add(list, *environment))
            return error_memory(error);
    }
    return true;
}

/* One block: the pointers first, then the texts of the facts. */
char **hook_environment_build(const TextList *kept, const HookFacts *facts)
{
    char duration[FACT_SIZE];
    snprintf(duration, sizeof duration, "%lld", (long long)facts->duration_ms);
    const struct {
        const char *name, *value;
    } added[FACTS] = {
        {"PGCONVOY_HOOK", facts->hook},
        {"PGCONVOY_TENANT", facts->tenant},
        {"PGCONVOY_SCHEMA", facts->schema},
        {"PGCONVOY_DATABASE", facts->database},
        {"PGCONVOY_MIGRATION", facts->migration},
        {"PGCONVOY_RUN", facts->run},
        {"PGCONVOY_DURATION_MS", facts->duration_ms >= 0 ? duration : NULL},
    };
    size_t pointers = (kept->count + FACTS + 1) * sizeof(char *), texts = 0;
    for (size_t i = 0; i < FACTS; i++)
        texts += strlen(added[i].name) + (added[i].value != NULL ? strlen(added[i].value) : 0) + 2;
    char **environment = malloc(pointers + texts);
    if (environment == NULL)
        return NULL;
    char *text = (char *)environment + pointers;
    size_t count = 0;
    for (; count < kept->count; count++)
        environment[count] = kept->items[count];
    for (size_t i = 0; i < FACTS; i++) {
        if (added[i].value == NULL)
            continue;
        environment[count++] = text;
        text = stpcpy(stpcpy(stpcpy(text, added[i].name), "="), added[i].value) + 1;
    }
    environment[count] = NULL;
    return environment;
}
