/* Results of the operations on the shared schema: what a tenant's have, without the tenant. */
#pragma once
#include "common/record.h"

typedef pgconvoy_shared_migration_result SharedMigrationResult;

extern const RecordType SHARED_MIGRATION_RESULT;
extern const RecordType SHARED_MIGRATION_RESULT_CLI; /* error after durationMs and format */

typedef pgconvoy_shared_migration_status SharedMigrationStatus;

extern const RecordType SHARED_MIGRATION_STATUS;

typedef pgconvoy_shared_seed_result SharedSeedResult;

extern const RecordType SHARED_SEED_RESULT;
extern const RecordType SHARED_SEED_RESULT_CLI; /* "schema" for "schemaName" */
