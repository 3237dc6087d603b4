#include "coordinator/report_shared.h"
#include "common/buffer.h"
#include "coordinator/report_seed.h"
#include "coordinator/report_table.h"
#include "coordinator/shared.h"
#include <stdlib.h>
#include <string.h>

static json_t *entry_json(const RunReport *shared, size_t index, bool status)
{
    const SharedMigrationResult result = shared_result(shared, index);
    const SharedMigrationStatus read = shared_status(shared, index);
    return status ? record_to_json(&SHARED_MIGRATION_STATUS, &read)
                  : record_to_json(&SHARED_MIGRATION_RESULT_CLI, &result);
}

/* NULL when memory ran out. */
static json_t *entries_json(const RunReport *shared, bool status)
{
    json_t *entries = json_array();
    for (size_t i = 0; i < shared->count; i++)
        if (json_array_append_new(entries, entry_json(shared, i, status)) != 0) {
            json_decref(entries);
            return NULL;
        }
    return entries;
}

bool report_shared_json(FILE *file, const RunReport *shared, Error *error)
{
    if (shared->count == 1)
        return report_print_json(file, entry_json(shared, 0, false), error);
    json_t *results = entries_json(shared, false);
    return report_print_json(file, results != NULL ? json_pack("{s:o}", "results", results) : NULL, error);
}

bool report_add_shared(json_t *document, const RunReport *report, bool status)
{
    const RunReport *shared = report->shared;
    if (document == NULL || shared == NULL || shared->count == 0)
        return true;
    json_t *value = shared->count == 1 ? entry_json(shared, 0, status) : entries_json(shared, status);
    return json_object_set_new(document, "shared", value) == 0;
}

static void print_name(FILE *file, bool several_databases, const Tenant *tenant)
{
    fputs("shared schema", file);
    if (several_databases)
        fprintf(file, " of %s", tenant->database);
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
        const SharedMigrationResult result = shared_result(shared, i);
        const TextList *applied = &result.applied_migrations;
        bool failed = entry->state != TENANT_SUCCEEDED;
        print_name(file, shared->several_databases, entry->tenant);
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
        const SharedMigrationStatus status = shared_status(shared, i);
        print_name(file, shared->several_databases, entry->tenant);
        if (status.error != NULL)
            fprintf(file, "error, %s", status.error);
        else
            fprintf(file, "%s, %lld applied, %lld pending", status.status, (long long)status.applied_count,
                    (long long)status.pending_count);
        if (status.pending_migrations.count > 0) {
            fputs(", ", file);
            print_names(file, &status.pending_migrations);
        }
        fputc('\n', file);
    }
    fflush(file);
}

/* A failure as error_format() puts it, about the shared schema. */
static void print_error(FILE *file, bool several_databases, const Tenant *tenant, const Error *failure)
{
    static const char WORD[] = "error: ";
    char *text = error_format(failure);
    fputs(WORD, file);
    print_name(file, several_databases, tenant);
    fputs(text != NULL ? text + strlen(WORD) : "out of memory\n", file);
    free(text);
}

static void copy_sqlstate(Error *failure, const char *sqlstate)
{
    if (sqlstate != NULL)
        strncpy(failure->sqlstate, sqlstate, sizeof failure->sqlstate - 1);
}

void report_shared_errors(FILE *file, const RunReport *shared)
{
    for (size_t i = 0; i < shared->count; i++) {
        const RunEntry *entry = &shared->entries[i];
        const SharedMigrationResult result = shared_result(shared, i);
        if (entry->state == TENANT_SUCCEEDED || result.error == NULL)
            continue;
        Error failure = {.message = result.error,
                         .detail = result.detail,
                         .hint = result.hint,
                         .migration = result.migration,
                         .line = result.line,
                         .column = result.column};
        copy_sqlstate(&failure, result.sqlstate);
        print_error(file, shared->several_databases, entry->tenant, &failure);
    }
}

static json_t *seed_json(const SeedEntry *entry)
{
    const SharedSeedResult result = shared_seed_result(entry);
    return record_to_json(&SHARED_SEED_RESULT_CLI, &result);
}

/* An object, of several databases an array; NULL when memory ran out. */
static json_t *seeds_json(const SeedReport *shared)
{
    if (shared->count == 1)
        return seed_json(&shared->entries[0]);
    json_t *entries = json_array();
    for (size_t i = 0; i < shared->count; i++)
        if (json_array_append_new(entries, seed_json(&shared->entries[i])) != 0) {
            json_decref(entries);
            return NULL;
        }
    return entries;
}

bool report_shared_seed_json(FILE *file, const SeedReport *shared, Error *error)
{
    json_t *document = json_object();
    if (json_object_set_new(document, shared->count == 1 ? "result" : "results", seeds_json(shared)) != 0) {
        json_decref(document);
        return error_memory(error);
    }
    report_add_dry_run(document, shared);
    return report_print_json(file, document, error);
}

bool report_seed_both_json(FILE *file, const SeedReport *report, const Error *reason, Error *error)
{
    json_t *document = json_object();
    json_int_t total_ms = (json_int_t)report->duration_ms;
    if (json_object_set_new(document, "shared", seeds_json(report->shared)) != 0 ||
        json_object_set_new(document, "tenants", report_seed_document(report)) != 0 ||
        json_object_set_new(document, "totalDurationMs", json_integer(total_ms)) != 0) {
        json_decref(document);
        return error_memory(error);
    }
    report_add_dry_run(document, report);
    if (reason != NULL)
        report_add_reason(document, reason);
    return report_print_json(file, document, error);
}

void report_shared_seed_text(FILE *file, const SeedReport *shared)
{
    for (size_t i = 0; i < shared->count; i++) {
        const SeedEntry *entry = &shared->entries[i];
        print_name(file, shared->several_databases, entry->tenant);
        fprintf(file, "%s\n", report_seed_word(shared, entry));
    }
    fflush(file);
}

void report_shared_seed_errors(FILE *file, const SeedReport *shared)
{
    for (size_t i = 0; i < shared->count; i++) {
        const SeedEntry *entry = &shared->entries[i];
        const TenantSeedResult *result = &entry->result;
        if (entry->state == TENANT_SUCCEEDED || result->error == NULL)
            continue;
        BUFFER_CLEANUP Buffer message = {0};
        if (result->line > 0)
            buffer_appendf(&message, "seed %s:%lld: ", shared->name, (long long)result->line);
        buffer_append_text(&message, result->error);
        Error failure = {
            .message = (char *)buffer_text(&message), .detail = result->detail, .hint = result->hint};
        copy_sqlstate(&failure, result->sqlstate);
        print_error(file, shared->several_databases, entry->tenant, &failure);
    }
}
