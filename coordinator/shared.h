/* Shared: the shared schema of a database, `public`, in the words of its own results.
 *
 * A run of the migrator whose fleet request says `shared` works on it, with folder, table and formats of its
 * own; one that says `with_shared` works on it before the tenants. In their reports the schema is an entry of
 * each database.
 */
#pragma once
#include "coordinator/migrator.h"

/* What an entry says; the texts stay the entry's. */
SharedMigrationResult shared_result(const RunEntry *entry);
SharedMigrationStatus shared_status(const RunEntry *entry);

/* The same moved out, for the caller to clear with the record's type. */
SharedMigrationResult shared_result_take(RunEntry *entry);
SharedMigrationStatus shared_status_take(RunEntry *entry);
