/* Results of seed: what became of one tenant's seed. */
#pragma once
#include "common/pgconvoy/results.h"
#include "common/record.h"

typedef pgconvoy_tenant_seed_result TenantSeedResult;

extern const RecordType TENANT_SEED_RESULT;     /* the library's names */
extern const RecordType TENANT_SEED_RESULT_CLI; /* the CLI's: "schema" for "schemaName" */
