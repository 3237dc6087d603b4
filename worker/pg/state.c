#include "worker/pg/state.h"
#include "worker/pg/sql.h"

const char STATE_TABLE[] = "__pgconvoy_state";

void state_append_exists(Buffer *sql, const char *qualified)
{
    buffer_append_text(sql, "pg_catalog.to_regclass(");
    sql_append_literal(sql, qualified);
    buffer_append_text(sql, ") IS NOT NULL");
}

void state_append_recorded(Buffer *sql, const char *qualified, const StateRow *row, bool same)
{
    buffer_appendf(sql, "EXISTS (SELECT FROM %s WHERE kind = ", qualified);
    sql_append_literal(sql, row->kind);
    buffer_append_text(sql, " AND name = ");
    sql_append_literal(sql, row->name);
    if (same) {
        buffer_append_text(sql, " AND digest = ");
        sql_append_literal(sql, row->digest);
    }
    buffer_append_char(sql, ')');
}

/* IF NOT EXISTS would need the right to create tables even where nothing is created. */
void state_append_record(Buffer *sql, const char *qualified, const StateRow *row)
{
    buffer_append_text(sql, "IF NOT (");
    state_append_exists(sql, qualified);
    buffer_appendf(sql,
                   ") THEN\n  CREATE TABLE %s (kind text NOT NULL, name text NOT NULL, digest text NOT NULL, "
                   "state text NOT NULL, at timestamptz NOT NULL DEFAULT pg_catalog.now(), "
                   "PRIMARY KEY (kind, name));\nEND IF;\n",
                   qualified);
    buffer_appendf(sql, "INSERT INTO %s (kind, name, digest, state) VALUES (", qualified);
    sql_append_literal(sql, row->kind);
    buffer_append_text(sql, ", ");
    sql_append_literal(sql, row->name);
    buffer_append_text(sql, ", ");
    sql_append_literal(sql, row->digest);
    buffer_append_text(sql, ", 'done');\n");
}
