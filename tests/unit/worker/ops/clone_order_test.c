#include "tests/support/test.h"
#include "worker/ops/clone_order.h"

static void expect_order(const int *ranks, size_t count, CloneEdge *edges, size_t edge_count,
                         const size_t *expected)
{
    Error error ERROR_CLEANUP = {0};
    size_t order[16];
    assert_true(clone_order(ranks, count, edges, edge_count, order, &error));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(order[i], expected[i]);
}

static void without_needs_the_rank_decides_and_then_the_place(void **state)
{
    (void)state;
    expect_order((const int[]){30, 10, 20, 10}, 4, NULL, 0, (const size_t[]){1, 3, 2, 0});
    expect_order(NULL, 0, NULL, 0, NULL);
}

static void what_is_needed_comes_first_whatever_its_rank(void **state)
{
    (void)state;
    CloneEdge edges[] = {{0, 3}, {3, 1}, {0, 3}};
    expect_order((const int[]){10, 40, 20, 30}, 4, edges, 3, (const size_t[]){1, 3, 0, 2});
}

static void of_several_needs_the_lower_rank_comes_first(void **state)
{
    (void)state;
    CloneEdge edges[] = {{0, 1}, {0, 2}, {0, 3}};
    expect_order((const int[]){10, 40, 20, 30}, 4, edges, 3, (const size_t[]){2, 3, 1, 0});
}

static void a_circle_is_gone_through_once(void **state)
{
    (void)state;
    CloneEdge edges[] = {{0, 1}, {1, 2}, {2, 0}, {1, 1}};
    expect_order((const int[]){1, 2, 3}, 3, edges, 4, (const size_t[]){2, 1, 0});
}

static void a_long_chain_needs_no_deep_stack(void **state)
{
    (void)state;
    enum { LENGTH = 200000 };
    Error error ERROR_CLEANUP = {0};
    int *ranks = calloc(LENGTH, sizeof *ranks);
    CloneEdge *edges = calloc(LENGTH, sizeof *edges);
    size_t *order = calloc(LENGTH, sizeof *order);
    for (size_t i = 0; i + 1 < LENGTH; i++)
        edges[i] = (CloneEdge){i, i + 1};
    assert_true(clone_order(ranks, LENGTH, edges, LENGTH - 1, order, &error));
    for (size_t i = 0; i < LENGTH; i++)
        assert_int_equal(order[i], LENGTH - 1 - i);
    free(ranks);
    free(edges);
    free(order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_needs_the_rank_decides_and_then_the_place),
        cmocka_unit_test(what_is_needed_comes_first_whatever_its_rank),
        cmocka_unit_test(of_several_needs_the_lower_rank_comes_first),
        cmocka_unit_test(a_circle_is_gone_through_once),
        cmocka_unit_test(a_long_chain_needs_no_deep_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
