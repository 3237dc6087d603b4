#include "common/operation.h"
#include "tests/support/test.h"

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < OPERATION_COUNT; i++) {
        OperationId id = OPERATION_COUNT;
        assert_true(operation_from_name(operation_get((OperationId)i)->name, &id));
        assert_int_equal(id, i);
    }
    OperationId untouched = OPERATION_PARSE;
    assert_false(operation_from_name("drop-everything", &untouched));
    assert_int_equal(untouched, OPERATION_PARSE);
}

static void rows_agree_with_themselves(void **state)
{
    (void)state;
    for (int i = 0; i < OPERATION_COUNT; i++) {
        const Operation *operation = operation_get((OperationId)i);
        assert_non_null(operation->result);
        assert_true(operation->tenants_per_job >= 1);
        assert_true(operation->tenants_per_job <= (operation->shape == OPERATION_SET ? 500 : 50));
        if (operation->shape == OPERATION_DATABASE)
            assert_int_equal(operation->tenants_per_job, 1);
        if (operation->writes)
            assert_int_equal(operation->shape, OPERATION_TENANT);
        if (operation->writes && i != OPERATION_DROP && i != OPERATION_CLONE)
            assert_true(operation->needs_bundle);
    }
    assert_true(operation_get(OPERATION_MIGRATE)->writes);
    assert_false(operation_get(OPERATION_STATUS)->writes);
    assert_ptr_equal(operation_get((OperationId)77), operation_get(OPERATION_NULL));
}

static void run_options_describe_every_member(void **state)
{
    (void)state;
    static const size_t SIZES[] = {[FIELD_BOOL] = sizeof(bool),
                                   [FIELD_INT] = sizeof(int64_t),
                                   [FIELD_TEXT] = sizeof(char *),
                                   [FIELD_TEXTS] = sizeof(TextList),
                                   [FIELD_RECORDS] = sizeof(RecordList)};
    unsigned char described[sizeof(RunOptions)] = {0};
    for (size_t i = 0; i < RUN_OPTIONS.field_count; i++) {
        const RecordField *field = &RUN_OPTIONS.fields[i];
        for (size_t k = 0; k < SIZES[field->kind]; k++)
            assert_int_equal(described[field->offset + k]++, 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(field->name, RUN_OPTIONS.fields[k].name);
    }
    /* What is left are the bytes that fill up a word after bools. */
    for (size_t i = 0; i < sizeof(RunOptions); i += 8)
        assert_int_equal(described[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(rows_agree_with_themselves),
        cmocka_unit_test(run_options_describe_every_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
