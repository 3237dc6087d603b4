/* Shared: the shared schema of a database, `public`, in the words of its own results.
 *
 * A run of the migrator whose fleet request says `shared` works on it, with folder, table and formats of its
 * own; one that says `with_shared` works on it before the tenants. In their reports the schema is an entry of
 * each database.
 */
#pragma once
#include "coordinator/migrator.h"
#include "coordinator/seed.h"

/* Why tenants are skipped that were to follow a shared schema. */
extern const char SHARED_HAS_FAILED[];

/* False with ERROR_CONFIG unless shared.folder is set, which says that there is a shared schema. */
bool shared_is_configured(const Config *config, Error *error) MUST_CHECK;

/* What an entry says; the texts stay the entry's. */
SharedMigrationResult shared_result(const RunReport *report, size_t index);
SharedMigrationStatus shared_status(const RunReport *report, size_t index);
SharedSeedResult shared_seed_result(const SeedEntry *entry);

/* The same moved out, for the caller to clear with the record's type. */
SharedSeedResult shared_seed_result_take(SeedEntry *entry);
