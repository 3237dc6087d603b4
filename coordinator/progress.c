#include "coordinator/progress.h"
#include "common/clock.h"
#include <stdio.h>
#include <unistd.h>

enum { TERMINAL_INTERVAL_MS = 200, LINE_INTERVAL_MS = 5000 };

void progress_init(Progress *progress, bool quiet)
{
    *progress = (Progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1};
}

void progress_clear(Progress *progress)
{
    if (progress->painted)
        fputs("\r\033[K", stderr);
    progress->painted = false;
}

void progress_step(Progress *progress, FleetStep step, size_t tenants)
{
    static const char *const SAYS[] = {
        [STEP_GATHER] = "gathering workers",
        [STEP_SHARED] = "shared schema",
        [STEP_DISCOVER] = "listing tenants",
        [STEP_PARSE] = "checking migration files",
        [STEP_PLAN] = "planning",
        [STEP_APPLY] = "applying",
        [STEP_DONE] = NULL,
    };
    progress_clear(progress);
    progress->step = step;
    progress->step_started_ms = progress->last_shown_ms = clock_now_ms(&SYSTEM_CLOCK);
    if (progress->quiet || SAYS[step] == NULL)
        return;
    if (tenants > 0)
        fprintf(stderr, "%s: %zu tenants\n", SAYS[step], tenants);
    else
        fprintf(stderr, "%s\n", SAYS[step]);
}

void progress_show(Progress *progress, const EngineTotals *totals)
{
    int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
    int64_t interval_ms = progress->terminal ? TERMINAL_INTERVAL_MS : LINE_INTERVAL_MS;
    if (progress->quiet || progress->step != STEP_APPLY || now_ms - progress->last_shown_ms < interval_ms)
        return;
    progress->last_shown_ms = now_ms;
    size_t done = totals->succeeded + totals->failed + totals->skipped;
    int64_t elapsed_ms = now_ms - progress->step_started_ms;
    double rate = elapsed_ms > 0 ? (double)done * 1000 / (double)elapsed_ms : 0;
    char eta[32] = "?";
    if (done > 0 && rate > 0)
        snprintf(eta, sizeof eta, "%.0f s", (double)(totals->total - done) / rate);
    fprintf(stderr, "%s%zu/%zu done, %zu failed, %zu in flight, %.0f/s, %s left%s",
            progress->terminal ? "\r\033[K" : "", done, totals->total, totals->failed, totals->in_flight,
            rate, eta, progress->terminal ? "" : "\n");
    fflush(stderr);
    progress->painted = progress->terminal;
}
