#include "common/tenant_index.h"
#include "tests/support/test.h"

/* Under the sanitizers, too, an allocation that is too large returns NULL instead of ending the program. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void pairs_are_found_by_their_text(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TENANT_INDEX_CLEANUP TenantIndex *index = tenant_index_new(3, &error);
    assert_int_equal(tenant_index_find(index, "main", "a"), TENANT_INDEX_NONE);
    assert_true(tenant_index_add(index, "main", "a", 7, &error));
    assert_true(tenant_index_add(index, "other", "a", 8, &error));
    assert_true(tenant_index_add(index, "", "main", 9, &error));
    char database[] = "main", name[] = "a"; /* other pointers, same texts */
    assert_int_equal(tenant_index_find(index, database, name), 7);
    assert_int_equal(tenant_index_find(index, "other", "a"), 8);
    assert_int_equal(tenant_index_find(index, "", "main"), 9);
    assert_int_equal(tenant_index_find(index, "maina", ""), TENANT_INDEX_NONE);
    assert_int_equal(tenant_index_find(index, "a", "main"), TENANT_INDEX_NONE);
}

static void a_full_index_says_so(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TENANT_INDEX_CLEANUP TenantIndex *index = tenant_index_new(1, &error);
    assert_true(tenant_index_add(index, "", "a", 0, &error));
    assert_false(tenant_index_add(index, "", "b", 1, &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_int_equal(tenant_index_find(index, "", "b"), TENANT_INDEX_NONE);
    assert_int_equal(tenant_index_find(index, "", "a"), 0);
}

static void an_index_too_large_for_memory_is_an_error(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_null(tenant_index_new(SIZE_MAX / 2, &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    tenant_index_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_found_by_their_text),
        cmocka_unit_test(a_full_index_says_so),
        cmocka_unit_test(an_index_too_large_for_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
