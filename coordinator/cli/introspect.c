#include "common/json.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/drift.h"

static bool print_json(const TenantSchema *schema, Error *error)
{
    json_t *document = record_to_json(&TENANT_SCHEMA, schema);
    if (document == NULL)
        return error_memory(error);
    int failed = json_dumpf(document, stdout, JSON_INDENT(2));
    json_decref(document);
    if (failed != 0 || putchar('\n') == EOF || fflush(stdout) != 0)
        return error_set(error, ERROR_SYSTEM, "cannot write the report");
    return true;
}

static void print_columns(const TableSchema *table)
{
    const ColumnSchema *columns = table->columns.items;
    for (size_t i = 0; i < table->columns.count; i++) {
        const ColumnSchema *column = &columns[i];
        printf("  %s %s%s", column->name, column->type, column->is_nullable ? "" : " NOT NULL");
        if (column->collation != NULL)
            printf(" COLLATE %s", column->collation);
        if (column->identity != NULL)
            printf(" GENERATED %s AS IDENTITY", column->identity);
        if (column->generated != NULL)
            printf(" GENERATED ALWAYS AS (%s)", column->generated);
        if (column->column_default != NULL)
            printf(" DEFAULT %s", column->column_default);
        putchar('\n');
    }
}

static void print_table(const TableSchema *table)
{
    const IndexSchema *indexes = table->indexes.items;
    const ConstraintSchema *constraints = table->constraints.items;
    printf("table %s%s%s\n", table->name, table->definition != NULL ? " " : "",
           table->definition != NULL ? table->definition : "");
    print_columns(table);
    for (size_t i = 0; i < table->constraints.count; i++)
        printf("  constraint %s %s\n", constraints[i].name, constraints[i].definition);
    for (size_t i = 0; i < table->indexes.count; i++)
        printf("  index %s\n", indexes[i].definition);
}

static void print_objects(const char *kind, const RecordList *list)
{
    const ObjectSchema *objects = list->items;
    for (size_t i = 0; i < list->count; i++)
        printf("%s %s%s%s\n", kind, objects[i].name, objects[i].table != NULL ? " on " : "",
               objects[i].table != NULL ? objects[i].table : "");
}

static void print_text(const TenantSchema *schema)
{
    const TableSchema *tables = schema->tables.items;
    printf("tenant %s, schema %s\n", schema->tenant_id, schema->schema_name);
    for (size_t i = 0; i < schema->tables.count; i++)
        print_table(&tables[i]);
    print_objects("view", &schema->views);
    print_objects("function", &schema->functions);
    print_objects("enum", &schema->enums);
    print_objects("type", &schema->types);
    print_objects("sequence", &schema->sequences);
    print_objects("trigger", &schema->triggers);
    print_objects("policy", &schema->policies);
    print_objects("other", &schema->others);
}

/* A schema that could not be read is the command's error, in the server's words. */
static bool judge(const TenantSchema *schema, Error *error)
{
    if (schema->tenant_id != NULL && schema->error == NULL)
        return true;
    error_set(error, schema->outcome != NULL ? ERROR_NO_SCHEMA : ERROR_SERVER, "%s",
              schema->error != NULL ? schema->error : "the schema was not looked at");
    if (schema->sqlstate != NULL)
        snprintf(error->sqlstate, sizeof error->sqlstate, "%s", schema->sqlstate);
    if (schema->detail != NULL)
        error_set_detail(error, "%s", schema->detail);
    if (schema->hint != NULL)
        error_set_hint(error, "%s", schema->hint);
    return false;
}

int cli_introspect(const CliArguments *arguments)
{
    CliContext context;
    TenantSchema schema = {0};
    ERROR_CLEANUP Error error = {0};
    bool ok = cli_context_open(&context, arguments, &error);
    context.request.tenants = option_value(arguments, "tenant");
    ok = ok && introspect_run(&context.request, &schema, &error) && judge(&schema, &error);
    progress_clear(&context.progress);
    if (ok && option_given(arguments, "json"))
        ok = print_json(&schema, &error);
    else if (ok)
        print_text(&schema);
    int code = ok ? EXIT_DONE : cli_failed(arguments, &error);
    record_clear(&TENANT_SCHEMA, &schema);
    cli_context_close(&context);
    return code;
}
