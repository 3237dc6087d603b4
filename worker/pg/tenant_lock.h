/* Tenant lock: the advisory lock that every writing operation on a tenant takes inside its transaction.
 *
 * The key never changes within v1: different versions of pgconvoy must exclude each other. A collision of
 * two schema names (64 bits) only makes one tenant look busy for a moment.
 */
#pragma once
#include "common/error.h"
#include <stdint.h>

/* First 8 bytes, big-endian, signed, of SHA-256("pgconvoy/v1" NUL schema). The schema name is taken as the
 * server stores it. */
bool tenant_lock_key(const char *schema, int64_t *ret_key, Error *error) MUST_CHECK;
