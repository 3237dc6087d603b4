#include "coordinator/last_words.h"
#include "coordinator/report_groups.h"
#include <string.h>

enum { TOP_ERRORS = 5, RERUN_TENANTS = 50 };

static bool has_failed(const LastWords *words, size_t index)
{
    TenantFailure failure;
    return words->failure(words->report, index, &failure);
}

static char *error_key(const void *report, size_t index)
{
    const LastWords *words = report;
    TenantFailure failure = {0};
    Buffer key = {0};
    if (!words->failure(words->report, index, &failure))
        return NULL;
    if (failure.migration != NULL)
        buffer_appendf(&key, "%s %s", words->file != NULL ? words->file : "migration", failure.migration);
    if (failure.migration != NULL && failure.line > 0)
        buffer_appendf(&key, ":%lld", (long long)failure.line);
    if (failure.migration != NULL)
        buffer_append_text(&key, ": ");
    buffer_append_text(&key, failure.error != NULL ? failure.error : "failed");
    if (failure.sqlstate != NULL)
        buffer_appendf(&key, " (SQLSTATE %s)", failure.sqlstate);
    return buffer_take(&key);
}

static void print_group(FILE *file, const LastWords *words, const ReportGroup *group)
{
    TenantFailure failure = {0};
    fprintf(file, "error: %zu tenant%s: %s (such as \"%s\")\n", group->count, group->count == 1 ? "" : "s",
            group->key, words->tenant(words->report, group->example)->id);
    if (words->failure(words->report, group->example, &failure) && failure.detail != NULL)
        fprintf(file, "DETAIL: %s\n", failure.detail);
    if (failure.hint != NULL)
        fprintf(file, "HINT: %s\n", failure.hint);
}

static void print_errors(FILE *file, const LastWords *words)
{
    ReportGroup *groups = report_groups_new(words, words->count, error_key);
    size_t shown = 0;
    for (ReportGroup *group = groups; group != NULL && shown < TOP_ERRORS; group = group->hh.next, shown++)
        print_group(file, words, group);
    size_t kinds = HASH_COUNT(groups);
    if (kinds > TOP_ERRORS)
        fprintf(file, "and %zu more kinds of error; --json lists every tenant\n", kinds - TOP_ERRORS);
    report_groups_free(groups);
}

void last_words_append_shell_word(Buffer *command, const char *text)
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

/* What --tenants would split or trim. */
static bool is_listable(const char *id)
{
    size_t length = strlen(id);
    return strchr(id, ',') == NULL && id[0] != ' ' && (length == 0 || id[length - 1] != ' ');
}

static void print_rerun(FILE *file, const LastWords *words)
{
    bool listable = words->totals.failed <= RERUN_TENANTS;
    for (size_t i = 0; listable && i < words->count; i++)
        listable = !has_failed(words, i) || is_listable(words->tenant(words->report, i)->id);
    if (!listable && words->repeats) {
        fprintf(file, "rerun: %s --tenants-file FILE with the ids that --json reports as failed\n",
                words->command);
        return;
    }
    if (!listable) {
        fprintf(file, "rerun: %s --all (tenants that are up to date are left alone)\n", words->command);
        return;
    }
    BUFFER_CLEANUP Buffer ids = {0}, word = {0};
    for (size_t i = 0; i < words->count; i++) {
        const Tenant *tenant = words->tenant(words->report, i);
        if (!has_failed(words, i))
            continue;
        if (ids.length > 0)
            buffer_append_char(&ids, ',');
        /* An id with a slash could be read as database/id. */
        if (words->several_databases || strchr(tenant->id, '/') != NULL)
            buffer_appendf(&ids, "%s/", tenant->database);
        buffer_append_text(&ids, tenant->id);
    }
    last_words_append_shell_word(&word, buffer_text(&ids));
    fprintf(file, "rerun: %s --tenants %s\n", words->command, buffer_text(&word));
}

void last_words_print(FILE *file, const LastWords *words)
{
    const EngineTotals *totals = &words->totals;
    print_errors(file, words);
    fprintf(file, "total %zu: %zu succeeded, %zu failed, %zu skipped in %lld.%03lld s\n", totals->total,
            totals->succeeded, totals->failed, totals->skipped + totals->pending,
            (long long)words->duration_ms / 1000, (long long)words->duration_ms % 1000);
    if (totals->failed > 0)
        print_rerun(file, words);
}
