/* Runs: what the calls about the tenants' migrations and the shared schema's have in common. */
#pragma once
#include "coordinator/library/call.h"
#include "coordinator/migrator.h"

/* A run as the call says; `with_shared` before the tenants has the shared schema migrated. */
bool library_run(Call *call, RunAction action, bool with_shared, RunReport *ret_report) MUST_CHECK;

/* Copies totals and details out of the report; what was copied is the caller's to clear also on failure. */
bool library_list_results(const RunReport *report, pgconvoy_migration_results *ret_results,
                          Error *error) MUST_CHECK;
