#include "common/hash.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Fetched once: OpenSSL looks an algorithm up, under a lock, whenever it is named. */
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *algorithm;

static void fetch(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

struct Sha256 {
    EVP_MD_CTX *context;
    bool failed;
};

Sha256 *sha256_new(Error *error)
{
    Sha256 *hash = calloc(1, sizeof(*hash));
    if (hash == NULL || (hash->context = EVP_MD_CTX_new()) == NULL) {
        error_memory(error);
        sha256_free(hash);
        return NULL;
    }
    pthread_once(&fetched, fetch);
    const EVP_MD *sha256 = algorithm != NULL ? algorithm : EVP_sha256(); /* memory may be back */
    hash->failed = EVP_DigestInit_ex(hash->context, sha256, NULL) != 1;
    return hash;
}

void sha256_update(Sha256 *hash, const void *data, size_t length)
{
    if (!hash->failed && length > 0)
        hash->failed = EVP_DigestUpdate(hash->context, data, length) != 1;
}

bool sha256_final(Sha256 *hash, unsigned char ret_digest[32], Error *error)
{
    if (hash->failed || EVP_DigestFinal_ex(hash->context, ret_digest, NULL) != 1)
        return error_set(error, ERROR_SYSTEM, "the cryptographic library could not compute a SHA-256");
    hash->failed = true; /* a finished context takes nothing more */
    return true;
}

void sha256_free(Sha256 *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

bool sha256_bytes(const void *data, size_t length, unsigned char ret_digest[32], Error *error)
{
    Sha256 *hash = sha256_new(error);
    if (hash == NULL)
        return false;
    sha256_update(hash, data, length);
    bool done = sha256_final(hash, ret_digest, error);
    sha256_free(hash);
    return done;
}

uint64_t fnv_add(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

uint64_t fnv_add_text(uint64_t hash, const char *text)
{
    return fnv_add(hash, text, strlen(text) + 1);
}

void hex_encode(const unsigned char *data, size_t length, char *ret_text)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        ret_text[2 * i] = DIGITS[data[i] >> 4];
        ret_text[2 * i + 1] = DIGITS[data[i] & 15];
    }
    ret_text[2 * length] = '\0';
}
