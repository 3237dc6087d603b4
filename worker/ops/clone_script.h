/* Clone script: statements gathered into messages, each with the name of what it makes. */
#pragma once
#include "common/buffer.h"
#include "worker/pg/connection.h"

typedef struct CloneScript {
    Connection *connection;
    Buffer sql;
    const char **labels; /* of the statements in it; belong to the caller */
    size_t count, capacity;
} CloneScript;

/* Adds one statement, and sends what has come together when it is enough for a message. */
bool clone_script_add(CloneScript *script, const char *label, const char *statement, Error *error) MUST_CHECK;

/* Sends the rest. An error says in its detail what it is about. */
bool clone_script_flush(CloneScript *script, Error *error) MUST_CHECK;
void clone_script_clear(CloneScript *script);

/* Adds to an error of the server's what was being made. */
void clone_error_about(Error *error, const char *label);
