/* Curve key: the key pair that a program proves itself with, and the file that keeps it.
 *
 * Keys are written in ZeroMQ's Z85, 40 characters. The file belongs to its user, is closed to everybody else,
 * and holds two lines: "public KEY" and "secret KEY". The secret never enters an Error, a log or argv.
 */
#pragma once
#include "common/error.h"

enum { CURVE_KEY_TEXT = 41 }; /* with the final NUL */

typedef struct CurveKey {
    char public_key[CURVE_KEY_TEXT];
    char secret_key[CURVE_KEY_TEXT];
} CurveKey;

bool curve_key_generate(CurveKey *ret_key, Error *error) MUST_CHECK;

/* Makes the file, mode 0600; one that is there already is never touched. */
bool curve_key_write(const CurveKey *key, const char *path, Error *error) MUST_CHECK;

/* ERROR_CONFIG for a file that others may read, that belongs to somebody else, or holds no such pair. */
bool curve_key_read(const char *path, CurveKey *ret_key, Error *error) MUST_CHECK;

/* Overwrites the secret. */
void curve_key_wipe(CurveKey *key);

/* Whether a text is a public key: 40 characters of Z85. */
bool curve_public_key_valid(const char *text);
