#include "coordinator/report_sync.h"
#include "common/buffer.h"
#include "coordinator/last_words.h"
#include "coordinator/report_json.h"
#include "coordinator/report_table.h"
#include <string.h>

/* Every entry's status or result under this description; NULL when memory ran out. */
static json_t *entries_json(const SyncReport *report, const RecordType *type, size_t offset)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < report->count; i++) {
        const char *record = (const char *)&report->entries[i] + offset;
        if (json_array_append_new(list, record_to_json(type, record)) == 0)
            continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *status_json(const SyncReport *report)
{
    return json_pack("{s:o*,s:{s:I,s:I,s:I,s:I}}", "tenants",
                     entries_json(report, &TENANT_SYNC_STATUS_CLI, offsetof(SyncEntry, status)), "summary",
                     "total", (json_int_t)report->count, "inSync", (json_int_t)report->in_sync, "outOfSync",
                     (json_int_t)report->out_of_sync, "error", (json_int_t)report->errors);
}

static json_t *action_json(const SyncReport *report)
{
    const RecordType *type =
        report->action == SYNC_MARK_MISSING ? &TENANT_SYNC_MARKED_CLI : &TENANT_SYNC_CLEANED_CLI;
    const EngineTotals *totals = &report->totals;
    json_t *document =
        json_pack("{s:s,s:o*,s:{s:I,s:I,s:I,s:I}}", "action", sync_action_name(report->action), "results",
                  entries_json(report, type, offsetof(SyncEntry, result)), "summary", "total",
                  (json_int_t)totals->total, "succeeded", (json_int_t)totals->succeeded, "failed",
                  (json_int_t)totals->failed, "durationMs", (json_int_t)report->duration_ms);
    if (document != NULL && totals->skipped > 0) /* ours: totals add up after an abort, too */
        json_object_set_new(json_object_get(document, "summary"), "skipped",
                            json_integer((json_int_t)totals->skipped));
    return document;
}

bool report_sync_json(FILE *file, const SyncReport *report, const Error *reason, Error *error)
{
    bool status = report->action == SYNC_STATUS;
    json_t *document = status ? status_json(report) : action_json(report);
    if (json_object_get(document, status ? "tenants" : "results") == NULL) {
        json_decref(document);
        return error_memory(error);
    }
    if (reason != NULL)
        report_add_reason(document, reason);
    return report_print_json(file, document, error);
}

static const char *entry_id(const void *report, size_t index)
{
    return ((const SyncReport *)report)->entries[index].tenant->id;
}

static void fill_status(const void *report, size_t index, char **cells)
{
    const TenantSyncStatus *status = &((const SyncReport *)report)->entries[index].status;
    cells[0] = report_cell(status->error != NULL ? "error" : status->in_sync ? "in sync" : "out of sync");
    cells[1] = report_describe_list(&status->missing);
    cells[2] = report_describe_list(&status->orphans);
    cells[3] = report_cell(status->format);
    cells[4] = report_cell(status->error);
}

static void fill_done_as(const SyncReport *report, size_t index, const char *word, char **cells)
{
    const SyncEntry *entry = &report->entries[index];
    const TextList *done = sync_entry_done(report, index);
    cells[0] = report_cell(entry->state == TENANT_FAILED      ? "failed"
                           : entry->state != TENANT_SUCCEEDED ? "skipped"
                           : done->count == 0                 ? "nothing to do"
                                                              : word);
    cells[1] = report_describe_list(done);
    cells[2] = report_cell(entry->result.error);
}

static void fill_done(const void *report, size_t index, char **cells)
{
    bool marked = ((const SyncReport *)report)->action == SYNC_MARK_MISSING;
    fill_done_as(report, index, marked ? "marked" : "removed", cells);
}

static void fill_planned(const void *report, size_t index, char **cells)
{
    bool marked = ((const SyncReport *)report)->action == SYNC_MARK_MISSING;
    fill_done_as(report, index, marked ? "would mark" : "would remove", cells);
}

bool report_sync_text(FILE *file, const SyncReport *report, bool dry_run, bool details, Error *error)
{
    static const char *const STATUS[] = {"STATUS", "MISSING", "ORPHANS", "FORMAT", "ERROR"};
    static const char *const MARKED[] = {"RESULT", "MIGRATIONS", "ERROR"};
    static const char *const CLEANED[] = {"RESULT", "ORPHANS", "ERROR"};
    ReportTable table = {.columns = report->action == SYNC_MARK_MISSING ? MARKED : CLEANED,
                         .column_count = sizeof MARKED / sizeof MARKED[0],
                         .count = report->count,
                         .details = details,
                         .report = report,
                         .id = entry_id,
                         .fill = dry_run ? fill_planned : fill_done};
    if (report->action == SYNC_STATUS) {
        table.columns = STATUS;
        table.column_count = sizeof STATUS / sizeof STATUS[0];
        table.fill = fill_status;
    }
    return report_table_print(file, &table, error);
}

static const Tenant *entry_tenant(const void *report, size_t index)
{
    return ((const SyncReport *)report)->entries[index].tenant;
}

static bool entry_failure(const void *report, size_t index, TenantFailure *ret_failure)
{
    const SyncEntry *entry = &((const SyncReport *)report)->entries[index];
    const TenantSyncResult *result = &entry->result;
    if (entry->state != TENANT_FAILED)
        return false;
    *ret_failure =
        (TenantFailure){.error = result->error != NULL ? result->error : entry->status.error,
                        .sqlstate = result->sqlstate != NULL ? result->sqlstate : entry->status.sqlstate,
                        .detail = result->detail,
                        .hint = result->hint};
    return true;
}

void report_sync_last_words(FILE *file, const SyncReport *report)
{
    BUFFER_CLEANUP Buffer command = {0};
    buffer_append_text(&command, "pgconvoy sync");
    if (report->action != SYNC_STATUS)
        buffer_appendf(&command, " --%s", sync_action_name(report->action));
    last_words_print(file, &(LastWords){.command = buffer_text(&command),
                                        .totals = report->totals,
                                        .duration_ms = report->duration_ms,
                                        .several_databases = report->several_databases,
                                        .count = report->count,
                                        .report = report,
                                        .tenant = entry_tenant,
                                        .failure = entry_failure});
    if (report->action == SYNC_STATUS && report->out_of_sync > 0)
        fprintf(file,
                "%zu tenants are out of sync: `sync --mark-missing` records what is missing without running "
                "it, `sync --clean-orphans` removes rows without a file\n",
                report->out_of_sync);
}
