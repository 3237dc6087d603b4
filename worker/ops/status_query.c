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
    buffer_append_text(sql,
                       "SELECT t.place, n.oid IS NOT NULL, c.oid IS NOT NULL, a.attname, a.type,"
                       " n.oid IS NULL OR pg_catalog.has_schema_privilege(n.oid, 'USAGE'), a.demands FROM "
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
        " LEFT JOIN LATERAL (SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = n.oid AND relname = ");
    sql_append_literal(sql, run_defaults(options).migrations_table);
    buffer_appendf(
        sql,
        " AND relkind IN ('r', 'p', 'v', 'm', 'f') OFFSET 0) c ON true"
        " LEFT JOIN LATERAL (SELECT attname, attnum, pg_catalog.format_type(atttypid, NULL) AS type,"
        " " TRACKING_COLUMN_DEMANDS
        " AS demands FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
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
    for (int row = from; row < to; row++)
        columns[row - from] = (TrackingColumn){.name = PQgetvalue(rows, row, 3),
                                               .type = PQgetvalue(rows, row, 4),
                                               .demands = PQgetvalue(rows, row, 6)[0] == 't'};
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
static void append_read(Buffer *sql, const StatusQuery *query, size_t place)
{
    const StatusTenant *tenant = &query->tenants[query->members[place]];
    const TrackingTable *table = &tenant->table;
    buffer_appendf(sql, "%sSELECT %zu, %s::text, %s::bigint%s FROM ", place > 0 ? " UNION ALL " : "", place,
                   tracking_identifier_column(table->format), tracking_time_expression(table),
                   query->in_order ? ", pg_catalog.row_number() OVER (ORDER BY id)" : "");
    sql_append_qualified(sql, tenant->schema, run_defaults(query->options).migrations_table);
}

void status_append_rows(Buffer *sql, const StatusQuery *query)
{
    op_append_begin_read(sql, query->options);
    for (size_t i = 0; i < query->count; i++)
        append_read(sql, query, i);
    buffer_appendf(sql, " ORDER BY 1%s; COMMIT; %s", query->in_order ? ", 4" : "", SESSION_TAIL);
}

static int64_t count_characters(const char *text)
{
    int64_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

bool status_tenant_at(const StatusQuery *query, int64_t position, size_t *ret_place)
{
    BUFFER_CLEANUP Buffer sql = {0};
    op_append_begin_read(&sql, query->options);
    int64_t end = count_characters(buffer_text(&sql));
    if (position <= end)
        return false;
    for (size_t i = 0; i < query->count; i++) {
        buffer_reset(&sql);
        append_read(&sql, query, i);
        end += count_characters(buffer_text(&sql));
        if (buffer_failed(&sql))
            return false;
        if (position <= end) {
            *ret_place = i;
            return true;
        }
    }
    return false;
}
