#include "coordinator/report_json.h"
#include "coordinator/report.h"
#include "coordinator/report_shared.h"
#include <string.h>

bool report_print_json(FILE *file, json_t *document, Error *error)
{
    if (document == NULL)
        return error_memory(error);
    int failed = json_dumpf(document, file, JSON_INDENT(2));
    json_decref(document);
    if (failed != 0 || fputc('\n', file) == EOF || fflush(file) != 0)
        return error_set(error, ERROR_SYSTEM, "cannot write the report");
    return true;
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

bool report_migrate_json(FILE *file, const RunReport *report, const Error *reason, Error *error)
{
    json_t *results = json_array();
    for (size_t i = 0; i < report->count; i++)
        if (json_array_append_new(
                results, record_to_json(&TENANT_MIGRATION_RESULT_CLI, &report->entries[i].result)) != 0) {
            json_decref(results);
            return error_memory(error);
        }
    const EngineTotals *totals = &report->totals;
    json_t *summary = json_pack("{s:I,s:I,s:I,s:I,s:I}", "total", (json_int_t)totals->total, "succeeded",
                                (json_int_t)totals->succeeded, "failed", (json_int_t)totals->failed,
                                "skipped", (json_int_t)(totals->skipped + totals->pending), "durationMs",
                                (json_int_t)report->duration_ms);
    if (report->count > 0)
        json_object_set_new(summary, "averageMs",
                            json_integer(report->duration_ms / (json_int_t)report->count));
    json_t *document = json_pack("{s:o,s:o}", "results", results, "summary", summary);
    if (document != NULL && reason != NULL)
        report_add_reason(document, reason);
    if (!report_add_shared(document, report, false)) {
        json_decref(document);
        return error_memory(error);
    }
    return report_print_json(file, document, error);
}

bool report_status_json(FILE *file, const RunReport *report, Error *error)
{
    json_t *tenants = json_array();
    size_t ok = 0, behind = 0;
    for (size_t i = 0; i < report->count; i++) {
        const TenantMigrationStatus *status = &report->entries[i].status;
        ok += status->status != NULL && strcmp(status->status, "ok") == 0;
        behind += status->status != NULL && strcmp(status->status, "behind") == 0;
        if (json_array_append_new(tenants, record_to_json(&TENANT_MIGRATION_STATUS_CLI, status)) != 0) {
            json_decref(tenants);
            return error_memory(error);
        }
    }
    json_t *summary =
        json_pack("{s:I,s:I,s:I,s:I}", "total", (json_int_t)report->count, "upToDate", (json_int_t)ok,
                  "behind", (json_int_t)behind, "error", (json_int_t)(report->count - ok - behind));
    json_t *document = json_pack("{s:o,s:o}", "tenants", tenants, "summary", summary);
    if (!report_add_shared(document, report, true)) {
        json_decref(document);
        return error_memory(error);
    }
    return report_print_json(file, document, error);
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
