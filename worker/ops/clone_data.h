/* Clone data: which tables are copied with their rows, and what of them. */
#pragma once
#include "common/buffer.h"
#include "worker/ops/clone_plan.h"

/* Marks tables as the options want them. A rule that names no table of the source is refused, because what
 * it was to hide would be copied; so is one that names no column when options->strict is set, else it is a
 * warning, and the same goes for a table to leave out. */
bool clone_data_choose(ClonePlan *plan, const RunOptions *options, Error *error) MUST_CHECK;

typedef struct CloneSchemas {
    const char *source, *target;
} CloneSchemas;

bool clone_data_copies(const CloneTable *table, const RunOptions *options);

/* INSERT of all rows of one table, with the values of the rules in the columns that have one. */
void clone_data_append_rows(Buffer *sql, const ClonePlan *plan, const CloneTable *table,
                            const CloneSchemas *schemas, const RunOptions *options);

/* One SELECT for each sequence that has to go on where the source's is: those of copied tables, and free ones
 * with the data; each ended by a semicolon. */
void clone_data_append_sequences(Buffer *sql, const ClonePlan *plan, const CloneSchemas *schemas,
                                 const RunOptions *options);
