#include "tests/support/test.h"
#include "worker/ops/recorded.h"
#include <stdio.h>

static Migration items[] = {
    {.name = "1_a", .hash = "h1", .when_ms = 100},       {.name = "2_b", .hash = "h2", .when_ms = 200},
    {.name = "3_a again", .hash = "h1", .when_ms = 300}, {.name = "4_c", .hash = "h4", .when_ms = 400},
    {.name = "5_d", .hash = "h5", .when_ms = 400},       {.name = "6_e", .hash = "h6"},
};
static const Bundle BUNDLE = {.items = items, .count = 6};

typedef struct Row {
    const char *identifier;
    int64_t when_ms;
} Row;

/* One letter for each item: R recorded, C changed, - neither. */
static void assert_judged(TrackingFormat format, const Row *rows, size_t count, const char *expected)
{
    Error error = {0};
    RecordedIndex *index = recorded_index_new(&BUNDLE, &error);
    assert_non_null(index);
    char text[7] = "";
    for (int round = 0; round < 2; round++) { /* the second begins with the first one's counts */
        recorded_begin(index, format);
        for (size_t i = 0; i < count; i++)
            recorded_row(index, rows[i].identifier, rows[i].when_ms);
        for (size_t i = 0; i < BUNDLE.count; i++)
            text[i] = recorded_has(index, i) ? 'R' : recorded_changed(index, i) ? 'C' : '-';
        assert_string_equal(text, expected);
    }
    recorded_index_free(index);
}

static void names_count_in_every_format(void **state)
{
    (void)state;
    const Row rows[] = {{"1_a", 0}, {"4_c", 0}, {"4_c", 0}, {"orphan", 0}, {NULL, 100}, {"h2", 200}};
    assert_judged(TRACKING_NAME, rows, 6, "R--R--");
    assert_judged(TRACKING_HASH, rows, 6, "RR-R--");
    assert_judged(TRACKING_NAME, NULL, 0, "------");
}

static void equal_hashes_are_counted_in_order(void **state)
{
    (void)state;
    const Row rows[] = {{"h1", 0}, {"h1", 0}};
    assert_judged(TRACKING_HASH, rows, 1, "R-----");
    assert_judged(TRACKING_HASH, rows, 2, "R-R---");
}

static void journal_time_with_an_unknown_hash_is_a_changed_file(void **state)
{
    (void)state;
    const Row rows[] = {{"old", 200}, {"old", 400}, {"h1", 100}, {"h6", 300}, {"old", 0}};
    assert_judged(TRACKING_DRIZZLE_KIT, rows, 5, "RC---R");
    assert_judged(TRACKING_HASH, rows, 5, "R----R");
}

/* Rows as a server gives them: a column that is not theirs, then identifier and time. */
static PGresult *result_of(const Row *rows, size_t count)
{
    static PGresAttDesc columns[] = {
        {.name = (char *)"place"}, {.name = (char *)"id"}, {.name = (char *)"ms"}};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_int_equal(PQsetResultAttrs(result, 3, columns), 1);
    for (int i = 0; i < (int)count; i++) {
        char when[24];
        char *identifier = (char *)rows[i].identifier;
        snprintf(when, sizeof when, "%lld", (long long)rows[i].when_ms);
        assert_int_equal(PQsetvalue(result, i, 0, (char *)"0", 1), 1);
        assert_int_equal(
            PQsetvalue(result, i, 1, identifier, identifier != NULL ? (int)strlen(identifier) : -1), 1);
        assert_int_equal(PQsetvalue(result, i, 2, when, (int)strlen(when)), 1);
    }
    return result;
}

/* Orphans of all rows but the first, joined by commas. */
static void assert_orphans(TrackingFormat format, const Row *rows, size_t count, const char *expected)
{
    Error error = {0};
    RecordedIndex *index = recorded_index_new(&BUNDLE, &error);
    PGresult *result = result_of(rows, count);
    const RecordedRows part = {.rows = result, .first = 1, .count = (int)count - 1, .column = 1};
    TextList orphans = {0};
    char text[200] = "";
    recorded_begin(index, format);
    recorded_count(index, &part);
    assert_true(recorded_list_orphans(index, &part, &orphans));
    for (size_t i = 0; i < orphans.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? "," : "", orphans.items[i]);
    assert_string_equal(text, expected);
    text_list_clear(&orphans);
    PQclear(result);
    recorded_index_free(index);
}

static void rows_that_no_file_explains_are_orphans(void **state)
{
    (void)state;
    const Row rows[] = {{"not ours", 0}, {"1_a", 0},  {"h2", 0},  {"gone", 0},
                        {NULL, 200},     {"gone", 0}, {"\xff", 0}};
    assert_orphans(TRACKING_NAME, rows, 7, "h2,gone,NULL,gone,\xef\xbf\xbd");
    assert_orphans(TRACKING_HASH, rows, 7, "gone,NULL,gone,\xef\xbf\xbd");
}

static void the_only_proof_of_a_changed_file_is_no_orphan(void **state)
{
    (void)state;
    const Row rows[] = {{"not ours", 0}, {"old", 200}, {"old", 999}, {"old", 400}, {"h1", 100}, {"old", 100}};
    assert_orphans(TRACKING_DRIZZLE_KIT, rows, 6, "old,old,old");
    assert_orphans(TRACKING_HASH, rows, 6, "old,old,old,old");
    const Row accepted[] = {{"not ours", 0}, {"old", 200}, {"h2", 200}};
    assert_orphans(TRACKING_DRIZZLE_KIT, accepted, 3, "old");
}

static void empty_bundle_has_nothing(void **state)
{
    (void)state;
    Error error = {0};
    RecordedIndex *index = recorded_index_new(NULL, &error);
    recorded_begin(index, TRACKING_DRIZZLE_KIT);
    recorded_row(index, "h1", 100);
    recorded_index_free(index);
    recorded_index_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_count_in_every_format),
        cmocka_unit_test(equal_hashes_are_counted_in_order),
        cmocka_unit_test(journal_time_with_an_unknown_hash_is_a_changed_file),
        cmocka_unit_test(rows_that_no_file_explains_are_orphans),
        cmocka_unit_test(the_only_proof_of_a_changed_file_is_no_orphan),
        cmocka_unit_test(empty_bundle_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
