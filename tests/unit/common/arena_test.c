#include "common/arena.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <stdlib.h>

enum { TEXTS = 100000 };

static void texts_of_every_length_stay_what_they_were(void **state)
{
    (void)state;
    Arena arena = {0};
    static char *texts[3000];
    static char text[3000];
    for (size_t i = 0; i < 3000; i++) {
        texts[i] = arena_text(&arena, text);
        text[i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(strlen(texts[i]), i);
        assert_int_equal(memcmp(texts[i], text, i), 0);
    }
    arena_clear(&arena);
    assert_null(arena.blocks);
}

static void a_short_text_costs_little_more_than_its_bytes(void **state)
{
    (void)state;
    Arena arena = {0};
    char text[9];
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "t%07d", i);
        assert_non_null(arena_text(&arena, text));
    }
    assert_true(arena.bytes < (size_t)TEXTS * sizeof text * 3 / 2);
    arena_clear(&arena);
}

static void a_text_longer_than_a_block_has_one_of_its_own(void **state)
{
    (void)state;
    Arena arena = {0};
    size_t length = 3 << 20;
    char *text = malloc(length + 1);
    memset(text, 'x', length);
    text[length] = '\0';
    char *first = arena_text(&arena, "first"), *copy = arena_text(&arena, text);
    assert_int_equal(strlen(copy), length);
    assert_string_equal(first, "first");
    free(text);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_every_length_stay_what_they_were),
        cmocka_unit_test(a_short_text_costs_little_more_than_its_bytes),
        cmocka_unit_test(a_text_longer_than_a_block_has_one_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
