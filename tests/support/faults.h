/* The fault matrix: rows that a runner can list and select, the stage that they share, and what must hold
 * after every fault, read from the databases themselves:
 *
 * I1 no migration ran twice on a tenant (rows of public.marks, whatever the tracking tables say);
 * I2 the report's totals add up to the tenants that there are;
 * I3 once the fault is over, a rerun succeeds everywhere, and another one applies nothing;
 * I4 no advisory lock and no connection of ours is left;
 * I5 every tenant's state in the report is what its tracking table says.
 *
 * Protocol times are a tenth of the real ones; PGCONVOY_FAULTS_FULL=1 makes them real.
 */
#pragma once
#include "tests/support/chaos.h"
#include "tests/support/fleet.h"

/* The group setup of a theme starts it, with a pooler in front. */
extern Cluster *fault_cluster;

/* Whether this build is one of a sanitizer, whose runtime needs the address space and the first place. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
enum { FAULT_SANITIZED = 1 };
#else
enum { FAULT_SANITIZED = 0 };
#endif

typedef struct FaultRow {
    const char *name, *fault; /* the row's name, and the fault in a few words */
    void (*run)(void **state);
} FaultRow;

/* main() of a theme: PROGRAM runs all rows, PROGRAM ROW... these, PROGRAM --list names them. */
int fault_main(int argc, char **argv, const FaultRow rows[], size_t count);

/* Ends the row: this machine cannot do it. Such a row never counts as passed. */
void fault_not_run(const char *reason);

/* A file of the build's bin folder, in a static buffer. */
const char *fault_program(const char *name);

/* Something measured, for the page of results. */
void fault_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A protocol time of the real settings: as it is, or a tenth. */
int fault_ms(int full_ms);
bool fault_full(void);
long long fault_clock_ms(void); /* monotonic */

enum { STAGE_WORKERS = 4 };

/* A fleet, a run, and workers of their own processes. */
typedef struct Stage {
    Fleet *fleet;
    const char *endpoint; /* where the coordinator listens */
    Process *workers[STAGE_WORKERS];
    int worker_count;
    Process *run;
    Chaos *chaos; /* in front of the coordinator or of the database, when a row made one */
    int migrations;
} Stage;

/* Migrations as fleet_add_markers() makes them. */
Stage *stage_new(int tenants, int migrations, const char *sleep_s);

/* The last migration: it leaves its mark and stands still on this tenant until the gate is opened. While it
 * does, its transaction is open and the run goes on, so that a fault can be placed. */
void stage_add_gate(Stage *stage, const char *tenant);
void stage_open_gate(Stage *stage);

/* Waits until backends other than those before stand at the gate; returns the newest one's pid. */
long long stage_await_gate(Stage *stage, long long not_pid);

/* chaos between workers and coordinator; stage_chaos_endpoint() is for the workers. */
void stage_put_chaos_before_coordinator(Stage *stage);
const char *stage_chaos_endpoint(const Stage *stage);

Process *stage_worker(Stage *stage, const char *endpoint);
Process *stage_worker_words(Stage *stage, const char *const words[]);

/* migrate --all over workers that connect, with more words (NULL-terminated, or NULL). */
void stage_run(Stage *stage, int min_workers, const char *const more[]);

/* Keys: deploy.key of the coordinator; known.key and other.key of two workers, which it knows. */
void stage_add_keys(Stage *stage);
Process *stage_worker_with_key(Stage *stage, const char *endpoint, const char *key);
void stage_run_with_key(Stage *stage, const char *endpoint);

/* Waits for rows of public.marks. */
void stage_await_marks(Stage *stage, long long marks);

/* Waits until a query gives a number other than 0, and returns it. */
long long stage_await(PGconn *connection, int deadline_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The run ends with this status; I1, I2 and I5. Returns the report. */
json_t *stage_end_run(Stage *stage, int status);

/* The same, and all tenants succeeded. */
void stage_end_well(Stage *stage);

/* The fault is over: workers end, I3 and I4 hold. Frees everything. */
void stage_close(Stage *stage);
