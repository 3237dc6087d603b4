#include "common/json.h"
#include "tests/support/test.h"

typedef struct Sample {
    bool flag;
    int64_t number;
    char *text;
    TextList texts;
    RecordList samples;
    ByteString bytes;
    char *wire;
} Sample;

#define ROWS(rule, samples_of)                                                           \
    {                                                                                    \
        {"flag", FIELD_BOOL, (rule), offsetof(Sample, flag), NULL},                      \
            {"number", FIELD_INT, (rule), offsetof(Sample, number), NULL},               \
            {"text", FIELD_TEXT, (rule), offsetof(Sample, text), NULL},                  \
            {"texts", FIELD_TEXTS, (rule), offsetof(Sample, texts), NULL},               \
            {"samples", FIELD_RECORDS, (rule), offsetof(Sample, samples), (samples_of)}, \
            {"bytes", FIELD_BYTES, (rule), offsetof(Sample, bytes), NULL},               \
            {"wire", FIELD_TEXT, FIELD_WIRE, offsetof(Sample, wire), NULL},              \
    }

static const RecordField NAMED_FIELDS[] = {
    {"text", FIELD_TEXT, FIELD_NULLABLE, offsetof(Sample, text), NULL}};
static const RecordType NAMED = RECORD_TYPE("Named", Sample, NAMED_FIELDS);
static const RecordField ALWAYS_FIELDS[] = ROWS(FIELD_ALWAYS, &NAMED);
static const RecordType ALWAYS = RECORD_TYPE("Always", Sample, ALWAYS_FIELDS);
static const RecordField OPTIONAL_FIELDS[] = ROWS(FIELD_OPTIONAL, &NAMED);
static const RecordType OPTIONAL = RECORD_TYPE("Optional", Sample, OPTIONAL_FIELDS);

static void assert_json(const RecordType *type, const Sample *sample, const char *expected)
{
    json_t *json = record_to_json(type, sample);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void rules_decide_about_fields_at_rest(void **state)
{
    (void)state;
    const Sample rest = {0};
    assert_json(&ALWAYS, &rest, "{\"flag\":false,\"number\":0,\"text\":\"\",\"texts\":[],\"samples\":[]}");
    assert_json(&OPTIONAL, &rest, "{}");
    assert_json(&NAMED, &rest, "{\"text\":null}");
}

static void values_are_printed_and_bytes_and_wire_fields_are_not(void **state)
{
    (void)state;
    char *texts[] = {"b", "c"};
    Sample inner[2] = {{.text = "i"}, {0}};
    const Sample sample = {.flag = true,
                           .number = INT64_MIN,
                           .text = "a\n\"",
                           .texts = {texts, 2},
                           .samples = {inner, 2},
                           .bytes = {"x", 1},
                           .wire = "w"};
    static const char EXPECTED[] = "{\"flag\":true,\"number\":-9223372036854775808,\"text\":\"a\\n\\\"\","
                                   "\"texts\":[\"b\",\"c\"],\"samples\":[{\"text\":\"i\"},{\"text\":null}]}";
    assert_json(&ALWAYS, &sample, EXPECTED);
    assert_json(&OPTIONAL, &sample, EXPECTED);
}

static void an_empty_text_is_still_a_text(void **state)
{
    (void)state;
    const Sample sample = {.text = ""};
    assert_json(&OPTIONAL, &sample, "{\"text\":\"\"}");
    assert_json(&NAMED, &sample, "{\"text\":\"\"}");
}

static void texts_in_another_encoding_are_repaired(void **state)
{
    (void)state;
    char *texts[] = {"\xff"};
    const Sample sample = {.text = "caf\xe9 \xc3\xa9", .texts = {texts, 1}};
    assert_json(&OPTIONAL, &sample, "{\"text\":\"caf\xEF\xBF\xBD \xC3\xA9\",\"texts\":[\"\xEF\xBF\xBD\"]}");
}

static long allocations_left;

static void *limited_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void every_failed_allocation_gives_null(void **state)
{
    (void)state;
    char *texts[] = {"b", "c"};
    Sample inner[1] = {{.text = "i"}};
    const Sample sample = {.text = "a", .texts = {texts, 2}, .samples = {inner, 1}};
    json_set_alloc_funcs(limited_malloc, free);
    json_t *json = NULL;
    long limit = 0;
    for (; json == NULL && limit < 1000; limit++) {
        allocations_left = limit;
        json = record_to_json(&ALWAYS, &sample);
    }
    json_decref(json);
    json_set_alloc_funcs(malloc, free);
    assert_non_null(json);
    assert_in_range(limit, 10, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_decide_about_fields_at_rest),
        cmocka_unit_test(values_are_printed_and_bytes_and_wire_fields_are_not),
        cmocka_unit_test(an_empty_text_is_still_a_text),
        cmocka_unit_test(texts_in_another_encoding_are_repaired),
        cmocka_unit_test(every_failed_allocation_gives_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
