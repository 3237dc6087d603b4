#include "common/error.h"
#include "tests/support/test.h"

static void setting_replaces_everything_and_returns_false(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {.sqlstate = "42601", .line = 3, .tenant = strdup("a")};
    assert_false(error_set(&error, ERROR_SERVER, "first %d", 1));
    error_set_detail(&error, "because of %s", "x");
    error_set_hint(&error, "do y");
    assert_null(error.tenant);
    assert_string_equal(error.sqlstate, "");
    assert_string_equal(error.message, "first 1");
    error_set(&error, ERROR_CONFIG, "second");
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_null(error.detail);
    assert_null(error.hint);
}

static void a_message_may_quote_the_error_it_replaces(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    error_set(&error, ERROR_SERVER, "inner");
    error_set(&error, ERROR_CONFIG, "outer of %s", error.message);
    assert_string_equal(error.message, "outer of inner");
    error_set_detail(&error, "one");
    error_set_detail(&error, "%s and two", error.detail);
    assert_string_equal(error.detail, "one and two");
}

static void prefix_goes_in_front(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    error_set(&error, ERROR_TENANTS, "is empty");
    error_prefix(&error, "%s:%d", "list", 7);
    assert_string_equal(error.message, "list:7: is empty");
    ERROR_CLEANUP Error bare = {.code = ERROR_BUSY};
    error_prefix(&bare, "tenant");
    assert_string_equal(bare.message, "tenant: ");
}

static void move_empties_the_source_and_frees_the_target(void **state)
{
    (void)state;
    ERROR_CLEANUP Error target = {0}, source = {0};
    error_set(&target, ERROR_CONFIG, "old");
    error_memory(&source);
    error_move(&target, &source);
    assert_int_equal(target.code, ERROR_MEMORY);
    assert_string_equal(target.message, "out of memory");
    assert_int_equal(source.code, ERROR_NONE);
    assert_null(source.message);
}

static void format_names_place_state_detail_and_hint(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    error_set(&error, ERROR_SERVER, "column \"total\" already exists");
    error.tenant = strdup("acme_042");
    error.migration = strdup("0017_totals");
    error.line = 4;
    error.column = 9;
    memcpy(error.sqlstate, "42701", 6);
    error_set_detail(&error, "d");
    error_set_hint(&error, "h");
    char *text = error_format(&error);
    assert_string_equal(text,
                        "error: tenant \"acme_042\": migration 0017_totals:4:9: column \"total\" already "
                        "exists (SQLSTATE 42701)\nDETAIL: d\nHINT: h\n");
    free(text);
}

static void format_without_a_message_tells_the_class(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {.code = ERROR_NO_SCHEMA};
    char *text = error_format(&error);
    assert_string_equal(text, "error: the tenant's schema does not exist\n");
    free(text);
}

static void every_code_has_a_class_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < ERROR_CODE_COUNT; i++) {
        const ErrorClass *class = error_class((ErrorCode)i);
        assert_non_null(class->name);
        assert_non_null(class->doc);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(class->name, error_class((ErrorCode)k)->name);
    }
    assert_int_equal(error_class(ERROR_MIGRATIONS)->exit_code, 7);
    assert_int_equal(error_class(ERROR_TENANTS)->exit_code, 2);
    assert_int_equal(error_class(ERROR_ABORTED)->exit_code, 4);
    assert_int_equal(error_class(ERROR_CANCELLED)->exit_code, 130);
    assert_ptr_equal(error_class(ERROR_CODE_COUNT), error_class(ERROR_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_replaces_everything_and_returns_false),
        cmocka_unit_test(a_message_may_quote_the_error_it_replaces),
        cmocka_unit_test(prefix_goes_in_front),
        cmocka_unit_test(move_empties_the_source_and_frees_the_target),
        cmocka_unit_test(format_names_place_state_detail_and_hint),
        cmocka_unit_test(format_without_a_message_tells_the_class),
        cmocka_unit_test(every_code_has_a_class_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
