/* JSON from record descriptions, by jansson. The caller owns every json_t returned. */
#pragma once
#include "common/record.h"
#include <jansson.h>

/* The record as a JSON object with the type's field names in the type's order; NULL when memory ran out. */
json_t *record_to_json(const RecordType *type, const void *record);

/* The same as compact text, malloc'ed; NULL when memory ran out. */
char *record_to_json_text(const RecordType *type, const void *record);
