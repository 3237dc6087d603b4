#include "tests/support/test.h"
#include "worker/pg/tracking.h"

#define ID              \
    {                   \
        "id", "integer" \
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
        {{ID, {"name", "character varying"}, {"applied_at", STAMP}}, 3, TRACKING_NAME, "applied_at", false},
        {{ID, {"name", "text"}, {"created_at", STAMP}}, 3, TRACKING_NAME, "created_at", false},
        {{ID, {"name", "text"}, {"created_at", "bigint"}}, 3, TRACKING_NAME, "created_at", true},
        {{ID, {"created_at", "bigint"}, {"applied_at", STAMP}, {"name", "text"}},
         4,
         TRACKING_NAME,
         "applied_at",
         false},
        {{ID, {"hash", "text"}, {"created_at", STAMP}}, 3, TRACKING_HASH, "created_at", false},
        {{ID, {"hash", "text"}, {"created_at", "integer"}}, 3, TRACKING_HASH, "created_at", false},
        {{ID, {"hash", "text"}, {"created_at", "bigint"}}, 3, TRACKING_DRIZZLE_KIT, "created_at", true},
        {{ID, {"hash", "text"}, {"created_at", "bigint"}, {"name", "text"}},
         4,
         TRACKING_NAME,
         "created_at",
         true},
        {{{"extra", "text"}, {"hash", "text"}, {"created_at", "bigint"}, ID},
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
        {{{"version", "text"}}, 1, "unknown tracking table format"},
        {{{"name", "text"}, {"applied_at", STAMP}}, 2, "column \"id\" does not exist"},
        {{ID, {"name", "text"}}, 2, "column \"created_at\" does not exist"},
        {{ID, {"hash", "text"}, {"applied_at", STAMP}}, 3, "column \"created_at\" does not exist"},
        {{ID, {"Name", "text"}, {"applied_at", STAMP}}, 3, "unknown tracking table format"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Error error ERROR_CLEANUP = {0};
        TrackingTable table = {.format = TRACKING_NONE, .time_column = "untouched"};
        assert_false(tracking_detect(CASES[i].columns, CASES[i].count, &table, &error));
        assert_int_equal(error.code, ERROR_TRACKING);
        assert_non_null(strstr(error.message, CASES[i].message));
        assert_non_null(strstr(error.detail, CASES[i].columns[0].name));
        assert_string_equal(table.time_column, "untouched");
    }
}

static TrackingFormat resolved(const TrackingColumn *columns, size_t count, const char *format, Error *error)
{
    TrackingTable table;
    return tracking_resolve(columns, count, format, "hash", &table, error) ? table.format : TRACKING_NONE;
}

static void configured_format_needs_its_columns(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    const TrackingColumn name[] = {ID, {"name", "text"}, {"applied_at", STAMP}};
    const TrackingColumn both[] = {ID, {"name", "text"}, {"hash", "text"}, {"created_at", "bigint"}};
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

static void tenants_without_a_table_get_the_configured_one(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    TrackingTable none = {0}, table;
    assert_int_equal(resolved(NULL, 0, "auto", &error), TRACKING_HASH);
    assert_int_equal(resolved(NULL, 0, "drizzle-kit", &error), TRACKING_DRIZZLE_KIT);
    assert_true(tracking_choose(&none, NULL, NULL, &table, &error));
    assert_int_equal(table.format, TRACKING_NAME);
    assert_string_equal(table.time_column, "applied_at");
    assert_true(tracking_choose(&none, "auto", "drizzle-kit", &table, &error));
    assert_true(table.time_bigint);
    assert_false(tracking_choose(&none, "auto", "nonsense", &table, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
}

static void found_tables_keep_their_format_unless_configured(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    TrackingTable found, table;
    const TrackingColumn kit[] = {ID, {"hash", "text"}, {"created_at", "bigint"}};
    assert_true(tracking_detect(kit, 3, &found, &error));
    assert_true(tracking_choose(&found, "auto", "name", &table, &error));
    assert_int_equal(table.format, TRACKING_DRIZZLE_KIT);
    assert_true(tracking_choose(&found, "hash", "name", &table, &error));
    assert_int_equal(table.format, TRACKING_HASH);
    assert_false(tracking_choose(&found, "name", "name", &table, &error));
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
        cmocka_unit_test(tenants_without_a_table_get_the_configured_one),
        cmocka_unit_test(found_tables_keep_their_format_unless_configured),
        cmocka_unit_test(names_of_formats_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
