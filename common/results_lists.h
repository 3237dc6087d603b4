/* Results over many tenants: totals and everybody's details, in the order of the list. */
#pragma once
#include "common/record.h"

extern const RecordType MIGRATION_RESULTS;   /* pgconvoy_migration_results */
extern const RecordType MIGRATION_STATUSES;  /* pgconvoy_migration_statuses */
extern const RecordType SYNC_STATUSES;       /* pgconvoy_sync_status */
extern const RecordType SYNC_RESULTS;        /* pgconvoy_sync_results */
extern const RecordType SEED_RESULTS;        /* pgconvoy_seed_results */
extern const RecordType CONVERT_RESULTS;     /* pgconvoy_convert_results */
extern const RecordType SCHEMA_DRIFT_STATUS; /* pgconvoy_schema_drift_status */
