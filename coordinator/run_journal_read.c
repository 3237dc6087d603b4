#include "common/file.h"
#include "common/json.h"
#include "coordinator/run_journal_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { JOURNAL_SIZE_MAX = 1 << 30, TENANTS_MAX = 10000000 };

/* A journal on its way in. */
typedef struct Reading {
    JournalContent *content;
    int64_t line;
    Error *error;
} Reading;

static bool damaged(Reading *reading, const char *why)
{
    error_set(reading->error, ERROR_CONFIG, "journal \"%s\" is damaged at line %lld: %s",
              reading->content->path, (long long)reading->line, why);
    error_set_hint(reading->error,
                   "what became of the tenants stands in their tracking tables: `pgconvoy status`.");
    return false;
}

static bool read_run(Reading *reading, const json_t *record)
{
    JournalContent *content = reading->content;
    if (json_integer_value(json_object_get(record, "format")) != JOURNAL_FORMAT)
        return damaged(reading, "it is of a format that this version does not know");
    if (!record_from_json(&JOURNAL_RUN, record, &content->run, reading->error))
        return false;
    if (content->run.tenants < 0 || content->run.tenants > TENANTS_MAX)
        return damaged(reading, "its number of tenants makes no sense");
    content->tenants = calloc((size_t)content->run.tenants + 1, sizeof *content->tenants);
    return content->tenants != NULL || error_memory(reading->error);
}

static bool read_tenant(Reading *reading, const json_t *record)
{
    JournalContent *content = reading->content;
    int64_t index = json_integer_value(json_object_get(record, "index"));
    const char *state = json_string_value(json_object_get(record, "state"));
    const char *database = json_string_value(json_object_get(record, "tenantDatabase"));
    if (index < 0 || index >= content->run.tenants || state == NULL || database == NULL)
        return damaged(reading, "it tells of a tenant that is not in the list");
    JournalTenant news = {.index = index};
    if (!record_from_json(&TENANT_MIGRATION_RESULT, record, &news.result, reading->error))
        return false;
    JournalTenant *tenant = &content->tenants[index];
    record_clear(&TENANT_MIGRATION_RESULT, &tenant->result);
    free(tenant->state);
    free(tenant->database);
    *tenant = news;
    tenant->state = strdup(state);
    tenant->database = strdup(database);
    return (tenant->state != NULL && tenant->database != NULL) || error_memory(reading->error);
}

static bool read_resume(Reading *reading, const json_t *record)
{
    (void)record;
    reading->content->resumed++;
    return true;
}

static bool read_end(Reading *reading, const json_t *record)
{
    record_clear(&JOURNAL_END, &reading->content->end);
    return record_from_json(&JOURNAL_END, record, &reading->content->end, reading->error);
}

static const struct {
    const char *type;
    bool (*read)(Reading *reading, const json_t *record);
} RECORDS[] = {{"run", read_run}, {"tenant", read_tenant}, {"resume", read_resume}, {"end", read_end}};

static bool read_record(Reading *reading, const char *json, size_t length)
{
    json_t *record = json_loadb(json, length, 0, NULL);
    const char *type = json_string_value(json_object_get(record, "type"));
    bool good = type != NULL && (strcmp(type, "run") == 0) == (reading->line == 1);
    size_t i = 0;
    while (good && i < sizeof RECORDS / sizeof RECORDS[0] && strcmp(RECORDS[i].type, type) != 0)
        i++;
    if (!good)
        damaged(reading, "it is not the record that belongs there");
    else if (i < sizeof RECORDS / sizeof RECORDS[0]) { /* a later version may write others */
        good = RECORDS[i].read(reading, record);
        reading->content->ended = strcmp(type, "end") == 0;
    }
    json_decref(record);
    return good;
}

/* Whether a line (without its line feed) carries the digits that it must. */
static bool line_fits(Reading *reading, const char *line, size_t length, bool *ret_fits)
{
    char chain[JOURNAL_CHAIN + 1];
    *ret_fits = false;
    if (length <= JOURNAL_CHAIN + 1 || line[JOURNAL_CHAIN] != ' ')
        return true;
    const char *json = line + JOURNAL_CHAIN + 1;
    if (!run_journal_chain(reading->content->chain, json, length - JOURNAL_CHAIN - 1, chain, reading->error))
        return false;
    *ret_fits = memcmp(line, chain, JOURNAL_CHAIN) == 0;
    if (*ret_fits)
        memcpy(reading->content->chain, chain, sizeof chain);
    return true;
}

static bool read_lines(Reading *reading, const char *text, size_t length)
{
    JournalContent *content = reading->content;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line_length = end != NULL ? (size_t)(end - text) - at : length - at;
        bool fits = false;
        reading->line++;
        if (end != NULL && !line_fits(reading, text + at, line_length, &fits))
            return false;
        if (!fits) { /* the last line may be torn; one in the middle may not */
            bool last = end == NULL || end + 1 == text + length;
            content->torn = last;
            return (last && reading->line > 1) || damaged(reading, "its digits do not fit its content");
        }
        if (!read_record(reading, text + at + JOURNAL_CHAIN + 1, line_length - JOURNAL_CHAIN - 1))
            return false;
        at += line_length + 1;
        content->length = (int64_t)at;
    }
    return reading->line > 0 || damaged(reading, "it is empty");
}

bool run_journal_read(const char *path, JournalContent *ret_content, Error *error)
{
    FILE_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set(error, ERROR_CONFIG, "cannot read journal \"%s\": %s", path, strerror(errno));
        error_set_hint(error, "`pgconvoy run list` shows the runs that there are.");
        return false;
    }
    JournalContent content = {.path = strdup(path)};
    if (content.path == NULL)
        return error_memory(error);
    content.is_live = flock(fd, LOCK_SH | LOCK_NB) != 0;
    BUFFER_CLEANUP Buffer text = {0};
    Reading reading = {.content = &content, .error = error};
    bool good = file_read_all(fd, JOURNAL_SIZE_MAX, &text);
    if (!good)
        error_set(error, ERROR_CONFIG, "cannot read journal \"%s\": %s", path, strerror(errno));
    if (!good || !read_lines(&reading, buffer_text(&text), text.length)) {
        run_journal_content_clear(&content);
        return false;
    }
    *ret_content = content;
    return true;
}

void run_journal_content_clear(JournalContent *content)
{
    for (int64_t i = 0; content->tenants != NULL && i < content->run.tenants; i++) {
        record_clear(&TENANT_MIGRATION_RESULT, &content->tenants[i].result);
        free(content->tenants[i].state);
        free(content->tenants[i].database);
    }
    free(content->tenants);
    free(content->path);
    record_clear(&JOURNAL_RUN, &content->run);
    record_clear(&JOURNAL_END, &content->end);
    *content = (JournalContent){0};
}
