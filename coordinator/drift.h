/* Drift: how a fleet's schemas differ from a reference's.
 *
 * Every tenant's digest is read first, many with one query; that alone says who differs and which tenants
 * differ in the same way. Only then are the reference and tenants that differ introspected and compared, a
 * few at a time, so that memory holds findings, not schemas.
 */
#pragma once
#include "common/results.h"
#include "coordinator/fleet.h"

typedef struct DriftRequest {
    FleetRequest fleet;
    const char *reference; /* "id" or "db/id", listed or not; NULL = the first tenant listed */
    bool no_indexes;
    bool no_constraints;
    TextList exclude_tables; /* not owned */
    bool every_tenant;       /* compare everybody who differs, not one of each cluster */

    /* May be NULL; the fleet's host. "starting", "introspecting", "comparing", then "completed" or "failed";
     * false with an error fails the tenant. */
    bool (*on_tenant)(void *host, const char *tenant_id, const char *status, Error *error);
} DriftRequest;

typedef struct DriftEntry {
    const Tenant *tenant;
    TenantDigest digest;
    size_t cluster;          /* of DriftReport.clusters; SIZE_MAX = no digest */
    TenantSchemaDrift drift; /* complete, or like its cluster's example: hasDrift and issueCount alone */
} DriftEntry;

/* Tenants with one digest. */
typedef struct DriftCluster {
    size_t example; /* the first of them, whose drift is complete */
    size_t count;
} DriftCluster;

typedef struct DriftReport {
    TenantList tenants;  /* the reference, then the others as listed */
    DriftEntry *entries; /* in that order */
    size_t count;
    DriftCluster *clusters; /* the reference's first, then the largest first */
    size_t cluster_count;
    size_t with_drift, errors;
    bool several_databases;
    bool aborted, cancelled, past_deadline;
    int64_t duration_ms;
} DriftReport;

/* The contract's words for everybody when the reference cannot be read. */
#define DRIFT_NO_REFERENCE "Failed to introspect reference tenant"

/* False: nothing could be found out. True: every tenant has its answer or its error. */
bool drift_run(const DriftRequest *request, DriftReport *ret_report, Error *error) MUST_CHECK;
void drift_report_clear(DriftReport *report);

/* One tenant's schema; the report is in *ret_schema, also when it is an error. `request` names one tenant. */
bool introspect_run(const FleetRequest *request, TenantSchema *ret_schema, Error *error) MUST_CHECK;
