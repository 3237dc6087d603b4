#include "tests/support/test.h"
#include "worker/ops/clone_progress.h"
#include <stdio.h>

static char told[256];

static bool hear(void *context, const char *step, const char *table, Error *error)
{
    const char *enough = context;
    size_t length = strlen(told);
    snprintf(told + length, sizeof told - length, "%s%s%s ", step, table != NULL ? ":" : "",
             table != NULL ? table : "");
    return enough == NULL || strcmp(step, enough) != 0 || error_set(error, ERROR_CALLBACK, "enough");
}

static CloneProgress progress_of(bool with_data, const char *enough)
{
    told[0] = '\0';
    return (CloneProgress){.tell = hear, .context = (char *)enough, .with_data = with_data};
}

static void steps_are_told_once_and_in_order(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    CloneProgress progress = progress_of(true, NULL);
    assert_true(clone_progress_reach(&progress, CLONE_TABLE, &error));
    assert_false(clone_progress_is_new(&progress, CLONE_DEFAULT));
    assert_true(clone_progress_reach(&progress, CLONE_DATA, &error));
    assert_true(clone_progress_tell_table(&progress, "users", &error));
    assert_true(clone_progress_reach(&progress, CLONE_TYPE, &error));
    assert_true(clone_progress_is_new(&progress, CLONE_KEY));
    assert_true(clone_progress_reach(&progress, CLONE_POLICY, &error));
    assert_true(clone_progress_reach(&progress, CLONE_POLICY, &error));
    assert_string_equal(told, "creating_tables copying_data copying_data:users creating_constraints "
                              "creating_indexes ");
}

static void without_data_none_is_copied(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    CloneProgress progress = progress_of(false, NULL);
    assert_true(clone_progress_reach(&progress, CLONE_POLICY, &error));
    assert_string_equal(told, "creating_tables creating_constraints creating_indexes ");
}

static void a_refused_step_is_the_last(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    CloneProgress progress = progress_of(true, "copying_data");
    assert_false(clone_progress_reach(&progress, CLONE_POLICY, &error));
    assert_string_equal(error.message, "enough");
    assert_string_equal(told, "creating_tables copying_data ");
}

static void nobody_needs_to_listen(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    CloneProgress progress = {.with_data = true};
    assert_true(clone_progress_tell(&progress, "introspecting", &error));
    assert_true(clone_progress_tell_table(&progress, "users", &error));
    assert_true(clone_progress_reach(&progress, CLONE_POLICY, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_told_once_and_in_order),
        cmocka_unit_test(without_data_none_is_copied),
        cmocka_unit_test(a_refused_step_is_the_last),
        cmocka_unit_test(nobody_needs_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
