/* Schema drift: compares two introspected schemas. Pure: no database, no clock.
 *
 * Both must have been introspected with the same options; lists are in byte order of names, as introspection
 * gives them. Sentences and order are the contract's: the reference's objects first, then what is extra.
 */
#pragma once
#include "common/results_drift.h"
#include "common/results_schema.h"

/* *ret_drift is overwritten; release it with record_clear(&TENANT_SCHEMA_DRIFT, ...). Fails only when memory
 * runs out. */
bool schema_compare(const TenantSchema *reference, const TenantSchema *target, TenantSchemaDrift *ret_drift,
                    Error *error) MUST_CHECK;
