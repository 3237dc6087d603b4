/* Host callbacks: what the program that hosts a worker is told and asked by it. The library's calls fill it
 * with functions that lead to their callers' own (pgconvoy/hooks.h says when each is called).
 */
#pragma once
#include "common/pgconvoy/hooks.h"

struct pg_conn; /* libpq's PGconn */

typedef struct HostCallbacks {
    void *context; /* of all of them; each may be NULL */

    /* status: "starting", "migrating" (with a migration), "seeding", "completed", "failed", and the steps of
     * a clone (pgconvoy/migrator.h); migration may be NULL. */
    bool (*on_progress)(void *context, const char *tenant_id, const char *status, const char *migration,
                        pgconvoy_error *error);

    bool (*before_tenant)(void *context, const char *tenant_id, pgconvoy_error *error);
    bool (*after_tenant)(void *context, const char *tenant_id, const pgconvoy_tenant_migration_result *result,
                         pgconvoy_error *error);
    bool (*before_migration)(void *context, const char *tenant_id, const char *migration,
                             pgconvoy_error *error);
    bool (*after_migration)(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            pgconvoy_error *error);

    /* Fills a tenant with data, inside a transaction that is open already and is committed afterwards; the
     * connection is lent for this call only. Returning false rolls everything back. */
    bool (*seed)(void *context, const char *tenant_id, struct pg_conn *connection, pgconvoy_error *error);
} HostCallbacks;
