/* Tenant migration: brings one tenant up to date, migration after migration, whatever happens meanwhile.
 *
 * Waiting, trying again, reconnecting and giving up are the turn's (worker/ops/turn.h). That nothing is done
 * twice does not depend on any of these decisions: each attempt sends a block (worker/ops/migration_block.h)
 * that looks for itself.
 */
#pragma once
#include "worker/ops/migration_block.h"
#include "worker/ops/op.h"

/* Applies (BLOCK_APPLY) or only records (BLOCK_RECORD) what is pending, with all hooks. The result is zeroed
 * by the caller. */
void tenant_migrate(const OpContext *context, const OpTenant *tenant, BlockMode mode,
                    TenantMigrationResult *ret_result, Outcome *ret_outcome);

/* The same without what is heard before and after the tenant: for a caller whose visit it is part of. */
void tenant_migrate_unvisited(const OpContext *context, const OpTenant *tenant, BlockMode mode,
                              TenantMigrationResult *ret_result, Outcome *ret_outcome);
