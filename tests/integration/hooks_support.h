/* What the tests of hooks share: a bench whose hooks write down what they hear, and fail when told to.
 *
 * An entry of the log is "+" for progress ("starting", "migrating:0001_a") or a hook's name with its
 * migration; after_tenant adds how the tenant's result stood: "after_tenant(ok:0001_a,0002_b)". */
#pragma once
#include "common/buffer.h"
#include "tests/integration/migrate_support.h"

static Buffer heard;
static const char *fails;          /* the entry whose callback fails, or NULL */
static const char *words = "boom"; /* its reason; NULL = it says none */
static int fails_heard;

static inline bool hear(const char *what, const char *migration, Error *error)
{
    char entry[128];
    snprintf(entry, sizeof entry, "%s%s%s", what, migration != NULL ? ":" : "",
             migration != NULL ? migration : "");
    buffer_appendf(&heard, "%s%s", heard.length > 0 ? " " : "", entry);
    if (fails == NULL || strcmp(fails, entry) != 0)
        return true;
    fails_heard++;
    return words == NULL ? false : pgconvoy_error_set(error, "%s", words);
}

static inline bool hear_progress(void *context, const char *tenant_id, const char *status,
                                 const char *migration, Error *error)
{
    (void)context;
    assert_non_null(tenant_id);
    char what[64];
    snprintf(what, sizeof what, "+%s", status);
    return hear(what, migration, error);
}

static inline bool hear_before_tenant(void *context, const char *tenant_id, Error *error)
{
    (void)context, (void)tenant_id;
    return hear("before_tenant", NULL, error);
}

static inline bool hear_after_tenant(void *context, const char *tenant_id,
                                     const pgconvoy_tenant_migration_result *result, Error *error)
{
    (void)context;
    assert_string_equal(result->tenant_id, tenant_id);
    assert_non_null(result->schema_name);
    char *names = join_names(&result->applied_migrations);
    bool good = hear("after_tenant", NULL, error);
    buffer_appendf(&heard, "(%s:%s)", result->success ? "ok" : result->error, names);
    free(names);
    return good;
}

static inline bool hear_before_migration(void *context, const char *tenant_id, const char *migration,
                                         Error *error)
{
    (void)context, (void)tenant_id;
    return hear("before", migration, error);
}

static inline bool hear_after_migration(void *context, const char *tenant_id, const char *migration,
                                        int64_t duration_ms, Error *error)
{
    (void)context, (void)tenant_id;
    assert_true(duration_ms >= 0);
    return hear("after", migration, error);
}

static const HostCallbacks LISTENERS = {
    .on_progress = hear_progress,
    .before_tenant = hear_before_tenant,
    .after_tenant = hear_after_tenant,
    .before_migration = hear_before_migration,
    .after_migration = hear_after_migration,
};

/* Owned by the test; `extra` are lines for the configuration. */
static inline HookSet *hooks_with(const HostCallbacks *callbacks, const char *extra, Config **ret_config)
{
    ERROR_CLEANUP Error error = {0};
    Config *config = config_load_text("test", extra, strlen(extra), &error);
    if (config == NULL)
        fail_msg("%s", error.message);
    HookSet *hooks = hook_set_new(config, callbacks, &error);
    if (hooks == NULL)
        fail_msg("%s", error.message);
    *ret_config = config;
    return hooks;
}

static inline int renew_hooks(void **state)
{
    buffer_clear(&heard);
    fails = NULL;
    words = "boom";
    fails_heard = 0;
    return renew(state);
}

static inline void expect_heard(const char *expected)
{
    assert_string_equal(buffer_text(&heard), expected);
    buffer_clear(&heard);
}

#define HOOK_TEST(function) cmocka_unit_test_setup(function, renew_hooks)
