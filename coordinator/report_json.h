/* Report JSON: what every command's JSON has in common. */
#pragma once
#include "common/json.h"
#include <stdio.h>

/* Prints and releases a document; false when it is NULL or cannot be written. */
bool report_print_json(FILE *file, json_t *document, Error *error) MUST_CHECK;

/* Adds error, code, suggestion, detail and sqlstate; without them when memory runs out, as the exit code
 * tells too. */
void report_add_reason(json_t *document, const Error *reason);
