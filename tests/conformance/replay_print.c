#include "tests/conformance/replay.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 118, FLAGS = JSON_ENCODE_ANY };

static void print_value(FILE *file, const json_t *value, size_t depth, size_t before);

static void indent(FILE *file, size_t depth)
{
    fprintf(file, "\n%*s", (int)depth, "");
}

static void print_key(FILE *file, const char *key)
{
    json_t *text = json_string(key);
    json_dumpf(text, file, FLAGS);
    json_decref(text);
    fputs(": ", file);
}

static void print_object(FILE *file, const json_t *object, size_t depth)
{
    const char *key, *separator = "";
    json_t *value;
    fputc('{', file);
    json_object_foreach((json_t *)object, key, value)
    {
        fputs(separator, file);
        separator = ",";
        indent(file, depth + 1);
        print_key(file, key);
        print_value(file, value, depth + 1, strlen(key) + 4);
    }
    indent(file, depth);
    fputc('}', file);
}

static void print_array(FILE *file, const json_t *array, size_t depth)
{
    size_t index;
    json_t *value;
    fputc('[', file);
    json_array_foreach(array, index, value)
    {
        fputs(index > 0 ? "," : "", file);
        indent(file, depth + 1);
        print_value(file, value, depth + 1, 0);
    }
    indent(file, depth);
    fputc(']', file);
}

/* `before`: what stands on the line already, besides the indentation. */
static void print_value(FILE *file, const json_t *value, size_t depth, size_t before)
{
    char *line = json_dumps(value, FLAGS);
    size_t size = json_object_size(value) + json_array_size(value);
    if (line != NULL && (size == 0 || depth + before + strlen(line) < WIDTH))
        fputs(line, file);
    else if (json_is_object(value))
        print_object(file, value, depth);
    else
        print_array(file, value, depth);
    free(line);
}

char *readable_json(const json_t *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return NULL;
    print_value(file, value, 0, 0);
    fputc('\n', file);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}
