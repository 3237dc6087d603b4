/* SHA-256 by OpenSSL's EVP, and FNV-1a for tables and keys that nobody attacks. */
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
/* FNV-1a, 64 bits: begin with FNV_START and add what belongs to the key. A text with its NUL keeps its end
 * apart from what follows. */
#define FNV_START 14695981039346656037u
uint64_t fnv_add(uint64_t hash, const void *data, size_t length);
uint64_t fnv_add_text(uint64_t hash, const char *text); /* with its NUL */

void hex_encode(const unsigned char *data, size_t length, char *ret_text); /* 2 * length + 1 bytes */
