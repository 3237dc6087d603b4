#include "coordinator/last_words.h"
#include "coordinator/report.h"
#include "coordinator/report_table.h"
#include <stdlib.h>
#include <string.h>

static const char *entry_id(const void *report, size_t index)
{
    return ((const RunReport *)report)->entries[index].tenant->id;
}

static const char *state_word(TenantState state, size_t migrations, const char *applied)
{
    if (state == TENANT_FAILED)
        return "failed";
    if (state != TENANT_SUCCEEDED)
        return "skipped";
    return migrations == 0 ? "up to date" : applied;
}

static void fill_migrated_as(const RunReport *report, size_t index, const char *applied, char **cells)
{
    const TenantMigrationResult result = run_report_result(report, index);
    TenantState state = report->entries[index].state;
    cells[0] = report_cell(state_word(state, result.applied_migrations.count, applied));
    cells[1] = report_describe_list(&result.applied_migrations);
    cells[2] = report_cell(result.migration);
    cells[3] = report_cell(result.error);
}

static void fill_migrated(const void *report, size_t index, char **cells)
{
    fill_migrated_as(report, index, "applied", cells);
}

static void fill_planned(const void *report, size_t index, char **cells)
{
    fill_migrated_as(report, index, "would apply", cells);
}

bool report_migrate_text(FILE *file, const RunReport *report, bool dry_run, bool details, Error *error)
{
    static const char *const COLUMNS[] = {"RESULT", "MIGRATIONS", "FAILED AT", "ERROR"};
    const ReportTable table = {.columns = COLUMNS,
                               .column_count = sizeof COLUMNS / sizeof COLUMNS[0],
                               .count = report->count,
                               .details = details,
                               .report = report,
                               .id = entry_id,
                               .fill = dry_run ? fill_planned : fill_migrated};
    return report_table_print(file, &table, error);
}

static void fill_status(const void *report, size_t index, char **cells)
{
    const TenantMigrationStatus status = run_report_status(report, index);
    char applied[32];
    snprintf(applied, sizeof applied, "%lld", (long long)status.applied_count);
    cells[0] = report_cell(status.status);
    cells[1] = report_cell(applied);
    cells[2] = report_describe_list(&status.pending_migrations);
    cells[3] = report_cell(status.format);
    cells[4] = report_cell(status.error);
}

bool report_status_text(FILE *file, const RunReport *report, bool details, Error *error)
{
    static const char *const COLUMNS[] = {"STATUS", "APPLIED", "PENDING", "FORMAT", "ERROR"};
    const ReportTable table = {.columns = COLUMNS,
                               .column_count = sizeof COLUMNS / sizeof COLUMNS[0],
                               .count = report->count,
                               .details = details,
                               .report = report,
                               .id = entry_id,
                               .fill = fill_status};
    return report_table_print(file, &table, error);
}

void report_refused_files(FILE *file, const RecordList *refused_files)
{
    const ParseFailure *failures = refused_files->items;
    for (size_t i = 0; i < refused_files->count; i++) {
        const ParseFailure *failure = &failures[i];
        Error entry = {.message = failure->error,
                       .detail = failure->detail,
                       .hint = failure->hint,
                       .migration = failure->migration,
                       .line = failure->line,
                       .column = failure->column};
        if (failure->sqlstate != NULL)
            strncpy(entry.sqlstate, failure->sqlstate, sizeof entry.sqlstate - 1);
        char *text = error_format(&entry);
        if (text != NULL)
            fputs(text, file);
        free(text);
    }
}

static const Tenant *entry_tenant(const void *report, size_t index)
{
    return ((const RunReport *)report)->entries[index].tenant;
}

static bool entry_failure(const void *report, size_t index, TenantFailure *ret_failure)
{
    const TenantMigrationResult result = run_report_result(report, index);
    if (((const RunReport *)report)->entries[index].state != TENANT_FAILED)
        return false;
    *ret_failure = (TenantFailure){.error = result.error,
                                   .sqlstate = result.sqlstate,
                                   .detail = result.detail,
                                   .hint = result.hint,
                                   .migration = result.migration,
                                   .line = result.line};
    return true;
}

void report_last_words(FILE *file, const RunReport *report, const char *command)
{
    last_words_print(file, &(LastWords){.command = command,
                                        .totals = report->totals,
                                        .duration_ms = report->duration_ms,
                                        .several_databases = report->several_databases,
                                        .count = report->count,
                                        .report = report,
                                        .tenant = entry_tenant,
                                        .failure = entry_failure});
}
