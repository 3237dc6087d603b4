#include "common/schema_drift.h"
#include "common/buffer.h"
#include "common/schema_drift_internal.h"
#include <stdlib.h>
#include <string.h>

char *drift_copied(Comparison *comparison, const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;
    comparison->failed |= text != NULL && copy == NULL;
    return copy;
}

char *drift_sentence(Comparison *comparison, const char *format, ...)
{
    Buffer text = {0};
    va_list args;
    va_start(args, format);
    buffer_append_vf(&text, format, args);
    va_end(args);
    char *taken = buffer_take(&text);
    comparison->failed |= taken == NULL;
    return taken;
}

bool drift_same(const char *a, const char *b)
{
    return (a == NULL || *a == '\0') ? b == NULL || *b == '\0' : b != NULL && strcmp(a, b) == 0;
}

void *drift_add(Comparison *comparison, const RecordType *type, RecordList *list)
{
    void *record = record_list_add(type, list);
    comparison->failed |= record == NULL;
    comparison->drift->issue_count += record != NULL;
    return record;
}

/* What a walk over two lists calls with an item of one of them, or with one of each. */
typedef void Visit(Comparison *comparison, void *list, const void *expected, const void *actual);
typedef int Order(const void *a, const void *b);

static const void *item_at(const RecordList *list, size_t size, size_t at)
{
    return (const char *)list->items + at * size;
}

static const void *find_item(const RecordList *list, size_t size, const void *wanted, Order *order)
{
    return list->count > 0 ? bsearch(wanted, list->items, list->count, size, order) : NULL;
}

static void walk(Comparison *comparison, void *list, const RecordList *expected, const RecordList *actual,
                 size_t size, Order *order, Visit *visit)
{
    for (size_t i = 0; i < expected->count; i++) {
        const void *item = item_at(expected, size, i);
        visit(comparison, list, item, find_item(actual, size, item, order));
    }
    for (size_t i = 0; i < actual->count; i++) {
        const void *item = item_at(actual, size, i);
        if (find_item(expected, size, item, order) == NULL)
            visit(comparison, list, NULL, item);
    }
}

static int index_order(const void *a, const void *b)
{
    return strcmp(((const IndexSchema *)a)->name, ((const IndexSchema *)b)->name);
}

static char *index_text(Comparison *comparison, const IndexSchema *index)
{
    return index != NULL
               ? drift_sentence(comparison, "%s%s", index->definition, index->invalid ? " INVALID" : "")
               : NULL;
}

static void visit_index(Comparison *comparison, void *list, const void *expected, const void *actual)
{
    const IndexSchema *ours = expected, *theirs = actual;
    if (ours != NULL && theirs != NULL && drift_same(ours->canonical, theirs->canonical))
        return;
    NamedDrift *drift = drift_add(comparison, &INDEX_DRIFT, list);
    if (drift == NULL)
        return;
    const char *name = ours != NULL ? ours->name : theirs->name;
    drift->name = drift_copied(comparison, name);
    drift->expected = index_text(comparison, ours);
    drift->actual = index_text(comparison, theirs);
    drift->type = drift_copied(comparison, theirs == NULL ? "missing"
                                           : ours == NULL ? "extra"
                                                          : "definition_mismatch");
    drift->description = drift_sentence(comparison,
                                        theirs == NULL ? "Index \"%s\" is missing"
                                        : ours == NULL ? "Extra index \"%s\" not in reference"
                                                       : "Index \"%s\" definition differs",
                                        name);
}

static int constraint_order(const void *a, const void *b)
{
    return strcmp(((const ConstraintSchema *)a)->name, ((const ConstraintSchema *)b)->name);
}

/* "UNIQUE on (a, b)". */
static char *constraint_summary(Comparison *comparison, const ConstraintSchema *constraint)
{
    Buffer text = {0};
    buffer_appendf(&text, "%s on (", constraint->type);
    for (size_t i = 0; i < constraint->columns.count; i++)
        buffer_appendf(&text, "%s%s", i > 0 ? ", " : "", constraint->columns.items[i]);
    buffer_append_text(&text, ")");
    char *taken = buffer_take(&text);
    comparison->failed |= taken == NULL;
    return taken;
}

/* The contract's summaries, unless they would not show the difference. */
static void tell_constraints_apart(Comparison *comparison, NamedDrift *drift, const ConstraintSchema *ours,
                                   const ConstraintSchema *theirs)
{
    drift->expected = ours != NULL ? constraint_summary(comparison, ours) : NULL;
    drift->actual = theirs != NULL ? constraint_summary(comparison, theirs) : NULL;
    if (ours == NULL || theirs == NULL || !drift_same(drift->expected, drift->actual))
        return;
    free(drift->expected);
    free(drift->actual);
    drift->expected = drift_copied(comparison, ours->definition);
    drift->actual = drift_copied(comparison, theirs->definition);
}

static void visit_constraint(Comparison *comparison, void *list, const void *expected, const void *actual)
{
    const ConstraintSchema *ours = expected, *theirs = actual;
    if (ours != NULL && theirs != NULL && drift_same(ours->canonical, theirs->canonical))
        return;
    NamedDrift *drift = drift_add(comparison, &CONSTRAINT_DRIFT, list);
    if (drift == NULL)
        return;
    const ConstraintSchema *one = ours != NULL ? ours : theirs;
    drift->name = drift_copied(comparison, one->name);
    tell_constraints_apart(comparison, drift, ours, theirs);
    drift->type = drift_copied(comparison, theirs == NULL ? "missing"
                                           : ours == NULL ? "extra"
                                                          : "definition_mismatch");
    drift->description =
        theirs == NULL ? drift_sentence(comparison, "Constraint \"%s\" (%s) is missing", one->name, one->type)
        : ours == NULL ? drift_sentence(comparison, "Extra constraint \"%s\" (%s) not in reference",
                                        one->name, one->type)
                       : drift_sentence(comparison, "Constraint \"%s\" definition differs", one->name);
}

typedef struct ObjectKind {
    const char *kind;
    const char *word; /* at the start of a sentence */
    size_t list;      /* offset in TenantSchema */
} ObjectKind;

static const ObjectKind OWN_KINDS[] = {
    {"view", "View", offsetof(TenantSchema, views)},
    {"function", "Function", offsetof(TenantSchema, functions)},
    {"enum", "Enum", offsetof(TenantSchema, enums)},
    {"type", "Type", offsetof(TenantSchema, types)},
    {"sequence", "Sequence", offsetof(TenantSchema, sequences)},
    {"other", "Object", offsetof(TenantSchema, others)},
};

static const ObjectKind TABLE_KINDS[] = {
    {"trigger", "Trigger", offsetof(TenantSchema, triggers)},
    {"policy", "Policy", offsetof(TenantSchema, policies)},
};

static const ObjectKind TABLE_ITSELF = {"table", "Table", 0};

static const RecordList *objects_of(const TenantSchema *schema, const ObjectKind *kind)
{
    return (const RecordList *)((const char *)schema + kind->list);
}

static int object_order(const void *a, const void *b)
{
    const ObjectSchema *one = a, *other = b;
    int order = strcmp(one->name, other->name);
    return order != 0
               ? order
               : strcmp(one->table != NULL ? one->table : "", other->table != NULL ? other->table : "");
}

static void object_differs(Comparison *comparison, RecordList *list, const ObjectKind *kind,
                           const ObjectSchema *ours, const ObjectSchema *theirs)
{
    ObjectDrift *drift = drift_add(comparison, &OBJECT_DRIFT, list);
    if (drift == NULL)
        return;
    const ObjectSchema *one = ours != NULL ? ours : theirs;
    const char *at = one->table != NULL ? "\" on table \"" : "",
               *table = one->table != NULL ? one->table : "";
    drift->object = drift_copied(comparison, one->name);
    drift->kind = drift_copied(comparison, kind->kind);
    drift->table = drift_copied(comparison, one->table);
    drift->expected = ours != NULL ? drift_copied(comparison, ours->definition) : NULL;
    drift->actual = theirs != NULL ? drift_copied(comparison, theirs->definition) : NULL;
    drift->type = drift_copied(comparison, theirs == NULL ? "missing"
                                           : ours == NULL ? "extra"
                                                          : "definition_mismatch");
    drift->description = theirs == NULL ? drift_sentence(comparison, "%s \"%s%s%s\" is missing", kind->word,
                                                         one->name, at, table)
                         : ours == NULL ? drift_sentence(comparison, "Extra %s \"%s%s%s\" not in reference",
                                                         kind->kind, one->name, at, table)
                                        : drift_sentence(comparison, "%s \"%s%s%s\" definition differs",
                                                         kind->word, one->name, at, table);
}

/* The objects of one kind, those of one table when `table` is not NULL. */
static void compare_objects(Comparison *comparison, RecordList *list, const ObjectKind *kind,
                            const RecordList *expected, const RecordList *actual, const char *table)
{
    const ObjectSchema *items = expected->items, *others = actual->items;
    for (size_t i = 0; i < expected->count; i++) {
        if (table != NULL && !drift_same(items[i].table, table))
            continue;
        const ObjectSchema *other = find_item(actual, sizeof *other, &items[i], object_order);
        if (other == NULL || !drift_same(items[i].canonical, other->canonical))
            object_differs(comparison, list, kind, &items[i], other);
    }
    for (size_t i = 0; i < actual->count; i++)
        if ((table == NULL || drift_same(others[i].table, table)) &&
            find_item(expected, sizeof *others, &others[i], object_order) == NULL)
            object_differs(comparison, list, kind, NULL, &others[i]);
}

typedef struct Sides {
    const TenantSchema *reference, *target;
} Sides;

static int table_order(const void *a, const void *b)
{
    return strcmp(((const TableSchema *)a)->name, ((const TableSchema *)b)->name);
}

static void compare_table_itself(Comparison *comparison, RecordList *list, const TableSchema *ours,
                                 const TableSchema *theirs)
{
    if (drift_same(ours->definition, theirs->definition))
        return;
    object_differs(
        comparison, list, &TABLE_ITSELF,
        &(ObjectSchema){.name = ours->name,
                        .definition = ours->definition != NULL ? ours->definition : (char *)""},
        &(ObjectSchema){.name = ours->name,
                        .definition = theirs->definition != NULL ? theirs->definition : (char *)""});
}

static void compare_tables(Comparison *comparison, const Sides *sides, TableDrift *drift,
                           const TableSchema *ours, const TableSchema *theirs)
{
    drift_compare_columns(comparison, &drift->columns, &ours->columns, &theirs->columns);
    walk(comparison, &drift->indexes, &ours->indexes, &theirs->indexes, sizeof(IndexSchema), index_order,
         visit_index);
    walk(comparison, &drift->constraints, &ours->constraints, &theirs->constraints, sizeof(ConstraintSchema),
         constraint_order, visit_constraint);
    compare_table_itself(comparison, &drift->objects, ours, theirs);
    for (size_t i = 0; i < sizeof TABLE_KINDS / sizeof TABLE_KINDS[0]; i++)
        compare_objects(comparison, &drift->objects, &TABLE_KINDS[i],
                        objects_of(sides->reference, &TABLE_KINDS[i]),
                        objects_of(sides->target, &TABLE_KINDS[i]), ours->name);
}

/* A table that only one side has counts its columns, as in the contract; one without columns counts itself.
 */
static void whole_table(Comparison *comparison, TableDrift *drift, const TableSchema *ours,
                        const TableSchema *theirs)
{
    const TableSchema *table = ours != NULL ? ours : theirs;
    const ColumnSchema *columns = table->columns.items;
    for (size_t i = 0; i < table->columns.count; i++)
        (ours != NULL ? drift_column_missing : drift_column_extra)(comparison, &drift->columns, &columns[i]);
    ObjectSchema itself = {.name = table->name, .definition = (char *)"no columns"};
    if (table->columns.count == 0)
        object_differs(comparison, &drift->objects, &TABLE_ITSELF, ours != NULL ? &itself : NULL,
                       theirs != NULL ? &itself : NULL);
}

/* Kept only when something was found. */
static void add_table(Comparison *comparison, const Sides *sides, const TableSchema *ours,
                      const TableSchema *theirs)
{
    RecordList *tables = &comparison->drift->tables;
    TableDrift found = {0};
    int64_t before = comparison->drift->issue_count;
    if (ours != NULL && theirs != NULL)
        compare_tables(comparison, sides, &found, ours, theirs);
    else
        whole_table(comparison, &found, ours, theirs);
    if (comparison->drift->issue_count == before)
        return;
    found.table = drift_copied(comparison, ours != NULL ? ours->name : theirs->name);
    found.status = drift_copied(comparison, theirs == NULL ? "missing" : ours == NULL ? "extra" : "drifted");
    TableDrift *kept = record_list_add(&TABLE_DRIFT, tables);
    comparison->failed |= kept == NULL;
    if (kept != NULL)
        *kept = found;
    else
        record_clear(&TABLE_DRIFT, &found);
}

static bool has_table(const TenantSchema *schema, const char *name)
{
    return find_item(&schema->tables, sizeof(TableSchema), &(TableSchema){.name = (char *)name},
                     table_order) != NULL;
}

/* Triggers of views, which are in no table's list. */
static void compare_view_triggers(Comparison *comparison, const Sides *sides)
{
    const ObjectSchema *views = sides->reference->views.items;
    for (size_t i = 0; i < sides->reference->views.count; i++)
        if (!has_table(sides->reference, views[i].name))
            compare_objects(comparison, &comparison->drift->objects, &TABLE_KINDS[0],
                            &sides->reference->triggers, &sides->target->triggers, views[i].name);
}

bool schema_compare(const TenantSchema *reference, const TenantSchema *target, TenantSchemaDrift *ret_drift,
                    Error *error)
{
    TenantSchemaDrift drift = {0};
    Comparison comparison = {.drift = &drift};
    Sides sides = {reference, target};
    drift.tenant_id = drift_copied(&comparison, target->tenant_id);
    drift.schema_name = drift_copied(&comparison, target->schema_name);
    const TableSchema *tables = reference->tables.items, *others = target->tables.items;
    for (size_t i = 0; i < reference->tables.count; i++)
        add_table(&comparison, &sides, &tables[i],
                  find_item(&target->tables, sizeof *tables, &tables[i], table_order));
    for (size_t i = 0; i < target->tables.count; i++)
        if (find_item(&reference->tables, sizeof *others, &others[i], table_order) == NULL)
            add_table(&comparison, &sides, NULL, &others[i]);
    for (size_t i = 0; i < sizeof OWN_KINDS / sizeof OWN_KINDS[0]; i++)
        compare_objects(&comparison, &drift.objects, &OWN_KINDS[i], objects_of(reference, &OWN_KINDS[i]),
                        objects_of(target, &OWN_KINDS[i]), NULL);
    compare_view_triggers(&comparison, &sides);
    drift.has_drift = drift.issue_count > 0;
    if (!comparison.failed) {
        *ret_drift = drift;
        return true;
    }
    record_clear(&TENANT_SCHEMA_DRIFT, &drift);
    return error_memory(error);
}
