#include "worker/ops/convert_rows.h"
#include "common/buffer.h"
#include <stdlib.h>
#include <string.h>

enum { COLUMN_ID, COLUMN_IDENTIFIER /* and the journal time after it */ };

enum { NAMES_MAX = 10 /* in one message */ };

static RecordedRows recorded_rows(const ConvertRows *rows)
{
    return (RecordedRows){.rows = rows->result, .count = (int)rows->count, .column = COLUMN_IDENTIFIER};
}

bool convert_rows_read(ConvertRows *rows, Connection *connection, const char *qualified,
                       const TrackingTable *tracking, RecordedIndex *recorded, Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "SELECT id, %s, %s FROM %s ORDER BY id",
                   tracking_identifier_column(tracking->format), tracking_time_expression(tracking),
                   qualified);
    if (buffer_failed(&sql))
        return error_memory(error);
    if (!connection_exec(connection, buffer_text(&sql), &rows->result, error))
        return false;
    rows->count = (size_t)PQntuples(rows->result);
    recorded_begin(recorded, tracking->format);
    const RecordedRows counted = recorded_rows(rows);
    recorded_count(recorded, &counted);
    return true;
}

static void append_names(Buffer *text, const TextList *names)
{
    for (size_t i = 0; i < names->count && i < NAMES_MAX; i++)
        buffer_appendf(text, "%s%s", i > 0 ? ", " : "", names->items[i]);
    if (names->count > NAMES_MAX)
        buffer_appendf(text, " and %zu more", names->count - NAMES_MAX);
}

/* ERROR_TRACKING with the fact and the names. */
static bool refuse(Error *error, const char *fact, const TextList *names, const char *hint)
{
    BUFFER_CLEANUP Buffer text = {0};
    append_names(&text, names);
    if (buffer_failed(&text))
        return error_memory(error);
    error_set(error, ERROR_TRACKING, "%s: %s", fact, buffer_text(&text));
    error_set_hint(error, "%s", hint);
    return false;
}

static bool check_orphans(const RecordedRows *rows, const RecordedIndex *recorded, Error *error)
{
    TextList orphans = {0};
    bool good = recorded_list_orphans(recorded, rows, &orphans) || error_memory(error);
    if (good && orphans.count > 0)
        good = refuse(error, "the tracking table has rows that no migration file explains", &orphans,
                      "restore the files, or remove the rows with `sync --clean-orphans` first");
    text_list_clear(&orphans);
    return good;
}

/* Rows are addressed by their id. */
static bool check_ids(const ConvertRows *rows, Error *error)
{
    for (size_t i = 0; i < rows->count; i++) {
        const char *id = convert_rows_id(rows, i);
        if (PQgetisnull(rows->result, (int)i, COLUMN_ID))
            error_set(error, ERROR_TRACKING, "the tracking table has a row without an id");
        else if (i > 0 && strcmp(id, convert_rows_id(rows, i - 1)) == 0)
            error_set(error, ERROR_TRACKING, "the tracking table has several rows with the id %s", id);
        else
            continue;
        error_set_hint(error, "give every row an id of its own first");
        return false;
    }
    return true;
}

static bool match_rows(ConvertRows *rows, const RecordedIndex *recorded, bool *taken, TextList *ret_twice)
{
    const RecordedRows source = recorded_rows(rows);
    for (size_t i = 0; i < rows->count; i++) {
        if (recorded_match(recorded, &source, (int)i, taken, &rows->items[i]))
            taken[rows->items[i]] = true;
        else if (!recorded_add_identifier(ret_twice, recorded_identifier(&source, (int)i)))
            return false;
    }
    return true;
}

static bool check_twice(ConvertRows *rows, const RecordedIndex *recorded, Error *error)
{
    TextList twice = {0};
    bool *taken = calloc(rows->bundle->count + 1, sizeof *taken);
    bool good = (taken != NULL && match_rows(rows, recorded, taken, &twice)) || error_memory(error);
    if (good && twice.count > 0)
        good = refuse(error, "the tracking table has migrations recorded more than once", &twice,
                      "delete the surplus rows and keep one for each migration");
    free(taken);
    text_list_clear(&twice);
    return good;
}

static bool list_changed(const ConvertRows *rows, const RecordedIndex *recorded, TextList *ret_names)
{
    for (size_t i = 0; i < rows->bundle->count; i++)
        if (recorded_changed(recorded, i) && !text_list_add(ret_names, rows->bundle->items[i].name))
            return false;
    return true;
}

/* Only the journal time proves that such a file was applied, and a table with hashes alone has none: the file
 * would be pending again. A name stays what it was. */
static bool check_changed(const ConvertRows *rows, const RecordedIndex *recorded, TrackingFormat target,
                          Error *error)
{
    if (target == TRACKING_NAME)
        return true;
    TextList changed = {0};
    bool good = list_changed(rows, recorded, &changed) || error_memory(error);
    if (good && changed.count > 0)
        good = refuse(error, "migrations were changed after they were applied", &changed,
                      "restore the files while the tenants are converted");
    text_list_clear(&changed);
    return good;
}

/* Reads the new rows as everybody will read them from then on, and compares. */
static bool compare_applied(const ConvertRows *rows, const bool *before, RecordedIndex *recorded,
                            TrackingFormat target, TextList *ret_differ)
{
    recorded_begin(recorded, target);
    for (size_t i = 0; i < rows->count; i++)
        recorded_row(recorded, convert_rows_identifier(rows, i, target), convert_rows_when(rows, i));
    for (size_t i = 0; i < rows->bundle->count; i++)
        if (recorded_has(recorded, i) != before[i] && !text_list_add(ret_differ, rows->bundle->items[i].name))
            return false;
    return true;
}

static bool check_applied(const ConvertRows *rows, RecordedIndex *recorded, TrackingFormat target,
                          Error *error)
{
    TextList differ = {0};
    bool *before = calloc(rows->bundle->count + 1, sizeof *before);
    for (size_t i = 0; before != NULL && i < rows->bundle->count; i++)
        before[i] = recorded_has(recorded, i) || recorded_changed(recorded, i);
    bool good =
        (before != NULL && compare_applied(rows, before, recorded, target, &differ)) || error_memory(error);
    if (good && differ.count > 0)
        good = refuse(error, "files of equal content cannot be told apart in the new format", &differ,
                      "apply all of them to this tenant first");
    free(before);
    text_list_clear(&differ);
    return good;
}

bool convert_rows_match(ConvertRows *rows, const Bundle *bundle, RecordedIndex *recorded,
                        TrackingFormat target, Error *error)
{
    const RecordedRows source = recorded_rows(rows);
    rows->bundle = bundle;
    rows->items = calloc(rows->count + 1, sizeof *rows->items);
    if (rows->items == NULL)
        return error_memory(error);
    return check_orphans(&source, recorded, error) && check_ids(rows, error) &&
           check_twice(rows, recorded, error) && check_changed(rows, recorded, target, error) &&
           check_applied(rows, recorded, target, error);
}

void convert_rows_clear(ConvertRows *rows)
{
    PQclear(rows->result);
    free(rows->items);
    *rows = (ConvertRows){0};
}

const char *convert_rows_id(const ConvertRows *rows, size_t i)
{
    return PQgetvalue(rows->result, (int)i, COLUMN_ID);
}

const char *convert_rows_identifier(const ConvertRows *rows, size_t i, TrackingFormat format)
{
    const Migration *migration = &rows->bundle->items[rows->items[i]];
    return format == TRACKING_NAME ? migration->name : migration->hash;
}

int64_t convert_rows_when(const ConvertRows *rows, size_t i)
{
    return rows->bundle->items[rows->items[i]].when_ms;
}

bool convert_rows_agree(const ConvertRows *rows, TrackingFormat format)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(PQgetvalue(rows->result, (int)i, COLUMN_IDENTIFIER),
                   convert_rows_identifier(rows, i, format)) != 0)
            return false;
    return true;
}
