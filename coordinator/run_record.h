/* Run record: keeps a run's journal, and what an earlier part of the same run did.
 *
 * Opened when there is something to apply; a run that finds nothing to do leaves no journal. Where journals
 * cannot be kept in their usual place the run goes on without, with a warning; a place that was asked for
 * must work.
 */
#pragma once
#include "coordinator/migrator.h"
#include "coordinator/run_journal.h"

typedef struct RunRecord RunRecord;

/* For a run that resumes another one: refuses (ERROR_USAGE) when tenants, migrations or options are not those
 * of that run, and gives every entry what was applied to it before. */
bool run_record_open(const RunRequest *request, RunReport *report, const char *run_id, const Bundle *bundle,
                     const RunOptions *options, RunRecord **ret_record, Error *error) MUST_CHECK;

/* Writes what is known of an entry, unless it stands there already; NULL is fine, here and below. */
void run_record_tenant(RunRecord *record, size_t entry);

/* Writes how it ended, warns when not everything could be written, and closes. */
void run_record_close(RunRecord *record, int exit_code, int64_t duration_ms);
