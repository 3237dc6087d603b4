#include "tests/support/test.h"
#include "worker/pg/tracking.h"

#define ID                     \
    {                          \
        "id", "integer", false \
    }
#define STAMP "timestamp with time zone"

static void shapes_are_told_by_their_columns(void **state)
{
    (void)state;
    static const struct {
        TrackingColumn columns[5];
        size_t count;
        TrackingFormat format;
        const char *time_column;
        bool time_bigint;
    } CASES[] = {
        {{ID, {"name", "character varying", false}, {"applied_at", STAMP, false}},
         3,
         TRACKING_NAME,
         "applied_at",
         false},
        {{ID, {"name", "text", false}, {"created_at", STAMP, false}}, 3, TRACKING_NAME, "created_at", false},
        {{ID, {"name", "text", false}, {"created_at", "bigint", false}},
         3,
         TRACKING_NAME,
         "created_at",
         true},
        {{ID, {"created_at", "bigint", false}, {"applied_at", STAMP, false}, {"name", "text", false}},
         4,
         TRACKING_NAME,
         "applied_at",
         false},
        {{ID, {"hash", "text", false}, {"created_at", STAMP, false}}, 3, TRACKING_HASH, "created_at", false},
        {{ID, {"hash", "text", false}, {"created_at", "integer", false}},
         3,
         TRACKING_HASH,
         "created_at",
         false},
        {{ID, {"hash", "text", false}, {"created_at", "bigint", false}},
         3,
         TRACKING_DRIZZLE_KIT,
         "created_at",
         true},
        {{ID, {"hash", "text", false}, {"created_at", "bigint", false}, {"name", "text", false}},
         4,
         TRACKING_NAME,
         "created_at",
         true},
        {{{"extra", "text", false}, {"hash", "text", false}, {"created_at", "bigint", false}, ID},
         4,
         TRACKING_DRIZZLE_KIT,
         "created_at",
         true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error ERROR_CLEANUP = {0};
        TrackingTable table;
        assert_true(tracking_detect(CASES[i].columns, CASES[i].count, &table, &error));
        assert_int_equal(table.format, CASES[i].format);
        assert_string_equal(table.time_column, CASES[i].time_column);
        assert_int_equal(table.time_bigint, CASES[i].time_bigint);
    }
}

static void unknown_shapes_name_their_columns(void **state)
{
    (void)state;
    static const struct {
        TrackingColumn columns[3];
        size_t count;
        const char *message;
    } CASES[] = {
        {{{"version", "text", false}}, 1, "unknown tracking table format: columns version text"},
        {{{"name", "text", false}, {"applied_at", STAMP, false}}, 2, "column \"id\" does not exist"},
        {{ID, {"name", "text", false}}, 2, "column \"created_at\" does not exist"},
        {{ID, {"hash", "text", false}, {"applied_at", STAMP, false}},
         3,
         "column \"created_at\" does not exist"},
        {{ID, {"Name", "text", false}, {"applied_at", STAMP, false}}, 3, "unknown tracking table format"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error ERROR_CLEANUP = {0};
        TrackingTable table = {.format = TRACKING_NONE, .time_column = "untouched"};
        assert_false(tracking_detect(CASES[i].columns, CASES[i].count, &table, &error));
        assert_int_equal(error.code, ERROR_TRACKING);
        assert_non_null(strstr(error.message, CASES[i].message));
        bool in_message = strstr(error.message, CASES[i].columns[0].name) != NULL;
        assert_true(in_message || strstr(error.detail, CASES[i].columns[0].name) != NULL);
        assert_string_equal(table.time_column, "untouched");
    }
}

static TrackingFormat resolved(const TrackingColumn *columns, size_t count, const char *format, Error *error)
{
    TrackingTable table;
    const TrackingWish wish = {.format = format, .default_format = "hash"};
    return tracking_resolve(columns, count, &wish, &table, error) ? table.format : TRACKING_NONE;
}

static void configured_format_needs_its_columns(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    const TrackingColumn name[] = {ID, {"name", "text", false}, {"applied_at", STAMP, false}};
    const TrackingColumn both[] = {
        ID, {"name", "text", false}, {"hash", "text", false}, {"created_at", "bigint", false}};
    assert_int_equal(resolved(name, 3, "auto", &error), TRACKING_NAME);
    assert_int_equal(resolved(name, 3, NULL, &error), TRACKING_NAME);
    assert_int_equal(resolved(name, 3, "name", &error), TRACKING_NAME);
    assert_int_equal(resolved(both, 4, "auto", &error), TRACKING_NAME);
    assert_int_equal(resolved(both, 4, "hash", &error), TRACKING_HASH);
    assert_int_equal(resolved(both, 4, "drizzle-kit", &error), TRACKING_DRIZZLE_KIT);
    assert_int_equal(resolved(name, 3, "drizzle-kit", &error), TRACKING_NONE);
    assert_int_equal(error.code, ERROR_TRACKING);
    assert_string_equal(error.message, "column \"hash\" does not exist");
    assert_non_null(strstr(error.detail, "name text"));
    assert_int_equal(resolved(name, 3, "flyway", &error), TRACKING_NONE);
    assert_int_equal(error.code, ERROR_CONFIG);
}

/* Newer drizzle's table, and one whose id nothing counts. */
static void tables_that_take_no_row_are_unknown(void **state)
{
    (void)state;
    const TrackingColumn newer[] = {
        ID, {"hash", "text", true}, {"created_at", "bigint", false}, {"name", "text", false}};
    const TrackingColumn uncounted[] = {
        {"id", "integer", true}, {"hash", "text", true}, {"created_at", STAMP, false}};
    const TrackingColumn fine[] = {ID, {"name", "text", true}, {"applied_at", STAMP, true}};
    Error error ERROR_CLEANUP = {0};
    assert_int_equal(resolved(newer, 4, "auto", &error), TRACKING_NONE);
    assert_int_equal(error.code, ERROR_TRACKING);
    assert_string_equal(error.message, "unknown tracking table format: columns id integer, hash text, "
                                       "created_at bigint, name text");
    assert_non_null(strstr(error.detail, "\"hash\" demands a value"));
    assert_int_equal(resolved(newer, 4, "name", &error), TRACKING_NAME);
    assert_int_equal(resolved(newer, 4, "drizzle-kit", &error), TRACKING_DRIZZLE_KIT);
    assert_int_equal(resolved(uncounted, 3, NULL, &error), TRACKING_NONE);
    assert_int_equal(resolved(fine, 3, NULL, &error), TRACKING_NAME);
    TrackingTable table;
    assert_true(tracking_resolve(newer, 4, &(TrackingWish){.any_shape = true}, &table, &error));
    assert_int_equal(table.format, TRACKING_NAME);
}

static void tenants_without_a_table_get_the_configured_one(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    TrackingTable table;
    assert_int_equal(resolved(NULL, 0, "auto", &error), TRACKING_HASH);
    assert_int_equal(resolved(NULL, 0, "drizzle-kit", &error), TRACKING_DRIZZLE_KIT);
    assert_true(tracking_resolve(NULL, 0, &(TrackingWish){0}, &table, &error));
    assert_int_equal(table.format, TRACKING_NAME);
    assert_string_equal(table.time_column, "applied_at");
    assert_false(table.exists);
    const TrackingWish kit = {.format = "auto", .default_format = "drizzle-kit"};
    assert_true(tracking_resolve(NULL, 0, &kit, &table, &error));
    assert_true(table.time_bigint);
    const TrackingWish nonsense = {.format = "auto", .default_format = "nonsense"};
    assert_false(tracking_resolve(NULL, 0, &nonsense, &table, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
}

static void found_tables_keep_their_format_unless_configured(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    const TrackingColumn kit[] = {ID, {"hash", "text", false}, {"created_at", "bigint", false}};
    assert_int_equal(resolved(kit, 3, "auto", &error), TRACKING_DRIZZLE_KIT);
    assert_int_equal(resolved(kit, 3, "hash", &error), TRACKING_HASH);
    assert_int_equal(resolved(kit, 3, "name", &error), TRACKING_NONE);
    assert_string_equal(error.message, "column \"name\" does not exist");
}

static void names_of_formats_go_both_ways(void **state)
{
    (void)state;
    for (TrackingFormat format = TRACKING_NAME; format <= TRACKING_DRIZZLE_KIT; format++) {
        TrackingFormat back = TRACKING_NONE;
        assert_true(tracking_format_from_name(tracking_format_name(format), &back));
        assert_int_equal(back, format);
    }
    TrackingFormat untouched = TRACKING_HASH;
    assert_false(tracking_format_from_name("auto", &untouched));
    assert_int_equal(untouched, TRACKING_HASH);
    assert_null(tracking_format_name(TRACKING_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_told_by_their_columns),
        cmocka_unit_test(unknown_shapes_name_their_columns),
        cmocka_unit_test(configured_format_needs_its_columns),
        cmocka_unit_test(tables_that_take_no_row_are_unknown),
        cmocka_unit_test(tenants_without_a_table_get_the_configured_one),
        cmocka_unit_test(found_tables_keep_their_format_unless_configured),
        cmocka_unit_test(names_of_formats_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
