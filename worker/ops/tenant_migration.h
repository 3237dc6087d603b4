/* Tenant migration: brings one tenant up to date, migration after migration, whatever happens meanwhile.
 *
 * Waiting, trying again, reconnecting and giving up are the turn's (worker/ops/turn.h). That nothing is done
 * twice does not depend on any of these decisions: each attempt sends a block (worker/ops/migration_block.h)
 * that looks for itself.
 */
#pragma once
#include "worker/ops/migration_block.h"
#include "worker/ops/op.h"

/* Applies (BLOCK_APPLY) or only records (BLOCK_RECORD) what is pending. The result is zeroed by the caller.
 */
void tenant_migrate(const OpContext *context, const OpTenant *tenant, BlockMode mode,
                    TenantMigrationResult *ret_result, Outcome *ret_outcome);
