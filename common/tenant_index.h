/* TenantIndex: finds positions by (database, name), where the name is an id or a schema, in constant time.
 *
 * It borrows every text it is given; they must outlive it. Not thread-safe.
 */
#pragma once
#include "common/error.h"
#include <stddef.h>

#define TENANT_INDEX_NONE ((size_t)-1)

typedef struct TenantIndex TenantIndex;

/* Room for `capacity` entries, and for no more. */
TenantIndex *tenant_index_new(size_t capacity, Error *error) MUST_CHECK;
void tenant_index_free(TenantIndex *index);

/* The position held for this pair, or TENANT_INDEX_NONE. */
size_t tenant_index_find(const TenantIndex *index, const char *database, const char *name);

/* Adds a pair that is not in the index yet. False, with ERROR_MEMORY, when it is full. */
bool tenant_index_add(TenantIndex *index, const char *database, const char *name, size_t position,
                      Error *error) MUST_CHECK;

/* For the cleanup attribute. */
void tenant_index_release(TenantIndex **index);

#define TENANT_INDEX_CLEANUP __attribute__((cleanup(tenant_index_release)))
