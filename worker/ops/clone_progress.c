#include "worker/ops/clone_progress.h"

static const char COPYING[] = "copying_data";

/* The first rank of each. */
static const struct {
    CloneRank rank;
    const char *name;
} STEPS[] = {
    {CLONE_COLLATION, "creating_tables"},
    {CLONE_DATA, COPYING},
    {CLONE_CHECK, "creating_constraints"},
    {CLONE_INDEX, "creating_indexes"},
};

enum { STEP_COUNT = sizeof STEPS / sizeof STEPS[0] };

static bool tell(const CloneProgress *progress, const char *step, const char *table, Error *error)
{
    return progress->tell == NULL || progress->tell(progress->context, step, table, error);
}

bool clone_progress_tell(CloneProgress *progress, const char *step, Error *error)
{
    return tell(progress, step, NULL, error);
}

bool clone_progress_tell_table(CloneProgress *progress, const char *table, Error *error)
{
    return tell(progress, COPYING, table, error);
}

bool clone_progress_is_new(const CloneProgress *progress, int64_t rank)
{
    return progress->reached < STEP_COUNT && (int64_t)STEPS[progress->reached].rank <= rank;
}

bool clone_progress_reach(CloneProgress *progress, int64_t rank, Error *error)
{
    while (clone_progress_is_new(progress, rank)) {
        const char *step = STEPS[progress->reached++].name;
        if ((step != COPYING || progress->with_data) && !tell(progress, step, NULL, error))
            return false;
    }
    return true;
}
