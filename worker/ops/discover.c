/* discover: the tenants of one database, from the configured query or from its schemas' names. */
#include "common/buffer.h"
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/pg/session.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Discovery {
    const OpContext *context;
    TextList ids;
} Discovery;

static bool add_id(Discovery *discovery, const char *id, Error *error)
{
    return text_list_add(&discovery->ids, id) || error_memory(error);
}

/* One read-only transaction around `read`, its session left clean in the message that ends it. */
static bool in_read_transaction(Connection *connection, Discovery *discovery,
                                bool (*read)(Connection *, Discovery *, Error *), Error *error)
{
    BUFFER_CLEANUP Buffer begin = {0};
    BUFFER_CLEANUP Buffer end = {0};
    op_append_begin_read(&begin, discovery->context->options);
    buffer_appendf(&end, "ROLLBACK; %s", SESSION_TAIL);
    if (buffer_failed(&begin) || buffer_failed(&end))
        return error_memory(error);
    if (!connection_exec(connection, buffer_text(&begin), NULL, error) || !read(connection, discovery, error))
        return false;
    /* The answer is complete; a connection lost now is the reservoir's to notice. */
    ERROR_CLEANUP Error ignored = {0};
    if (!connection_exec(connection, buffer_text(&end), NULL, &ignored))
        error_clear(&ignored);
    return true;
}

static bool add_row(Discovery *discovery, const PGresult *rows, int row, Error *error)
{
    if (PQgetisnull(rows, row, 0))
        error_set(error, ERROR_TENANTS, "row %d of the discovery query has a NULL id", row + 1);
    else if (PQgetlength(rows, row, 0) == 0)
        error_set(error, ERROR_TENANTS, "row %d of the discovery query has an empty id", row + 1);
    else if (!tenant_id_check(PQgetvalue(rows, row, 0), error))
        error_prefix(error, "row %d of the discovery query", row + 1);
    else
        return add_id(discovery, PQgetvalue(rows, row, 0), error);
    error_set_hint(error, "change tenants.query so that it leaves such rows out");
    return false;
}

static bool read_query(Connection *connection, Discovery *discovery, Error *error)
{
    PGresult *rows = NULL;
    if (!connection_query(connection, discovery->context->options->discover_query, 0, NULL, &rows, error)) {
        if (error->code == ERROR_SERVER && error->hint == NULL)
            error_set_hint(error, "check tenants.query");
        return false;
    }
    bool good = true;
    if (PQresultStatus(rows) != PGRES_TUPLES_OK || PQnfields(rows) == 0) {
        good = error_set(error, ERROR_TENANTS, "the discovery query gives no column");
        error_set_hint(error, "make tenants.query a SELECT whose first column is the tenant id");
    }
    for (int row = 0; good && row < PQntuples(rows); row++)
        good = add_row(discovery, rows, row, error);
    PQclear(rows);
    return good;
}

/* Which schemas may fit the template? By prefix here, by the whole template in the caller. */
static const char SCHEMAS[] = "SELECT nspname FROM pg_catalog.pg_namespace"
                              " WHERE pg_catalog.starts_with(nspname::text, $1) ORDER BY nspname";

static bool add_schema(Discovery *discovery, const char *schema, Error *error)
{
    ERROR_CLEANUP Error reserved = {0};
    if (!schema_name_check(schema, &reserved))
        return true;
    errno = 0;
    char *id = tenant_id_from_schema(discovery->context->options->schema_template, schema);
    if (id == NULL)
        return errno == ENOMEM ? error_memory(error) : true;
    bool good = add_id(discovery, id, error);
    free(id);
    return good;
}

static bool read_schemas(Connection *connection, Discovery *discovery, Error *error)
{
    const char *template = discovery->context->options->schema_template;
    const char *placeholder = strstr(template, "{id}");
    if (placeholder == NULL || strstr(placeholder + 1, "{id}") != NULL) {
        error_set(error, ERROR_TENANTS, "tenants cannot be found by the schema template \"%s\"", template);
        error_set_hint(error, "use a template with exactly one {id}, or tenants.query");
        return false;
    }
    char *prefix = strndup(template, (size_t)(placeholder - template));
    PGresult *rows = NULL;
    bool good = prefix != NULL
                    ? connection_query(connection, SCHEMAS, 1, (const char *const[]){prefix}, &rows, error)
                    : error_memory(error);
    free(prefix);
    for (int row = 0; good && row < PQntuples(rows); row++)
        good = add_schema(discovery, PQgetvalue(rows, row, 0), error);
    PQclear(rows);
    return good;
}

static bool discover_step(Connection *connection, void *state, Error *error)
{
    Discovery *discovery = state;
    const RunOptions *options = discovery->context->options;
    text_list_clear(&discovery->ids); /* of an earlier attempt */
    bool by_query = options->discover_query != NULL && options->discover_query[0] != '\0';
    return in_read_transaction(connection, discovery, by_query ? read_query : read_schemas, error);
}

void op_discover(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                 Outcome *ret_outcomes)
{
    (void)tenants;
    if (count == 0)
        return;
    ERROR_CLEANUP Error error = {0};
    DiscoverResult *result = ret_results;
    Discovery discovery = {.context = context};
    if (op_attempt(context, discover_step, &discovery, 1, &error)) {
        result->ids = discovery.ids;
        ret_outcomes[0] = OUTCOME_ALREADY;
        return;
    }
    text_list_clear(&discovery.ids);
    ret_outcomes[0] = op_outcome(&error);
    op_take_error(&error, &result->error, &result->sqlstate, &result->detail, &result->hint);
}
