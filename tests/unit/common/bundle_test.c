#include "common/hash.h"
#include "common/migration.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Fixture {
    char *folder;
    Bundle bundle;
    TextList warnings;
    Error error;
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->folder = make_folder();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;
    remove_tree(fixture->folder);
    free(fixture->folder);
    bundle_clear(&fixture->bundle);
    text_list_clear(&fixture->warnings);
    error_clear(&fixture->error);
    free(fixture);
    return 0;
}

static char *path_of(const Fixture *fixture, const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", fixture->folder, name) > 0);
    return path;
}

static void write_bytes(const Fixture *fixture, const char *name, const void *bytes, size_t length)
{
    char *path = path_of(fixture, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void add_folder(const Fixture *fixture, const char *name)
{
    char *path = path_of(fixture, name);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static void add_link(const Fixture *fixture, const char *target, const char *name)
{
    char *path = path_of(fixture, name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

static bool load(Fixture *fixture)
{
    return bundle_load(fixture->folder, false, &fixture->bundle, &fixture->warnings, &fixture->error);
}

static bool warned(const Fixture *fixture, const char *part)
{
    for (size_t i = 0; i < fixture->warnings.count; i++)
        if (strstr(fixture->warnings.items[i], part) != NULL)
            return true;
    return false;
}

static void files_load_in_order_with_hash_and_text(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "0010_late.sql", "");
    write_file(fixture->folder, "0002_first.sql", "\xEF\xBB\xBFselect 1\r\n");
    write_file(fixture->folder, "README.md", "\xff");
    write_file(fixture->folder, "0003_x.SQL", "\xff");
    write_file(fixture->folder, "0004_x.sql.bak", "\xff");
    assert_true(load(fixture));
    assert_int_equal(fixture->warnings.count, 0);
    assert_int_equal(fixture->bundle.count, 2);
    const Migration *first = &fixture->bundle.items[0], *second = &fixture->bundle.items[1];
    assert_string_equal(first->name, "0002_first");
    assert_int_equal(first->sql.length, 13);
    assert_int_equal(first->sql.data[13], '\0');
    assert_int_equal(first->when_ms, 0);
    size_t length;
    assert_string_equal(migration_text(first, &length), "select 1\r\n");
    unsigned char digest[32];
    char hex[65];
    assert_true(sha256_bytes("\xEF\xBB\xBFselect 1\r\n", 13, digest, &fixture->error));
    hex_encode(digest, 32, hex);
    assert_string_equal(first->hash, hex); /* of the raw bytes, mark and all */
    assert_string_equal(second->name, "0010_late");
    assert_string_equal(second->hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    char digest_before[65];
    memcpy(digest_before, fixture->bundle.digest, sizeof(digest_before));
    assert_true(bundle_digest(&fixture->bundle, &fixture->error));
    assert_string_equal(fixture->bundle.digest, digest_before);
}

static void many_files_load(void **state)
{
    Fixture *fixture = *state;
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%d_x.sql", 200 - i);
        write_file(fixture->folder, name, "select 1");
    }
    assert_true(load(fixture));
    assert_int_equal(fixture->bundle.count, 200);
    assert_string_equal(fixture->bundle.items[0].name, "1_x");
    assert_string_equal(fixture->bundle.items[199].name, "200_x");
}

static void a_missing_folder_is_named_with_a_hint(void **state)
{
    Fixture *fixture = *state;
    assert_false(bundle_load("/nowhere/migrations", true, &fixture->bundle, NULL, &fixture->error));
    assert_int_equal(fixture->error.code, ERROR_MIGRATIONS);
    assert_string_equal(fixture->error.message, "migrations folder not found: /nowhere/migrations");
    assert_non_null(fixture->error.hint);
    assert_false(bundle_load("/dev/null", true, &fixture->bundle, NULL, &fixture->error));
    assert_string_equal(fixture->error.message,
                        "migrations folder cannot be read: /dev/null: Not a directory");
}

static void an_empty_folder_is_refused_unless_allowed(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "notes.txt", "x");
    assert_false(load(fixture));
    assert_int_equal(fixture->error.code, ERROR_MIGRATIONS);
    assert_non_null(strstr(fixture->error.message, "holds no *.sql file"));
    assert_true(bundle_load(fixture->folder, true, &fixture->bundle, NULL, &fixture->error));
    assert_int_equal(fixture->bundle.count, 0);
    assert_int_equal(strlen(fixture->bundle.digest), 64);
}

static void other_entries_are_ignored_and_said_so(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "0001_x.sql", "select 1");
    write_file(fixture->folder, ".0000_hidden.sql", "\xff");
    write_file(fixture->folder, ".sql", "\xff");
    add_folder(fixture, "0002_folder.sql");
    char *fifo = path_of(fixture, "0003_fifo.sql");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    free(fifo);
    assert_true(load(fixture));
    assert_int_equal(fixture->bundle.count, 1);
    assert_int_equal(fixture->warnings.count, 4);
    assert_true(warned(fixture, "\".0000_hidden.sql\" is hidden"));
    assert_true(warned(fixture, "\".sql\" is hidden"));
    assert_true(warned(fixture, "\"0002_folder.sql\" is not a regular file"));
    assert_true(warned(fixture, "\"0003_fifo.sql\" is not a regular file"));
}

static void links_count_as_what_they_point_to(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "body.txt", "select 7");
    add_link(fixture, "body.txt", "0001_link.sql");
    add_link(fixture, ".", "0002_folder.sql");
    assert_true(load(fixture));
    assert_int_equal(fixture->bundle.count, 1);
    assert_string_equal(fixture->bundle.items[0].name, "0001_link");
    assert_string_equal(fixture->bundle.items[0].sql.data, "select 7");
    assert_true(warned(fixture, "0002_folder.sql"));
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "0001_x.sql", "select 1");
    add_link(fixture, "gone", "0002_dangling.sql");
    assert_false(load(fixture));
    assert_int_equal(fixture->error.code, ERROR_MIGRATIONS);
    assert_string_equal(fixture->error.message,
                        "migration file \"0002_dangling.sql\" cannot be read: No such "
                        "file or directory");
    assert_null(fixture->bundle.items);
}

static void a_file_without_permission_is_an_error(void **state)
{
    Fixture *fixture = *state;
    if (geteuid() == 0)
        skip(); /* root may read everything */
    write_file(fixture->folder, "0001_x.sql", "select 1");
    char *path = path_of(fixture, "0001_x.sql");
    assert_int_equal(chmod(path, 0), 0);
    free(path);
    assert_false(load(fixture));
    assert_string_equal(fixture->error.message,
                        "migration file \"0001_x.sql\" cannot be read: Permission denied");
}

static void a_file_too_large_for_any_server_is_an_error(void **state)
{
    Fixture *fixture = *state;
    char *path = path_of(fixture, "0001_huge.sql");
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, (off_t)1 << 31), 0);
    close(fd);
    free(path);
    assert_false(load(fixture));
    assert_string_equal(fixture->error.message, "migration file \"0001_huge.sql\" is larger than 1 GiB");
}

static void nul_and_other_encodings_are_refused_with_their_offset(void **state)
{
    Fixture *fixture = *state;
    write_bytes(fixture, "0001_nul.sql", "select\0 1", 9);
    assert_false(load(fixture));
    assert_int_equal(fixture->error.code, ERROR_MIGRATIONS);
    assert_string_equal(fixture->error.message,
                        "migration file \"0001_nul.sql\" holds a NUL byte at byte offset 6");
    write_bytes(fixture, "0001_nul.sql", "-- caf\xe9\n", 8);
    assert_false(load(fixture));
    assert_string_equal(fixture->error.message,
                        "migration file \"0001_nul.sql\" is not UTF-8 at byte offset 6");
    assert_non_null(fixture->error.hint);
}

static void a_file_name_in_another_encoding_is_refused(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "0001_caf\xe9.sql", "select 1");
    assert_false(load(fixture));
    assert_string_equal(fixture->error.message, "migration name \"0001_caf\\xe9\" is not UTF-8");
}

static void equal_and_missing_numbers_are_warnings(void **state)
{
    Fixture *fixture = *state;
    static const char *const NAMES[] = {"0001_a.sql", "1_b.sql",   "0002_a.sql", "0002_b.sql",
                                        "0002_c.sql", "003_d.sql", "seed.sql"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        write_file(fixture->folder, NAMES[i], "select 1");
    assert_true(load(fixture));
    assert_int_equal(fixture->warnings.count, 3);
    assert_true(warned(fixture, "\"seed\" does not start with a number and counts as 0"));
    assert_true(warned(fixture, "\"0001_a\" and \"1_b\" share the number 0001"));
    assert_true(warned(fixture, "\"0002_a\", \"0002_b\" and 1 more share the number 0002"));
    assert_string_equal(fixture->bundle.items[0].name, "seed");
}

static void warnings_need_not_be_wanted(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "seed.sql", "select 1");
    assert_true(bundle_load(fixture->folder, false, &fixture->bundle, NULL, &fixture->error));
    assert_int_equal(fixture->bundle.count, 1);
}

static void a_journal_gives_the_times(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "0000_a.sql", "select 1");
    write_file(fixture->folder, "0001_b.sql", "select 2");
    assert_true(load(fixture));
    char plain[65];
    memcpy(plain, fixture->bundle.digest, sizeof(plain));
    bundle_clear(&fixture->bundle);

    add_folder(fixture, "meta");
    write_file(fixture->folder, "meta/_journal.json",
               "{\"entries\":[{\"idx\":0,\"when\":1700000000000,\"tag\":\"0000_a\"},"
               "{\"idx\":1,\"when\":1700000000001,\"tag\":\"0009_gone\"}]}");
    assert_true(load(fixture));
    assert_int_equal(fixture->bundle.items[0].when_ms, 1700000000000);
    assert_int_equal(fixture->bundle.items[1].when_ms, 0);
    assert_string_not_equal(fixture->bundle.digest, plain);
    assert_int_equal(fixture->warnings.count, 2);
    assert_true(warned(fixture, "\"0001_b\" is not in meta/_journal.json"));
    assert_true(warned(fixture, "meta/_journal.json lists \"0009_gone\", which has no file"));
}

static void a_broken_journal_is_an_error_with_its_line(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "0000_a.sql", "select 1");
    add_folder(fixture, "meta");
    write_file(fixture->folder, "meta/_journal.json", "{\n\"entries\": oops}");
    assert_false(load(fixture));
    assert_int_equal(fixture->error.code, ERROR_MIGRATIONS);
    assert_non_null(strstr(fixture->error.message, "migration journal meta/_journal.json:2:"));
    char *path = path_of(fixture, "meta/_journal.json");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
    assert_false(load(fixture));
    assert_string_equal(fixture->error.message,
                        "migration file \"meta/_journal.json\" cannot be read: Is a directory");
}

static void a_journal_that_is_a_pipe_does_not_block(void **state)
{
    Fixture *fixture = *state;
    write_file(fixture->folder, "0000_a.sql", "select 1");
    add_folder(fixture, "meta");
    char *path = path_of(fixture, "meta/_journal.json");
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
    assert_false(load(fixture));
    assert_non_null(strstr(fixture->error.message, "is not JSON"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_load_in_order_with_hash_and_text),
        TEST(many_files_load),
        TEST(a_missing_folder_is_named_with_a_hint),
        TEST(an_empty_folder_is_refused_unless_allowed),
        TEST(other_entries_are_ignored_and_said_so),
        TEST(links_count_as_what_they_point_to),
        TEST(a_file_that_cannot_be_read_is_an_error),
        TEST(a_file_without_permission_is_an_error),
        TEST(a_file_too_large_for_any_server_is_an_error),
        TEST(nul_and_other_encodings_are_refused_with_their_offset),
        TEST(a_file_name_in_another_encoding_is_refused),
        TEST(equal_and_missing_numbers_are_warnings),
        TEST(warnings_need_not_be_wanted),
        TEST(a_journal_gives_the_times),
        TEST(a_broken_journal_is_an_error_with_its_line),
        TEST(a_journal_that_is_a_pipe_does_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
