#include "common/journal.h"
#include "tests/support/test.h"

static bool parse(Journal *journal, const char *text, Error *error)
{
    return journal_parse(journal, text, strlen(text), "meta/_journal.json", error);
}

static void entries_are_found_by_tag(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    JOURNAL_CLEANUP Journal journal = {0};
    assert_true(
        parse(&journal,
              "{\"version\":\"7\",\"dialect\":\"postgresql\",\"entries\":["
              "{\"idx\":1,\"version\":\"7\",\"when\":1700000000001,\"tag\":\"0001_b\",\"breakpoints\":true},"
              "{\"idx\":0,\"when\":1700000000000,\"tag\":\"0000_a\"}]}",
              &error));
    assert_int_equal(journal.count, 2);
    assert_int_equal(journal_find(&journal, "0000_a")->when_ms, 1700000000000);
    assert_int_equal(journal_find(&journal, "0001_b")->when_ms, 1700000000001);
    assert_null(journal_find(&journal, "0002_c"));
}

static void an_empty_journal_has_nothing_to_find(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    JOURNAL_CLEANUP Journal journal = {0};
    assert_null(journal_find(&journal, "x"));
    assert_true(parse(&journal, "{\"entries\":[]}", &error));
    assert_null(journal_find(&journal, "x"));
}

static void broken_json_names_its_line(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Journal journal = {.count = 77};
    assert_false(parse(&journal, "{\"entries\":\n[\n{]}", &error));
    assert_int_equal(error.code, ERROR_MIGRATIONS);
    assert_non_null(strstr(error.message, "meta/_journal.json:3:"));
    assert_non_null(error.detail);
    assert_int_equal(journal.count, 77);
    assert_false(parse(&journal, "", &error));
    assert_false(parse(&journal, "{\"entries\":[],\"entries\":[]}", &error));
    assert_false(journal_parse(&journal, "{\"entries\":[]}\0", 15, "j", &error));
}

static void other_shapes_name_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } CASES[] = {
        {"[]", "has no list \"entries\""},
        {"{}", "has no list \"entries\""},
        {"{\"entries\":{}}", "has no list \"entries\""},
        {"{\"entries\":[7]}", "entries[0] has no text \"tag\""},
        {"{\"entries\":[{\"when\":1}]}", "entries[0] has no text \"tag\""},
        {"{\"entries\":[{\"tag\":\"a\",\"when\":1},{\"tag\":\"b\"}]}", "entries[1] has no \"when\""},
        {"{\"entries\":[{\"tag\":\"a\",\"when\":-1}]}", "entries[0] has no \"when\""},
        {"{\"entries\":[{\"tag\":\"a\",\"when\":1.5}]}", "entries[0] has no \"when\""},
        {"{\"entries\":[{\"tag\":\"a\",\"when\":\"1\"}]}", "entries[0] has no \"when\""},
        {"{\"entries\":[{\"tag\":\"\",\"when\":1}]}", "entries[0]: migration name is empty"},
        {"{\"entries\":[{\"tag\":\"a\\n\",\"when\":1}]}", "holds a control character"},
        {"{\"entries\":[{\"tag\":\"a\",\"when\":1},{\"tag\":\"a\",\"when\":2}]}", "lists \"a\" twice"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ERROR_CLEANUP Error error = {0};
        Journal journal = {0};
        assert_false(parse(&journal, CASES[i].text, &error));
        assert_int_equal(error.code, ERROR_MIGRATIONS);
        assert_non_null(strstr(error.message, CASES[i].problem));
        assert_null(journal.entries);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_found_by_tag),
        cmocka_unit_test(an_empty_journal_has_nothing_to_find),
        cmocka_unit_test(broken_json_names_its_line),
        cmocka_unit_test(other_shapes_name_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
