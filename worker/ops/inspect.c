/* inspect: does the database answer, how fast, and what may our role do in it? */
#include "worker/ops/attempt.h"
#include <stdlib.h>
#include <string.h>

static const char RIGHTS[] =
    "SELECT CURRENT_USER, pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),"
    " EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = 'plpgsql'"
    " AND pg_catalog.has_language_privilege(oid, 'USAGE')),"
    " pg_catalog.current_setting('max_connections')";

typedef struct Inspection {
    const OpContext *context;
    DatabaseInspection *result;
} Inspection;

static bool inspect_step(Connection *connection, void *state, Error *error)
{
    Inspection *inspection = state;
    DatabaseInspection *result = inspection->result;
    PGresult *rows = NULL;
    int64_t asked_ms = clock_now_ms(inspection->context->clock);
    if (!connection_query(connection, RIGHTS, 0, NULL, &rows, error))
        return false;
    result->latency_ms = clock_now_ms(inspection->context->clock) - asked_ms;
    const char *version = PQparameterStatus(connection_pg(connection), "server_version");
    result->server_version = version != NULL ? strndup(version, strcspn(version, " (")) : strdup("");
    result->role = strdup(PQgetvalue(rows, 0, 0));
    result->may_create = PQgetvalue(rows, 0, 1)[0] == 't';
    result->may_use_plpgsql = PQgetvalue(rows, 0, 2)[0] == 't';
    result->max_connections = strtoll(PQgetvalue(rows, 0, 3), NULL, 10);
    PQclear(rows);
    return result->server_version != NULL && result->role != NULL ? true : error_memory(error);
}

void op_inspect(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                Outcome *ret_outcomes)
{
    (void)tenants;
    if (count == 0)
        return;
    ERROR_CLEANUP Error error = {0};
    Inspection inspection = {.context = context, .result = ret_results};
    bool good = op_attempt(context, inspect_step, &inspection, 1, &error);
    ret_outcomes[0] = good ? OUTCOME_ALREADY : op_outcome(&error);
    if (!good)
        op_take_error(&error, &inspection.result->error, &inspection.result->sqlstate,
                      &inspection.result->detail, &inspection.result->hint);
}
