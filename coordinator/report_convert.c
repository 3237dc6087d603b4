#include "coordinator/report_convert.h"
#include "common/buffer.h"
#include "coordinator/last_words.h"
#include "coordinator/report_json.h"
#include "coordinator/report_table.h"
#include <string.h>

/* NULL when memory ran out. */
static json_t *results_json(const ConvertReport *report)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < report->count; i++) {
        if (json_array_append_new(list, record_to_json(&CONVERT_RESULT_CLI, &report->entries[i].result)) == 0)
            continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

bool report_convert_json(FILE *file, const ConvertReport *report, const Error *reason, Error *error)
{
    const EngineTotals *totals = &report->totals;
    json_t *document =
        json_pack("{s:o*,s:{s:I,s:I,s:I,s:I,s:I},s:s*}", "results", results_json(report), "summary", "total",
                  (json_int_t)totals->total, "succeeded", (json_int_t)totals->succeeded, "failed",
                  (json_int_t)totals->failed, "skipped", (json_int_t)totals->skipped, "durationMs",
                  (json_int_t)report->duration_ms, "note", report->note);
    if (json_object_get(document, "results") == NULL) {
        json_decref(document);
        return error_memory(error);
    }
    if (reason != NULL)
        report_add_reason(document, reason);
    return report_print_json(file, document, error);
}

static const char *entry_id(const void *report, size_t index)
{
    return ((const ConvertReport *)report)->entries[index].tenant->id;
}

static char *rows_cell(int64_t rows)
{
    Buffer text = {0};
    buffer_appendf(&text, "%lld", (long long)rows);
    return buffer_take(&text);
}

static const char *result_word(const ConvertEntry *entry, const char *done)
{
    const ConvertResult *result = &entry->result;
    if (entry->state != TENANT_SUCCEEDED)
        return entry->state == TENANT_FAILED ? "failed" : "skipped";
    if (result->from == NULL)
        return "no tracking table";
    return strcmp(result->from, result->to) == 0 && result->converted == 0 ? "nothing to do" : done;
}

static void fill_as(const ConvertReport *report, size_t index, const char *done, char **cells)
{
    const ConvertEntry *entry = &report->entries[index];
    const ConvertResult *result = &entry->result;
    cells[0] = report_cell(result_word(entry, done));
    cells[1] = report_cell(result->from);
    cells[2] = entry->state == TENANT_SUCCEEDED ? rows_cell(result->converted) : NULL;
    cells[3] = report_cell(result->error);
}

static void fill_done(const void *report, size_t index, char **cells)
{
    fill_as(report, index, "converted", cells);
}

static void fill_planned(const void *report, size_t index, char **cells)
{
    fill_as(report, index, "would convert", cells);
}

bool report_convert_text(FILE *file, const ConvertReport *report, bool dry_run, bool details, Error *error)
{
    static const char *const COLUMNS[] = {"RESULT", "FROM", "ROWS", "ERROR"};
    const ReportTable table = {.columns = COLUMNS,
                               .column_count = sizeof COLUMNS / sizeof COLUMNS[0],
                               .count = report->count,
                               .details = details,
                               .report = report,
                               .id = entry_id,
                               .fill = dry_run ? fill_planned : fill_done};
    return report_table_print(file, &table, error);
}

static const Tenant *entry_tenant(const void *report, size_t index)
{
    return ((const ConvertReport *)report)->entries[index].tenant;
}

static bool entry_failure(const void *report, size_t index, TenantFailure *ret_failure)
{
    const ConvertEntry *entry = &((const ConvertReport *)report)->entries[index];
    const ConvertResult *result = &entry->result;
    if (entry->state != TENANT_FAILED)
        return false;
    *ret_failure = (TenantFailure){
        .error = result->error, .sqlstate = result->sqlstate, .detail = result->detail, .hint = result->hint};
    return true;
}

void report_convert_last_words(FILE *file, const ConvertReport *report)
{
    BUFFER_CLEANUP Buffer command = {0};
    buffer_appendf(&command, "pgconvoy convert-format --to %s", report->to);
    last_words_print(file, &(LastWords){.command = buffer_text(&command),
                                        .totals = report->totals,
                                        .duration_ms = report->duration_ms,
                                        .several_databases = report->several_databases,
                                        .count = report->count,
                                        .report = report,
                                        .tenant = entry_tenant,
                                        .failure = entry_failure});
    if (report->note != NULL)
        fprintf(file, "note: %s\n", report->note);
}
