#include "worker/ops/status_query.h"
#include "worker/ops/attempt.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/session.h"
#include "worker/pg/sql.h"
#include <stdlib.h>
#include <string.h>

/* Which of these schemas exist, do they hold the table, and with which columns? OFFSET 0 keeps each look-up a
 * nested one by the catalog's own unique index, whatever the planner believes about the catalog's size. */
void status_append_columns(Buffer *sql, const RunOptions *options, const StatusTenant *tenants,
                           const size_t *members, size_t count)
{
    op_append_begin_read(sql, options);
    buffer_append_text(sql, "SELECT t.place, n.oid IS NOT NULL, c.oid IS NOT NULL, a.attname, a.type,"
                            " n.oid IS NULL OR pg_catalog.has_schema_privilege(n.oid, 'USAGE'), c.plain AND "
                            "a.plain, a.demands FROM "
                            "pg_catalog.unnest(ARRAY[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(sql, i > 0 ? "," : "");
        sql_append_literal(sql, tenants[members[i]].schema);
    }
    buffer_append_text(
        sql,
        "]::pg_catalog.name[]) WITH ORDINALITY AS t(schema, place)"
        " LEFT JOIN LATERAL (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = t.schema OFFSET 0) n ON "
        "true"
        " LEFT JOIN LATERAL (SELECT oid, relkind = 'r' AND NOT relhassubclass AS plain"
        " FROM pg_catalog.pg_class WHERE relnamespace = n.oid AND relname = ");
    sql_append_literal(sql, run_defaults(options).migrations_table);
    buffer_appendf(
        sql,
        " AND relkind IN ('r', 'p', 'v', 'm', 'f') OFFSET 0) c ON true"
        " LEFT JOIN LATERAL (SELECT attname, attnum, pg_catalog.format_type(atttypid, NULL) AS type,"
        " " TRACKING_COLUMN_DEMANDS
        " AS demands, attgenerated = '' AND atttypid <> 'pg_catalog.bpchar'::pg_catalog.regtype AS plain"
        " FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
        " OFFSET 0) a ON true ORDER BY t.place, a.attnum; COMMIT; %s",
        SESSION_TAIL);
}

/* What a role may not look into is not "without migrations". The words are the server's. */
static void refuse_without_right(StatusTenant *tenant)
{
    error_set(&tenant->error, ERROR_SERVER, "permission denied for schema %s", tenant->schema);
    strcpy(tenant->error.sqlstate, "42501");
    error_set_hint(&tenant->error, "grant usage on the schema to the worker's role");
}

static void read_tenant(StatusTenant *tenant, const PGresult *rows, int from, int to, TrackingColumn *columns,
                        const RunOptions *options)
{
    if (PQgetvalue(rows, from, 1)[0] != 't') {
        error_set(&tenant->error, ERROR_NO_SCHEMA, "schema \"%s\" does not exist", tenant->schema);
        return;
    }
    tenant->table = (TrackingTable){0};
    if (PQgetvalue(rows, from, 5)[0] != 't') {
        refuse_without_right(tenant);
        return;
    }
    if (PQgetvalue(rows, from, 2)[0] != 't')
        return;
    tenant->plain = true;
    for (int row = from; row < to; row++) {
        tenant->plain = tenant->plain && PQgetvalue(rows, row, 6)[0] == 't';
        columns[row - from] = (TrackingColumn){.name = PQgetvalue(rows, row, 3),
                                               .type = PQgetvalue(rows, row, 4),
                                               .demands = PQgetvalue(rows, row, 7)[0] == 't'};
    }
    const TrackingWish wish = {options->format, options->default_format, .any_shape = false};
    if (!tracking_resolve(columns, (size_t)(to - from), &wish, &tenant->table, &tenant->error))
        tenant->table = (TrackingTable){0};
}

void status_read_columns(const PGresult *rows, const RunOptions *options, StatusTenant *tenants,
                         const size_t *members, size_t count)
{
    TrackingColumn *columns = calloc((size_t)PQntuples(rows) + 1, sizeof *columns);
    int row = 0;
    for (size_t i = 0; i < count; i++) {
        int from = row;
        while (row < PQntuples(rows) && strtoull(PQgetvalue(rows, row, 0), NULL, 10) == i + 1)
            row++;
        StatusTenant *tenant = &tenants[members[i]];
        error_clear(&tenant->error);
        if (columns == NULL || row == from)
            error_memory(&tenant->error); /* every schema has at least one row */
        else
            read_tenant(tenant, rows, from, row, columns, options);
    }
    free(columns);
}

/* Ids are of any type: only the server can order them. */
static void append_copy(Buffer *sql, const StatusQuery *query, const StatusTenant *tenant)
{
    const TrackingTable *table = &tenant->table;
    const char *identifier = tracking_identifier_column(table->format);
    const char *time = tracking_time_column(table);
    BUFFER_CLEANUP Buffer qualified = {0};
    sql_append_qualified(&qualified, tenant->schema, run_defaults(query->options).migrations_table);
    if (tenant->plain && !query->in_order)
        buffer_appendf(sql, "COPY %s (%s%s%s) TO STDOUT;", buffer_text(&qualified), identifier,
                       time != NULL ? ", " : "", time != NULL ? time : "");
    else
        buffer_appendf(sql, "COPY (SELECT %s%s%s FROM %s%s) TO STDOUT;", identifier, time != NULL ? ", " : "",
                       time != NULL ? time : "", buffer_text(&qualified),
                       query->in_order ? " ORDER BY id" : "");
    sql->failed = sql->failed || qualified.failed;
}

void status_append_rows(Buffer *sql, const StatusQuery *query)
{
    op_append_begin_read(sql, query->options);
    for (size_t i = 0; i < query->count; i++)
        append_copy(sql, query, &query->tenants[query->members[i]]);
    buffer_appendf(sql, "COMMIT; %s", SESSION_TAIL);
}
