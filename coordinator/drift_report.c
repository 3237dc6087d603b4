#include "coordinator/drift_report.h"
#include "common/schema_drift_json.h"
#include <string.h>

enum { FEW_TENANTS = 10, FEW_ISSUES = 20 };

/* An owned value that may be NULL because memory ran out. */
static bool append(json_t *array, json_t *value)
{
    return json_array_append_new(array, value) == 0;
}

static bool append_tenants(json_t *tenants, const DriftReport *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (!append(tenants, schema_drift_to_json(&TENANT_SCHEMA_DRIFT_CLI, &report->entries[i].drift)))
            return false;
    return true;
}

static bool append_clusters(json_t *clusters, const DriftReport *report)
{
    for (size_t i = 0; i < report->cluster_count; i++) {
        const DriftCluster *cluster = &report->clusters[i];
        const DriftEntry *example = &report->entries[cluster->example];
        if (!append(clusters, json_pack("{s:s,s:I,s:s}", "digest", example->digest.digest, "tenants",
                                        (json_int_t)cluster->count, "example", example->tenant->id)))
            return false;
    }
    return true;
}

bool drift_report_json(FILE *file, const DriftReport *report, Error *error)
{
    json_t *tenants = json_array(), *clusters = json_array();
    bool filled = append_tenants(tenants, report) && append_clusters(clusters, report);
    size_t same = report->count - report->with_drift - report->errors;
    json_t *document =
        json_pack("{s:s,s:o,s:{s:I,s:I,s:I,s:I,s:I},s:o}", "referenceTenant",
                  report->count > 0 ? report->entries[0].tenant->id : "", "tenants", tenants, "summary",
                  "total", (json_int_t)report->count, "noDrift", (json_int_t)same, "withDrift",
                  (json_int_t)report->with_drift, "error", (json_int_t)report->errors, "durationMs",
                  (json_int_t)report->duration_ms, "clusters", clusters);
    if (document == NULL || !filled) {
        json_decref(document);
        return error_memory(error);
    }
    int failed = json_dumpf(document, file, JSON_INDENT(2));
    json_decref(document);
    if (failed != 0 || fputc('\n', file) == EOF || fflush(file) != 0)
        return error_set(error, ERROR_SYSTEM, "cannot write the report");
    return true;
}

/* Counts lines against a limit; those above it are only counted. */
typedef struct Lines {
    FILE *file;
    size_t limit, count;
} Lines;

static void say(Lines *lines, const char *table, const char *description)
{
    if (lines->count++ < lines->limit)
        fprintf(lines->file, "  %s%s%s\n", table, table[0] != '\0' ? ": " : "", description);
}

static void say_objects(Lines *lines, const char *table, const RecordList *list)
{
    const ObjectDrift *objects = list->items;
    for (size_t i = 0; i < list->count; i++)
        say(lines, table, objects[i].description);
}

static void say_named(Lines *lines, const char *table, const RecordList *list)
{
    const NamedDrift *items = list->items;
    for (size_t i = 0; i < list->count; i++)
        say(lines, table, items[i].description);
}

static void say_table(Lines *lines, const TableDrift *table)
{
    const ColumnDrift *columns = table->columns.items;
    char heading[64];
    snprintf(heading, sizeof heading, "Table is %s (%zu columns)", table->status, table->columns.count);
    if (strcmp(table->status, "drifted") != 0) {
        say(lines, table->table, heading);
        return;
    }
    for (size_t i = 0; i < table->columns.count; i++)
        say(lines, table->table, columns[i].description);
    say_named(lines, table->table, &table->indexes);
    say_named(lines, table->table, &table->constraints);
    say_objects(lines, table->table, &table->objects);
}

static void say_drift(FILE *file, const TenantSchemaDrift *drift, bool details)
{
    Lines lines = {file, details ? SIZE_MAX : FEW_ISSUES, 0};
    const TableDrift *tables = drift->tables.items;
    for (size_t i = 0; i < drift->tables.count; i++)
        say_table(&lines, &tables[i]);
    say_objects(&lines, "", &drift->objects);
    if (drift->error != NULL)
        say(&lines, "", drift->error);
    if (lines.count > lines.limit)
        fprintf(file, "  ... and %zu more (--verbose shows all)\n", lines.count - lines.limit);
}

static void say_tenant(FILE *file, const DriftReport *report, const Tenant *tenant)
{
    if (report->several_databases)
        fprintf(file, "%s/", tenant->database);
    fputs(tenant->id, file);
}

static void say_members(FILE *file, const DriftReport *report, size_t cluster, bool details)
{
    size_t said = 0;
    for (size_t i = report->clusters[cluster].example; i < report->count; i++) {
        if (report->entries[i].cluster != cluster)
            continue;
        if (said == FEW_TENANTS && !details) {
            fputs(", ...", file);
            break;
        }
        fputs(said++ > 0 ? ", " : "", file);
        say_tenant(file, report, report->entries[i].tenant);
    }
}

static void say_errors(FILE *file, const DriftReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const TenantSchemaDrift *drift = &report->entries[i].drift;
        if (drift->error == NULL)
            continue;
        fputs("error: ", file);
        say_tenant(file, report, report->entries[i].tenant);
        fprintf(file, ": %s\n", drift->error);
    }
}

void drift_report_text(FILE *file, const DriftReport *report, bool details)
{
    if (report->count == 0) {
        fputs("no tenants\n", file);
        return;
    }
    fputs("reference: ", file);
    say_tenant(file, report, report->entries[0].tenant);
    fprintf(file, " (%s, %lld tables)\n", report->entries[0].tenant->schema,
            (long long)report->entries[0].digest.tables);
    bool known = report->entries[0].drift.error == NULL;
    for (size_t i = 1; known && i < report->cluster_count; i++) {
        const DriftCluster *cluster = &report->clusters[i];
        const TenantSchemaDrift *drift = &report->entries[cluster->example].drift;
        fprintf(file, "\n%zu tenant%s, %lld issue%s: ", cluster->count, cluster->count == 1 ? "" : "s",
                (long long)drift->issue_count, drift->issue_count == 1 ? "" : "s");
        say_members(file, report, i, details);
        fputc('\n', file);
        say_drift(file, drift, details);
    }
    fputs(report->with_drift > 0 ? "\n" : "", file);
    say_errors(file, report);
    fprintf(file, "%zu tenants: ", report->count);
    for (size_t i = 0; known && i < report->cluster_count; i++)
        fprintf(file, "%s%zu%s", i > 0 ? " / " : "", report->clusters[i].count,
                i == 0 ? " like the reference" : "");
    fprintf(file, "%s%zu errors\n", known ? ", " : "", report->errors);
}
