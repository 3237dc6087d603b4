#include "common/clock.h"
#include "common/tenant.h"
#include "tests/support/test.h"
#include <stdio.h>

/* "db/id db/id ..." into a list; "/id" has no database. */
static TenantList list_of(const char *text)
{
    TenantList list = {0};
    ERROR_CLEANUP Error error = {0};
    char *copy = strdup(text), *rest = copy;
    for (char *word; (word = strsep(&rest, " ")) != NULL && word[0] != '\0';) {
        char *slash = strchr(word, '/');
        *slash = '\0';
        assert_true(tenant_list_add(&list, word, slash + 1, &error));
    }
    free(copy);
    return list;
}

static void assert_list(const TenantList *list, const char *expected)
{
    char text[1024] = "";
    for (size_t i = 0; i < list->count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s/%s", i > 0 ? " " : "",
                 list->items[i].database, list->items[i].id);
    assert_string_equal(text, expected);
}

static void added_tenants_are_checked_and_unresolved(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = list_of("main/a");
    assert_string_equal(list.items[0].schema, "");
    assert_false(tenant_list_add(&list, "main", "", &error));
    assert_int_equal(error.code, ERROR_TENANTS);
    assert_list(&list, "main/a");
    tenant_list_clear(&list);
    assert_null(list.items);
}

static void resolving_applies_the_template(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = list_of("main/a main/b other/a main/a");
    for (int again = 0; again < 2; again++) {
        assert_true(tenant_list_resolve(&list, "tenant_{id}", &error));
        assert_string_equal(list.items[0].schema, "tenant_a");
        assert_string_equal(list.items[1].schema, "tenant_b");
        assert_string_equal(list.items[2].schema, "tenant_a");
        assert_string_equal(list.items[3].schema, "tenant_a");
    }
    tenant_list_clear(&list);
    assert_true(tenant_list_resolve(&list, "tenant_{id}", &error));
}

static void two_ids_with_one_schema_are_refused_by_name(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = list_of("main/x other/b main/b");
    assert_false(tenant_list_resolve(&list, "alone", &error));
    assert_int_equal(error.code, ERROR_TENANTS);
    assert_string_equal(error.message, "tenants \"x\" and \"b\" would share schema \"alone\"");
    assert_string_equal(error.hint, "put {id} into the schema template \"alone\"");
    tenant_list_truncate(&list, 2); /* one for each database */
    assert_true(tenant_list_resolve(&list, "alone", &error));
    tenant_list_clear(&list);
}

static void a_bad_schema_name_is_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = list_of("main/x main/public");
    assert_false(tenant_list_resolve(&list, "{id}", &error));
    assert_string_equal(error.message, "tenant \"public\": schema name \"public\" is reserved");
    tenant_list_clear(&list);
}

static void later_duplicates_are_dropped(void **state)
{
    (void)state;
    TenantList list = list_of("main/b main/a other/b main/b main/b main/c other/b");
    assert_int_equal(tenant_list_unique(&list), 3);
    assert_list(&list, "main/b main/a other/b main/c");
    assert_int_equal(tenant_list_unique(&list), 0);
    tenant_list_clear(&list);
    assert_int_equal(tenant_list_unique(&list), 0);
}

static void excluded_tenants_are_removed(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = list_of("main/a main/b other/a main/c other/b main/a");
    TenantList excluded = list_of("/a other/b other/b other/c");
    assert_true(tenant_list_exclude(&list, &excluded, &error));
    assert_list(&list, "main/b main/c");
    tenant_list_clear(&excluded);
    assert_true(tenant_list_exclude(&list, &excluded, &error));
    assert_list(&list, "main/b main/c");
    tenant_list_clear(&list);
}

static void truncating_keeps_the_first(void **state)
{
    (void)state;
    TenantList list = list_of("main/a main/b main/c");
    tenant_list_truncate(&list, 5);
    assert_int_equal(list.count, 3);
    tenant_list_truncate(&list, 1);
    assert_list(&list, "main/a");
    tenant_list_truncate(&list, 0);
    assert_int_equal(list.count, 0);
    tenant_list_clear(&list);
}

/* Anything quadratic here takes hours. */
static void a_million_tenants_take_seconds(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0}, excluded = {0};
    char id[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof(id), "%d", i);
        if (!tenant_list_add(&list, i % 2 ? "main" : "other", id, &error))
            fail();
    }
    for (int i = 0; i < COUNT; i += 4) {
        snprintf(id, sizeof(id), "%d", i);
        if (!tenant_list_add(&excluded, "", id, &error))
            fail();
    }
    int64_t begin = clock_now_ms(&SYSTEM_CLOCK);
    assert_true(tenant_list_resolve(&list, "tenant_{id}", &error));
    int64_t resolved = clock_now_ms(&SYSTEM_CLOCK);
    assert_int_equal(tenant_list_unique(&list), 0);
    assert_true(tenant_list_exclude(&list, &excluded, &error));
    print_message("resolve: %d ms, unique and exclude: %d ms\n", (int)(resolved - begin),
                  (int)(clock_now_ms(&SYSTEM_CLOCK) - resolved));
    assert_int_equal(list.count, COUNT / 4 * 3);
    tenant_list_clear(&list);
    tenant_list_clear(&excluded);
    assert_in_range(clock_now_ms(&SYSTEM_CLOCK) - begin, 0, 60000);
}

static void whatever_is_added_any_way_keeps_why_it_cannot_be(void **state)
{
    (void)state;
    TenantList list = {0};
    Error error ERROR_CLEANUP = {0};
    assert_true(tenant_list_add_any(&list, "main", "a", &error));
    assert_true(tenant_list_add_any(&list, "", "", &error));
    assert_true(tenant_list_add_any(&list, "", "a\tb", &error));
    assert_int_equal(error.code, ERROR_NONE);
    assert_null(list.items[0].refusal);
    assert_string_equal(list.items[1].refusal, "tenant id is empty");
    assert_non_null(strstr(list.items[2].refusal, "holds a control character"));
    assert_string_equal(list.items[2].id, "a\tb");
    tenant_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_tenants_are_checked_and_unresolved),
        cmocka_unit_test(whatever_is_added_any_way_keeps_why_it_cannot_be),
        cmocka_unit_test(resolving_applies_the_template),
        cmocka_unit_test(two_ids_with_one_schema_are_refused_by_name),
        cmocka_unit_test(a_bad_schema_name_is_refused),
        cmocka_unit_test(later_duplicates_are_dropped),
        cmocka_unit_test(excluded_tenants_are_removed),
        cmocka_unit_test(truncating_keeps_the_first),
        cmocka_unit_test(a_million_tenants_take_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
