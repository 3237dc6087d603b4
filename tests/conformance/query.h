/* Query: rows of a server as JSON objects, of the types that they have in JavaScript. */
#pragma once
#include <jansson.h>
#include <libpq-fe.h>
#include <stdbool.h>

/* Exactly one of the two. */
typedef struct Answered {
    json_t *rows;
    char *failure; /* the server's primary message, or libpq's own words; for free() */
} Answered;

/* Several statements may stand in sql; the rows are those of the last. */
Answered query_answer(PGconn *connection, const char *sql);

/* The rows of a query that has to work; %s in `format` is `argument`. Ends the program when it does not. */
json_t *query_rows(PGconn *connection, const char *format, const char *argument);
