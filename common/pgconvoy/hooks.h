/* pgconvoy's callbacks: what a program that embeds the library is told and asked while its tenants are worked
 * on.
 *
 * All may be NULL. They are called from the worker threads of this process, one at a time within one call of
 * the library, so they need no lock among themselves; `context` is passed through. A callback that returns
 * false, with the reason set by pgconvoy_error_set(), fails its tenant once: the reason becomes the result's
 * error, word for word, and the result still names what was committed. They may use other objects of this
 * library, but not wait for the call that they belong to.
 *
 * Order for each tenant: the call's on_progress (pgconvoy/migrator.h) with "starting", before_tenant, then
 * for each migration progress "migrating", before_migration, the migration, after_migration; after_tenant,
 * progress "completed" or "failed". Migrating, recording as applied and creating a tenant call all of them,
 * also for a tenant without pending migrations; repairing tracking tables only on_progress; a dry run none.
 *
 * before_migration runs before the transaction begins, after_migration after it has been committed, and only
 * when this call has committed it; neither a transaction nor a connection is held meanwhile. after_tenant is
 * called exactly once for each before_tenant, also for one that failed. What fails first is the tenant's
 * error; a hook that fails afterwards is added to its detail. When on_progress fails for "completed", it is
 * told "failed" as well; what it answers to "failed" changes nothing.
 *
 * A tenant that is tried again, because its worker was lost or another run held its lock, is visited again
 * from "starting" on; a migration that is committed by then is not announced again, and its after_migration,
 * if it failed or was lost, is not made up for.
 *
 * The shared schema is visited as a tenant is, with NULL as tenant_id, which a tenant cannot have.
 */
#pragma once
#include <pgconvoy/error.h>
#include <pgconvoy/results.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is done around a tenant and each of its migrations. In hooks of the shared schema tenant_id is NULL.
 */
typedef struct pgconvoy_hooks {
    void *context;
    bool (*before_tenant)(void *context, const char *tenant_id, pgconvoy_error *error);
    bool (*after_tenant)(void *context, const char *tenant_id, const pgconvoy_tenant_migration_result *result,
                         pgconvoy_error *error);
    bool (*before_migration)(void *context, const char *tenant_id, const char *migration,
                             pgconvoy_error *error);
    bool (*after_migration)(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            pgconvoy_error *error);
} pgconvoy_hooks;

#ifdef __cplusplus
}
#endif
