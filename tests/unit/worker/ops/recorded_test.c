#include "tests/support/test.h"
#include "worker/ops/recorded.h"

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
        cmocka_unit_test(empty_bundle_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
