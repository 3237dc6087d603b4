/* Seed files: how they are named, and which are refused. Reading migrations is bundle_test.c's. */
#include "common/sql_file.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <stdio.h>

static char *folder;

static int setup(void **state)
{
    (void)state;
    folder = make_folder();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_tree(folder);
    free(folder);
    return 0;
}

static bool load(const char *file, Bundle *bundle, Error *error)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return bundle_load_seed(path, bundle, error);
}

static void a_seed_is_named_after_its_file(void **state)
{
    (void)state;
    static const struct {
        const char *file, *name;
    } FILES[] = {{"plans.sql", "plans"}, {"plans", "plans"}, {"plans.v2.sql", "plans.v2"},
                 {"a.txt", "a.txt"},     {"ünï.sql", "ünï"}, {"x.SQL", "x.SQL"}};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        Error error ERROR_CLEANUP = {0};
        Bundle bundle = {0};
        write_file(folder, FILES[i].file, "\xEF\xBB\xBFSELECT 1");
        assert_true(load(FILES[i].file, &bundle, &error));
        assert_int_equal(bundle.count, 1);
        assert_string_equal(bundle.items[0].name, FILES[i].name);
        assert_int_equal(bundle.items[0].sql.length, 11);
        assert_int_equal(strlen(bundle.items[0].hash), 64);
        assert_int_equal(strlen(bundle.digest), 64);
        bundle_clear(&bundle);
    }
}

static void what_is_no_seed_is_refused_and_the_bundle_untouched(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        ErrorCode code;
    } FILES[] = {{"gone.sql", NULL, ERROR_MIGRATIONS},
                 {"empty.sql", "", ERROR_MIGRATIONS},
                 {"blank.sql", " \t\r\n\f\v", ERROR_MIGRATIONS},
                 {"mark.sql", "\xEF\xBB\xBF", ERROR_MIGRATIONS},
                 {"bytes.sql", "\xff", ERROR_MIGRATIONS},
                 {".sql", "SELECT 1", ERROR_MIGRATIONS},
                 {"a.ts", "SELECT 1", ERROR_USAGE},
                 {"a.Js", "SELECT 1", ERROR_USAGE},
                 {"a.sql.mjs", "SELECT 1", ERROR_USAGE}};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        Error error ERROR_CLEANUP = {0};
        Bundle bundle = {.count = 77};
        if (FILES[i].text != NULL)
            write_file(folder, FILES[i].file, FILES[i].text);
        if (load(FILES[i].file, &bundle, &error) || error.code != FILES[i].code)
            fail_msg("%s: %s", FILES[i].file, error.message);
        assert_int_equal(bundle.count, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_seed_is_named_after_its_file, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_seed_is_refused_and_the_bundle_untouched, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
