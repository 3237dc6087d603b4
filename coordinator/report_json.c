#include "coordinator/report_json.h"
#include "coordinator/report.h"
#include "coordinator/report_shared.h"
#include <stdlib.h>
#include <string.h>

static bool finish(FILE *file, Error *error)
{
    fputc('\n', file);
    return (fflush(file) == 0 && !ferror(file)) || error_set(error, ERROR_SYSTEM, "cannot write the report");
}

bool report_print_json(FILE *file, json_t *document, Error *error)
{
    if (document == NULL)
        return error_memory(error);
    bool ok = json_dumpf(document, file, JSON_INDENT(2)) == 0 || ferror(file) || error_memory(error);
    json_decref(document);
    return ok && finish(file, error);
}

/* Prints a value that begins in the middle of a document, with this before every line but its first. */
static bool print_inside(FILE *file, json_t *value, const char *indent, Error *error)
{
    char *text = json_text(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    json_decref(value);
    if (text == NULL)
        return error_memory(error);
    const char *line = text;
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        fwrite(line, 1, (size_t)(end + 1 - line), file);
        fputs(indent, file);
    }
    fputs(line, file);
    free(text);
    return true;
}

/* Prints an object's members, each with what separates it from the one before it. */
static bool print_members(FILE *file, json_t *object, bool *is_first, Error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        fprintf(file, "%s\n  \"%s\": ", *is_first ? "" : ",", name);
        *is_first = false;
        if (!print_inside(file, json_incref(value), "  ", error))
            return false;
    }
    return true;
}

static bool print_list(FILE *file, const ReportRows *rows, bool *is_first, Error *error)
{
    fprintf(file, "%s\n  \"%s\": [", *is_first ? "" : ",", rows->name);
    *is_first = false;
    for (size_t i = 0; i < rows->count; i++) {
        fputs(i > 0 ? ",\n    " : "\n    ", file);
        if (!print_inside(file, rows->row(rows->report, i), "    ", error))
            return false;
    }
    fputs(rows->count > 0 ? "\n  ]" : "]", file);
    return true;
}

bool report_print_rows(FILE *file, json_t *head, const ReportRows *rows, json_t *rest, Error *error)
{
    bool is_first = true, ok = rest != NULL || error_memory(error);
    if (ok)
        fputc('{', file);
    ok = ok && print_members(file, head, &is_first, error) && print_list(file, rows, &is_first, error) &&
         print_members(file, rest, &is_first, error);
    json_decref(head);
    json_decref(rest);
    if (!ok)
        return false;
    fputs("\n}", file);
    return finish(file, error);
}

void report_add_reason(json_t *document, const Error *reason)
{
    json_object_set_new(document, "error", json_string(reason->message != NULL ? reason->message : "failed"));
    json_object_set_new(document, "code", json_string(error_class(reason->code)->name));
    if (reason->hint != NULL)
        json_object_set_new(document, "suggestion", json_string(reason->hint));
    if (reason->detail != NULL)
        json_object_set_new(document, "detail", json_string(reason->detail));
    if (reason->sqlstate[0] != '\0')
        json_object_set_new(document, "sqlstate", json_string(reason->sqlstate));
}

static json_t *migrate_row(const void *report, size_t index)
{
    const TenantMigrationResult result = run_report_result(report, index);
    return record_to_json(&TENANT_MIGRATION_RESULT_CLI, &result);
}

bool report_migrate_rows(FILE *file, const RunReport *report, json_t *figures, const Error *reason,
                         Error *error)
{
    const EngineTotals *totals = &report->totals;
    json_t *summary = json_pack("{s:I,s:I,s:I,s:I,s:I}", "total", (json_int_t)totals->total, "succeeded",
                                (json_int_t)totals->succeeded, "failed", (json_int_t)totals->failed,
                                "skipped", (json_int_t)(totals->skipped + totals->pending), "durationMs",
                                (json_int_t)report->duration_ms);
    if (report->count > 0)
        json_object_set_new(summary, "averageMs",
                            json_integer(report->duration_ms / (json_int_t)report->count));
    json_t *rest = json_pack("{s:o,s:o*}", "summary", summary, "rehearsal", figures);
    if (rest != NULL && reason != NULL)
        report_add_reason(rest, reason);
    if (!report_add_shared(rest, report, false)) {
        json_decref(rest);
        return error_memory(error);
    }
    const ReportRows rows = {"results", report->count, report, migrate_row};
    return report_print_rows(file, NULL, &rows, rest, error);
}

bool report_migrate_json(FILE *file, const RunReport *report, const Error *reason, Error *error)
{
    return report_migrate_rows(file, report, NULL, reason, error);
}

static json_t *status_row(const void *report, size_t index)
{
    const TenantMigrationStatus status = run_report_status(report, index);
    return record_to_json(&TENANT_MIGRATION_STATUS_CLI, &status);
}

bool report_status_json(FILE *file, const RunReport *report, Error *error)
{
    size_t ok = 0, behind = 0;
    for (size_t i = 0; i < report->count; i++) {
        const char *status = run_report_status(report, i).status;
        ok += status != NULL && strcmp(status, "ok") == 0;
        behind += status != NULL && strcmp(status, "behind") == 0;
    }
    json_t *rest = json_pack("{s:{s:I,s:I,s:I,s:I}}", "summary", "total", (json_int_t)report->count,
                             "upToDate", (json_int_t)ok, "behind", (json_int_t)behind, "error",
                             (json_int_t)(report->count - ok - behind));
    if (!report_add_shared(rest, report, true)) {
        json_decref(rest);
        return error_memory(error);
    }
    const ReportRows rows = {"tenants", report->count, report, status_row};
    return report_print_rows(file, NULL, &rows, rest, error);
}

void report_error_json(FILE *file, const Error *error, const RecordList *refused_files)
{
    json_t *document = json_object();
    report_add_reason(document, error);
    size_t count = refused_files != NULL ? refused_files->count : 0;
    json_t *files = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(files,
                              record_to_json(&PARSE_FAILURE, (const ParseFailure *)refused_files->items + i));
    if (count > 0)
        json_object_set(document, "files", files);
    json_decref(files);
    Error ignored = {0};
    if (!report_print_json(file, document, &ignored))
        error_clear(&ignored); /* stdout is gone; the exit code still tells */
}

bool report_record_json(FILE *file, const RecordType *type, const void *record, Error *error)
{
    return report_print_json(file, record_to_json(type, record), error);
}
