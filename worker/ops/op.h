/* Operation code: what a worker runs for one job, behind one small interface.
 *
 * A function gets the tenants of its job (exactly one unless the operation's shape is OPERATION_SET), fills
 * one result record (of the operation's result type, zeroed by the caller) and one outcome for each, and
 * never fails as a whole: what goes wrong is in the results. It runs in a slot's thread, takes connections
 * from the context's reservoir and returns them. It looks at *cancelled between steps; statements in flight
 * are cancelled by the executor.
 */
#pragma once
#include "common/migration.h"
#include "common/operation.h"
#include "worker/hooks.h"
#include "worker/ops/script_cache.h"
#include "worker/pg/reservoir.h"
#include <stdatomic.h>

typedef struct OpTenant {
    const char *id;
    const char *schema;
    int64_t attempt;  /* 1-based */
    bool recovering;  /* an earlier attempt was lost with its worker */
    const char *plan; /* migrate: what op_status found (migration_plan.h), or NULL */
} OpTenant;

typedef struct OpContext {
    const RunOptions *options;
    const Bundle *bundle; /* NULL when the operation needs none */
    ScriptCache *scripts; /* of the bundle; NULL = every use reads its script itself */
    Reservoir *reservoir;
    const char *database;         /* configured name */
    const char *application_name; /* "pgconvoy/<run>/<slot>" */
    const char *run_id;           /* hex, for hooks; may be NULL */
    const Clock *clock;
    atomic_bool *cancelled;
    HookSet *hooks; /* NULL = none */
} OpContext;

/* What a tenant's schema may be called; with options->shared it is the shared schema and nothing else, which
 * is refused otherwise. */
bool op_schema_check(const RunOptions *options, const char *schema, Error *error) MUST_CHECK;

/* By which callbacks are told of a tenant: NULL for the shared schema, which a tenant's id could also be. */
const char *op_callback_id(const OpContext *context, const OpTenant *tenant);

typedef void OpFunction(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                        Outcome *ret_outcomes);

OpFunction op_null, op_discover, op_parse, op_status, op_migrate, op_mark_applied;
OpFunction op_sync_status, op_mark_missing, op_clean_orphans;
OpFunction op_exists, op_create, op_drop;
OpFunction op_inspect, op_digest, op_introspect;
OpFunction op_seed;
OpFunction op_convert;
OpFunction op_clone;

/* The function of each operation, by OperationId. */
OpFunction *op_function(OperationId id);
