/* `pgconvoy generate` and `generate:shared`, without a server. */
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){"pgconvoy", __VA_ARGS__, NULL})

static char *folder;

/* A configuration that names both folders, of which only the first is there. */
static int start(void **state)
{
    (void)state;
    char *migrations;
    folder = make_folder();
    write_file(folder, "pgconvoy.yaml", "migrations:\n  folder: ./migrations\nshared:\n  folder: ./shared\n");
    assert_true(asprintf(&migrations, "%s/migrations", folder) > 0);
    assert_int_equal(mkdir(migrations, 0755), 0);
    write_file(migrations, "0003_idx.sql", "");
    free(migrations);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    remove_tree(folder);
    free(folder);
    return 0;
}

static void expect(const char *const words[], int status, const char *out, const char *err)
{
    char *found_out, *found_err;
    int found = process_run(folder, NULL, words, &found_out, &found_err);
    if (found != status)
        fail_msg("exit %d instead of %d: %s%s", found, status, found_out, found_err);
    if (out != NULL)
        assert_string_equal(found_out, out);
    if (err != NULL)
        assert_non_null(strstr(found_err, err));
    free(found_out);
    free(found_err);
}

static bool is_there(const char *file)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", folder, file) > 0);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static void files_are_numbered_one_after_the_other(void **state)
{
    (void)state;
    expect(WORDS("generate", "-n", "Add Users!"), 0, "created ./migrations/0004_add_users.sql\n", NULL);
    expect(WORDS("generate", "--name", "x", "--json"), 0, "{\n  \"file\": \"./migrations/0005_x.sql\"\n}\n",
           NULL);
    expect(WORDS("generate", "-n", ""), 0, "created ./migrations/0006_migration.sql\n", NULL);
    assert_true(is_there("migrations/0004_add_users.sql"));
    assert_true(is_there("migrations/0005_x.sql"));
    assert_true(is_there("migrations/0006_migration.sql"));
}

static void shared_migrations_have_a_folder_of_their_own(void **state)
{
    (void)state;
    expect(WORDS("generate", "--shared", "-n", "plans"), 7, NULL, "HINT: make it first: mkdir -p './shared'");
    assert_false(is_there("shared"));
    char *shared;
    assert_true(asprintf(&shared, "%s/shared", folder) > 0);
    assert_int_equal(mkdir(shared, 0755), 0);
    free(shared);
    expect(WORDS("generate", "--shared", "-n", "plans"), 0, "created ./shared/0001_plans.sql\n", NULL);
    expect(WORDS("generate:shared", "-n", "more"), 0, "created ./shared/0002_more.sql\n", NULL);
    expect(WORDS("generate", "shared", "-n", "more"), 0, "created ./shared/0003_more.sql\n", NULL);
    write_file(folder, "pgconvoy.yaml", "migrations:\n  folder: ./migrations\n");
    expect(WORDS("generate:shared", "-n", "more"), 2, NULL, "set shared.folder");
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    expect(WORDS("generate"), 2, NULL, "generate needs --name");
    expect(WORDS("generate", "-n", "x", "-f", "nowhere", "--json"), 7, NULL, "mkdir -p 'nowhere'");
    assert_false(is_there("nowhere"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_numbered_one_after_the_other),
        TEST(shared_migrations_have_a_folder_of_their_own),
        TEST(what_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
