/* Order of eviction and expiry, on a clock of the test's own. */
#include "tests/support/test.h"
#include "worker/pool/lru.h"
#include <stdio.h>

enum { NODES = 6 };

typedef struct Fixture {
    Lru lru;
    LruNode nodes[NODES];
    char keys[NODES][2];
    int64_t now_ms;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    for (int i = 0; i < NODES; i++) {
        fixture->keys[i][0] = (char)('a' + i);
        fixture->nodes[i].key = fixture->keys[i];
        fixture->nodes[i].key_length = 1;
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    for (LruNode *node; (node = lru_next_inserted(&fixture->lru, NULL)) != NULL;)
        lru_remove(&fixture->lru, node);
    free(fixture);
    return 0;
}

static void add(Fixture *fixture, const char *names)
{
    for (; *names != '\0'; names++)
        assert_true(lru_add(&fixture->lru, &fixture->nodes[*names - 'a'], ++fixture->now_ms));
}

static void touch(Fixture *fixture, const char *names)
{
    for (; *names != '\0'; names++)
        lru_touch(&fixture->lru, lru_find(&fixture->lru, names, 1), ++fixture->now_ms);
}

static void assert_oldest_first(const Fixture *fixture, const char *expected)
{
    char seen[NODES + 1] = "";
    size_t count = 0;
    for (LruNode *node = NULL; (node = lru_next_oldest(&fixture->lru, node)) != NULL;)
        seen[count++] = node->key[0];
    assert_string_equal(seen, expected);
    assert_int_equal(fixture->lru.count, count);
}

static void access_moves_to_the_front(void **state)
{
    Fixture *fixture = *state;
    assert_oldest_first(fixture, "");
    add(fixture, "abcd");
    assert_oldest_first(fixture, "abcd");
    touch(fixture, "b");
    assert_oldest_first(fixture, "acdb");
    touch(fixture, "ab");
    assert_oldest_first(fixture, "cdab");
    touch(fixture, "b");
    assert_oldest_first(fixture, "cdab");
}

static void finding_is_no_access(void **state)
{
    Fixture *fixture = *state;
    add(fixture, "abc");
    assert_ptr_equal(lru_find(&fixture->lru, "a", 1), &fixture->nodes[0]);
    assert_null(lru_find(&fixture->lru, "z", 1));
    assert_null(lru_find(&fixture->lru, "ab", 2));
    assert_oldest_first(fixture, "abc");
}

static void surplus_is_the_oldest_access(void **state)
{
    Fixture *fixture = *state;
    add(fixture, "abc");
    assert_null(lru_surplus(&fixture->lru, 3));
    touch(fixture, "a");
    assert_ptr_equal(lru_surplus(&fixture->lru, 2), lru_find(&fixture->lru, "b", 1));
    lru_remove(&fixture->lru, lru_surplus(&fixture->lru, 2));
    assert_null(lru_surplus(&fixture->lru, 2));
    assert_oldest_first(fixture, "ca");
}

static void insertion_order_survives_accesses(void **state)
{
    Fixture *fixture = *state;
    add(fixture, "cab");
    touch(fixture, "c");
    char seen[NODES + 1] = "";
    size_t count = 0;
    for (LruNode *node = NULL; (node = lru_next_inserted(&fixture->lru, node)) != NULL;)
        seen[count++] = node->key[0];
    assert_string_equal(seen, "cab");
}

static void expires_after_more_than_its_time_without_access(void **state)
{
    Fixture *fixture = *state;
    add(fixture, "ab"); /* at 1 and 2 */
    assert_false(lru_is_expired(&fixture->nodes[0], 100, 101));
    assert_true(lru_is_expired(&fixture->nodes[0], 100, 102));
    assert_false(lru_is_expired(&fixture->nodes[1], 100, 102));
    fixture->now_ms = 101;
    touch(fixture, "a");
    assert_false(lru_is_expired(&fixture->nodes[0], 100, 202));
    assert_false(lru_is_expired(&fixture->nodes[1], 0, INT64_MAX)); /* 0 switches it off */
}

static void a_removed_key_can_be_added_again(void **state)
{
    Fixture *fixture = *state;
    add(fixture, "abc");
    lru_remove(&fixture->lru, &fixture->nodes[1]);
    assert_null(lru_find(&fixture->lru, "b", 1));
    add(fixture, "b");
    assert_oldest_first(fixture, "acb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(access_moves_to_the_front, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finding_is_no_access, set_up, tear_down),
        cmocka_unit_test_setup_teardown(surplus_is_the_oldest_access, set_up, tear_down),
        cmocka_unit_test_setup_teardown(insertion_order_survives_accesses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expires_after_more_than_its_time_without_access, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removed_key_can_be_added_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
