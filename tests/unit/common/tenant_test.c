#include "common/tenant.h"
#include "tests/support/test.h"
#include <errno.h>

static char *repeat(char c, size_t count)
{
    char *text = malloc(count + 1);
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

static void ids_are_checked(void **state)
{
    (void)state;
    static const char *const GOOD[] = {
        "a", "A;b'c.%$", "a b", "a,b\\\"", "\xE6\x97\xA5\xE6\x9C\xAC", "\xF0\x9F\x92\xA9", "-", "null", "~"};
    static const char *const BAD[] = {"", "a\tb", "a\n", "\x7f", "\xff", "a\xC2\x85"};
    ERROR_CLEANUP Error error = {0};
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
        assert_true(tenant_id_check(GOOD[i], &error));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_false(tenant_id_check(BAD[i], &error));
        assert_int_equal(error.code, ERROR_TENANTS);
    }
    char *longest = repeat('x', 255), *longer = repeat('x', 256);
    assert_true(tenant_id_check(longest, &error));
    assert_false(tenant_id_check(longer, &error));
    assert_non_null(strstr(error.message, "is 256 bytes long, the limit is 255"));
    free(longest);
    free(longer);
}

static void schema_names_are_checked(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",     "public", "information_schema", "pg_catalog", "pg_x",
                                      "a\nb", "\xff"};
    ERROR_CLEANUP Error error = {0};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_false(schema_name_check(BAD[i], &error));
        assert_int_equal(error.code, ERROR_TENANTS);
    }
    assert_false(schema_name_check("pg_x", &error));
    assert_string_equal(error.message, "schema name \"pg_x\" is reserved");
    assert_true(schema_name_check("pgx", &error));
    assert_true(schema_name_check("Public", &error)); /* quoted, another schema */
    char *longest = repeat('x', 63), *longer = repeat('x', 64);
    assert_true(schema_name_check(longest, &error));
    assert_false(schema_name_check(longer, &error));
    free(longest);
    free(longer);
}

static void templates_are_checked(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_true(schema_template_check("tenant_{id}", &error));
    assert_true(schema_template_check("{id}", &error));
    assert_true(schema_template_check("alone", &error));
    assert_false(schema_template_check("", &error));
    assert_false(schema_template_check("public", &error));
    assert_false(schema_template_check("pg_{id}", &error));
    assert_string_equal(error.message, "schema template \"pg_{id}\" gives reserved schema names");
    assert_false(schema_template_check("a\n{id}", &error));
    assert_false(schema_template_check("\xff{id}", &error));
    char *longest = repeat('x', 63 + 4), *longer = repeat('x', 64 + 4);
    memcpy(longest + 10, "{id}", 4);
    memcpy(longer + 10, "{id}", 4);
    assert_true(schema_template_check(longest, &error));
    assert_false(schema_template_check(longer, &error));
    free(longest);
    free(longer);
}

static void assert_schema(const char *schema_template, const char *id, const char *expected)
{
    ERROR_CLEANUP Error error = {0};
    char *schema = schema_from_template(schema_template, id, &error);
    assert_string_equal(schema, expected);
    free(schema);
}

static void every_placeholder_is_replaced(void **state)
{
    (void)state;
    assert_schema("tenant_{id}", "a", "tenant_a");
    assert_schema("{id}", "a\"b", "a\"b");
    assert_schema("{id}_x_{id}", "7", "7_x_7");
    assert_schema("t_{id}", "{id}", "t_{id}"); /* the id is not a template */
    assert_schema("alone", "a", "alone");
}

static void schemas_that_may_not_be_are_refused_with_their_tenant(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_null(schema_from_template("{id}", "public", &error));
    assert_string_equal(error.message, "tenant \"public\": schema name \"public\" is reserved");
    assert_non_null(error.hint);
    assert_null(schema_from_template("tenant_{id}", "", &error));
    assert_string_equal(error.message, "tenant id is empty");
    char *id = repeat('x', 57);
    assert_null(schema_from_template("tenant_{id}", id, &error));
    assert_non_null(strstr(error.message, "is 64 bytes long, the limit is 63"));
    id[56] = '\0';
    char *schema = schema_from_template("tenant_{id}", id, &error);
    assert_int_equal(strlen(schema), 63);
    free(schema);
    free(id);
}

static void assert_id(const char *schema_template, const char *schema, const char *expected)
{
    char *id = tenant_id_from_schema(schema_template, schema);
    if (expected != NULL) {
        assert_string_equal(id, expected);
    } else {
        assert_null(id);
        assert_int_equal(errno, 0);
    }
    free(id);
}

static void templates_with_one_placeholder_can_be_inverted(void **state)
{
    (void)state;
    assert_id("tenant_{id}", "tenant_a", "a");
    assert_id("{id}_data", "a_data_data", "a_data");
    assert_id("t_{id}_x", "t_a_x", "a");
    assert_id("{id}", "public2", "public2");
    assert_id("tenant_{id}", "tenant_", NULL);
    assert_id("tenant_{id}", "other_a", NULL);
    assert_id("t_{id}_x", "t_x", NULL);
    assert_id("t_{id}_x", "t_a_y", NULL);
    assert_id("ab{id}ba", "aba", NULL); /* prefix and suffix may not overlap */
    assert_id("{id}{id}", "aa", NULL);
    assert_id("alone", "alone", NULL);
    assert_id("t_{id}", "t_a\nb", NULL);
}

static void identifiers_are_quoted(void **state)
{
    (void)state;
    char *quoted = quote_identifier("a\"b\\c");
    assert_string_equal(quoted, "\"a\"\"b\\c\"");
    free(quoted);
    quoted = quote_identifier("");
    assert_string_equal(quoted, "\"\"");
    free(quoted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_checked),
        cmocka_unit_test(schema_names_are_checked),
        cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(every_placeholder_is_replaced),
        cmocka_unit_test(schemas_that_may_not_be_are_refused_with_their_tenant),
        cmocka_unit_test(templates_with_one_placeholder_can_be_inverted),
        cmocka_unit_test(identifiers_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
