#include "common/record.h"
#include "tests/support/test.h"
#include <stdio.h>

/* Under the sanitizers, too, an allocation that is too large returns NULL instead of ending the program. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

typedef struct Leaf {
    char *name;
    bool flag;
} Leaf;

typedef struct Tree {
    bool flag;
    int64_t number;
    char *text;
    ByteString bytes;
    TextList texts;
    RecordList leaves;
} Tree;

static const RecordField LEAF_FIELDS[] = {
    {"name", FIELD_TEXT, FIELD_ALWAYS, offsetof(Leaf, name), NULL},
    {"flag", FIELD_BOOL, FIELD_ALWAYS, offsetof(Leaf, flag), NULL},
};
static const RecordType LEAF = RECORD_TYPE("Leaf", Leaf, LEAF_FIELDS);

static const RecordField TREE_FIELDS[] = {
    {"flag", FIELD_BOOL, FIELD_ALWAYS, offsetof(Tree, flag), NULL},
    {"number", FIELD_INT, FIELD_ALWAYS, offsetof(Tree, number), NULL},
    {"text", FIELD_TEXT, FIELD_ALWAYS, offsetof(Tree, text), NULL},
    {"bytes", FIELD_BYTES, FIELD_WIRE, offsetof(Tree, bytes), NULL},
    {"texts", FIELD_TEXTS, FIELD_ALWAYS, offsetof(Tree, texts), NULL},
    {"leaves", FIELD_RECORDS, FIELD_ALWAYS, offsetof(Tree, leaves), &LEAF},
};
static const RecordType TREE = RECORD_TYPE("Tree", Tree, TREE_FIELDS);

static Tree full_tree(void)
{
    Tree tree = {.flag = true, .number = -7, .text = strdup("t")};
    tree.bytes = (ByteString){memcpy(malloc(3), "a\0b", 3), 3};
    assert_true(text_list_add(&tree.texts, "x"));
    assert_true(text_list_add(&tree.texts, ""));
    Leaf *leaf = record_list_add(&LEAF, &tree.leaves);
    *leaf = (Leaf){strdup("leaf"), true};
    return tree;
}

static void copy_is_deep(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Tree tree = full_tree();
    Tree copy;
    assert_true(record_copy(&TREE, &copy, &tree, &error));
    tree.text[0] = tree.texts.items[0][0] = tree.bytes.data[0] = '?';
    ((Leaf *)tree.leaves.items)->name[0] = '?';
    record_clear(&TREE, &tree);
    assert_true(copy.flag);
    assert_int_equal(copy.number, -7);
    assert_string_equal(copy.text, "t");
    assert_int_equal(copy.bytes.length, 3);
    assert_memory_equal(copy.bytes.data, "a\0b", 4); /* with the NUL behind it */
    assert_int_equal(copy.texts.count, 2);
    assert_string_equal(copy.texts.items[0], "x");
    assert_string_equal(copy.texts.items[1], "");
    assert_string_equal(((Leaf *)copy.leaves.items)->name, "leaf");
    assert_true(((Leaf *)copy.leaves.items)->flag);
    record_clear(&TREE, &copy);
}

static void copy_of_an_empty_record_is_empty(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    const Tree empty = {0};
    Tree copy = {.number = 9};
    assert_true(record_copy(&TREE, &copy, &empty, &error));
    assert_memory_equal(&copy, &empty, sizeof(copy));
}

static void clear_zeroes_and_can_be_repeated(void **state)
{
    (void)state;
    const Tree empty = {0};
    Tree tree = full_tree();
    record_clear(&TREE, &tree);
    record_clear(&TREE, &tree);
    assert_false(tree.flag);
    assert_int_equal(tree.number, 0);
    assert_null(tree.text);
    assert_memory_equal(&tree.leaves, &empty.leaves, sizeof(tree.leaves));
    assert_memory_equal(&tree.texts, &empty.texts, sizeof(tree.texts));
}

static void lists_grow_and_keep_their_order(void **state)
{
    (void)state;
    TextList texts = {0};
    RecordList leaves = {0};
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        assert_true(text_list_add(&texts, name));
        Leaf *leaf = record_list_add(&LEAF, &leaves);
        assert_null(leaf->name);
        assert_false(leaf->flag);
        *leaf = (Leaf){strdup(name), true};
    }
    assert_int_equal(texts.count, 1000);
    assert_string_equal(texts.items[999], "999");
    assert_string_equal(((Leaf *)leaves.items)[500].name, "500");
    text_list_clear(&texts);
    Tree tree = {.leaves = leaves};
    record_clear(&TREE, &tree);
}

static void a_list_allocated_to_measure_can_grow(void **state)
{
    (void)state;
    TextList list = {malloc(3 * sizeof(char *)), 3};
    for (int i = 0; i < 3; i++)
        list.items[i] = strdup("x");
    for (int i = 0; i < 8; i++)
        assert_true(text_list_add(&list, "y"));
    assert_string_equal(list.items[2], "x");
    assert_string_equal(list.items[10], "y");
    text_list_clear(&list);
}

static void a_list_that_cannot_grow_stays_as_it_is(void **state)
{
    (void)state;
    const RecordType huge = {.name = "Huge", .size = SIZE_MAX / 8};
    RecordList list = {0};
    assert_null(record_list_add(&huge, &list));
    list.count = 5;
    assert_null(record_list_add(&huge, &list));
    assert_int_equal(list.count, 5);
    assert_null(list.items);
}

static void a_copy_that_fails_leaves_its_target(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    const RecordType huge = {.name = "Huge", .size = SIZE_MAX / 2};
    Tree target = {.number = 9};
    assert_false(record_copy(&huge, &target, &target, &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_int_equal(target.number, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_is_deep),
        cmocka_unit_test(copy_of_an_empty_record_is_empty),
        cmocka_unit_test(clear_zeroes_and_can_be_repeated),
        cmocka_unit_test(lists_grow_and_keep_their_order),
        cmocka_unit_test(a_list_allocated_to_measure_can_grow),
        cmocka_unit_test(a_list_that_cannot_grow_stays_as_it_is),
        cmocka_unit_test(a_copy_that_fails_leaves_its_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
