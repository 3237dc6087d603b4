#include "tests/support/test.h"
#include "worker/ops/script_cache.h"
#include <pthread.h>

enum { READERS = 8 };

#define SQL(text)                                          \
    {                                                      \
        .data = (char *)(text), .length = sizeof(text) - 1 \
    }

static Migration migrations[] = {
    {.name = (char *)"0001_a", .sql = SQL("CREATE TABLE a (); CREATE TABLE b ();")},
    {.name = (char *)"0002_b", .sql = SQL("SELECT 1")},
};
static const Bundle bundle = {.items = migrations, .count = 2};
static ScriptCache *cache;

static int start(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    cache = script_cache_new(&bundle, &error);
    return cache == NULL;
}

static int stop(void **state)
{
    (void)state;
    script_cache_free(cache);
    return 0;
}

static void a_script_is_read_once(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    MigrationScript own MIGRATION_SCRIPT_CLEANUP = {0};
    const MigrationScript *first = script_cache_get(cache, &migrations[0], &own, &error);
    assert_non_null(first);
    assert_int_equal(first->pieces.count, 2);
    assert_ptr_equal(script_cache_get(cache, &migrations[0], &own, &error), first);
    const MigrationScript *second = script_cache_get(cache, &migrations[1], &own, &error);
    assert_ptr_not_equal(second, first);
    assert_string_equal(second->text, "SELECT 1");
    assert_null(own.text);
}

static void without_a_cache_it_is_the_callers(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    MigrationScript own MIGRATION_SCRIPT_CLEANUP = {0};
    assert_ptr_equal(script_cache_get(NULL, &migrations[0], &own, &error), &own);
    assert_int_equal(own.pieces.count, 2);
}

static void *read_both(void *unused)
{
    (void)unused;
    ERROR_CLEANUP Error error = {0};
    MigrationScript own = {0};
    for (int i = 0; i < 2; i++)
        if (script_cache_get(cache, &migrations[i], &own, &error) == NULL)
            return NULL;
    return (void *)script_cache_get(cache, &migrations[0], &own, &error);
}

static void everybody_gets_the_same(void **state)
{
    (void)state;
    pthread_t threads[READERS];
    void *scripts[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_both, NULL), 0);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], &scripts[i]);
    assert_non_null(scripts[0]);
    for (int i = 1; i < READERS; i++)
        assert_ptr_equal(scripts[i], scripts[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_script_is_read_once, start, stop),
        cmocka_unit_test(without_a_cache_it_is_the_callers),
        cmocka_unit_test_setup_teardown(everybody_gets_the_same, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
