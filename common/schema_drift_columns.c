#include "common/buffer.h"
#include "common/schema_drift_internal.h"
#include <stdlib.h>
#include <string.h>

static const ColumnSchema *find_column(const RecordList *columns, const char *name)
{
    const ColumnSchema *items = columns->items;
    for (size_t i = 0; i < columns->count; i++)
        if (strcmp(items[i].name, name) == 0)
            return &items[i];
    return NULL;
}

/* `what` is the word of the sentence: "Column "a" <what> mismatch: ...". */
static void column_differs(Comparison *comparison, RecordList *list, const char *column, const char *what,
                           const char *expected, const char *actual)
{
    ColumnDrift *drift = drift_add(comparison, &COLUMN_DRIFT, list);
    if (drift == NULL)
        return;
    drift->column = drift_copied(comparison, column);
    drift->type = drift_sentence(comparison, "%s_mismatch", what);
    drift->expected = drift_copied(comparison, expected);
    drift->actual = drift_copied(comparison, actual);
    drift->description =
        drift_sentence(comparison, "Column \"%s\" %s mismatch: expected \"%s\", got \"%s\"", column, what,
                       expected != NULL ? expected : "none", actual != NULL ? actual : "none");
}

static void nullability_differs(Comparison *comparison, RecordList *list, const ColumnSchema *expected)
{
    static const char *const WORDS[] = {"NOT NULL", "NULL"};
    ColumnDrift *drift = drift_add(comparison, &COLUMN_DRIFT, list);
    if (drift == NULL)
        return;
    drift->column = drift_copied(comparison, expected->name);
    drift->type = drift_copied(comparison, "nullable_mismatch");
    drift->expected = drift_copied(comparison, expected->is_nullable ? "true" : "false");
    drift->actual = drift_copied(comparison, expected->is_nullable ? "false" : "true");
    drift->description =
        drift_sentence(comparison, "Column \"%s\" nullable mismatch: expected %s, got %s", expected->name,
                       WORDS[expected->is_nullable], WORDS[!expected->is_nullable]);
}

/* The short names, as the contract has them, unless only the modifiers tell the two apart. */
static void compare_type(Comparison *comparison, RecordList *list, const ColumnSchema *expected,
                         const ColumnSchema *actual)
{
    bool short_names = !drift_same(expected->udt_name, actual->udt_name);
    if (short_names || !drift_same(expected->type, actual->type))
        column_differs(comparison, list, expected->name, "type",
                       short_names ? expected->udt_name : expected->type,
                       short_names ? actual->udt_name : actual->type);
}

static void compare_column(Comparison *comparison, RecordList *list, const ColumnSchema *expected,
                           const ColumnSchema *actual)
{
    const struct {
        const char *what, *expected, *actual;
    } TEXTS[] = {
        {"default", expected->column_default, actual->column_default},
        {"collation", expected->collation, actual->collation},
        {"identity", expected->identity, actual->identity},
        {"generated", expected->generated, actual->generated},
    };
    compare_type(comparison, list, expected, actual);
    if (expected->is_nullable != actual->is_nullable)
        nullability_differs(comparison, list, expected);
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        if (!drift_same(TEXTS[i].expected, TEXTS[i].actual))
            column_differs(comparison, list, expected->name, TEXTS[i].what, TEXTS[i].expected,
                           TEXTS[i].actual);
}

void drift_column_missing(Comparison *comparison, RecordList *list, const ColumnSchema *column)
{
    ColumnDrift *drift = drift_add(comparison, &COLUMN_DRIFT, list);
    if (drift == NULL)
        return;
    drift->column = drift_copied(comparison, column->name);
    drift->type = drift_copied(comparison, "missing");
    drift->expected = drift_copied(comparison, column->data_type);
    drift->description =
        drift_sentence(comparison, "Column \"%s\" (%s) is missing", column->name, column->data_type);
}

void drift_column_extra(Comparison *comparison, RecordList *list, const ColumnSchema *column)
{
    ColumnDrift *drift = drift_add(comparison, &COLUMN_DRIFT, list);
    if (drift == NULL)
        return;
    drift->column = drift_copied(comparison, column->name);
    drift->type = drift_copied(comparison, "extra");
    drift->actual = drift_copied(comparison, column->data_type);
    drift->description = drift_sentence(comparison, "Extra column \"%s\" (%s) not in reference", column->name,
                                        column->data_type);
}

/* The names of the columns that both have, in the order of `columns`. */
static char *common_order(Comparison *comparison, const RecordList *columns, const RecordList *others)
{
    Buffer text = {0};
    const ColumnSchema *items = columns->items;
    for (size_t i = 0; i < columns->count; i++)
        if (find_column(others, items[i].name) != NULL)
            buffer_appendf(&text, "%s%s", text.length > 0 ? ", " : "", items[i].name);
    char *taken = buffer_take(&text);
    comparison->failed |= taken == NULL;
    return taken;
}

static const ColumnSchema *next_common(const RecordList *columns, size_t *at, const RecordList *others)
{
    const ColumnSchema *items = columns->items;
    while (*at < columns->count) {
        const ColumnSchema *column = &items[(*at)++];
        if (find_column(others, column->name) != NULL)
            return column;
    }
    return NULL;
}

/* One issue for a table, at the first column that is out of place: inserts and COPY without a column list
 * care. */
static void compare_order(Comparison *comparison, RecordList *list, const RecordList *expected,
                          const RecordList *actual)
{
    const ColumnSchema *ours, *theirs;
    size_t at = 0, other_at = 0;
    do {
        ours = next_common(expected, &at, actual);
        theirs = next_common(actual, &other_at, expected);
    } while (ours != NULL && theirs != NULL && strcmp(ours->name, theirs->name) == 0);
    if (ours == NULL || theirs == NULL)
        return;
    char *wanted = common_order(comparison, expected, actual);
    char *found = common_order(comparison, actual, expected);
    column_differs(comparison, list, ours->name, "order", wanted, found);
    free(wanted);
    free(found);
}

void drift_compare_columns(Comparison *comparison, RecordList *list, const RecordList *expected,
                           const RecordList *actual)
{
    const ColumnSchema *items = expected->items, *others = actual->items;
    for (size_t i = 0; i < expected->count; i++) {
        const ColumnSchema *column = find_column(actual, items[i].name);
        if (column != NULL)
            compare_column(comparison, list, &items[i], column);
        else
            drift_column_missing(comparison, list, &items[i]);
    }
    for (size_t i = 0; i < actual->count; i++)
        if (find_column(expected, others[i].name) == NULL)
            drift_column_extra(comparison, list, &others[i]);
    compare_order(comparison, list, expected, actual);
}
