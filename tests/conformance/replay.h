/* Replay: plays a case on a real server and says what came of it, in a form that does not change from run to
 * run.
 *
 * A case is one JSON file of cases/: a database (setup), files, a configuration, and steps for the driver or
 * commands for the program; below `package` what drizzle-multitenant 1.3.5 answered and left in the database,
 * and below `ours`, where that differs, what is wanted here and why. README.md has the fields.
 */
#pragma once
#include "tests/support/cluster.h"
#include <jansson.h>
#include <stdbool.h>

/* {result, state}: of the driver's steps or of the commands, and of the database afterwards. */
typedef struct CaseOutcome {
    json_t *result;
    json_t *state;
} CaseOutcome;

void case_outcome_clear(CaseOutcome *outcome);

/* Plays it in a database of its own (dropped before and after). */
CaseOutcome replay_case(const Cluster *cluster, const json_t *case_);

/* --- replay_state.c --- */

/* Schemas, tables, tracking tables with their rows, and the case's own questions. */
json_t *database_state(PGconn *connection, const json_t *case_);

/* --- replay_normal.c --- */

/* A new value without what differs from run to run: times, durations, the folder, object ids. */
json_t *normal_form(const json_t *value, const char *folder);

/* Milliseconds of an ISO 8601 timestamp are near now. */
bool is_recent(const char *timestamp);
bool is_recent_ms(double ms);

/* --- replay_compare.c --- */

/* Lines, one for each difference, malloc'ed; "" when there is none. With `more_is_fine` objects may have keys
 * of their own after the expected ones: a command's JSON. */
char *differences(const json_t *expected, const json_t *found, bool more_is_fine);

/* Hides the values of these keys. */
void mask_keys(json_t *value, const json_t *keys);

/* --- replay_print.c --- */

/* JSON for reading: whatever fits stands on one line. malloc'ed. */
char *readable_json(const json_t *value);
