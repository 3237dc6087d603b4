#include "tests/conformance/driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *must_json(json_t *value)
{
    if (value != NULL)
        return value;
    fputs("conformance-driver: out of memory\n", stderr);
    exit(70);
}

json_t *json_pair(const char *key, json_t *value)
{
    return must_json(json_pack("{so}", key, must_json(value)));
}

const json_t *argument_at(const json_t *args, size_t index)
{
    const json_t *argument = json_array_get(args, index);
    if (json_is_null(argument) || json_object_get(argument, "$undef") != NULL)
        return NULL;
    return argument;
}

const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *text_argument(const json_t *args, size_t index)
{
    return json_string_value(argument_at(args, index));
}

int64_t number_of(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool flag_of(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char **texts_of(const json_t *array, size_t *ret_count)
{
    *ret_count = 0;
    if (!json_is_array(array))
        return NULL;
    const char **texts = calloc(json_array_size(array) + 1, sizeof *texts);
    if (texts == NULL)
        must_json(NULL);
    for (size_t i = 0; i < json_array_size(array); i++)
        texts[(*ret_count)++] = json_string_value(json_array_get(array, i));
    return texts;
}

bool json_holds_nul(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t index;
    if (json_is_string(value))
        return strlen(json_string_value(value)) != json_string_length(value);
    json_object_foreach((json_t *)value, key, item)
    {
        if (json_holds_nul(item))
            return true;
    }
    json_array_foreach(value, index, item)
    {
        if (json_holds_nul(item))
            return true;
    }
    return false;
}
