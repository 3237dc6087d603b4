#include "tests/support/test.h"
#include "worker/pg/copy_text.h"
#include <string.h>

enum { MOST = 3 };

static char buffer[256];
static char *fields[MOST];

static size_t cut(const char *row)
{
    memset(fields, 0, sizeof fields);
    strcpy(buffer, row);
    return copy_text_cut(buffer, strlen(row), fields, MOST);
}

static void fields_stand_between_tabs(void **state)
{
    (void)state;
    assert_int_equal(cut("0001_users\t1700000000000\n"), 2);
    assert_string_equal(fields[0], "0001_users");
    assert_string_equal(fields[1], "1700000000000");
    assert_int_equal(cut("\t\n"), 2);
    assert_string_equal(fields[0], "");
    assert_string_equal(fields[1], "");
    assert_int_equal(cut("without its newline"), 1);
    assert_string_equal(fields[0], "without its newline");
    assert_int_equal(cut(""), 1);
    assert_string_equal(fields[0], "");
}

static void null_is_not_the_text_n(void **state)
{
    (void)state;
    assert_int_equal(cut("\\N\tN\t\\\\N\n"), 3);
    assert_null(fields[0]);
    assert_string_equal(fields[1], "N");
    assert_string_equal(fields[2], "\\N");
}

static void escapes_mean_what_they_stand_for(void **state)
{
    (void)state;
    assert_int_equal(cut("a\\tb\\nc\\rd\\\\e\t\\b\\f\\v\n"), 2);
    assert_string_equal(fields[0], "a\tb\nc\rd\\e");
    assert_string_equal(fields[1], "\b\f\v");
    assert_int_equal(cut("ends in one\\"), 1);
    assert_string_equal(fields[0], "ends in one\\");
}

static void more_fields_than_wanted_are_counted(void **state)
{
    (void)state;
    assert_int_equal(cut("a\tb\tc\td\te\n"), 5);
    assert_string_equal(fields[2], "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_stand_between_tabs),
        cmocka_unit_test(null_is_not_the_text_n),
        cmocka_unit_test(escapes_mean_what_they_stand_for),
        cmocka_unit_test(more_fields_than_wanted_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
