/* Hooks: what runs around a tenant and its migrations on this worker, and what its host is told meanwhile.
 *
 * Callbacks of the program that hosts the worker (C functions), then the operator's executables (`hooks` of
 * the configuration, worker/hook_program.h). Calls come from the slots' threads; one mutex lets one callback
 * at a time happen, executables run side by side. Every function is fine with a NULL set and then does
 * nothing. A failure is ERROR_CALLBACK with the callback's own words (and one that has none gets some), or
 * ERROR_CANCELLED when an executable was ended with its run. A failing before_ hook ends the chain; of the
 * after_ hooks all are called, and the first failure counts. Whatever *error held is dropped.
 */
#pragma once
#include "common/config.h"
#include "common/host_callbacks.h"
#include "common/results.h"
#include <stdatomic.h>

typedef struct HookSet HookSet;

/* Whose hook it is. */
typedef struct HookSite {
    const char *tenant_id; /* NULL: the shared schema, of which only callbacks are told */
    const char *schema;
    const char *database;         /* configured name */
    const char *run_id;           /* NULL = not known */
    const atomic_bool *cancelled; /* ends executables; may be NULL */
} HookSite;

/* `callbacks` may be NULL and is copied; `config` must outlive the set. ERROR_CONFIG names the setting whose
 * program cannot be run. */
HookSet *hook_set_new(const Config *config, const HostCallbacks *callbacks, Error *error) MUST_CHECK;
void hook_set_free(HookSet *hooks); /* accepts NULL */

/* Tenants without work must be visited too: somebody wants to hear of them. */
bool hook_set_wants_tenants(const HookSet *hooks);
/* Somebody wants to hear of each migration. */
bool hook_set_wants_migrations(const HookSet *hooks);
bool hook_set_can_seed(const HookSet *hooks);

bool hook_progress(HookSet *hooks, const char *tenant_id, const char *status, const char *migration,
                   Error *error) MUST_CHECK;
bool hook_before_tenant(HookSet *hooks, const HookSite *site, Error *error) MUST_CHECK;
bool hook_after_tenant(HookSet *hooks, const HookSite *site, const TenantMigrationResult *result,
                       Error *error) MUST_CHECK;
bool hook_before_migration(HookSet *hooks, const HookSite *site, const char *migration,
                           Error *error) MUST_CHECK;
bool hook_after_migration(HookSet *hooks, const HookSite *site, const char *migration, int64_t duration_ms,
                          Error *error) MUST_CHECK;
bool hook_seed(HookSet *hooks, const char *tenant_id, struct pg_conn *connection, Error *error) MUST_CHECK;
