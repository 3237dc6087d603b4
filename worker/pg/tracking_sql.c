/* The SQL that creates, reads and writes a tracking table. */
#include "worker/pg/sql.h"
#include "worker/pg/tracking.h"
#include <string.h>
#include <time.h>

static const char *const DDL[] = {
    [TRACKING_NAME] = "(id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, applied_at TIMESTAMP WITH "
                      "TIME ZONE DEFAULT CURRENT_TIMESTAMP)",
    [TRACKING_HASH] = "(id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at TIMESTAMP WITH TIME ZONE "
                      "DEFAULT CURRENT_TIMESTAMP)",
    [TRACKING_DRIZZLE_KIT] = "(id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at BIGINT NOT NULL)",
};

void tracking_append_create(Buffer *sql, TrackingFormat format, const char *qualified)
{
    buffer_appendf(sql, "CREATE TABLE IF NOT EXISTS %s %s", qualified, DDL[format]);
}

static const char *identifier_value(TrackingFormat format, const Migration *migration)
{
    return format == TRACKING_NAME ? migration->name : migration->hash;
}

/* A configured format whose time column has another type gets an untyped literal: then the server itself says
 * why the value does not fit. */
static void append_time_literal(Buffer *sql, bool milliseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int part_ms = (int)(now.tv_nsec / 1000000);
    if (milliseconds) {
        buffer_appendf(sql, "'%lld'", (long long)now.tv_sec * 1000 + part_ms);
        return;
    }
    struct tm utc;
    char text[32];
    gmtime_r(&now.tv_sec, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buffer_appendf(sql, "'%s.%03dZ'", text, part_ms);
}

static void append_time(Buffer *sql, const TrackingTable *table, const Migration *migration)
{
    bool milliseconds = table->format == TRACKING_DRIZZLE_KIT;
    if (milliseconds && migration->when_ms > 0)
        buffer_appendf(sql, table->time_bigint ? "%lld" : "'%lld'", (long long)migration->when_ms);
    else if (table->time_bigint && table->format != TRACKING_HASH)
        buffer_append_text(sql, "pg_catalog.floor(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp()) * 1000)");
    else if (!table->time_bigint && !milliseconds)
        buffer_append_text(sql, "pg_catalog.date_trunc('milliseconds', pg_catalog.clock_timestamp())");
    else
        append_time_literal(sql, milliseconds);
}

void tracking_append_insert(Buffer *sql, const TrackingTable *table, const char *qualified,
                            const Migration *migration)
{
    buffer_appendf(sql, "INSERT INTO %s (%s, %s) VALUES (", qualified,
                   tracking_identifier_column(table->format), table->time_column);
    sql_append_literal(sql, identifier_value(table->format, migration));
    buffer_append_text(sql, ", ");
    append_time(sql, table, migration);
    buffer_append_char(sql, ')');
}

void tracking_append_applied(Buffer *sql, const TrackingTable *table, const char *qualified,
                             const Migration *migration, int64_t ordinal)
{
    const char *column = tracking_identifier_column(table->format);
    buffer_appendf(sql, "(EXISTS (SELECT FROM %s WHERE %s = ", qualified, column);
    sql_append_literal(sql, migration->name);
    buffer_append_char(sql, ')');
    if (table->format != TRACKING_NAME) {
        buffer_appendf(sql, " OR (SELECT pg_catalog.count(*) FROM %s WHERE %s = ", qualified, column);
        sql_append_literal(sql, migration->hash);
        buffer_appendf(sql, ") >= %lld", (long long)ordinal);
    }
    buffer_append_char(sql, ')');
}

int64_t tracking_ordinal(const Bundle *bundle, size_t index)
{
    int64_t ordinal = 1;
    for (size_t i = 0; i < index; i++)
        if (strcmp(bundle->items[i].hash, bundle->items[index].hash) == 0)
            ordinal++;
    return ordinal;
}
