#include "coordinator/report_seed.h"
#include "coordinator/last_words.h"
#include "coordinator/report_json.h"
#include "coordinator/report_table.h"
#include <string.h>

/* NULL when memory ran out. */
static json_t *results_json(const SeedReport *report)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < report->count; i++) {
        json_t *result = record_to_json(&TENANT_SEED_RESULT_CLI, &report->entries[i].result);
        if (json_array_append_new(list, result) == 0)
            continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

json_t *report_seed_document(const SeedReport *report)
{
    const EngineTotals *totals = &report->totals;
    json_t *results = results_json(report);
    if (results == NULL)
        return NULL;
    return json_pack("{s:o,s:{s:I,s:I,s:I,s:I}}", "results", results, "summary", "total",
                     (json_int_t)totals->total, "succeeded", (json_int_t)totals->succeeded, "failed",
                     (json_int_t)totals->failed, "skipped", (json_int_t)(totals->skipped + totals->pending));
}

void report_add_dry_run(json_t *document, const SeedReport *report)
{
    if (report->dry_run)
        json_object_set_new(document, "dryRun", json_true());
}

bool report_seed_json(FILE *file, const SeedReport *report, const Error *reason, Error *error)
{
    json_t *document = report_seed_document(report);
    json_t *summary = json_object_get(document, "summary");
    if (json_object_set_new(summary, "durationMs", json_integer(report->duration_ms)) != 0) {
        json_decref(document);
        return error_memory(error);
    }
    report_add_dry_run(document, report);
    if (reason != NULL)
        report_add_reason(document, reason);
    return report_print_json(file, document, error);
}

static const char *entry_id(const void *report, size_t index)
{
    return ((const SeedReport *)report)->entries[index].tenant->id;
}

const char *report_seed_word(const SeedReport *report, const SeedEntry *entry)
{
    if (entry->state != TENANT_SUCCEEDED)
        return entry->state == TENANT_FAILED ? "failed" : "skipped";
    return strcmp(entry->result.outcome, outcome_name(OUTCOME_ALREADY)) == 0 ? "already seeded"
           : report->dry_run                                                 ? "would seed"
                                                                             : "seeded";
}

static void fill(const void *report, size_t index, char **cells)
{
    const SeedEntry *entry = &((const SeedReport *)report)->entries[index];
    cells[0] = report_cell(report_seed_word(report, entry));
    cells[1] = report_cell(entry->result.error);
}

bool report_seed_text(FILE *file, const SeedReport *report, bool details, Error *error)
{
    static const char *const COLUMNS[] = {"RESULT", "ERROR"};
    const ReportTable table = {.columns = COLUMNS,
                               .column_count = sizeof COLUMNS / sizeof COLUMNS[0],
                               .count = report->count,
                               .details = details,
                               .report = report,
                               .id = entry_id,
                               .fill = fill};
    return report_table_print(file, &table, error);
}

static const Tenant *entry_tenant(const void *report, size_t index)
{
    return ((const SeedReport *)report)->entries[index].tenant;
}

static bool entry_failure(const void *report, size_t index, TenantFailure *ret_failure)
{
    const SeedReport *seed = report;
    const SeedEntry *entry = &seed->entries[index];
    const TenantSeedResult *result = &entry->result;
    if (entry->state != TENANT_FAILED)
        return false;
    *ret_failure = (TenantFailure){.error = result->error,
                                   .sqlstate = result->sqlstate,
                                   .detail = result->detail,
                                   .hint = result->hint,
                                   .migration = result->line > 0 ? seed->name : NULL,
                                   .line = result->line};
    return true;
}

void report_seed_last_words(FILE *file, const SeedReport *report, const char *command)
{
    last_words_print(file, &(LastWords){.command = command,
                                        .file = "seed",
                                        .repeats = !report->once,
                                        .totals = report->totals,
                                        .duration_ms = report->duration_ms,
                                        .several_databases = report->several_databases,
                                        .count = report->count,
                                        .report = report,
                                        .tenant = entry_tenant,
                                        .failure = entry_failure});
}
