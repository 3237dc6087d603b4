/* What the tests of convert-format share, beside what those of sync do: tables as each tool makes them, and a
 * result as one text. */
#pragma once
#include "tests/integration/sync_support.h"

/* The npm package's tables, by format; drizzle-orm's own has a time that may be null. */
static const char *const PACKAGE_TABLES[] = {
    "(id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, applied_at TIMESTAMP WITH TIME ZONE DEFAULT "
    "CURRENT_TIMESTAMP)",
    "(id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at TIMESTAMP WITH TIME ZONE DEFAULT "
    "CURRENT_TIMESTAMP)",
    "(id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at BIGINT NOT NULL)",
};
static const char ORM_TABLE[] = "(id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)";
enum { NAME, HASH, KIT };

typedef struct Converted {
    ConvertResult result;
    Outcome outcome;
} Converted;

static inline Converted convert_with(Reservoir *reservoir, const Bundle *bundle, const char *to)
{
    RunOptions options = bench->options;
    options.to_format = (char *)to;
    OpContext context = sync_context(reservoir, bundle);
    context.options = &options;
    OpTenant tenant = {.id = "id of t", .schema = "t", .attempt = 1};
    Converted converted = {0};
    op_convert(&context, &tenant, 1, &converted.result, &converted.outcome);
    assert_string_equal(converted.result.tenant_id, "id of t");
    assert_string_equal(converted.result.schema_name, "t");
    assert_string_equal(converted.result.to, to);
    assert_string_equal(converted.result.outcome, outcome_name(converted.outcome));
    assert_int_equal(converted.result.success, converted.result.error == NULL);
    assert_int_equal(converted.result.success, outcome_state(converted.outcome) == TENANT_SUCCEEDED);
    return converted;
}

/* "outcome from>to rows" or "outcome: error"; releases the result. */
static inline void expect_converted(Converted converted, const char *expected)
{
    Buffer text = {0};
    const ConvertResult *result = &converted.result;
    if (result->error != NULL) {
        buffer_appendf(&text, "%s: %s", result->outcome, result->error);
        assert_int_equal(result->converted, 0);
    } else {
        buffer_appendf(&text, "%s %s>%s %lld", result->outcome, result->from != NULL ? result->from : "null",
                       result->to, (long long)result->converted);
    }
    assert_string_equal(buffer_text(&text), expected);
    buffer_clear(&text);
    record_clear(&CONVERT_RESULT, &converted.result);
}

static inline void expect_convert(const Bundle *bundle, const char *to, const char *expected)
{
    expect_converted(convert_with(bench->pooled, bundle, to), expected);
}

/* A conversion in a thread of its own, on connections of its own. */
typedef struct Converter {
    pthread_t thread;
    const Bundle *bundle;
    const char *to;
    Reservoir *reservoir;
    Converted converted;
} Converter;

static inline void *convert_thread(void *argument)
{
    Converter *converter = argument;
    converter->converted = convert_with(converter->reservoir, converter->bundle, converter->to);
    return NULL;
}

static inline void converter_start(Converter *converter, const Bundle *bundle, const char *to)
{
    *converter = (Converter){.bundle = bundle, .to = to, .reservoir = bench_reservoir(bench)};
    assert_int_equal(pthread_create(&converter->thread, NULL, convert_thread, converter), 0);
}

static inline void converter_join(Converter *converter)
{
    pthread_join(converter->thread, NULL);
    bench_reservoir_free(converter->reservoir);
}

/* Columns, constraints, indexes and the id's sequence of "schema"."table" without the schema's name,
 * malloc'ed.
 */
static inline char *shape_text(const char *schema, const char *table)
{
    return sql_text(
        bench->admin,
        "WITH t AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = "
        "'%s' AND relname = '%s') SELECT replace("
        "(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN "
        "' not null' ELSE '' END || coalesce(' default ' || pg_get_expr(adbin, adrelid), ''), E'\\n' ORDER "
        "BY "
        "attnum) FROM t, pg_attribute a LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE "
        "attrelid = t.oid AND attnum > 0 AND NOT attisdropped) || E'\\n' || "
        "(SELECT string_agg(conname || ' ' || pg_get_constraintdef(k.oid), E'\\n' ORDER BY conname) FROM t, "
        "pg_constraint k WHERE conrelid = t.oid) || E'\\n' || "
        "(SELECT string_agg(pg_get_indexdef(indexrelid), E'\\n' ORDER BY 1) FROM t, pg_index WHERE indrelid "
        "= "
        "t.oid) || E'\\n' || "
        "coalesce(pg_get_serial_sequence('\"%s\".\"%s\"', 'id'), 'no sequence'), '%s.', '')",
        schema, table, schema, table, schema);
}

static inline void expect_fresh_shape(const char *format)
{
    size_t i = 0;
    while (strcmp(FORMATS[i], format) != 0)
        i++;
    sql_run(bench->admin,
            "DROP SCHEMA IF EXISTS fresh CASCADE; CREATE SCHEMA fresh; CREATE TABLE "
            "fresh.__drizzle_migrations %s",
            PACKAGE_TABLES[i]);
    char *expected = shape_text("fresh", "__drizzle_migrations");
    char *found = shape_text("t", "__drizzle_migrations");
    assert_string_equal(found, expected);
    free(expected);
    free(found);
}

/* All rows as one text, malloc'ed. */
static inline char *rows_text(void)
{
    return sql_text(bench->admin,
                    "SELECT string_agg(to_jsonb(m)::text, E'\\n' ORDER BY id) FROM t.__drizzle_migrations m");
}

static inline void expect_rows(const char *expected)
{
    char *found = rows_text();
    assert_string_equal(found, expected);
    free(found);
}

/* Shape and rows. */
static inline char *table_text(void)
{
    char *shape = shape_text("t", "__drizzle_migrations"), *rows = rows_text();
    Buffer text = {0};
    buffer_appendf(&text, "%s\n%s", shape, rows);
    free(shape);
    free(rows);
    return buffer_take(&text);
}

/* Refused with this, and nothing is different. */
static inline void expect_refused(const Bundle *bundle, const char *to, const char *expected)
{
    char *before = table_text();
    expect_convert(bundle, to, expected);
    char *after = table_text();
    assert_string_equal(before, after);
    free(before);
    free(after);
}
