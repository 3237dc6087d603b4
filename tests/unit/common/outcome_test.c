#include "common/outcome.h"
#include "tests/support/test.h"

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        Outcome outcome = OUTCOME_COUNT;
        assert_true(outcome_from_name(outcome_name((Outcome)i), &outcome));
        assert_int_equal(outcome, i);
    }
    assert_string_equal(outcome_name(OUTCOME_NO_SCHEMA), "no_schema");
    Outcome untouched = OUTCOME_BUSY;
    assert_false(outcome_from_name("succeeded", &untouched));
    assert_int_equal(untouched, OUTCOME_BUSY);
}

static void only_applied_and_already_succeed(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        bool done = i == OUTCOME_APPLIED || i == OUTCOME_ALREADY;
        assert_int_equal(outcome_state((Outcome)i) == TENANT_SUCCEEDED, done);
    }
    assert_int_equal(outcome_state(OUTCOME_NOT_STARTED), TENANT_SKIPPED);
    assert_int_equal(outcome_state(OUTCOME_UNKNOWN), TENANT_FAILED);
}

static void a_value_out_of_range_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(outcome_name((Outcome)99), "unknown");
    assert_int_equal(outcome_state((Outcome)-1), TENANT_FAILED);
}

static void merging_is_upwards_in_any_order(void **state)
{
    (void)state;
    for (int held = TENANT_PENDING; held <= TENANT_SUCCEEDED; held++) {
        for (int learned = TENANT_PENDING; learned <= TENANT_SUCCEEDED; learned++) {
            TenantState merged = tenant_state_merge((TenantState)held, (TenantState)learned);
            assert_int_equal(merged, held > learned ? held : learned);
        }
    }
    assert_int_equal(tenant_state_merge(TENANT_FAILED, TENANT_SUCCEEDED), TENANT_SUCCEEDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(only_applied_and_already_succeed),
        cmocka_unit_test(a_value_out_of_range_is_unknown),
        cmocka_unit_test(merging_is_upwards_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
