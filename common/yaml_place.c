#include "common/yaml_place.h"
#include <stdlib.h>
#include <string.h>

static bool blame_mark(const char *file, yaml_mark_t mark, Error *error)
{
    error_prefix(error, "%s:%zu:%zu", file, mark.line + 1, mark.column + 1);
    error->line = (int64_t)mark.line + 1;
    error->column = (int64_t)mark.column + 1;
    return false;
}

bool yaml_blame(const YamlPlaces *places, const YamlPlace *place, Error *error)
{
    if (place != NULL)
        return blame_mark(places->file, place->start_mark, error);
    error_prefix(error, "%s", places->file);
    return false;
}

/* A byte that is not UTF-8 is reported by its offset instead of a mark. */
static yaml_mark_t mark_at(const char *text, size_t length, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < length && i < offset; i++) {
        mark.column = text[i] == '\n' ? 0 : mark.column + 1;
        mark.line += text[i] == '\n';
    }
    return mark;
}

/* libyaml's problems are fixed phrases that never quote the text, so they cannot carry a secret. */
static bool syntax_error(const YamlPlaces *places, const yaml_parser_t *parser, const char *text,
                         size_t length, Error *error)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_memory(error);
    error_set(error, ERROR_CONFIG, "not valid YAML: %s",
              parser->problem != NULL ? parser->problem : "unknown problem");
    bool by_offset = parser->error == YAML_READER_ERROR;
    return blame_mark(places->file,
                      by_offset ? mark_at(text, length, parser->problem_offset) : parser->problem_mark,
                      error);
}

static bool check_nodes(const YamlPlaces *places, Error *error)
{
    const yaml_document_t *document = &places->document;
    for (const yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++) {
        if (node->type == YAML_SCALAR_NODE &&
            memchr(node->data.scalar.value, '\0', node->data.scalar.length) != NULL) {
            error_set(error, ERROR_CONFIG, "a value with a NUL character");
            return yaml_blame(places, node, error);
        }
        if (node->type != YAML_MAPPING_NODE)
            continue;
        for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            const yaml_node_t *key = document->nodes.start + pair->key - 1;
            if (key->type != YAML_SCALAR_NODE) {
                error_set(error, ERROR_CONFIG, "a key must be a name, not %s", yaml_kind(key));
                return yaml_blame(places, key, error);
            }
        }
    }
    return true;
}

/* True when the stream holds nothing after the first document. */
static bool check_end(const YamlPlaces *places, yaml_parser_t *parser, const char *text, size_t length,
                      Error *error)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second))
        return syntax_error(places, parser, text, length, error);
    bool more = yaml_document_get_root_node(&second) != NULL;
    yaml_mark_t mark = second.start_mark;
    yaml_document_delete(&second);
    if (!more)
        return true;
    error_set(error, ERROR_CONFIG, "a second YAML document starts here; one is enough");
    return blame_mark(places->file, mark, error);
}

bool yaml_places_open(YamlPlaces *places, const char *file, const char *text, size_t length, Error *error)
{
    yaml_parser_t parser;
    *places = (YamlPlaces){.file = file};
    if (!yaml_parser_initialize(&parser))
        return error_memory(error);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    bool good = yaml_parser_load(&parser, &places->document) != 0;
    if (!good) {
        syntax_error(places, &parser, text, length, error);
        places->document = (yaml_document_t){0}; /* libyaml has released what it had built */
    }
    good = good && (yaml_root(places) == NULL || check_end(places, &parser, text, length, error)) &&
           check_nodes(places, error);
    yaml_parser_delete(&parser);
    if (!good)
        yaml_places_close(places);
    return good;
}

void yaml_places_close(YamlPlaces *places)
{
    yaml_document_delete(&places->document);
    places->document = (yaml_document_t){0};
}

static const YamlPlace *node_at(const YamlPlaces *places, int index)
{
    return places->document.nodes.start + index - 1; /* libyaml counts from 1 */
}

const YamlPlace *yaml_root(const YamlPlaces *places)
{
    return places->document.nodes.top > places->document.nodes.start ? places->document.nodes.start : NULL;
}

static const yaml_node_pair_t *find_pair(const YamlPlaces *places, const YamlPlace *place, const char *key,
                                         size_t nth)
{
    if (place == NULL || place->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *pair = place->data.mapping.pairs.start; pair < place->data.mapping.pairs.top;
         pair++) {
        const char *name = (const char *)node_at(places, pair->key)->data.scalar.value;
        if (strcmp(name, key) == 0 && nth-- == 0)
            return pair;
    }
    return NULL;
}

const YamlPlace *yaml_child(const YamlPlaces *places, const YamlPlace *place, const char *key)
{
    const yaml_node_pair_t *pair = find_pair(places, place, key, 0);
    return pair != NULL ? node_at(places, pair->value) : NULL;
}

const YamlPlace *yaml_key(const YamlPlaces *places, const YamlPlace *place, const char *key, size_t nth)
{
    const yaml_node_pair_t *pair = find_pair(places, place, key, nth);
    return pair != NULL ? node_at(places, pair->key) : NULL;
}

const YamlPlace *yaml_item(const YamlPlaces *places, const YamlPlace *place, size_t index)
{
    if (place == NULL || place->type != YAML_SEQUENCE_NODE)
        return NULL;
    size_t count = (size_t)(place->data.sequence.items.top - place->data.sequence.items.start);
    return index < count ? node_at(places, place->data.sequence.items.start[index]) : NULL;
}

bool yaml_is_null(const YamlPlace *place)
{
    static const char *const WORDS[] = {"", "~", "null", "Null", "NULL"};
    if (place == NULL || place->type != YAML_SCALAR_NODE ||
        place->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (strcmp((const char *)place->data.scalar.value, WORDS[i]) == 0)
            return true;
    }
    return false;
}

const char *yaml_kind(const YamlPlace *place)
{
    if (place != NULL && place->type == YAML_SEQUENCE_NODE)
        return "a list";
    return place != NULL && place->type == YAML_MAPPING_NODE ? "a mapping" : "a single value";
}
