/* exists: which of these tenants have a schema? Asked of pg_namespace, which tells everybody; views such as
 * information_schema.schemata show a role only what it has rights to. */
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/pg/session.h"
#include "worker/pg/sql.h"
#include <stdlib.h>
#include <string.h>

typedef struct Look {
    const OpContext *context;
    const OpTenant *tenants;
    size_t count;
    PGresult *rows; /* one a tenant, in the job's order */
} Look;

static void append_question(Buffer *sql, const Look *look)
{
    op_append_begin_read(sql, look->context->options);
    buffer_append_text(sql, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = t.schema)"
                            " FROM pg_catalog.unnest(ARRAY[");
    for (size_t i = 0; i < look->count; i++) {
        buffer_append_text(sql, i > 0 ? "," : "");
        sql_append_literal(sql, look->tenants[i].schema);
    }
    buffer_appendf(sql,
                   "]::pg_catalog.text[]) WITH ORDINALITY AS t (schema, place) ORDER BY t.place; COMMIT; %s",
                   SESSION_TAIL);
}

static bool look_step(Connection *connection, void *state, Error *error)
{
    Look *look = state;
    BUFFER_CLEANUP Buffer sql = {0};
    append_question(&sql, look);
    if (buffer_failed(&sql))
        return error_memory(error);
    if (!connection_exec(connection, buffer_text(&sql), &look->rows, error))
        return false;
    if ((size_t)PQntuples(look->rows) == look->count)
        return true;
    PQclear(look->rows);
    look->rows = NULL;
    return error_set(error, ERROR_SERVER, "the server answered about fewer schemas than it was asked");
}

static void fill_result(const Look *look, size_t at, const Error *failure, TenantExistsResult *result,
                        Outcome *ret_outcome)
{
    ERROR_CLEANUP Error error = {0};
    result->tenant_id = strdup(look->tenants[at].id);
    result->schema_name = strdup(look->tenants[at].schema);
    *ret_outcome = OUTCOME_ALREADY;
    if (look->rows != NULL && schema_name_check(look->tenants[at].schema, &error)) {
        result->exists = PQgetvalue(look->rows, (int)at, 0)[0] == 't';
        return;
    }
    const Error *why = look->rows != NULL ? &error : failure;
    *ret_outcome = op_outcome(why);
    result->error = strdup(why->message != NULL ? why->message : error_class(why->code)->doc);
    result->sqlstate = why->sqlstate[0] != '\0' ? strdup(why->sqlstate) : NULL;
    result->detail = why->detail != NULL ? strdup(why->detail) : NULL;
    result->hint = why->hint != NULL ? strdup(why->hint) : NULL;
}

void op_exists(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
               Outcome *ret_outcomes)
{
    ERROR_CLEANUP Error error = {0};
    Look look = {.context = context, .tenants = tenants, .count = count};
    TenantExistsResult *results = ret_results;
    bool asked = op_attempt(context, look_step, &look, 0, &error);
    for (size_t i = 0; i < count; i++)
        fill_result(&look, i, &error, &results[i], &ret_outcomes[i]);
    if (asked)
        PQclear(look.rows);
}
