/* JSON from record descriptions, by jansson. The caller owns every json_t returned. */
#pragma once
#include "common/record.h"
#include <jansson.h>

/* A value as text, malloc'ed, as json_dumps() writes it with these flags; NULL for NULL and when memory ran
 * out. json_dumps() itself leaves a key out when memory runs out just there, and says nothing. */
char *json_text(const json_t *value, size_t flags);

/* The record as a JSON object with the type's field names in the type's order; NULL when memory ran out. */
json_t *record_to_json(const RecordType *type, const void *record);

/* The same as compact text, malloc'ed; NULL when memory ran out. */
char *record_to_json_text(const RecordType *type, const void *record);

/* The other way round: fills *ret_record, which is overwritten, from an object; keys that the type does not
 * have are ignored, fields that the object lacks stay at rest. ERROR_CONFIG names a value of another kind;
 * then *ret_record is untouched. */
bool record_from_json(const RecordType *type, const json_t *object, void *ret_record,
                      Error *error) MUST_CHECK;
