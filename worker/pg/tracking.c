#include "worker/pg/tracking.h"
#include <stdlib.h>
#include <string.h>

enum {
    HAS_ID = 1,
    HAS_NAME = 2,
    HAS_HASH = 4,
    HAS_APPLIED_AT = 8,
    HAS_CREATED_AT = 16,
    APPLIED_AT_BIGINT = 32,
    CREATED_AT_BIGINT = 64,
};

static const struct {
    const char *name;
    unsigned bit;
    unsigned bigint_bit;
} KNOWN_COLUMNS[] = {
    {"id", HAS_ID, 0},
    {"name", HAS_NAME, 0},
    {"hash", HAS_HASH, 0},
    {"applied_at", HAS_APPLIED_AT, APPLIED_AT_BIGINT},
    {"created_at", HAS_CREATED_AT, CREATED_AT_BIGINT},
};

static const struct {
    const char *name;
    const char *identifier;
    unsigned identifier_bit;
} FORMATS[] = {
    [TRACKING_NONE] = {NULL, NULL, 0},
    [TRACKING_NAME] = {"name", "name", HAS_NAME},
    [TRACKING_HASH] = {"hash", "hash", HAS_HASH},
    [TRACKING_DRIZZLE_KIT] = {"drizzle-kit", "hash", HAS_HASH},
};

enum { FORMAT_COUNT = sizeof FORMATS / sizeof FORMATS[0] };

const char *tracking_format_name(TrackingFormat format)
{
    return FORMATS[format].name;
}

const char *tracking_identifier_column(TrackingFormat format)
{
    return FORMATS[format].identifier;
}

const char *tracking_time_column(const TrackingTable *table)
{
    return table->format == TRACKING_DRIZZLE_KIT && table->time_bigint ? table->time_column : NULL;
}

const char *tracking_time_expression(const TrackingTable *table)
{
    const char *column = tracking_time_column(table);
    return column != NULL ? column : "NULL";
}

bool tracking_format_from_name(const char *name, TrackingFormat *ret_format)
{
    for (size_t i = TRACKING_NAME; i < FORMAT_COUNT; i++) {
        if (strcmp(name, FORMATS[i].name) == 0) {
            *ret_format = (TrackingFormat)i;
            return true;
        }
    }
    return false;
}

static unsigned column_bits(const TrackingColumn *columns, size_t count)
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof KNOWN_COLUMNS / sizeof KNOWN_COLUMNS[0]; k++) {
            if (strcmp(columns[i].name, KNOWN_COLUMNS[k].name) != 0)
                continue;
            bits |= KNOWN_COLUMNS[k].bit;
            if (strcmp(columns[i].type, "bigint") == 0)
                bits |= KNOWN_COLUMNS[k].bigint_bit;
        }
    }
    return bits;
}

/* The first column that a format needs and the table lacks, or NULL. */
static const char *missing_column(TrackingFormat format, unsigned bits)
{
    if ((bits & HAS_ID) == 0)
        return "id";
    if ((bits & FORMATS[format].identifier_bit) == 0)
        return FORMATS[format].identifier;
    if ((bits & HAS_CREATED_AT) == 0 && (format != TRACKING_NAME || (bits & HAS_APPLIED_AT) == 0))
        return "created_at";
    return NULL;
}

static void append_columns(Buffer *list, const TrackingColumn *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_appendf(list, "%s%s %s", i > 0 ? ", " : "", columns[i].name, columns[i].type);
}

static void list_columns(Error *error, const TrackingColumn *columns, size_t count)
{
    BUFFER_CLEANUP Buffer list = {0};
    append_columns(&list, columns, count);
    error_set_detail(error, "the tracking table has the columns: %s", buffer_text(&list));
}

static void set_unknown(Error *error, const TrackingColumn *columns, size_t count)
{
    BUFFER_CLEANUP Buffer list = {0};
    append_columns(&list, columns, count);
    error_set(error, ERROR_TRACKING, "unknown tracking table format: columns %s", buffer_text(&list));
}

/* The table as one of this format. A missing column is worded as the server would: scripts match on it. */
static bool shape_as(TrackingFormat format, unsigned bits, TrackingTable *ret_table, Error *error)
{
    const char *missing = missing_column(format, bits);
    if (missing != NULL) {
        error_set(error, ERROR_TRACKING, "column \"%s\" does not exist", missing);
        error_set_hint(error, "set migrations.table or migrations.format to what this tenant has");
        return false;
    }
    TrackingTable table = {.format = format, .exists = true};
    bool applied_at = format == TRACKING_NAME && (bits & HAS_APPLIED_AT) != 0;
    strcpy(table.time_column, applied_at ? "applied_at" : "created_at");
    table.time_bigint = (bits & (applied_at ? APPLIED_AT_BIGINT : CREATED_AT_BIGINT)) != 0;
    *ret_table = table;
    return true;
}

bool tracking_detect(const TrackingColumn *columns, size_t count, TrackingTable *ret_table, Error *error)
{
    unsigned bits = column_bits(columns, count);
    TrackingFormat format = (bits & HAS_NAME) != 0            ? TRACKING_NAME
                            : (bits & HAS_HASH) == 0          ? TRACKING_NONE
                            : (bits & CREATED_AT_BIGINT) != 0 ? TRACKING_DRIZZLE_KIT
                                                              : TRACKING_HASH;
    if (format == TRACKING_NONE) {
        set_unknown(error, columns, count);
        error_set_detail(error, "it has neither a \"name\" nor a \"hash\" column");
        error_set_hint(error, "set migrations.table to the table that records the applied migrations");
        return false;
    }
    if (shape_as(format, bits, ret_table, error))
        return true;
    list_columns(error, columns, count);
    return false;
}

/* The first column that no row of ours could satisfy, or NULL. */
static const TrackingColumn *unsatisfied(const TrackingColumn *columns, size_t count,
                                         const TrackingTable *table)
{
    for (size_t i = 0; i < count; i++)
        if (columns[i].demands && strcmp(columns[i].name, FORMATS[table->format].identifier) != 0 &&
            strcmp(columns[i].name, table->time_column) != 0)
            return &columns[i];
    return NULL;
}

static bool detect_writable(const TrackingColumn *columns, size_t count, TrackingTable *ret_table,
                            Error *error)
{
    TrackingTable table;
    if (!tracking_detect(columns, count, &table, error))
        return false;
    const TrackingColumn *column = unsatisfied(columns, count, &table);
    if (column == NULL) {
        *ret_table = table;
        return true;
    }
    set_unknown(error, columns, count);
    error_set_detail(error,
                     "column \"%s\" demands a value, and rows of the format \"%s\", which it resembles, "
                     "have none for it",
                     column->name, FORMATS[table.format].name);
    error_set_hint(error, "set migrations.format to the one whose rows fit, or convert the table with "
                          "convert-format");
    return false;
}

void tracking_new(TrackingFormat format, TrackingTable *ret_table)
{
    *ret_table = (TrackingTable){.format = format, .time_bigint = format == TRACKING_DRIZZLE_KIT};
    strcpy(ret_table->time_column, format == TRACKING_NAME ? "applied_at" : "created_at");
}

/* The configured format, TRACKING_NONE for "auto". */
static bool configured_format(const char *format, TrackingFormat *ret_format, Error *error)
{
    *ret_format = TRACKING_NONE;
    if (format == NULL || format[0] == '\0' || strcmp(format, "auto") == 0)
        return true;
    if (tracking_format_from_name(format, ret_format))
        return true;
    error_set(error, ERROR_CONFIG, "unknown tracking format \"%s\"", format);
    error_set_hint(error, "use auto, name, hash or drizzle-kit");
    return false;
}

static bool choose_new(TrackingFormat explicit_format, const char *default_format, TrackingTable *ret_table,
                       Error *error)
{
    TrackingFormat format = explicit_format;
    if (format == TRACKING_NONE && !configured_format(default_format, &format, error))
        return false;
    tracking_new(format == TRACKING_NONE ? TRACKING_NAME : format, ret_table);
    return true;
}

bool tracking_resolve(const TrackingColumn *columns, size_t count, const TrackingWish *wish,
                      TrackingTable *ret_table, Error *error)
{
    TrackingFormat explicit_format;
    if (!configured_format(wish->format, &explicit_format, error))
        return false;
    if (count == 0)
        return choose_new(explicit_format, wish->default_format, ret_table, error);
    if (explicit_format == TRACKING_NONE)
        return wish->any_shape ? tracking_detect(columns, count, ret_table, error)
                               : detect_writable(columns, count, ret_table, error);
    if (shape_as(explicit_format, column_bits(columns, count), ret_table, error))
        return true;
    list_columns(error, columns, count);
    return false;
}

/* Which columns does the table have? No row: no schema; one row of NULLs: no table. Both look-ups are by the
 * catalog's unique index on a name, so the cost does not grow with the fleet; information_schema would judge
 * by privileges. */
static const char FIND_COLUMNS[] =
    "SELECT attname, pg_catalog.format_type(atttypid, NULL), " TRACKING_COLUMN_DEMANDS
    " FROM pg_catalog.pg_namespace n"
    " LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2"
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE n.nspname = $1 ORDER BY a.attnum";

static bool resolve_result(const PGresult *rows, const TrackingWish *wish, TrackingTable *ret_table,
                           Error *error)
{
    size_t count = PQgetisnull(rows, 0, 0) ? 0 : (size_t)PQntuples(rows);
    TrackingColumn *columns = calloc(count + 1, sizeof *columns);
    if (columns == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++)
        columns[i] = (TrackingColumn){.name = PQgetvalue(rows, (int)i, 0),
                                      .type = PQgetvalue(rows, (int)i, 1),
                                      .demands = PQgetvalue(rows, (int)i, 2)[0] == 't'};
    bool good = tracking_resolve(columns, count, wish, ret_table, error);
    free(columns);
    return good;
}

bool tracking_find(Connection *connection, const char *schema, const char *table, const TrackingWish *wish,
                   TrackingTable *ret_table, Error *error)
{
    PGresult *rows = NULL;
    if (!connection_query(connection, FIND_COLUMNS, 2, (const char *const[]){schema, table}, &rows, error))
        return false;
    bool good = PQntuples(rows) > 0
                    ? resolve_result(rows, wish, ret_table, error)
                    : error_set(error, ERROR_NO_SCHEMA, "schema \"%s\" does not exist", schema);
    PQclear(rows);
    return good;
}
