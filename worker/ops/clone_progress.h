/* Clone progress: which step a clone has come to, for whoever wants to hear of it.
 *
 * Steps are told when they begin, each once and in the order in which the work is done: rows are copied
 * before keys, indexes and foreign keys exist, which is faster and needs no right to switch them off. Nothing
 * of a step is to be seen from outside before the clone is complete.
 */
#pragma once
#include "common/error.h"
#include "worker/ops/clone_sql.h"
#include <stddef.h>

typedef struct CloneProgress {
    /* `table` is NULL but for "copying_data", which is told again for each table. False ends the clone; may
     * be NULL. */
    bool (*tell)(void *context, const char *step, const char *table, Error *error);
    void *context;
    bool with_data;
    size_t reached; /* steps begun of those that nodes belong to */
} CloneProgress;

bool clone_progress_tell(CloneProgress *progress, const char *step, Error *error) MUST_CHECK;
bool clone_progress_tell_table(CloneProgress *progress, const char *table, Error *error) MUST_CHECK;

/* A node of this rank begins a step that has not been told. */
bool clone_progress_is_new(const CloneProgress *progress, int64_t rank);

/* Tells all steps up to that of the rank. */
bool clone_progress_reach(CloneProgress *progress, int64_t rank, Error *error) MUST_CHECK;
