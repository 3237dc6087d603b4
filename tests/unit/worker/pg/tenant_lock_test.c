#include "tests/support/test.h"
#include "worker/pg/tenant_lock.h"

/* Computed with sha256sum over "pgconvoy/v1", a NUL and the name. They never change: versions that disagreed
 * would not exclude each other. */
static void keys_are_those_of_version_1(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        int64_t key;
    } PINNED[] = {
        {"tenant_acme", -7668457649684525220},
        {"\xC3\x9Cn\xC3\xAF\"code", 1023158710830902275},
        {"public", 7025553856445938479},
    };
    for (size_t i = 0; i < sizeof PINNED / sizeof PINNED[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        int64_t key = 0;
        assert_true(tenant_lock_key(PINNED[i].schema, &key, &error));
        assert_int_equal(key, PINNED[i].key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_those_of_version_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
