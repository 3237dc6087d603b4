#include "common/record_set.h"
#include "common/results.h"
#include "tests/support/test.h"

static TenantMigrationResult word(const char *error, const char *applied, int64_t line)
{
    TenantMigrationResult result = {.line = line, .error = error != NULL ? strdup(error) : NULL};
    if (applied != NULL)
        assert_true(text_list_add(&result.applied_migrations, applied));
    return result;
}

static const TenantMigrationResult *keep(RecordSet *set, TenantMigrationResult record)
{
    const TenantMigrationResult *kept = record_set_keep(set, &record);
    assert_non_null(kept);
    assert_null(record.error); /* taken over */
    assert_int_equal(record.applied_migrations.count, 0);
    return kept;
}

static void equal_records_are_one_and_others_are_not(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    RecordSet *set = record_set_new(&TENANT_MIGRATION_RESULT, &error);
    const TenantMigrationResult *first = keep(set, word("boom", "0001_a", 7));
    assert_ptr_equal(keep(set, word("boom", "0001_a", 7)), first);
    assert_string_equal(first->error, "boom");
    assert_string_equal(first->applied_migrations.items[0], "0001_a");
    assert_int_equal(first->line, 7);
    const TenantMigrationResult others[] = {
        word("boo", "0001_a", 7), word(NULL, "0001_a", 7), word("", "0001_a", 7),
        word("boom", NULL, 7),    word("boom", "0001", 7), word("boom", "0001_a", 8),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_ptr_not_equal(keep(set, others[i]), first);
        assert_int_equal(record_set_count(set), i + 2);
    }
    record_set_free(set);
}

static void a_record_ends_with_its_last_keeper(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    RecordSet *set = record_set_new(&TENANT_MIGRATION_RESULT, &error);
    const TenantMigrationResult *kept = keep(set, word("a", NULL, 0));
    keep(set, word("a", NULL, 0));
    keep(set, word("b", NULL, 0));
    record_set_drop(set, kept);
    assert_int_equal(record_set_count(set), 2);
    record_set_drop(set, kept);
    assert_int_equal(record_set_count(set), 1);
    record_set_drop(set, NULL);
    record_set_free(set);
    record_set_free(NULL);
}

/* Every member counts, in whatever kind of field. */
static void lists_of_records_are_compared_by_content(void **state)
{
    (void)state;
    ParseResult one = {0}, same = {0}, other = {0};
    ParseResult *const results[] = {&one, &same, &other};
    for (size_t i = 0; i < 3; i++) {
        ParseFailure *failure = record_list_add(&PARSE_FAILURE, &results[i]->failures);
        *failure = (ParseFailure){.migration = strdup("0001_a"), .line = i == 2 ? 5 : 4};
    }
    assert_true(record_equal(&PARSE_RESULT, &one, &same));
    assert_int_equal(record_hash(&PARSE_RESULT, &one), record_hash(&PARSE_RESULT, &same));
    assert_false(record_equal(&PARSE_RESULT, &one, &other));
    assert_int_not_equal(record_hash(&PARSE_RESULT, &one), record_hash(&PARSE_RESULT, &other));
    for (size_t i = 0; i < 3; i++)
        record_clear(&PARSE_RESULT, results[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_records_are_one_and_others_are_not),
        cmocka_unit_test(a_record_ends_with_its_last_keeper),
        cmocka_unit_test(lists_of_records_are_compared_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
