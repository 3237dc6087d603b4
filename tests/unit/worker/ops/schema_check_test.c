#include "tests/support/test.h"
#include "worker/ops/op.h"

static bool passes(bool shared, const char *schema)
{
    ERROR_CLEANUP Error error = {0};
    const RunOptions options = {.shared = shared};
    bool good = op_schema_check(&options, schema, &error);
    assert_int_equal(error.code, good ? ERROR_NONE : ERROR_TENANTS);
    return good;
}

static void public_is_refused_to_tenants(void **state)
{
    (void)state;
    assert_false(passes(false, "public"));
    assert_true(passes(false, "tenant_a"));
    assert_true(passes(false, "Public")); /* quoted, another schema */
    assert_false(passes(false, "pg_temp"));
    assert_false(passes(false, ""));
}

static void the_shared_schema_is_public_and_nothing_else(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {"tenant_a",           "Public",  "public ",  "", "pg_catalog",
                                         "information_schema", "pg_temp", "publi\x01"};
    assert_true(passes(true, "public"));
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        assert_false(passes(true, OTHERS[i]));
}

static void few_operations_take_it(void **state)
{
    (void)state;
    assert_true(operation_takes_shared(OPERATION_MIGRATE));
    assert_true(operation_takes_shared(OPERATION_MARK_APPLIED));
    assert_true(operation_takes_shared(OPERATION_STATUS));
    assert_false(operation_takes_shared(OPERATION_DROP));
    assert_false(operation_takes_shared(OPERATION_CREATE));
    assert_false(operation_takes_shared(OPERATION_CLEAN_ORPHANS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_is_refused_to_tenants),
        cmocka_unit_test(the_shared_schema_is_public_and_nothing_else),
        cmocka_unit_test(few_operations_take_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
