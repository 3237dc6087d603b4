/* The set of hooks: what a configuration may say, who is called first, and what a program is given. */
#include "common/json.h"
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include "worker/hooks.h"
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;
static Config *config;
static HookSet *hooks;
static atomic_bool cancelled;

static int start(void **state)
{
    (void)state;
    folder = make_folder();
    setenv("HOOKS_TEST", folder, 1);
    atomic_store(&cancelled, false);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    hook_set_free(hooks);
    config_free(config);
    hooks = NULL;
    config = NULL;
    remove_tree(folder);
    free(folder);
    return 0;
}

static void load(const char *text)
{
    ERROR_CLEANUP Error error = {0};
    config = config_load_text("test", text, strlen(text), &error);
    if (config == NULL)
        fail_msg("%s", error.message);
}

static void make(const char *text, const HostCallbacks *callbacks)
{
    ERROR_CLEANUP Error error = {0};
    load(text);
    hooks = hook_set_new(config, callbacks, &error);
    if (hooks == NULL)
        fail_msg("%s", error.message);
}

static HookSite site(void)
{
    return (HookSite){.tenant_id = "acme",
                      .schema = "tenant_acme",
                      .database = "main",
                      .run_id = "0123456789abcdef",
                      .cancelled = &cancelled};
}

static char *read_all(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return strdup("");
    char *text = calloc(1, 65536);
    size_t length = fread(text, 1, 65535, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void a_null_set_does_nothing(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    HookSite here = site();
    TenantMigrationResult result = {.tenant_id = (char *)"acme"};
    assert_true(hook_progress(NULL, "acme", "starting", NULL, &error));
    assert_true(hook_before_tenant(NULL, &here, &error));
    assert_true(hook_after_tenant(NULL, &here, &result, &error));
    assert_true(hook_before_migration(NULL, &here, "0001_a", &error));
    assert_true(hook_after_migration(NULL, &here, "0001_a", 1, &error));
    assert_true(hook_seed(NULL, "acme", NULL, &error));
    assert_false(hook_set_wants_tenants(NULL) || hook_set_wants_migrations(NULL) || hook_set_can_seed(NULL));
}

static bool progress(void *context, const char *tenant_id, const char *status, const char *migration,
                     Error *error)
{
    (void)context, (void)tenant_id, (void)status, (void)migration, (void)error;
    return true;
}

static bool before_tenant(void *context, const char *tenant_id, Error *error)
{
    (void)tenant_id;
    ++*(int *)context;
    return pgconvoy_error_set(error, "no");
}

static bool after_tenant(void *context, const char *tenant_id, const TenantMigrationResult *result,
                         Error *error)
{
    (void)tenant_id, (void)result;
    ++*(int *)context;
    return pgconvoy_error_set(error, "no");
}

static bool migration_hook(void *context, const char *tenant_id, const char *migration, Error *error)
{
    (void)context, (void)tenant_id, (void)migration, (void)error;
    return true;
}

static void wants_follow_from_what_is_there(void **state)
{
    (void)state;
    const struct {
        HostCallbacks callbacks;
        const char *text;
        bool tenants, migrations;
    } CASES[] = {
        {{0}, "", false, false},
        {{.on_progress = progress}, "", true, true},
        {{.before_tenant = before_tenant}, "", true, false},
        {{.after_tenant = after_tenant}, "", true, false},
        {{.before_migration = migration_hook}, "", false, true},
        {{0}, "hooks: {before_tenant: [sh]}", true, false},
        {{0}, "hooks: {after_tenant: [sh]}", true, false},
        {{0}, "hooks: {before_migration: [sh]}", false, true},
        {{0}, "hooks: {after_migration: [sh]}", false, true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        make(CASES[i].text, &CASES[i].callbacks);
        assert_int_equal(hook_set_wants_tenants(hooks), CASES[i].tenants);
        assert_int_equal(hook_set_wants_migrations(hooks), CASES[i].migrations);
        hook_set_free(hooks);
        config_free(config);
        hooks = NULL;
        config = NULL;
    }
}

static void a_program_that_cannot_run_is_refused_by_its_setting(void **state)
{
    (void)state;
    static const char *const SETTINGS[] = {"before_tenant", "after_tenant", "before_migration",
                                           "after_migration"};
    for (size_t i = 0; i < 4; i++) {
        ERROR_CLEANUP Error error = {0};
        char text[128], expected[160];
        snprintf(text, sizeof text, "hooks: {%s: [./no-such-hook, word]}", SETTINGS[i]);
        snprintf(expected, sizeof expected,
                 "hooks.%s: the program \"./no-such-hook\" cannot be run: No such file or directory",
                 SETTINGS[i]);
        load(text);
        assert_null(hook_set_new(config, NULL, &error));
        assert_int_equal(error.code, ERROR_CONFIG);
        assert_string_equal(error.message, expected);
        config_free(config);
        config = NULL;
    }
}

#define DUMP "['sh', '-c', 'env > $HOOKS_TEST/env; cat > $HOOKS_TEST/input']"

static void a_program_is_told_what_it_is_about(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    setenv("PGPASSWORD", "hush", 1);
    make("hooks: {after_migration: " DUMP "}", NULL);
    unsetenv("PGPASSWORD");
    HookSite here = site();
    if (!hook_after_migration(hooks, &here, "0001_a", 42, &error))
        fail_msg("%s", error.message);
    char *text = read_all("env"), *input = read_all("input");
    static const char *const LINES[] = {
        "PGCONVOY_HOOK=after_migration\n", "PGCONVOY_TENANT=acme\n",      "PGCONVOY_SCHEMA=tenant_acme\n",
        "PGCONVOY_DATABASE=main\n",        "PGCONVOY_MIGRATION=0001_a\n", "PGCONVOY_DURATION_MS=42\n",
        "PGCONVOY_RUN=0123456789abcdef\n",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++)
        assert_non_null(strstr(text, LINES[i]));
    assert_null(strstr(text, "PGPASSWORD"));
    assert_string_equal(input, "");
    free(text);
    free(input);
}

static void after_tenant_reads_the_result_however_long_it_is(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    make("hooks: {after_tenant: " DUMP "}", NULL);
    HookSite here = site();
    TenantMigrationResult result = {.tenant_id = (char *)"acme",
                                    .schema_name = (char *)"tenant_acme",
                                    .error = (char *)"caf\xC3\xA9 \"quoted\"\n",
                                    .duration_ms = 7,
                                    .attempts = 1};
    for (int i = 0; i < 2000; i++) {
        char name[64];
        snprintf(name, sizeof name, "%04d_a_migration", i);
        assert_true(text_list_add(&result.applied_migrations, name));
    }
    if (!hook_after_tenant(hooks, &here, &result, &error))
        fail_msg("%s", error.message);
    char *text = read_all("input");
    json_t *read = json_loads(text, 0, NULL), *expected = record_to_json(&TENANT_MIGRATION_RESULT, &result);
    assert_non_null(read);
    assert_true(json_equal(read, expected));
    json_decref(read);
    json_decref(expected);
    free(text);
    text = read_all("env");
    assert_non_null(strstr(text, "PGCONVOY_DURATION_MS=7\n"));
    assert_null(strstr(text, "PGCONVOY_MIGRATION="));
    free(text);
    text_list_clear(&result.applied_migrations);
}

#define FAIL(words) "['sh', '-c', 'echo x >> $HOOKS_TEST/ran; echo " words " >&2; exit 1']"

static void a_failing_callback_keeps_the_program_from_starting(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    int calls = 0;
    make("hooks: {before_tenant: " FAIL("program") "}",
         &(HostCallbacks){.context = &calls, .before_tenant = before_tenant});
    HookSite here = site();
    assert_false(hook_before_tenant(hooks, &here, &error));
    assert_string_equal(error.message, "no");
    assert_int_equal(calls, 1);
    char *ran = read_all("ran");
    assert_string_equal(ran, "");
    free(ran);
}

static void after_a_tenant_both_are_called_and_the_first_failure_counts(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    int calls = 0;
    make("hooks: {after_tenant: " FAIL("program") "}",
         &(HostCallbacks){.context = &calls, .after_tenant = after_tenant});
    HookSite here = site();
    TenantMigrationResult result = {.tenant_id = (char *)"acme", .schema_name = (char *)"tenant_acme"};
    assert_false(hook_after_tenant(hooks, &here, &result, &error));
    assert_string_equal(error.message, "no");
    assert_int_equal(calls, 1);
    char *ran = read_all("ran");
    assert_string_equal(ran, "x\n");
    free(ran);
}

static void what_an_error_held_is_dropped(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    make("hooks: {before_tenant: ['true'], after_migration: ['false']}",
         &(HostCallbacks){.before_migration = migration_hook});
    HookSite here = site();
    error_set(&error, ERROR_CONNECT, "of an attempt before");
    strcpy(error.sqlstate, "08006");
    assert_true(hook_before_migration(hooks, &here, "0001_a", &error));
    assert_int_equal(error.code, ERROR_NONE);
    error_set(&error, ERROR_CONNECT, "of an attempt before");
    assert_true(hook_before_tenant(hooks, &here, &error));
    assert_int_equal(error.code, ERROR_NONE);
    error_set(&error, ERROR_CONNECT, "of an attempt before");
    error_set_detail(&error, "old");
    assert_false(hook_after_migration(hooks, &here, "0001_a", 1, &error));
    assert_string_equal(error.message, "hook after_migration ended with exit status 1");
    assert_null(error.detail);
}

/* Callbacks one at a time: each finds nobody else inside. */
static bool alone(void *context, const char *tenant_id, Error *error)
{
    (void)tenant_id, (void)error;
    atomic_int *inside = context;
    bool good = atomic_fetch_add(inside, 1) == 0;
    sleep_ms(1);
    atomic_fetch_sub(inside, 1);
    return good;
}

static void *call_often(void *good_pointer)
{
    HookSite here = site();
    for (int i = 0; i < 50; i++) {
        ERROR_CLEANUP Error error = {0};
        if (!hook_before_tenant(hooks, &here, &error))
            atomic_store((atomic_bool *)good_pointer, false);
    }
    return NULL;
}

static void callbacks_come_one_at_a_time(void **state)
{
    (void)state;
    atomic_int inside = 0;
    atomic_bool good = true;
    make("", &(HostCallbacks){.context = &inside, .before_tenant = alone});
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &good), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&good));
}

/* Programs side by side: each waits until the other has begun. */
static void *meet(void *good_pointer)
{
    ERROR_CLEANUP Error error = {0};
    HookSite here = site();
    *(bool *)good_pointer = hook_before_tenant(hooks, &here, &error);
    return NULL;
}

static void programs_run_side_by_side(void **state)
{
    (void)state;
    make("hooks:\n  before_tenant: ['sh', '-c', 'echo x >> $HOOKS_TEST/met; "
         "while [ $(wc -l < $HOOKS_TEST/met) -lt 2 ]; do sleep 0.01; done']\n  timeout_ms: 20000",
         NULL);
    pthread_t threads[2];
    bool good[2] = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, meet, &good[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_true(good[i]);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_null_set_does_nothing),
        TEST(wants_follow_from_what_is_there),
        TEST(a_program_that_cannot_run_is_refused_by_its_setting),
        TEST(a_program_is_told_what_it_is_about),
        TEST(after_tenant_reads_the_result_however_long_it_is),
        TEST(a_failing_callback_keeps_the_program_from_starting),
        TEST(after_a_tenant_both_are_called_and_the_first_failure_counts),
        TEST(what_an_error_held_is_dropped),
        TEST(callbacks_come_one_at_a_time),
        TEST(programs_run_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
