/* Schema change: creates or drops one tenant's schema, whatever happens meanwhile.
 *
 * Decides about waiting, trying again, reconnecting and giving up; what may be done at all is the block's to
 * decide (worker/ops/schema_block.h).
 */
#pragma once
#include "worker/ops/schema_block.h"
#include "worker/ops/turn.h"

/* *ret_changed: this turn did it; false when there was nothing to do. On failure turn->error says why; a drop
 * that is refused because of other schemas' objects has SCHEMA_DEPENDENTS_SQLSTATE. */
bool schema_change(Turn *turn, SchemaAction action, bool *ret_changed) MUST_CHECK;
