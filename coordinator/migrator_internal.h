/* Migrator, inside: one run over an open fleet, of the tenants or of the shared schema. */
#pragma once
#include "coordinator/migrator.h"

typedef struct MigratorRun {
    const RunRequest *request;
    Fleet *fleet;
    RunReport *report;
    bool shared; /* of the shared schema; the fleet is told by fleet_use() */
    int64_t started_ms;
    int64_t planned_ms; /* when the plan was begun */

    bool listed; /* the report has its entries */
    bool judged; /* the servers have parsed the files */
    FleetFiles files;
    struct RunRecord *record; /* of tenants; NULL = none is kept */
    uint32_t *work;           /* apply phase: phase index -> entry index */
    Error *error;             /* what a callback could not return */
} MigratorRun;

/* Reads the files, from the folder that the configuration names. */
bool migrator_load(MigratorRun *run, Error *error) MUST_CHECK;

/* Fills the report's list, unless that was done. */
bool migrator_list(MigratorRun *run, Error *error) MUST_CHECK;

/* Lets every database's server judge every file, before anything is touched; false when one was refused. */
bool migrator_judge(MigratorRun *run, Error *error) MUST_CHECK;

/* Lists, judges unless that was done, plans, applies. */
bool migrator_steps(MigratorRun *run, Error *error) MUST_CHECK;

/* Lists the tenants, as far as that is possible, and skips all of them. */
bool migrator_withhold(MigratorRun *run, const char *reason, Error *error) MUST_CHECK;

/* The report's totals and what has become of the fleet so far; due in any case, once. */
void migrator_finish(MigratorRun *run);

/* A run with_shared, to be finished by the caller: opens the fleet, has the shared schema's report filled,
 * and lets the tenants follow (shared.c). */
bool shared_and_tenants(MigratorRun *tenants, Error *error) MUST_CHECK;
