#include "worker/hooks.h"
#include "common/json.h"
#include "worker/hook_environment.h"
#include "worker/hook_program.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef enum HookId { BEFORE_TENANT, AFTER_TENANT, BEFORE_MIGRATION, AFTER_MIGRATION, HOOK_COUNT } HookId;

static const struct {
    SettingId setting;
    const char *name;
    bool cleans_up;
} HOOKS[HOOK_COUNT] = {
    [BEFORE_TENANT] = {SETTING_HOOKS_BEFORE_TENANT, "before_tenant", false},
    [AFTER_TENANT] = {SETTING_HOOKS_AFTER_TENANT, "after_tenant", true},
    [BEFORE_MIGRATION] = {SETTING_HOOKS_BEFORE_MIGRATION, "before_migration", false},
    [AFTER_MIGRATION] = {SETTING_HOOKS_AFTER_MIGRATION, "after_migration", true},
};

struct HookSet {
    HostCallbacks callbacks;
    pthread_mutex_t mutex;       /* held while a callback runs */
    char **programs[HOOK_COUNT]; /* argv; NULL = not configured. The words belong to the configuration. */
    TextList environment;        /* that programs may see */
    int64_t timeout_ms;
};

static bool take_program(HookSet *hooks, const Config *config, HookId id, Error *error)
{
    const TextList *words = config_list(config, HOOKS[id].setting);
    if (words->count == 0)
        return true;
    if (!hook_program_check(words->items[0], error)) {
        error_prefix(error, "%s", setting_get(HOOKS[id].setting)->path);
        return false;
    }
    char **argv = calloc(words->count + 1, sizeof *argv);
    if (argv == NULL)
        return error_memory(error);
    memcpy(argv, words->items, words->count * sizeof *argv);
    hooks->programs[id] = argv;
    return true;
}

/* The environment is copied now: a host may change its own at any time, from any thread. */
static bool take_programs(HookSet *hooks, const Config *config, Error *error)
{
    bool any = false;
    hooks->timeout_ms = config_int(config, SETTING_HOOKS_TIMEOUT_MS);
    for (HookId id = 0; id < HOOK_COUNT; id++) {
        if (!take_program(hooks, config, id, error))
            return false;
        any |= hooks->programs[id] != NULL;
    }
    return !any || hook_environment_keep(environ, config, &hooks->environment, error);
}

HookSet *hook_set_new(const Config *config, const HostCallbacks *callbacks, Error *error)
{
    HookSet *hooks = calloc(1, sizeof *hooks);
    if (hooks == NULL) {
        error_memory(error);
        return NULL;
    }
    if (callbacks != NULL)
        hooks->callbacks = *callbacks;
    pthread_mutex_init(&hooks->mutex, NULL);
    if (!take_programs(hooks, config, error)) {
        hook_set_free(hooks);
        return NULL;
    }
    return hooks;
}

void hook_set_free(HookSet *hooks)
{
    if (hooks == NULL)
        return;
    for (HookId id = 0; id < HOOK_COUNT; id++)
        free(hooks->programs[id]);
    text_list_clear(&hooks->environment);
    pthread_mutex_destroy(&hooks->mutex);
    free(hooks);
}

bool hook_set_wants_tenants(const HookSet *hooks)
{
    return hooks != NULL && (hooks->callbacks.on_progress != NULL || hooks->callbacks.before_tenant != NULL ||
                             hooks->callbacks.after_tenant != NULL ||
                             hooks->programs[BEFORE_TENANT] != NULL || hooks->programs[AFTER_TENANT] != NULL);
}

bool hook_set_wants_migrations(const HookSet *hooks)
{
    return hooks != NULL &&
           (hooks->callbacks.on_progress != NULL || hooks->callbacks.before_migration != NULL ||
            hooks->callbacks.after_migration != NULL || hooks->programs[BEFORE_MIGRATION] != NULL ||
            hooks->programs[AFTER_MIGRATION] != NULL);
}

bool hook_set_can_seed(const HookSet *hooks)
{
    return hooks != NULL && hooks->callbacks.seed != NULL;
}

static bool enter(HookSet *hooks, Error *error)
{
    error_clear(error);
    pthread_mutex_lock(&hooks->mutex);
    return true;
}

/* A failure always has a text, and is the callback's: with the code of another call that it made it would be
 * taken for what happened to the tenant. */
static bool leave(HookSet *hooks, bool good, const char *name, Error *error)
{
    pthread_mutex_unlock(&hooks->mutex);
    if (good)
        error_clear(error);
    else if (error->message == NULL)
        error_set(error, ERROR_CALLBACK, "%s failed and did not say why", name);
    else
        error->code = ERROR_CALLBACK;
    return good;
}

/* True when there is no such callback. */
#define CALL(name, ...)                                \
    (hooks == NULL || hooks->callbacks.name == NULL || \
     (enter(hooks, error) &&                           \
      leave(hooks, hooks->callbacks.name(hooks->callbacks.context, __VA_ARGS__), #name, error)))

/* A file that a program reads as its stdin: it needs no writer, who could block or meet a closed pipe. */
static int open_input(const char *text)
{
    int fd = memfd_create("pgconvoy-hook", MFD_CLOEXEC);
    for (size_t left = strlen(text); fd >= 0 && left > 0;) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            close(fd);
            return -1;
        }
        text += written;
        left -= (size_t)written;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* An operator's programs are about tenants. */
static bool has_program(const HookSet *hooks, HookId id, const HookSite *site)
{
    return hooks != NULL && hooks->programs[id] != NULL && site->tenant_id != NULL;
}

/* Runs a hook's program, if there is one, with this input or none. */
static bool run_program(const HookSet *hooks, HookId id, const HookSite *site, const char *migration,
                        int64_t duration_ms, int input, Error *error)
{
    if (!has_program(hooks, id, site))
        return true;
    char context[96];
    snprintf(context, sizeof context, "tenant=%.80s", site->tenant_id);
    char **environment =
        hook_environment_build(&hooks->environment, &(HookFacts){.hook = HOOKS[id].name,
                                                                 .tenant = site->tenant_id,
                                                                 .schema = site->schema,
                                                                 .database = site->database,
                                                                 .run = site->run_id,
                                                                 .migration = migration,
                                                                 .duration_ms = duration_ms});
    if (environment == NULL)
        return error_memory(error);
    error_clear(error);
    bool good = hook_program_run(&(HookProgram){.hook = HOOKS[id].name,
                                                .argv = hooks->programs[id],
                                                .environment = environment,
                                                .input = input,
                                                .timeout_ms = hooks->timeout_ms,
                                                .cancelled = site->cancelled,
                                                .cleans_up = HOOKS[id].cleans_up,
                                                .log_context = context},
                                 error);
    free(environment);
    return good;
}

static bool run_with_result(const HookSet *hooks, const HookSite *site, const TenantMigrationResult *result,
                            Error *error)
{
    if (!has_program(hooks, AFTER_TENANT, site))
        return true;
    char *text = record_to_json_text(&TENANT_MIGRATION_RESULT, result);
    if (text == NULL)
        return error_memory(error);
    int input = open_input(text);
    int reason = errno;
    free(text);
    if (input < 0)
        return error_set(error, ERROR_CALLBACK, "hook after_tenant could not be started: %s",
                         strerror(reason));
    bool good = run_program(hooks, AFTER_TENANT, site, NULL, result->duration_ms, input, error);
    close(input);
    return good;
}

/* The first failure counts. */
static bool both(bool good, bool also_good, Error *error, Error *second)
{
    if (good && !also_good)
        error_move(error, second);
    error_clear(second);
    return good && also_good;
}

bool hook_progress(HookSet *hooks, const char *tenant_id, const char *status, const char *migration,
                   Error *error)
{
    return CALL(on_progress, tenant_id, status, migration, error);
}

bool hook_before_tenant(HookSet *hooks, const HookSite *site, Error *error)
{
    return CALL(before_tenant, site->tenant_id, error) &&
           run_program(hooks, BEFORE_TENANT, site, NULL, -1, -1, error);
}

bool hook_after_tenant(HookSet *hooks, const HookSite *site, const TenantMigrationResult *result,
                       Error *error)
{
    Error second = {0};
    bool good = CALL(after_tenant, site->tenant_id, result, error);
    return both(good, run_with_result(hooks, site, result, &second), error, &second);
}

bool hook_before_migration(HookSet *hooks, const HookSite *site, const char *migration, Error *error)
{
    return CALL(before_migration, site->tenant_id, migration, error) &&
           run_program(hooks, BEFORE_MIGRATION, site, migration, -1, -1, error);
}

bool hook_after_migration(HookSet *hooks, const HookSite *site, const char *migration, int64_t duration_ms,
                          Error *error)
{
    Error second = {0};
    bool good = CALL(after_migration, site->tenant_id, migration, duration_ms, error);
    return both(good, run_program(hooks, AFTER_MIGRATION, site, migration, duration_ms, -1, &second), error,
                &second);
}

bool hook_seed(HookSet *hooks, const char *tenant_id, struct pg_conn *connection, Error *error)
{
    return CALL(seed, tenant_id, connection, error);
}
