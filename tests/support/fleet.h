/* A fleet to run against: tenants in a cluster, migrations that leave marks, a configuration, and the checks
 * that read the tenants' own tables.
 *
 * Every migration of a marker folder inserts (schema, migration) into public.marks, so that a migration
 * applied twice to a tenant shows as two rows, whatever the tracking table says.
 */
#pragma once
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include <jansson.h>

typedef struct Fleet {
    Cluster *cluster;
    char *database; /* of its own inside the cluster */
    char *folder;   /* working directory: pgconvoy.yaml, migrations/ */
    char *url;      /* as in the configuration */
    PGconn *connection;
    int tenants;
} Fleet;

/* A fresh database with `tenants` empty schemas tenant_t0001.. and public.tenants. The configuration asks by
 * query. */
Fleet *fleet_new(Cluster *cluster, int tenants);
void fleet_free(Fleet *fleet);

/* migrations/0001_m1.sql .. : each makes a table, fills it and leaves its mark; `sleep_s` (such as "0.05", or
 * NULL) makes each take time. */
void fleet_add_markers(Fleet *fleet, int migrations, const char *sleep_s);
void fleet_add_migration(Fleet *fleet, const char *name, const char *text);

/* Adds a migration that begins with this text, leaves its mark and takes that time. One of an odd number is a
 * plain script as far as the text is; the others go within blocks. */
void fleet_add_marker(Fleet *fleet, int number, const char *name, const char *text, const char *sleep_s);

/* Writes pgconvoy.yaml with the url and these extra lines (may be NULL). */
void fleet_configure(Fleet *fleet, const char *url, const char *extra);

/* Runs pgconvoy in the folder; returns its status. */
int fleet_run(Fleet *fleet, const char *const words[], char **ret_out, char **ret_err);
Process *fleet_start(Fleet *fleet, const char *const words[]);

/* A worker process that connects to this endpoint. */
Process *fleet_start_worker(Fleet *fleet, const char *endpoint, const char *slots);

/* No migration left two marks, and every tenant has exactly one mark and one tracking row for each of
 * `migrations`. */
void fleet_assert_complete(Fleet *fleet, int migrations);
void fleet_assert_nothing_twice(Fleet *fleet);

/* Every applied name in the report is in the tenant's tracking table and the other way round (name format),
 * after a run that started from nothing; totals add up. Returns the parsed report. */
json_t *fleet_assert_report(Fleet *fleet, const char *report);
long long json_number(json_t *report, const char *total); /* of the summary */

/* One text for everything that a run could have changed, catalogs and rows; malloc'ed. */
char *fleet_digest(Fleet *fleet);

/* No session of ours and no advisory lock is left on the server. */
void fleet_assert_no_leftovers(Fleet *fleet);

/* A loopback endpoint that nobody else uses now, in a static buffer of its own for each call. */
const char *fleet_endpoint(void);
