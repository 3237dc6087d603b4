/* Progress: how far a run is, on stderr: one repainted line on a terminal, a line every few seconds
 * elsewhere. */
#pragma once
#include "coordinator/fleet.h"

typedef struct Progress {
    bool quiet;
    bool terminal;
    bool painted; /* a repainted line stands on the terminal */
    FleetStep step;
    int64_t step_started_ms, last_shown_ms;
} Progress;

void progress_init(Progress *progress, bool quiet);
void progress_step(Progress *progress, FleetStep step, size_t tenants);
void progress_show(Progress *progress, const EngineTotals *totals);

/* Removes the repainted line, so that other text can follow. */
void progress_clear(Progress *progress);
