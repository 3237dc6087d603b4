/* pgconvoy's errors: what went wrong, as a value that the caller owns.
 *
 * A call that can fail returns false or NULL and fills the caller's pgconvoy_error; nothing is printed or
 * logged. Texts follow one shape: `message` is a lowercase fact that names its object, `detail` the server's
 * own words, `hint` an action. Secrets never enter an error. A zeroed structure is "no error" and the way to
 * begin: pgconvoy_error error = {0}. Not thread-safe: one per thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PGCONVOY_EXPORT
#define PGCONVOY_EXPORT __attribute__((visibility("default")))
#endif

typedef enum pgconvoy_error_code {
    PGCONVOY_ERROR_NONE,
    PGCONVOY_ERROR_USAGE,      /* a call that makes no sense: NULL where a value must be, a contradiction */
    PGCONVOY_ERROR_CONFIG,     /* configuration file, environment, settings */
    PGCONVOY_ERROR_TENANTS,    /* tenant ids, templates, lists, discovery */
    PGCONVOY_ERROR_MIGRATIONS, /* migration folder or files refused */
    PGCONVOY_ERROR_CONNECT,    /* server unreachable, authentication, connection lost */
    PGCONVOY_ERROR_SERVER,     /* the server answered with an SQL error; sqlstate is set */
    PGCONVOY_ERROR_NO_SCHEMA,  /* the tenant's schema is missing */
    PGCONVOY_ERROR_TRACKING,   /* tracking table of unknown shape */
    PGCONVOY_ERROR_BUSY,       /* the tenant's lock is held by somebody else */
    PGCONVOY_ERROR_UNKNOWN,    /* COMMIT was sent, its result could not be learned */
    PGCONVOY_ERROR_CANCELLED,  /* cancelled by the caller or a deadline, or used after dispose */
    PGCONVOY_ERROR_NO_WORKERS, /* not enough workers came or stayed */
    PGCONVOY_ERROR_PROTOCOL,   /* a peer broke the wire protocol */
    PGCONVOY_ERROR_TOO_LARGE,  /* a result or message above its limit */
    PGCONVOY_ERROR_ABORTED,    /* stopped by policy */
    PGCONVOY_ERROR_MEMORY,
    PGCONVOY_ERROR_SYSTEM,   /* an operating system call failed */
    PGCONVOY_ERROR_CALLBACK, /* a hook or callback of the caller's reported a failure */
} pgconvoy_error_code;

typedef struct pgconvoy_error {
    pgconvoy_error_code code;
    char sqlstate[6]; /* empty unless the server gave one */
    char *message;
    char *detail; /* may be NULL, like all below */
    char *hint;
    char *tenant;
    char *migration;
    int64_t line;   /* 1-based line in the migration, 0 = not known */
    int64_t column; /* 1-based column in characters, 0 = not known */
} pgconvoy_error;

/* A stable word for a code, such as "no_schema". */
PGCONVOY_EXPORT const char *pgconvoy_error_name(pgconvoy_error_code code);

/* What a callback says when it fails: sets PGCONVOY_ERROR_CALLBACK and the message, dropping what was there.
 * Always returns false, so that `return pgconvoy_error_set(error, "...")` reads well. */
PGCONVOY_EXPORT bool pgconvoy_error_set(pgconvoy_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "error: <message>\nDETAIL: ...\nHINT: ...\n", for free(); NULL when memory ran out. */
PGCONVOY_EXPORT char *pgconvoy_error_format(const pgconvoy_error *error);

/* Releases the texts and leaves "no error". */
PGCONVOY_EXPORT void pgconvoy_error_clear(pgconvoy_error *error);

#ifdef __cplusplus
}
#endif
