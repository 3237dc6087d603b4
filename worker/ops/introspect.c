/* introspect: everything in one tenant's schema, by name. */
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/ops/schema_rows.h"
#include "worker/ops/schema_sql.h"
#include <stdlib.h>
#include <string.h>

typedef struct Introspection {
    const OpContext *context;
    const OpTenant *tenant;
    TenantSchema *result;
} Introspection;

static bool introspect_step(Connection *connection, void *state, Error *error)
{
    Introspection *introspection = state;
    BUFFER_CLEANUP Buffer sql = {0};
    SchemaRows rows = {.schema = introspection->tenant->schema, .result = introspection->result};
    record_clear(&TENANT_SCHEMA, introspection->result);
    schema_append_introspection(&sql, introspection->context->options, connection_server_version(connection),
                                introspection->tenant->schema);
    if (buffer_failed(&sql))
        return error_memory(error);
    bool good = connection_exec_each(connection, buffer_text(&sql), schema_rows_take, &rows, error);
    if (good && rows.error.code != ERROR_NONE) {
        error_move(error, &rows.error);
        good = false;
    }
    error_clear(&rows.error);
    return good;
}

void op_introspect(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                   Outcome *ret_outcomes)
{
    if (count == 0)
        return;
    ERROR_CLEANUP Error error = {0};
    TenantSchema *result = ret_results;
    Introspection introspection = {context, tenants, result};
    bool good = schema_name_check(tenants->schema, &error) &&
                op_attempt(context, introspect_step, &introspection, 1, &error);
    if (!good)
        record_clear(&TENANT_SCHEMA, result);
    result->tenant_id = strdup(tenants->id);
    result->schema_name = strdup(tenants->schema);
    ret_outcomes[0] = good ? OUTCOME_ALREADY : op_outcome(&error);
    if (good)
        return;
    if (error.code == ERROR_NO_SCHEMA)
        result->outcome = strdup(outcome_name(OUTCOME_NO_SCHEMA));
    op_take_error(&error, &result->error, &result->sqlstate, &result->detail, &result->hint);
}
