/* YamlPlaces: where in a YAML text each key and value stands.
 *
 * libcyaml loads the values, but it reports the place of the previous event when it refuses a key, none at
 * all for values that we refuse after loading, and does not tell a plain ~ from a quoted one. So libyaml,
 * which libcyaml is built on, gives the places. Also refuses what libcyaml would take apart wrongly: several
 * documents, keys that are not scalars, NUL characters.
 */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

typedef yaml_node_t YamlPlace;

typedef struct YamlPlaces {
    const char *file;         /* for messages; borrowed */
    yaml_document_t document; /* zeroed when the text holds none */
} YamlPlaces;

/* Syntax errors come back as ERROR_CONFIG with line and column. */
bool yaml_places_open(YamlPlaces *places, const char *file, const char *text, size_t length,
                      Error *error) MUST_CHECK;
void yaml_places_close(YamlPlaces *places);

/* NULL when the text is empty. */
const YamlPlace *yaml_root(const YamlPlaces *places);

/* The value (or with yaml_key() the key itself) of the nth occurrence of this key, from 0; NULL when place is
 * NULL, no mapping, or has no such key. */
const YamlPlace *yaml_child(const YamlPlaces *places, const YamlPlace *place, const char *key);
const YamlPlace *yaml_key(const YamlPlaces *places, const YamlPlace *place, const char *key, size_t nth);
const YamlPlace *yaml_item(const YamlPlaces *places, const YamlPlace *place, size_t index);

/* A plain ~, null or nothing. */
bool yaml_is_null(const YamlPlace *place);

/* "a list", "a mapping", "a single value". */
const char *yaml_kind(const YamlPlace *place);

/* Puts "file:line:column: " in front of the message, sets the error's line and column, and returns false. */
bool yaml_blame(const YamlPlaces *places, const YamlPlace *place, Error *error);
