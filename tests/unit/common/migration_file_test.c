/* The next migration file: its number, its name, and what it never does. */
#include "common/migration.h"
#include "common/migration_file.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_name(const char *folder, const char *words, const char *expected)
{
    ERROR_CLEANUP Error error = {0};
    char *name = migration_file_name(folder, words, &error);
    if (name == NULL)
        fail_msg("%s", error.message);
    assert_string_equal(name, expected);
    free(name);
}

static void words_become_a_name(void **state)
{
    (void)state;
    char *folder = make_folder();
    expect_name(folder, "Add Users!", "0001_add_users");
    expect_name(folder, "--a  b__C9--", "0001_a_b_c9");
    expect_name(folder,
                "\xC3\x9C"
                "ber/../x\n",
                "0001_ber_x");
    expect_name(folder, "", "0001_migration");
    expect_name(folder, "?!", "0001_migration");
    remove_tree(folder);
    free(folder);
}

static void the_number_follows_the_highest(void **state)
{
    static const struct {
        const char *file, *expected;
    } CASES[] = {
        {"no_number.sql", "0001_x"},
        {"0003_b.sql", "0004_x"},
        {"0001_a.sql", "0004_x"},
        {"0900_draft.txt", "0004_x"},
        {".0901_hidden.sql", "0004_x"},
        {"9999_last.sql", "10000_x"},
        {"20240101120000_time.sql", "20240101120001_x"},
    };
    (void)state;
    char *folder = make_folder();
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        write_file(folder, CASES[i].file, "");
        expect_name(folder, "x", CASES[i].expected);
    }
    ERROR_CLEANUP Error error = {0};
    write_file(folder, "99999999999999999999_big.sql", "");
    assert_null(migration_file_name(folder, "x", &error));
    assert_int_equal(error.code, ERROR_MIGRATIONS);
    remove_tree(folder);
    free(folder);
}

static void the_file_is_new_and_can_be_loaded(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    char *folder = make_folder(), *expected;
    mode_t mask = umask(022);
    char *path = migration_file_create(folder, "Add users", &error);
    umask(mask);
    assert_true(asprintf(&expected, "%s/0001_add_users.sql", folder) > 0);
    assert_string_equal(path, expected);
    struct stat made;
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0644);
    Bundle bundle;
    assert_true(bundle_load(folder, false, &bundle, NULL, &error));
    assert_int_equal(bundle.count, 1);
    assert_string_equal(bundle.items[0].name, "0001_add_users");
    assert_string_equal(bundle.items[0].sql.data, "-- 0001_add_users\n\n");
    bundle_clear(&bundle);
    free(path);
    free(expected);
    remove_tree(folder);
    free(folder);
}

static void expect_refused(const char *folder, const char *words, ErrorCode code, const char *hint)
{
    ERROR_CLEANUP Error error = {0};
    assert_null(migration_file_create(folder, words, &error));
    assert_int_equal(error.code, code);
    if (hint != NULL)
        assert_non_null(strstr(error.hint, hint));
}

static void what_is_there_stays(void **state)
{
    (void)state;
    char *folder = make_folder(), *taken;
    assert_true(asprintf(&taken, "%s/0001_x.sql", folder) > 0);
    assert_int_equal(symlink("/nonexistent/target", taken), 0); /* counted, so never written through */
    expect_name(folder, "x", "0002_x");
    assert_int_equal(unlink(taken), 0);
    char words[300];
    memset(words, 'a', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    expect_refused(folder, words, ERROR_USAGE, NULL);
    write_file(folder, "meta", "");
    expect_name(folder, "x", "0001_x");
    remove_tree(folder);
    expect_refused(folder, "x", ERROR_MIGRATIONS, "mkdir -p");
    free(taken);
    free(folder);
}

static void a_folder_of_drizzle_kit_is_left_to_it(void **state)
{
    (void)state;
    char *folder = make_folder(), *meta;
    assert_true(asprintf(&meta, "%s/meta", folder) > 0);
    assert_int_equal(mkdir(meta, 0755), 0);
    write_file(meta, "_journal.json", "{}");
    expect_refused(folder, "x", ERROR_MIGRATIONS, "drizzle-kit generate");
    expect_name(folder, "x", "0001_x");
    free(meta);
    remove_tree(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_a_name),
        cmocka_unit_test(the_number_follows_the_highest),
        cmocka_unit_test(the_file_is_new_and_can_be_loaded),
        cmocka_unit_test(what_is_there_stays),
        cmocka_unit_test(a_folder_of_drizzle_kit_is_left_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
