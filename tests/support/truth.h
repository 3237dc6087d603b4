/* What the databases of a fleet say about a run, as a verdict instead of the end of the test program: for
 * tests that go on, and programs that count violations.
 *
 * Each function gives NULL when everything holds, else what does not (malloc'ed, one line). The fleet's
 * migrations are markers (fleet_add_markers): the names of their files, their marks in public.marks and the
 * rows of the tracking tables must tell the same story.
 */
#pragma once
#include "tests/support/fleet.h"

/* At any time when nobody is at work: no mark and no row twice, and a mark for each row and a row for each
 * mark. */
char *truth_violated(Fleet *fleet);

/* Afterwards: the above, and every tenant has all of `migrations`. */
char *truth_incomplete(Fleet *fleet, int migrations);

/* Of a report (JSON with results and summary), or of a journal as `run show --json` has it: totals add up to
 * the results that are there, each migration that it calls applied is recorded, each tenant that it calls
 * successful has all of `migrations`. With `whole`, every tenant of the fleet must be told of. */
char *truth_untold(Fleet *fleet, const char *report, int migrations, bool whole);

/* Waits until no session of ours and no advisory lock is left in the fleet's database. */
char *truth_left_over(Fleet *fleet, int deadline_ms);
