/* SHA-256 by OpenSSL's EVP. */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct Sha256 Sha256;

Sha256 *sha256_new(Error *error) MUST_CHECK;
void sha256_update(Sha256 *hash, const void *data, size_t length);
/* Writes the digest; false when the library failed at any step since sha256_new(). */
bool sha256_final(Sha256 *hash, unsigned char ret_digest[32], Error *error) MUST_CHECK;
void sha256_free(Sha256 *hash);

bool sha256_bytes(const void *data, size_t length, unsigned char ret_digest[32], Error *error) MUST_CHECK;
void hex_encode(const unsigned char *data, size_t length, char *ret_text); /* 2 * length + 1 bytes */
