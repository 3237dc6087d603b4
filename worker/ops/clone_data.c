#include "worker/ops/clone_data.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/sql.h"
#include <stdlib.h>
#include <string.h>

static CloneTable *table_by_name(const ClonePlan *plan, const char *name)
{
    for (size_t i = 0; i < plan->tables.count; i++)
        if (strcmp(plan->tables.items[i].name, name) == 0)
            return &plan->tables.items[i];
    return NULL;
}

static const CloneColumn *column_by_name(const CloneTable *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

/* What names nothing is a mistake: a refusal where the caller is strict, else a warning. */
static bool complain(ClonePlan *plan, bool refuse, const Buffer *text, Error *error)
{
    if (buffer_failed(text))
        return error_memory(error);
    if (!refuse)
        return text_list_add(&plan->warnings, buffer_text(text)) || error_memory(error);
    error_set(error, ERROR_USAGE, "%s", buffer_text(text));
    error_set_hint(error, "check the names: nothing was copied");
    return false;
}

static bool leave_out(ClonePlan *plan, const RunOptions *options, Error *error)
{
    for (size_t i = 0; i < options->exclude_tables.count; i++) {
        const char *name = options->exclude_tables.items[i];
        CloneTable *table = table_by_name(plan, name);
        if (table != NULL && !table->kept_anyway) {
            table->left_out = true;
            continue;
        }
        BUFFER_CLEANUP Buffer text = {0};
        if (table != NULL)
            buffer_appendf(&text, "table \"%s\" was copied: it tells which migrations the tenant has", name);
        else
            buffer_appendf(&text, "there is no table \"%s\" to leave out", name);
        if (!complain(plan, options->strict && table == NULL, &text, error))
            return false;
    }
    return true;
}

static bool check_rule(ClonePlan *plan, const AnonymizeRule *rule, bool strict, Error *error)
{
    BUFFER_CLEANUP Buffer text = {0};
    const CloneTable *table = table_by_name(plan, rule->table);
    const CloneColumn *column = table != NULL ? column_by_name(table, rule->column) : NULL;
    if (column != NULL && !column->generated)
        return true;
    buffer_appendf(&text, "the rule for \"%s\".\"%s\" ", rule->table, rule->column);
    if (column != NULL)
        buffer_append_text(&text, "cannot change a column that is computed from others");
    else
        buffer_append_text(&text,
                           table == NULL ? "names no table of the source" : "names no column of the table");
    return complain(plan, strict || table == NULL || column != NULL, &text, error);
}

bool clone_data_choose(ClonePlan *plan, const RunOptions *options, Error *error)
{
    const char *tracking = run_defaults(options).migrations_table;
    for (size_t i = 0; i < plan->tables.count; i++) {
        CloneTable *table = &plan->tables.items[i];
        table->kept_anyway =
            strcmp(table->name, tracking) == 0 || strcmp(table->name, "__pgconvoy_state") == 0;
    }
    const AnonymizeRule *rules = options->anonymize.items;
    for (size_t i = 0; i < options->anonymize.count; i++)
        if (!check_rule(plan, &rules[i], options->strict, error))
            return false;
    return leave_out(plan, options, error);
}

bool clone_data_copies(const CloneTable *table, const RunOptions *options)
{
    return !table->partitioned && !table->left_out && (options->with_data || table->kept_anyway);
}

static bool rule_covers(const AnonymizeRule *rule, const CloneTable *table)
{
    size_t length = strlen(rule->table);
    for (const char *name = table->lineage; name != NULL; name = strchr(name, '\x1f')) {
        name += *name == '\x1f';
        if (strncmp(name, rule->table, length) == 0 && (name[length] == '\0' || name[length] == '\x1f'))
            return true;
    }
    return false;
}

static const AnonymizeRule *rule_for(const CloneTable *table, const char *column, const RunOptions *options)
{
    const AnonymizeRule *rules = options->anonymize.items;
    for (size_t i = 0; i < options->anonymize.count; i++)
        if (rule_covers(&rules[i], table) && (column == NULL || strcmp(rules[i].column, column) == 0))
            return &rules[i];
    return NULL;
}

/* A new value may belong into another partition. */
static const char *name_to_fill(const ClonePlan *plan, const CloneTable *table, const RunOptions *options)
{
    const CloneTable *root = table->root != 0 ? clone_plan_table(plan, table->root) : NULL;
    return root != NULL && rule_for(table, NULL, options) != NULL ? root->name : table->name;
}

/* Between a type of the source's and the target's of the same name there is no cast but by text. */
static void append_own_value(Buffer *sql, const CloneColumn *column, const char *target)
{
    sql_append_identifier(sql, column->name);
    if (column->own_type == NULL)
        return;
    buffer_append_text(sql, "::pg_catalog.text::");
    sql_append_identifier(sql, target);
    buffer_appendf(sql, ".%s", column->own_type);
}

static void append_value(Buffer *sql, const CloneTable *table, const CloneColumn *column, const char *target,
                         const RunOptions *options)
{
    const AnonymizeRule *rule = rule_for(table, column->name, options);
    if (rule == NULL)
        append_own_value(sql, column, target);
    else if (rule->value == NULL)
        buffer_append_text(sql, "NULL");
    else
        sql_append_literal(sql, rule->value);
}

void clone_data_append_rows(Buffer *sql, const ClonePlan *plan, const CloneTable *table,
                            const CloneSchemas *schemas, const RunOptions *options)
{
    size_t copied = 0;
    buffer_append_text(sql, "INSERT INTO ");
    sql_append_qualified(sql, schemas->target, name_to_fill(plan, table, options));
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generated)
            continue;
        buffer_append_text(sql, copied++ > 0 ? ", " : " (");
        sql_append_identifier(sql, table->columns[i].name);
    }
    buffer_append_text(sql, copied > 0 ? ") OVERRIDING SYSTEM VALUE SELECT" : " SELECT");
    copied = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generated)
            continue;
        buffer_append_text(sql, copied++ > 0 ? ", " : " ");
        append_value(sql, table, &table->columns[i], schemas->target, options);
    }
    buffer_append_text(sql, " FROM ONLY ");
    sql_append_qualified(sql, schemas->source, table->name);
}

void clone_data_append_sequences(Buffer *sql, const ClonePlan *plan, const CloneSchemas *schemas,
                                 const RunOptions *options)
{
    for (size_t i = 0; i < plan->sequences.count; i++) {
        const CloneSequence *sequence = &plan->sequences.items[i];
        const CloneTable *owner = clone_plan_table(plan, sequence->owner);
        bool goes_on = owner == NULL ? options->with_data
                                     : !owner->left_out && (options->with_data || owner->kept_anyway);
        if (!goes_on)
            continue;
        BUFFER_CLEANUP Buffer name = {0};
        sql_append_qualified(&name, schemas->target, sequence->name);
        buffer_append_text(sql, "SELECT pg_catalog.setval(");
        sql_append_literal(sql, buffer_text(&name));
        buffer_append_text(sql, "::pg_catalog.regclass, last_value, is_called) FROM ");
        sql_append_qualified(sql, schemas->source, sequence->name);
        buffer_append_text(sql, ";\n");
    }
}
