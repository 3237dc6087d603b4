#include "tests/conformance/replay.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Comparison {
    FILE *lines;
    bool more_is_fine;
} Comparison;

static void compare(Comparison *comparison, const char *path, const json_t *expected, const json_t *found);

static void say(Comparison *comparison, const char *path, const json_t *expected, const json_t *found)
{
    char *wanted = expected != NULL ? json_dumps(expected, JSON_ENCODE_ANY) : strdup("nothing");
    char *got = found != NULL ? json_dumps(found, JSON_ENCODE_ANY) : strdup("nothing");
    fprintf(comparison->lines, "    %s: wanted %.300s\n        but got %.300s\n", path, wanted, got);
    free(wanted);
    free(got);
}

static void compare_arrays(Comparison *comparison, const char *path, const json_t *expected,
                           const json_t *found)
{
    size_t wanted = json_array_size(expected), got = json_array_size(found);
    for (size_t i = 0; i < wanted || i < got; i++) {
        char *inner = NULL;
        if (asprintf(&inner, "%s[%zu]", path, i) < 0)
            abort();
        compare(comparison, inner, json_array_get(expected, i), json_array_get(found, i));
        free(inner);
    }
}

/* Both have the same keys, apart from the additions that are fine. */
static bool same_order(const json_t *expected, const json_t *found)
{
    void *at = json_object_iter((json_t *)found);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)expected, key, value)
    {
        if (at == NULL || strcmp(json_object_iter_key(at), key) != 0)
            return false;
        at = json_object_iter_next((json_t *)found, at);
    }
    return true;
}

static void compare_objects(Comparison *comparison, const char *path, const json_t *expected,
                            const json_t *found)
{
    const char *key;
    json_t *value;
    bool same_keys = true;
    json_object_foreach((json_t *)expected, key, value)
    {
        char *inner = NULL;
        if (asprintf(&inner, "%s.%s", path, key) < 0)
            abort();
        json_t *other = json_object_get(found, key);
        same_keys = same_keys && other != NULL;
        compare(comparison, inner, value, other);
        free(inner);
    }
    json_object_foreach((json_t *)found, key, value)
    {
        if (comparison->more_is_fine || json_object_get(expected, key) != NULL)
            continue;
        same_keys = false;
        fprintf(comparison->lines, "    %s.%s was not expected\n", path, key);
    }
    if (same_keys && !same_order(expected, found))
        fprintf(comparison->lines, "    %s: the keys are in another order\n", path);
}

static void compare(Comparison *comparison, const char *path, const json_t *expected, const json_t *found)
{
    if (json_is_array(expected) && json_is_array(found))
        compare_arrays(comparison, path, expected, found);
    else if (json_is_object(expected) && json_is_object(found))
        compare_objects(comparison, path, expected, found);
    else if (expected == NULL || found == NULL || !json_equal(expected, found))
        say(comparison, path, expected, found);
}

char *differences(const json_t *expected, const json_t *found, bool more_is_fine)
{
    char *text = NULL;
    size_t size = 0;
    Comparison comparison = {.lines = open_memstream(&text, &size), .more_is_fine = more_is_fine};
    if (comparison.lines == NULL)
        abort();
    compare(&comparison, "", expected, found);
    fclose(comparison.lines);
    return text;
}

void mask_keys(json_t *value, const json_t *keys)
{
    const char *name;
    json_t *item, *key;
    size_t index;
    json_array_foreach(value, index, item)
    {
        mask_keys(item, keys);
    }
    json_object_foreach(value, name, item)
    {
        mask_keys(item, keys);
    }
    json_array_foreach(keys, index, key)
    {
        if (json_object_get(value, json_string_value(key)) != NULL)
            json_object_set_new(value, json_string_value(key), json_string("<any>"));
    }
}
