#include "worker/ops/op.h"

static OpFunction *const FUNCTIONS[OPERATION_COUNT] = {
    [OPERATION_NULL] = op_null,
    [OPERATION_DISCOVER] = op_discover,
    [OPERATION_PARSE] = op_parse,
    [OPERATION_STATUS] = op_status,
    [OPERATION_MIGRATE] = op_migrate,
    [OPERATION_MARK_APPLIED] = op_mark_applied,
    [OPERATION_SYNC_STATUS] = op_sync_status,
    [OPERATION_MARK_MISSING] = op_mark_missing,
    [OPERATION_CLEAN_ORPHANS] = op_clean_orphans,
    [OPERATION_EXISTS] = op_exists,
    [OPERATION_CREATE] = op_create,
    [OPERATION_DROP] = op_drop,
    [OPERATION_DIGEST] = op_digest,
    [OPERATION_INSPECT] = op_inspect,
    [OPERATION_INTROSPECT] = op_introspect,
    [OPERATION_SEED] = op_seed,
    [OPERATION_CONVERT] = op_convert,
    [OPERATION_CLONE] = op_clone,
};

OpFunction *op_function(OperationId id)
{
    return (unsigned)id < OPERATION_COUNT ? FUNCTIONS[id] : NULL;
}
