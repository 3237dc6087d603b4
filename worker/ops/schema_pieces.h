/* Schema pieces: the SQL texts that schema_sql.c puts together, each with a name.
 *
 * A text names others as ${name}; what differs from message to message (the schemas, what is left out) is a
 * piece as well, made by a function. Texts are written for search_path = pg_catalog while they are parsed and
 * search_path = the tenant's schema while they run.
 */
#pragma once
#include "common/buffer.h"
#include "common/operation.h"

/* What a message is about. */
typedef struct SchemaMessage {
    Buffer *sql;
    const RunOptions *options;
    int version; /* the server's */
    const char *const *schemas;
    size_t count;
} SchemaMessage;

/* Appends a text with everything that it names. A name that does not exist is a defect: it stays as it is,
 * and the server refuses it. */
void schema_message_append(const SchemaMessage *message, const char *text);
