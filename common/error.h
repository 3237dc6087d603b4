/* Error: what went wrong, as a value that the caller owns, and the one catalogue of kinds of failure.
 *
 * A function that can fail returns false (or NULL) and fills the caller's Error; it never logs. Only command
 * and engine code prints an Error. Texts follow one shape: a lowercase fact naming its object (message), the
 * server's own words (detail), an action (hint). Secrets never enter an Error. A zeroed Error is "no error".
 * Not thread-safe.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

typedef enum ErrorCode {
    ERROR_NONE,
    ERROR_USAGE,      /* command line: unknown option, bad value, contradiction */
    ERROR_CONFIG,     /* configuration file, environment, settings */
    ERROR_TENANTS,    /* tenant ids, templates, lists, discovery */
    ERROR_MIGRATIONS, /* migration folder or files refused */
    ERROR_CONNECT,    /* server unreachable, authentication, connection lost */
    ERROR_SERVER,     /* the server answered with an SQL error; sqlstate is set */
    ERROR_NO_SCHEMA,  /* the tenant's schema is missing */
    ERROR_TRACKING,   /* tracking table of unknown shape */
    ERROR_BUSY,       /* the tenant's lock is held by somebody else */
    ERROR_UNKNOWN,    /* COMMIT was sent, its result could not be learned */
    ERROR_CANCELLED,  /* cancelled by the operator or a deadline */
    ERROR_NO_WORKERS, /* not enough workers came or stayed */
    ERROR_PROTOCOL,   /* a peer broke the wire protocol */
    ERROR_TOO_LARGE,  /* a result or message above its limit */
    ERROR_ABORTED,    /* stopped by policy */
    ERROR_MEMORY,
    ERROR_SYSTEM, /* an operating system call failed */
    ERROR_CODE_COUNT,
} ErrorCode;

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

typedef struct Error {
    ErrorCode code;
    char sqlstate[6]; /* empty unless the server gave one */
    char *message;
    char *detail; /* may be NULL, like all below */
    char *hint;
    char *tenant;
    char *migration;
    int64_t line;   /* 1-based line in the migration, 0 = not known */
    int64_t column; /* 1-based column in characters, 0 = not known */
} Error;

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
