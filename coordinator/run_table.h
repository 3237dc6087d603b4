/* Run table: what is known of every listed tenant, and how results of several attempts come together.
 *
 * Merging is commutative where it matters: states only rise, the set of applied migrations only grows. What
 * many tenants have alike is kept once: 32 bytes a tenant, and those of the tenant itself in the list.
 */
#pragma once
#include "coordinator/migrator.h"

/* One entry per tenant of report->tenants, all pending. */
bool run_table_new(RunReport *report, Error *error) MUST_CHECK;

/* Takes over the content of a status result. */
bool run_entry_plan(RunReport *report, size_t index, Outcome outcome, TenantMigrationStatus *status,
                    Error *error) MUST_CHECK;

/* Gives an entry the texts that a status report needs, also when nobody could tell its status. */
bool run_entry_fill_status(RunReport *report, size_t index, Outcome outcome, Error *error) MUST_CHECK;

/* Merges an attempt's migrate result (content moved) and returns its failure key, 0 = none. Of two failures
 * the newer attempt's words stay. */
bool run_entry_merge(RunReport *report, size_t index, Outcome outcome, uint32_t attempt,
                     TenantMigrationResult *result, uint64_t *ret_failure_key, Error *error) MUST_CHECK;

/* What an earlier part of this run did for the tenant counts as this one's. */
bool run_entry_recall(RunReport *report, size_t index, const TenantMigrationResult *before,
                      Error *error) MUST_CHECK;

/* Behind, or the plan could not be read: only a worker can tell more. With `strict` also when files were
 * changed after they were applied: the worker refuses such a tenant. */
bool run_entry_needs_work(const RunEntry *entry, bool strict);

/* Gives an entry its final state and the texts that the report needs for it. */
bool run_entry_finish(RunReport *report, size_t index, TenantState state, Outcome outcome, uint32_t attempts,
                      Error *error) MUST_CHECK;

/* The same for one that goes to no worker: what its plan says is what is, or would be, done. */
bool run_entry_finish_planned(RunReport *report, size_t index, Error *error) MUST_CHECK;

/* Makes every entry a skipped one, for this reason. */
bool run_table_skip(RunReport *report, const char *reason, Error *error) MUST_CHECK;

/* Memory that the table and its list take. */
size_t run_table_bytes(const RunReport *report);

/* From the entries, always. */
EngineTotals run_table_totals(const RunReport *report);
