/* Sweeps over crash points (common/crash_point.h): the same command dies at the first of its points, then at
 * the second, and so on, each time from the same beginning.
 *
 * For every day a sweep tries some points, spread evenly; PGCONVOY_SWEEP=all in the environment tries all.
 */
#pragma once
#include "tests/support/fleet.h"

/* Protocol times so short that a dead worker is noticed in half a second. A process that dies at its n-th
 * point, 0 = never. */
Process *crash_start(Fleet *fleet, const char *const words[], long at);

/* Runs a command to its end. True when it died at the point; else it must have ended with 0. Output may be
 * NULL. */
bool crash_run(Fleet *fleet, const char *const words[], long at, char **ret_out);

/* A file that a process started with this environment entry gets a letter into for each point it passes. */
typedef struct CrashCount {
    char *path;
    char *entry;
} CrashCount;

CrashCount crash_count_begin(const Fleet *fleet);

/* What it holds; logs it as the points of `what`, and forgets the file. */
long crash_count_end(CrashCount *count, const char *what);

/* Runs the command to its end and gives the number of its points. */
long crash_count(Fleet *fleet, const char *const words[], const char *what);

/* The step from point to point over `points`, so that about `tries` are tried, of every kind. */
long crash_step(long points, long tries);

/* The tenants' schemas are there and empty, and there are no others, no marks and no journals. */
void crash_renew(Fleet *fleet);

/* Ends the test when violation is not NULL, telling the point. */
void crash_expect(char *violation, const char *what, long at);
