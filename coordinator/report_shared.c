#include "coordinator/report_shared.h"
#include "coordinator/report_table.h"
#include "coordinator/shared.h"
#include <stdlib.h>
#include <string.h>

static json_t *entry_json(const RunEntry *entry, bool status)
{
    const SharedMigrationResult result = shared_result(entry);
    const SharedMigrationStatus read = shared_status(entry);
    return status ? record_to_json(&SHARED_MIGRATION_STATUS, &read)
                  : record_to_json(&SHARED_MIGRATION_RESULT_CLI, &result);
}

/* NULL when memory ran out. */
static json_t *entries_json(const RunReport *shared, bool status)
{
    json_t *entries = json_array();
    for (size_t i = 0; i < shared->count; i++)
        if (json_array_append_new(entries, entry_json(&shared->entries[i], status)) != 0) {
            json_decref(entries);
            return NULL;
        }
    return entries;
}

bool report_shared_json(FILE *file, const RunReport *shared, Error *error)
{
    if (shared->count == 1)
        return report_print_json(file, entry_json(&shared->entries[0], false), error);
    json_t *results = entries_json(shared, false);
    return report_print_json(file, results != NULL ? json_pack("{s:o}", "results", results) : NULL, error);
}

bool report_add_shared(json_t *document, const RunReport *report, bool status)
{
    const RunReport *shared = report->shared;
    if (document == NULL || shared == NULL || shared->count == 0)
        return true;
    json_t *value =
        shared->count == 1 ? entry_json(&shared->entries[0], status) : entries_json(shared, status);
    return json_object_set_new(document, "shared", value) == 0;
}

static void print_name(FILE *file, const RunReport *shared, const RunEntry *entry)
{
    fputs("shared schema", file);
    if (shared->several_databases)
        fprintf(file, " of %s", entry->tenant->database);
    fputs(": ", file);
}

static void print_names(FILE *file, const TextList *names)
{
    char *text = report_describe_list(names);
    fputs(text != NULL ? text : "", file);
    free(text);
}

void report_shared_text(FILE *file, const RunReport *shared, bool dry_run)
{
    for (size_t i = 0; i < shared->count; i++) {
        const RunEntry *entry = &shared->entries[i];
        const TextList *applied = &entry->result.applied_migrations;
        bool failed = entry->state != TENANT_SUCCEEDED;
        print_name(file, shared, entry);
        if (failed)
            fputs(entry->state == TENANT_FAILED ? "failed" : "skipped", file);
        if (!failed && applied->count == 0)
            fputs("up to date", file);
        if (applied->count > 0) {
            fprintf(file, "%s%s ", failed ? ", " : "", dry_run ? "would apply" : "applied");
            print_names(file, applied);
        }
        fputc('\n', file);
    }
    fflush(file); /* before the last words on stderr */
}

void report_shared_status_text(FILE *file, const RunReport *shared)
{
    for (size_t i = 0; i < shared->count; i++) {
        const RunEntry *entry = &shared->entries[i];
        const TenantMigrationStatus *status = &entry->status;
        print_name(file, shared, entry);
        if (status->error != NULL)
            fprintf(file, "error, %s", status->error);
        else
            fprintf(file, "%s, %lld applied, %lld pending", status->status, (long long)status->applied_count,
                    (long long)status->pending_count);
        if (status->pending_migrations.count > 0) {
            fputs(", ", file);
            print_names(file, &status->pending_migrations);
        }
        fputc('\n', file);
    }
    fflush(file);
}

static const char ERROR_WORD[] = "error: ";

static void print_error(FILE *file, const TenantMigrationResult *result)
{
    Error error = {.message = result->error,
                   .detail = result->detail,
                   .hint = result->hint,
                   .migration = result->migration,
                   .line = result->line,
                   .column = result->column};
    if (result->sqlstate != NULL)
        strncpy(error.sqlstate, result->sqlstate, sizeof error.sqlstate - 1);
    char *text = error_format(&error);
    fputs(text != NULL ? text + strlen(ERROR_WORD) : "out of memory\n", file);
    free(text);
}

void report_shared_errors(FILE *file, const RunReport *shared)
{
    for (size_t i = 0; i < shared->count; i++) {
        const RunEntry *entry = &shared->entries[i];
        const TenantMigrationResult *result = &entry->result;
        if (entry->state == TENANT_SUCCEEDED || result->error == NULL)
            continue;
        fputs(ERROR_WORD, file);
        print_name(file, shared, entry);
        print_error(file, result);
    }
}
