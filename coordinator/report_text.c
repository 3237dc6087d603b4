#include "common/buffer.h"
#include "coordinator/report.h"
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
/* Out of memory leaves an entry out instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { FEW_TENANTS = 20, TOP_ERRORS = 5, RERUN_TENANTS = 50 };

/* What --tenants would split or trim. */
static bool is_listable(const char *id)
{
    size_t length = strlen(id);
    return strchr(id, ',') == NULL && id[0] != ' ' && (length == 0 || id[length - 1] != ' ');
}

/* Tenants that look the same in a report. */
typedef struct Group {
    UT_hash_handle hh;
    size_t count;
    const RunEntry *example;
    char key[];
} Group;

/* Counts entries by key; entries whose key is NULL are left out. Largest group first. */
typedef char *GroupKey(const RunEntry *entry);

static int by_count(const Group *a, const Group *b)
{
    return a->count < b->count ? 1 : a->count > b->count ? -1 : strcmp(a->key, b->key);
}

static Group *group_entries(const RunReport *report, GroupKey *key_of)
{
    Group *groups = NULL;
    for (size_t i = 0; i < report->count; i++) {
        char *key = key_of(&report->entries[i]);
        if (key == NULL)
            continue;
        Group *group;
        HASH_FIND_STR(groups, key, group);
        if (group == NULL && (group = calloc(1, sizeof *group + strlen(key) + 1)) != NULL) {
            strcpy(group->key, key);
            group->example = &report->entries[i];
            HASH_ADD_STR(groups, key, group);
        }
        if (group != NULL)
            group->count++;
        free(key);
    }
    HASH_SORT(groups, by_count);
    return groups;
}

static void groups_free(Group *groups)
{
    Group *group, *next;
    HASH_ITER(hh, groups, group, next)
    {
        HASH_DEL(groups, group);
        free(group);
    }
}

/* A table on `file` with these columns; NULL when memory ran out. */
static struct libscols_table *table_new(FILE *file, const char *const *columns, size_t count)
{
    struct libscols_table *table = scols_new_table();
    if (table == NULL)
        return NULL;
    scols_table_set_stream(table, file);
    for (size_t i = 0; i < count; i++)
        scols_table_new_column(table, columns[i], 0, strcmp(columns[i], "TENANTS") == 0 ? SCOLS_FL_RIGHT : 0);
    return table;
}

static void table_add(struct libscols_table *table, const char *const *cells, size_t count)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    for (size_t i = 0; line != NULL && i < count; i++)
        scols_line_set_data(line, i, cells[i] != NULL ? cells[i] : "");
}

static bool table_print(struct libscols_table *table, Error *error)
{
    if (table == NULL)
        return error_memory(error);
    int failed = scols_table_is_empty(table) ? 0 : scols_print_table(table);
    fflush(scols_table_get_stream(table)); /* before the last words on stderr */
    scols_unref_table(table);
    return failed == 0 || error_set(error, ERROR_SYSTEM, "cannot write the report");
}

/* "first_name .. last_name (n)" */
static char *describe_list(const TextList *names)
{
    Buffer text = {0};
    if (names->count > 0)
        buffer_append_text(&text, names->items[0]);
    if (names->count > 1)
        buffer_appendf(&text, " .. %s (%zu)", names->items[names->count - 1], names->count);
    return buffer_take(&text);
}

static char *migrate_key(const RunEntry *entry)
{
    const TenantMigrationResult *result = &entry->result;
    Buffer key = {0};
    char *names = describe_list(&result->applied_migrations);
    buffer_appendf(&key, "%d\t%s\t%s\t%s", entry->state, names != NULL ? names : "",
                   result->migration != NULL ? result->migration : "",
                   result->error != NULL ? result->error : "");
    free(names);
    return buffer_take(&key);
}

static const char *state_word(const RunEntry *entry, bool dry_run)
{
    if (entry->state == TENANT_FAILED)
        return "failed";
    if (entry->state != TENANT_SUCCEEDED)
        return "skipped";
    if (entry->result.applied_migrations.count == 0)
        return "up to date";
    return dry_run ? "would apply" : "applied";
}

bool report_migrate_text(FILE *file, const RunReport *report, bool dry_run, bool details, Error *error)
{
    static const char *const BY_TENANT[] = {"TENANT", "RESULT", "MIGRATIONS", "FAILED AT", "ERROR"};
    static const char *const BY_GROUP[] = {"TENANTS", "RESULT", "MIGRATIONS", "FAILED AT", "ERROR"};
    details |= report->count <= FEW_TENANTS;
    struct libscols_table *table = table_new(file, details ? BY_TENANT : BY_GROUP, 5);
    Group *groups = details ? NULL : group_entries(report, migrate_key);
    Group *group = groups;
    for (size_t i = 0; table != NULL && (details ? i < report->count : group != NULL); i++) {
        const RunEntry *entry = details ? &report->entries[i] : group->example;
        char count[32] = "";
        if (!details)
            snprintf(count, sizeof count, "%zu", group->count);
        char *names = describe_list(&entry->result.applied_migrations);
        table_add(table,
                  (const char *const[]){details ? entry->tenant->id : count, state_word(entry, dry_run),
                                        names, entry->result.migration, entry->result.error},
                  5);
        free(names);
        group = details ? NULL : group->hh.next;
    }
    groups_free(groups);
    return table_print(table, error);
}

static char *status_key(const RunEntry *entry)
{
    const TenantMigrationStatus *status = &entry->status;
    Buffer key = {0};
    char *names = describe_list(&status->pending_migrations);
    buffer_appendf(&key, "%s\t%lld\t%s\t%s\t%s", status->status != NULL ? status->status : "",
                   (long long)status->applied_count, names != NULL ? names : "",
                   status->format != NULL ? status->format : "", status->error != NULL ? status->error : "");
    free(names);
    return buffer_take(&key);
}

bool report_status_text(FILE *file, const RunReport *report, bool details, Error *error)
{
    static const char *const BY_TENANT[] = {"TENANT", "STATUS", "APPLIED", "PENDING", "FORMAT", "ERROR"};
    static const char *const BY_GROUP[] = {"TENANTS", "STATUS", "APPLIED", "PENDING", "FORMAT", "ERROR"};
    details |= report->count <= FEW_TENANTS;
    struct libscols_table *table = table_new(file, details ? BY_TENANT : BY_GROUP, 6);
    Group *groups = details ? NULL : group_entries(report, status_key);
    Group *group = groups;
    for (size_t i = 0; table != NULL && (details ? i < report->count : group != NULL); i++) {
        const RunEntry *entry = details ? &report->entries[i] : group->example;
        const TenantMigrationStatus *status = &entry->status;
        char count[32] = "", applied[32];
        if (!details)
            snprintf(count, sizeof count, "%zu", group->count);
        snprintf(applied, sizeof applied, "%lld", (long long)status->applied_count);
        char *pending = describe_list(&status->pending_migrations);
        table_add(table,
                  (const char *const[]){details ? entry->tenant->id : count, status->status, applied, pending,
                                        status->format, status->error},
                  6);
        free(pending);
        group = details ? NULL : group->hh.next;
    }
    groups_free(groups);
    return table_print(table, error);
}

void report_refused_files(FILE *file, const RunReport *report)
{
    const ParseFailure *failures = report->refused_files.items;
    for (size_t i = 0; i < report->refused_files.count; i++) {
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

static char *error_key(const RunEntry *entry)
{
    if (entry->state != TENANT_FAILED)
        return NULL;
    const TenantMigrationResult *result = &entry->result;
    Buffer key = {0};
    if (result->migration != NULL)
        buffer_appendf(&key, "migration %s", result->migration);
    if (result->migration != NULL && result->line > 0)
        buffer_appendf(&key, ":%lld", (long long)result->line);
    if (result->migration != NULL)
        buffer_append_text(&key, ": ");
    buffer_append_text(&key, result->error != NULL ? result->error : "failed");
    if (result->sqlstate != NULL)
        buffer_appendf(&key, " (SQLSTATE %s)", result->sqlstate);
    return buffer_take(&key);
}

/* Appends text so that a shell reads it as one word. */
static void append_shell_word(Buffer *command, const char *text)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,";
    if (text[0] != '\0' && strspn(text, PLAIN) == strlen(text)) {
        buffer_append_text(command, text);
        return;
    }
    buffer_append_char(command, '\'');
    for (const char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            buffer_append_text(command, "'\\''");
        else
            buffer_append_char(command, *c);
    buffer_append_char(command, '\'');
}

static void print_rerun(FILE *file, const RunReport *report, const char *command)
{
    bool listable = report->totals.failed <= RERUN_TENANTS;
    for (size_t i = 0; listable && i < report->count; i++)
        listable = report->entries[i].state != TENANT_FAILED || is_listable(report->entries[i].tenant->id);
    if (!listable) {
        fprintf(file, "rerun: %s --all (tenants that are up to date are left alone)\n", command);
        return;
    }
    BUFFER_CLEANUP Buffer ids = {0}, word = {0};
    for (size_t i = 0; i < report->count; i++) {
        const RunEntry *entry = &report->entries[i];
        if (entry->state != TENANT_FAILED)
            continue;
        if (ids.length > 0)
            buffer_append_char(&ids, ',');
        /* An id with a slash could be read as database/id. */
        if (report->several_databases || strchr(entry->tenant->id, '/') != NULL)
            buffer_appendf(&ids, "%s/", entry->tenant->database);
        buffer_append_text(&ids, entry->tenant->id);
    }
    append_shell_word(&word, buffer_text(&ids));
    fprintf(file, "rerun: %s --tenants %s\n", command, buffer_text(&word));
}

void report_last_words(FILE *file, const RunReport *report, const char *command)
{
    Group *groups = group_entries(report, error_key);
    size_t shown = 0;
    for (Group *group = groups; group != NULL && shown < TOP_ERRORS; group = group->hh.next, shown++) {
        const TenantMigrationResult *result = &group->example->result;
        fprintf(file, "error: %zu tenant%s: %s (such as \"%s\")\n", group->count,
                group->count == 1 ? "" : "s", group->key, group->example->tenant->id);
        if (result->detail != NULL)
            fprintf(file, "DETAIL: %s\n", result->detail);
        if (result->hint != NULL)
            fprintf(file, "HINT: %s\n", result->hint);
    }
    size_t kinds = HASH_COUNT(groups);
    if (kinds > TOP_ERRORS)
        fprintf(file, "and %zu more kinds of error; --json lists every tenant\n", kinds - TOP_ERRORS);
    groups_free(groups);
    const EngineTotals *totals = &report->totals;
    fprintf(file, "total %zu: %zu succeeded, %zu failed, %zu skipped in %lld.%03lld s\n", totals->total,
            totals->succeeded, totals->failed, totals->skipped + totals->pending,
            (long long)report->duration_ms / 1000, (long long)report->duration_ms % 1000);
    if (totals->failed > 0)
        print_rerun(file, report, command);
}
