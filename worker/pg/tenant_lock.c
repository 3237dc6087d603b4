#include "worker/pg/tenant_lock.h"
#include "common/hash.h"
#include <string.h>

static const char PREFIX[] = "pgconvoy/v1"; /* its NUL is part of what is hashed */

bool tenant_lock_key(const char *schema, int64_t *ret_key, Error *error)
{
    Sha256 *hash = sha256_new(error);
    if (hash == NULL)
        return false;
    unsigned char digest[32];
    sha256_update(hash, PREFIX, sizeof PREFIX);
    sha256_update(hash, schema, strlen(schema));
    bool hashed = sha256_final(hash, digest, error);
    sha256_free(hash);
    if (!hashed)
        return false;
    uint64_t key = 0;
    for (size_t i = 0; i < 8; i++)
        key = key << 8 | digest[i];
    memcpy(ret_key, &key, sizeof key);
    return true;
}
