/* Schema drift as JSON: the record's, with the contract's booleans and nulls where a column has them. */
#pragma once
#include "common/json.h"
#include "common/results_drift.h"

/* `type` is TENANT_SCHEMA_DRIFT or its CLI view; NULL when memory ran out. */
json_t *schema_drift_to_json(const RecordType *type, const TenantSchemaDrift *drift);
