#include "common/migration.h"
#include "tests/support/test.h"

static void names_sort_by_big_number_then_bytes(void **state)
{
    (void)state;
    static const char *const SORTED[] = {
        "-x",
        "0000_zero",
        "B_no_number",
        "a_no_number",
        "0001_B",
        "0001_a",
        "0001_\xC3\xA9",
        "01_d",
        "1_c",
        "2",
        "10_x",
        "20260131120000_day",
        "18446744073709551616_beyond_64_bits",
        "18446744073709551617_beyond_64_bits",
        "0099999999999999999999999999999999999999_large",
    };
    const size_t count = sizeof(SORTED) / sizeof(SORTED[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            int order = migration_name_compare(SORTED[i], SORTED[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
    assert_int_equal(migration_number_compare("0001_a", "1_b"), 0);
    assert_int_equal(migration_number_compare("x", "000_b"), 0);
    assert_true(migration_number_compare("2_a", "10_a") < 0);
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    char name[300];
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    assert_false(migration_name_check(name, &error));
    assert_int_equal(error.code, ERROR_MIGRATIONS);
    assert_non_null(strstr(error.message, "256 bytes long, the limit is 255"));
    name[255] = '\0';
    assert_true(migration_name_check(name, &error));
    assert_false(migration_name_check("", &error));
    assert_false(migration_name_check("0001_\xff", &error));
    assert_string_equal(error.message, "migration name \"0001_\\xff\" is not UTF-8");
    assert_false(migration_name_check("a\nb", &error));
    assert_string_equal(error.message, "migration name \"a\\x0ab\" holds a control character");
}

static void the_text_is_without_its_byte_order_mark(void **state)
{
    (void)state;
    char marked[] = "\xEF\xBB\xBFselect 1", short_text[] = "\xEF\xBB";
    size_t length;
    Migration migration = {.sql = {marked, strlen(marked)}};
    assert_string_equal(migration_text(&migration, &length), "select 1");
    assert_int_equal(length, 8);
    migration.sql = (ByteString){short_text, 2};
    assert_ptr_equal(migration_text(&migration, &length), short_text);
    assert_int_equal(length, 2);
    migration.sql = (ByteString){0};
    assert_string_equal(migration_text(&migration, &length), "");
    assert_int_equal(length, 0);
}

static void the_digest_covers_every_field_and_the_order(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    char a[] = "0001_a", b[] = "0002_b", hash[] = "00", other_hash[] = "01";
    char sql[] = "select 1", other_sql[] = "select 2";
    const Migration first = {a, hash, 0, {sql, 8}}, second = {b, hash, 0, {sql, 8}};
    const Migration variants[][2] = {
        {first, second},
        {second, first},
        {first, first},
        {first, {b, other_hash, 0, {sql, 8}}},
        {first, {b, hash, 1, {sql, 8}}},
        {first, {b, hash, 0, {other_sql, 8}}},
        {first, {b, hash, 0, {sql, 7}}},
        {first, {b, hash, 0, {NULL, 0}}},
    };
    enum { COUNT = sizeof(variants) / sizeof(variants[0]) };
    char digests[COUNT][65];
    for (size_t i = 0; i < COUNT; i++) {
        Bundle bundle = {.items = (Migration *)variants[i], .count = 2};
        assert_true(bundle_digest(&bundle, &error));
        assert_int_equal(strlen(bundle.digest), 64);
        memcpy(digests[i], bundle.digest, sizeof(digests[i]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(digests[i], digests[k]);
    }
    Bundle again = {.items = (Migration *)variants[0], .count = 2};
    assert_true(bundle_digest(&again, &error));
    assert_string_equal(again.digest, digests[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_sort_by_big_number_then_bytes),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(the_text_is_without_its_byte_order_mark),
        cmocka_unit_test(the_digest_covers_every_field_and_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
