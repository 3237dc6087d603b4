/* Hooks: what runs around a tenant and its migrations on this worker, and what its host is told meanwhile.
 *
 * Callbacks of the program that hosts the worker (C functions), then the operator's executables (`hooks` of
 * the configuration). Calls come from the slots' threads; one mutex lets one callback at a time happen,
 * executables run side by side. Every function is fine with a NULL set and then does nothing. A callback that
 * failed without setting an error gets one here.
 */
#pragma once
#include "common/config.h"
#include "common/pgconvoy/hooks.h"
#include "common/results.h"

typedef struct HookSet HookSet;

/* `callbacks` may be NULL and is copied; `config` must outlive the set. */
HookSet *hook_set_new(const Config *config, const pgconvoy_hooks *callbacks, Error *error) MUST_CHECK;
void hook_set_free(HookSet *hooks); /* accepts NULL */

/* Tenants without work must be visited too: somebody wants to hear of them. */
bool hook_set_wants_tenants(const HookSet *hooks);
bool hook_set_can_seed(const HookSet *hooks);

bool hook_progress(HookSet *hooks, const char *tenant_id, const char *status, const char *migration,
                   Error *error) MUST_CHECK;
bool hook_before_tenant(HookSet *hooks, const char *tenant_id, const char *schema, Error *error) MUST_CHECK;
bool hook_after_tenant(HookSet *hooks, const TenantMigrationResult *result, Error *error) MUST_CHECK;
bool hook_before_migration(HookSet *hooks, const char *tenant_id, const char *schema, const char *migration,
                           Error *error) MUST_CHECK;
bool hook_after_migration(HookSet *hooks, const char *tenant_id, const char *schema, const char *migration,
                          int64_t duration_ms, Error *error) MUST_CHECK;
bool hook_seed(HookSet *hooks, const char *tenant_id, struct pg_conn *connection, Error *error) MUST_CHECK;
