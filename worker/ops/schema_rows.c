#include "worker/ops/schema_rows.h"
#include "worker/ops/schema_sql.h"
#include <stdlib.h>
#include <string.h>

/* One row of a result. Texts that cannot be copied make it fail as a whole. */
typedef struct Row {
    const PGresult *rows;
    int number;
    bool failed;
} Row;

static const char *seen(const Row *row, int column)
{
    return PQgetisnull(row->rows, row->number, column) ? NULL : PQgetvalue(row->rows, row->number, column);
}

static char *text_at(Row *row, int column)
{
    const char *value = seen(row, column);
    char *copy = value != NULL ? strdup(value) : NULL;
    row->failed |= value != NULL && copy == NULL;
    return copy;
}

static bool flag_at(const Row *row, int column)
{
    const char *value = seen(row, column);
    return value != NULL && value[0] == 't';
}

static int64_t number_at(const Row *row, int column)
{
    const char *value = seen(row, column);
    return value != NULL ? strtoll(value, NULL, 10) : -1;
}

/* Names joined by the byte that schema_sql.c puts between them. */
static TextList names_at(Row *row, int column)
{
    TextList names = {0};
    char *text = text_at(row, column), *rest = text, *name;
    while ((name = strsep(&rest, "\x1f")) != NULL)
        row->failed |= !text_list_add(&names, name);
    free(text);
    return names;
}

static void *add_row(const RecordType *type, RecordList *list, Row *row)
{
    void *record = list != NULL ? record_list_add(type, list) : NULL;
    row->failed |= list != NULL && record == NULL;
    return record;
}

/* The table that a row belongs to; both come in the order of names. NULL for one that appeared meanwhile. */
static TableSchema *table_of(const TenantSchema *schema, const Row *row)
{
    TableSchema *tables = schema->tables.items;
    const char *name = PQgetvalue(row->rows, row->number, 0);
    size_t low = 0, high = schema->tables.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(tables[middle].name, name);
        if (order == 0)
            return &tables[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void take_table(TenantSchema *schema, Row *row)
{
    TableSchema *table = add_row(&TABLE_SCHEMA, &schema->tables, row);
    if (table != NULL)
        *table = (TableSchema){.name = text_at(row, 0), .definition = text_at(row, 1)};
}

static void take_column(TenantSchema *schema, Row *row)
{
    TableSchema *table = table_of(schema, row);
    ColumnSchema *column = add_row(&COLUMN_SCHEMA, table != NULL ? &table->columns : NULL, row);
    if (column != NULL)
        *column = (ColumnSchema){.name = text_at(row, 1),
                                 .data_type = text_at(row, 2),
                                 .udt_name = text_at(row, 3),
                                 .is_nullable = flag_at(row, 4),
                                 .column_default = text_at(row, 5),
                                 .character_maximum_length = number_at(row, 6),
                                 .numeric_precision = number_at(row, 7),
                                 .numeric_scale = number_at(row, 8),
                                 .ordinal_position = number_at(row, 9),
                                 .type = text_at(row, 10),
                                 .collation = text_at(row, 11),
                                 .identity = text_at(row, 12),
                                 .generated = text_at(row, 13)};
}

static void take_index(TenantSchema *schema, Row *row)
{
    TableSchema *table = table_of(schema, row);
    IndexSchema *index = add_row(&INDEX_SCHEMA, table != NULL ? &table->indexes : NULL, row);
    if (index != NULL)
        *index = (IndexSchema){.name = text_at(row, 1),
                               .columns = names_at(row, 2),
                               .is_unique = flag_at(row, 3),
                               .is_primary = flag_at(row, 4),
                               .definition = text_at(row, 5),
                               .invalid = flag_at(row, 6),
                               .canonical = text_at(row, 7)};
}

static void take_constraint(TenantSchema *schema, Row *row)
{
    TableSchema *table = table_of(schema, row);
    ConstraintSchema *constraint =
        add_row(&CONSTRAINT_SCHEMA, table != NULL ? &table->constraints : NULL, row);
    if (constraint != NULL)
        *constraint = (ConstraintSchema){.name = text_at(row, 1),
                                         .type = text_at(row, 2),
                                         .columns = names_at(row, 3),
                                         .foreign_table = text_at(row, 4),
                                         .foreign_columns = names_at(row, 5),
                                         .check_expression = text_at(row, 6),
                                         .definition = text_at(row, 7),
                                         .canonical = text_at(row, 8)};
}

static const struct {
    const char *kind;
    size_t list; /* offset in TenantSchema */
} OBJECT_LISTS[] = {
    {"view", offsetof(TenantSchema, views)},         {"function", offsetof(TenantSchema, functions)},
    {"enum", offsetof(TenantSchema, enums)},         {"type", offsetof(TenantSchema, types)},
    {"sequence", offsetof(TenantSchema, sequences)}, {"trigger", offsetof(TenantSchema, triggers)},
    {"policy", offsetof(TenantSchema, policies)},    {"other", offsetof(TenantSchema, others)},
};

static void take_object(TenantSchema *schema, Row *row)
{
    RecordList *list = NULL;
    for (size_t i = 0; i < sizeof OBJECT_LISTS / sizeof OBJECT_LISTS[0]; i++)
        if (strcmp(OBJECT_LISTS[i].kind, PQgetvalue(row->rows, row->number, 0)) == 0)
            list = (RecordList *)((char *)schema + OBJECT_LISTS[i].list);
    ObjectSchema *object = add_row(&OBJECT_SCHEMA, list, row);
    if (object != NULL)
        *object = (ObjectSchema){.name = text_at(row, 1),
                                 .table = text_at(row, 2),
                                 .definition = text_at(row, 3),
                                 .canonical = text_at(row, 4)};
}

static const struct {
    const char *first_column;
    void (*take)(TenantSchema *schema, Row *row);
} RESULTS[] = {
    {"table_name", take_table},   {"column_table", take_column},         {"index_table", take_index},
    {"object_kind", take_object}, {"constraint_table", take_constraint},
};

static void take_schema(SchemaRows *rows, const PGresult *result)
{
    Row row = {.rows = result};
    if (!schema_row_check(result, 0, rows->schema, &rows->error))
        return;
    rows->result->introspected_at = text_at(&row, 2);
    if (row.failed)
        error_memory(&rows->error);
}

void schema_rows_take(void *context, const PGresult *result)
{
    SchemaRows *rows = context;
    const char *first = PQnfields(result) > 0 ? PQfname(result, 0) : "";
    if (rows->error.code != ERROR_NONE)
        return;
    if (strcmp(first, "schema") == 0 && PQntuples(result) == 1)
        take_schema(rows, result);
    for (size_t i = 0; i < sizeof RESULTS / sizeof RESULTS[0]; i++) {
        if (strcmp(first, RESULTS[i].first_column) != 0)
            continue;
        Row row = {.rows = result};
        for (; row.number < PQntuples(result); row.number++)
            RESULTS[i].take(rows->result, &row);
        if (row.failed)
            error_memory(&rows->error);
    }
}
