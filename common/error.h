/* Error: what went wrong, as a value that the caller owns, and the one catalogue of kinds of failure.
 *
 * A function that can fail returns false (or NULL) and fills the caller's Error; it never logs. Only command
 * and engine code prints an Error. Texts follow one shape: a lowercase fact naming its object (message), the
 * server's own words (detail), an action (hint). Secrets never enter an Error. A zeroed Error is "no error".
 * Not thread-safe.
 */
#pragma once
#include "common/pgconvoy/error.h"
#include <stdbool.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

/* Short names for what the public header explains. */
typedef pgconvoy_error_code ErrorCode;
#define ERROR_NONE PGCONVOY_ERROR_NONE
#define ERROR_USAGE PGCONVOY_ERROR_USAGE
#define ERROR_CONFIG PGCONVOY_ERROR_CONFIG
#define ERROR_TENANTS PGCONVOY_ERROR_TENANTS
#define ERROR_MIGRATIONS PGCONVOY_ERROR_MIGRATIONS
#define ERROR_CONNECT PGCONVOY_ERROR_CONNECT
#define ERROR_SERVER PGCONVOY_ERROR_SERVER
#define ERROR_NO_SCHEMA PGCONVOY_ERROR_NO_SCHEMA
#define ERROR_TRACKING PGCONVOY_ERROR_TRACKING
#define ERROR_BUSY PGCONVOY_ERROR_BUSY
#define ERROR_UNKNOWN PGCONVOY_ERROR_UNKNOWN
#define ERROR_CANCELLED PGCONVOY_ERROR_CANCELLED
#define ERROR_NO_WORKERS PGCONVOY_ERROR_NO_WORKERS
#define ERROR_PROTOCOL PGCONVOY_ERROR_PROTOCOL
#define ERROR_TOO_LARGE PGCONVOY_ERROR_TOO_LARGE
#define ERROR_ABORTED PGCONVOY_ERROR_ABORTED
#define ERROR_MEMORY PGCONVOY_ERROR_MEMORY
#define ERROR_SYSTEM PGCONVOY_ERROR_SYSTEM
#define ERROR_CALLBACK PGCONVOY_ERROR_CALLBACK
#define ERROR_CODE_COUNT (ERROR_CALLBACK + 1)

/* Exit codes of both programs. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_PENDING = 3,
    EXIT_ABORTED = 4,
    EXIT_DRIFT = 5,
    EXIT_UNAVAILABLE = 6,
    EXIT_MIGRATIONS = 7,
    EXIT_INTERRUPTED = 130,
};

typedef struct ErrorClass {
    const char *name; /* stable word for JSON and logs, such as "no_schema" */
    int exit_code;    /* what a command exits with when this error ended it */
    const char *doc;  /* one line for the manual */
} ErrorClass;

typedef pgconvoy_error Error;

const ErrorClass *error_class(ErrorCode code);

/* Sets code and message, dropping what was there; always returns false, so that `return error_set(...)` reads
 * well. */
bool error_set(Error *error, ErrorCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Add to an error already set. */
void error_set_detail(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
void error_set_hint(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the message. */
void error_prefix(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The usual out-of-memory error; returns false. */
bool error_memory(Error *error);

/* Moves source into *target (which is cleared first); source is empty afterwards. */
void error_move(Error *target, Error *source);
void error_clear(Error *error);

/* "error: <message>\nDETAIL: ...\nHINT: ...\n" in malloc'ed memory that the caller frees; NULL when memory
 * ran out. */
char *error_format(const Error *error);

#define ERROR_CLEANUP __attribute__((cleanup(error_clear)))
