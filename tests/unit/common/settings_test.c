#include "common/config.h"
#include "tests/support/test.h"
#include <ctype.h>
#include <stdio.h>

static const char *key_of(const Setting *setting)
{
    return strchr(setting->path, '.') + 1;
}

static void every_row_is_complete(void **state)
{
    (void)state;
    for (int id = 0; id < SETTING_COUNT; id++) {
        const Setting *setting = setting_get((SettingId)id);
        assert_non_null(setting->path);
        assert_non_null(strchr(setting->path, '.'));
        assert_non_null(setting->default_value);
        assert_non_null(setting->unit);
        assert_non_null(setting->doc);
        assert_true(strlen(setting->doc) > 10);
        assert_true((setting->type == SETTING_CHOICE) == (setting->choices != NULL));
        assert_true(setting->type != SETTING_INT || setting->max > setting->min);
        SettingId found;
        assert_true(setting_from_path(setting->path, &found));
        assert_int_equal(found, id);
    }
}

static void every_default_passes_its_own_check(void **state)
{
    (void)state;
    for (int id = 0; id < SETTING_COUNT; id++) {
        ERROR_CLEANUP Error error = {0};
        if (!setting_check((SettingId)id, setting_get((SettingId)id)->default_value, &error))
            fail_msg("%s: %s", setting_get((SettingId)id)->path, error.message);
    }
}

static void milliseconds_say_so_in_name_and_unit(void **state)
{
    (void)state;
    for (int id = 0; id < SETTING_COUNT; id++) {
        const Setting *setting = setting_get((SettingId)id);
        size_t length = strlen(setting->path);
        bool named = length > 3 && strcmp(setting->path + length - 3, "_ms") == 0;
        assert_int_equal(named, strcmp(setting->unit, "ms") == 0);
    }
}

/* config_schema.c describes a section as one run of rows. */
static void a_section_stands_together(void **state)
{
    (void)state;
    for (int id = 1; id < SETTING_COUNT; id++) {
        const char *path = setting_get((SettingId)id)->path;
        size_t length = strcspn(path, ".") + 1;
        if (strncmp(setting_get((SettingId)(id - 1))->path, path, length) == 0)
            continue;
        for (int before = 0; before < id; before++)
            assert_int_not_equal(strncmp(setting_get((SettingId)before)->path, path, length), 0);
    }
}

static void keys_are_words_of_lower_case(void **state)
{
    (void)state;
    for (int id = 0; id < SETTING_COUNT; id++) {
        for (const char *c = key_of(setting_get((SettingId)id)); *c != '\0'; c++)
            assert_true(islower((unsigned char)*c) || *c == '_');
    }
}

static void an_unknown_path_is_not_found(void **state)
{
    (void)state;
    SettingId id = SETTING_COUNT;
    assert_false(setting_from_path("run.concurency", &id));
    assert_int_equal(id, SETTING_COUNT);
}

static void the_variable_is_the_path_in_upper_case(void **state)
{
    (void)state;
    char *name = setting_environment_name(SETTING_RUN_LOCK_TIMEOUT_MS);
    assert_string_equal(name, "PGCONVOY_RUN_LOCK_TIMEOUT_MS");
    free(name);
}

typedef struct Value {
    SettingId id;
    const char *text;
    const char *refusal; /* NULL = accepted */
} Value;

static void values_are_checked(void **state)
{
    (void)state;
    /* clang-format off */
    static const Value VALUES[] = {
        {SETTING_RUN_CONCURRENCY, "1", NULL},
        {SETTING_RUN_CONCURRENCY, "10000", NULL},
        {SETTING_RUN_CONCURRENCY, "auto", NULL},
        {SETTING_RUN_CONCURRENCY, "0", "\"0\" is out of range (1 to 10000, or auto)"},
        {SETTING_RUN_CONCURRENCY, "-1", "\"-1\" is out of range (1 to 10000, or auto)"},
        {SETTING_RUN_CONCURRENCY, "10001", "\"10001\" is out of range (1 to 10000, or auto)"},
        {SETTING_RUN_CONCURRENCY, "99999999999999999999",
         "\"99999999999999999999\" is out of range (1 to 10000, or auto)"},
        {SETTING_RUN_CONCURRENCY, "abc", "\"abc\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "", "\"\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "-", "\"-\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "+5", "\"+5\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, " 5", "\" 5\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "5 ", "\"5 \" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "1.5", "\"1.5\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "0x10", "\"0x10\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "1e3", "\"1e3\" is not a whole number or auto"},
        {SETTING_RUN_CONCURRENCY, "010", "\"010\" has a leading zero; numbers are decimal"},
        {SETTING_RUN_LOCK_WAIT_MS, "0", NULL},
        {SETTING_RUN_LOCK_WAIT_MS, "2147483647", NULL},
        {SETTING_RUN_LOCK_WAIT_MS, "2147483648", "\"2147483648\" is out of range (0 to 2147483647)"},
        {SETTING_RUN_LOCK_WAIT_MS, "auto", "\"auto\" is not a whole number"},
        {SETTING_RETRY_MULTIPLIER, "1.5", NULL},
        {SETTING_RETRY_MULTIPLIER, "100", NULL},
        {SETTING_RETRY_MULTIPLIER, "100.1", "\"100.1\" is out of range (1 to 100)"},
        {SETTING_RETRY_MULTIPLIER, "0.5", "\"0.5\" is out of range (1 to 100)"},
        {SETTING_RETRY_MULTIPLIER, "-2", "\"-2\" is out of range (1 to 100)"},
        {SETTING_RETRY_MULTIPLIER, "1,5", "\"1,5\" is not a decimal number"},
        {SETTING_RETRY_MULTIPLIER, "1.", "\"1.\" is not a decimal number"},
        {SETTING_RETRY_MULTIPLIER, ".5", "\".5\" is not a decimal number"},
        {SETTING_RETRY_MULTIPLIER, "01.5", "\"01.5\" has a leading zero; numbers are decimal"},
        {SETTING_RETRY_MULTIPLIER, "nan", "\"nan\" is not a decimal number"},
        {SETTING_RETRY_JITTER, "yes", NULL},
        {SETTING_RETRY_JITTER, "Off", NULL},
        {SETTING_RETRY_JITTER, "maybe", "\"maybe\" is neither true nor false"},
        {SETTING_RUN_SCHEDULE, "rolling", NULL},
        {SETTING_RUN_SCHEDULE, "Rolling", "\"Rolling\" is not one of batch, rolling"},
        {SETTING_RUN_ON_ERROR, "", NULL},
        {SETTING_RUN_ON_ERROR, "stop", "\"stop\" is not one of continue, abort"},
        {SETTING_RUN_MAX_FAILURES, "0", NULL},
        {SETTING_RUN_MAX_FAILURES, "5%", NULL},
        {SETTING_RUN_MAX_FAILURES, "", NULL},
        {SETTING_RUN_MAX_FAILURES, "101%", "\"101%\" is more than 100%"},
        {SETTING_RUN_MAX_FAILURES, "%", "\"%\" is neither a number nor a percentage such as 5%"},
        {SETTING_RUN_MAX_FAILURES, "-1", "\"-1\" is neither a number nor a percentage such as 5%"},
        {SETTING_RUN_MAX_FAILURES, "05", "\"05\" is neither a number nor a percentage such as 5%"},
        {SETTING_TENANTS_SCHEMA, "{id}", NULL},
        {SETTING_TENANTS_SCHEMA, "tenant", "\"tenant\" lacks {id}"},
        {SETTING_MIGRATIONS_FOLDER, "", "must not be empty"},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        ERROR_CLEANUP Error error = {0};
        const Value *value = &VALUES[i];
        bool accepted = setting_check(value->id, value->text, &error);
        if (accepted != (value->refusal == NULL))
            fail_msg("%s: \"%s\"", setting_get(value->id)->path, value->text);
        if (value->refusal != NULL)
            assert_string_equal(error.message, value->refusal);
    }
}

static void a_near_choice_is_suggested(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_false(setting_check(SETTING_MIGRATIONS_FORMAT, "drizzle_kit", &error));
    assert_string_equal(error.hint, "did you mean drizzle-kit?");
}

static void the_nearest_name_is_near(void **state)
{
    (void)state;
    static const char *const KNOWN[] = {"concurrency", "schedule",     "on_error",
                                        "url",         "max_failures", "pools"};
    static const struct {
        const char *name, *nearest;
    } CASES[] = {
        {"concurency", "concurrency"},
        {"CONCURRENCY", "concurrency"},
        {"schedlue", "schedule"},
        {"on-error", "on_error"},
        {"ulr", "url"},
        {"max_failure", "max_failures"},
        {"sched", "schedule"},
        {"hooks", NULL},
        {"zzz", NULL},
        {"", NULL},
        {"u", NULL},
        {"something_else", NULL},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *nearest = nearest_name(CASES[i].name, KNOWN, sizeof(KNOWN) / sizeof(KNOWN[0]));
        if (CASES[i].nearest == NULL)
            assert_null(nearest);
        else if (nearest == NULL)
            fail_msg("nothing is near %s", CASES[i].name);
        else
            assert_string_equal(nearest, CASES[i].nearest);
    }
}

static void endless_names_are_near_to_nothing(void **state)
{
    (void)state;
    char name[2000];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const char *const known[] = {name, "x"};
    assert_null(nearest_name(name, known, 2));
    assert_null(nearest_name("xyxyxyxyxy", known, 2));
}

static void printed_values_are_short_and_hold_no_secret(void **state)
{
    (void)state;
    char shown[PRINTABLE_SIZE];
    assert_string_equal(printable_value("a\nb\x7f", shown), "\"a b \"");
    assert_string_equal(printable_value("postgresql://u:p@h/d", shown), "<redacted>");
    assert_string_equal(printable_value("dbname=x PASSWORD=p", shown), "<redacted>");
    assert_string_equal(printable_value("host=h user=u", shown), "<redacted>");
    char text[200] = "";
    for (int i = 0; i < 60; i++)
        strcat(text, "\xC3\xA4"); /* two bytes each: the cut must not fall between them */
    printable_value(text, shown);
    assert_true(strlen(shown) < PRINTABLE_SIZE);
    assert_memory_equal(shown + strlen(shown) - 4, "...\"", 4);
    assert_int_equal((strlen(shown) - strlen("\"...\"")) % 2, 0);
}

static void the_sample_in_deploy_is_the_generated_one(void **state)
{
    (void)state;
    FILE *file = fopen("deploy/pgconvoy.yaml", "r");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    size_t length = fread(text, 1, 65535, file);
    fclose(file);
    char *sample = config_sample();
    assert_int_equal(length, strlen(sample));
    assert_string_equal(text, sample);
    free(sample);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(every_default_passes_its_own_check),
        cmocka_unit_test(milliseconds_say_so_in_name_and_unit),
        cmocka_unit_test(a_section_stands_together),
        cmocka_unit_test(keys_are_words_of_lower_case),
        cmocka_unit_test(an_unknown_path_is_not_found),
        cmocka_unit_test(the_variable_is_the_path_in_upper_case),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(a_near_choice_is_suggested),
        cmocka_unit_test(the_nearest_name_is_near),
        cmocka_unit_test(endless_names_are_near_to_nothing),
        cmocka_unit_test(printed_values_are_short_and_hold_no_secret),
        cmocka_unit_test(the_sample_in_deploy_is_the_generated_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
