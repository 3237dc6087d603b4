/* Script cache: the scripts of a bundle's migrations, each cut into pieces once, however many tenants it is
 * for. Thread-safe; what it lends is not written to.
 */
#pragma once
#include "worker/ops/migration_script.h"

typedef struct ScriptCache ScriptCache;

/* `bundle` must outlive the cache. */
ScriptCache *script_cache_new(const Bundle *bundle, Error *error) MUST_CHECK;
void script_cache_free(ScriptCache *cache); /* accepts NULL */

/* The script of one of the bundle's migrations, lent until the cache is freed. Without a cache (NULL) it is
 * read into *own, the caller's to clear in either case. NULL for lack of memory only. */
const MigrationScript *script_cache_get(ScriptCache *cache, const Migration *migration, MigrationScript *own,
                                        Error *error) MUST_CHECK;
