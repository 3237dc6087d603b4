#include "common/clock.h"
#include "common/crash_point.h"
#include "common/hash.h"
#include "common/json.h"
#include "coordinator/run_journal_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYNC_INTERVAL_MS = 1000 };

struct RunJournal {
    int fd;
    char *path;
    char chain[JOURNAL_CHAIN + 1];
    bool unsynced;
    int64_t synced_ms;
    Error error; /* what broke it; nothing is written afterwards */
};

bool run_journal_chain(const char *chain, const char *json, size_t length, char ret_chain[JOURNAL_CHAIN + 1],
                       Error *error)
{
    unsigned char digest[32];
    char digits[65];
    Sha256 *hash = sha256_new(error);
    if (hash == NULL)
        return false;
    sha256_update(hash, chain, strlen(chain));
    sha256_update(hash, json, length);
    bool good = sha256_final(hash, digest, error);
    sha256_free(hash);
    if (!good)
        return false;
    hex_encode(digest, sizeof digest, digits);
    memcpy(ret_chain, digits, JOURNAL_CHAIN);
    ret_chain[JOURNAL_CHAIN] = '\0';
    return true;
}

static bool write_failed(RunJournal *journal)
{
    error_set(&journal->error, ERROR_SYSTEM, "cannot write journal \"%s\": %s", journal->path,
              strerror(errno));
    error_set_hint(&journal->error, "the run goes on without; its tracking tables tell what was done.");
    return false;
}

/* One line in one write, so that a process that is killed leaves whole lines. Takes the record over. */
static bool add_line(RunJournal *journal, json_t *record)
{
    if (journal->error.code != ERROR_NONE) {
        json_decref(record);
        return false;
    }
    char *json = json_text(record, JSON_COMPACT);
    json_decref(record);
    BUFFER_CLEANUP Buffer line = {0};
    char chain[JOURNAL_CHAIN + 1] = "";
    bool good = json != NULL && run_journal_chain(journal->chain, json, strlen(json), chain, &journal->error);
    if (good)
        buffer_appendf(&line, "%s %s\n", chain, json);
    free(json);
    if (!good || buffer_failed(&line))
        return journal->error.code != ERROR_NONE ? false : error_memory(&journal->error);
    crash_point(CRASH_BEFORE_WRITE);
    crash_point_writing(journal->fd, line.data, line.length);
    if (write(journal->fd, line.data, line.length) != (ssize_t)line.length)
        return write_failed(journal);
    crash_point(CRASH_AFTER_WRITE);
    memcpy(journal->chain, chain, sizeof chain);
    journal->unsynced = true;
    return true;
}

/* A record with its type in front. */
static json_t *typed(const char *type, json_t *fields)
{
    json_t *record = json_pack("{s:s}", "type", type);
    if (record != NULL && fields != NULL && json_object_update(record, fields) != 0) {
        json_decref(record);
        record = NULL;
    }
    json_decref(fields);
    return record;
}

static RunJournal *new_journal(const char *path, int fd, Error *error)
{
    RunJournal *journal = calloc(1, sizeof *journal);
    if (journal == NULL || (journal->path = strdup(path)) == NULL) {
        free(journal);
        close(fd);
        error_memory(error);
        return NULL;
    }
    journal->fd = fd;
    journal->synced_ms = clock_now_ms(&SYSTEM_CLOCK);
    return journal;
}

/* Gives a journal back, or the error that kept it from being one. */
static RunJournal *checked(RunJournal *journal, Error *error)
{
    if (journal->error.code == ERROR_NONE && fsync(journal->fd) != 0)
        write_failed(journal);
    if (journal->error.code == ERROR_NONE)
        return journal;
    error_move(error, &journal->error);
    run_journal_close(journal);
    return NULL;
}

/* The folder and those above it, as far as they are missing. */
static bool make_folder(char *folder, Error *error)
{
    for (char *slash = strchr(folder + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        bool made = mkdir(folder, 0700) == 0 || errno == EEXIST;
        if (!made) {
            error_set(error, ERROR_CONFIG, "cannot make folder \"%s\" for journals: %s", folder,
                      strerror(errno));
            error_set_hint(error,
                           "set XDG_STATE_HOME to a folder that can be written, or give --journal FILE.");
        }
        if (slash == NULL || !made)
            return made;
        *slash = '/';
    }
}

/* FOLDER/2026-01-31T12:00:00.000Z-4f2a91c3.journal: names are in the order in which runs began. */
static char *own_path(const JournalRun *run, Error *error)
{
    char *folder = run_journal_folder(error), *path = NULL;
    if (folder == NULL)
        return NULL;
    if (make_folder(folder, error) &&
        asprintf(&path, "%s/%.23sZ-%.8s.journal", folder, run->started_at, run->run) < 0) {
        path = NULL;
        error_memory(error);
    }
    free(folder);
    return path;
}

RunJournal *run_journal_create(const char *path, const JournalRun *run, Error *error)
{
    char *chosen = path != NULL ? strdup(path) : own_path(run, error);
    if (chosen == NULL) {
        if (path != NULL)
            error_memory(error);
        return NULL;
    }
    RunJournal *journal = NULL;
    int fd = open(chosen, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        bool exists = errno == EEXIST;
        error_set(error, ERROR_CONFIG, "cannot make journal \"%s\": %s", chosen, strerror(errno));
        error_set_hint(error, exists ? "a run that exists is taken up with `pgconvoy run resume`."
                                     : "choose another place with --journal FILE.");
    } else if ((journal = new_journal(chosen, fd, error)) != NULL) {
        flock(fd, LOCK_EX | LOCK_NB);
        json_t *record = typed("run", record_to_json(&JOURNAL_RUN, run));
        if (record != NULL)
            json_object_set_new(record, "format", json_integer(JOURNAL_FORMAT));
        add_line(journal, record);
        journal = checked(journal, error);
    }
    free(chosen);
    return journal;
}

RunJournal *run_journal_resume(const JournalContent *content, Error *error)
{
    int fd = open(content->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) {
        error_set(error, ERROR_CONFIG, "cannot write journal \"%s\": %s", content->path, strerror(errno));
        return NULL;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        error_set(error, ERROR_BUSY, "run %s is still going on: another process writes its journal",
                  content->run.run);
        error_set_hint(error, "wait until it has ended, or stop it first.");
        return NULL;
    }
    RunJournal *journal = new_journal(content->path, fd, error);
    if (journal == NULL)
        return NULL;
    memcpy(journal->chain, content->chain, sizeof journal->chain);
    if (ftruncate(fd, content->length) != 0)
        write_failed(journal);
    char now[32];
    clock_timestamp(now);
    add_line(journal, json_pack("{s:s,s:s}", "type", "resume", "at", now));
    return checked(journal, error);
}

void run_journal_add_tenant(RunJournal *journal, const JournalTenant *tenant)
{
    json_t *record = json_pack("{s:s,s:I,s:s,s:s}", "type", "tenant", "index", (json_int_t)tenant->index,
                               "tenantDatabase", tenant->database, "state", tenant->state);
    json_t *fields = record_to_json(&TENANT_MIGRATION_RESULT, &tenant->result);
    if (record != NULL && (fields == NULL || json_object_update(record, fields) != 0)) {
        json_decref(record);
        record = NULL;
    }
    json_decref(fields);
    add_line(journal, record);
}

void run_journal_add_end(RunJournal *journal, const JournalEnd *end)
{
    add_line(journal, typed("end", record_to_json(&JOURNAL_END, end)));
}

void run_journal_sync(RunJournal *journal, int64_t now_ms)
{
    if (!journal->unsynced || now_ms - journal->synced_ms < SYNC_INTERVAL_MS ||
        journal->error.code != ERROR_NONE)
        return;
    journal->synced_ms = now_ms;
    journal->unsynced = false;
    if (fdatasync(journal->fd) != 0)
        write_failed(journal);
}

const Error *run_journal_failed(const RunJournal *journal)
{
    return journal->error.code != ERROR_NONE ? &journal->error : NULL;
}

const char *run_journal_path(const RunJournal *journal)
{
    return journal->path;
}

void run_journal_close(RunJournal *journal)
{
    if (journal == NULL)
        return;
    if (journal->unsynced)
        fdatasync(journal->fd);
    close(journal->fd);
    error_clear(&journal->error);
    free(journal->path);
    free(journal);
}

bool run_journal_digest_targets(const TenantList *tenants, char ret_digest[65], Error *error)
{
    unsigned char digest[32];
    Sha256 *hash = sha256_new(error);
    if (hash == NULL)
        return false;
    for (size_t i = 0; i < tenants->count; i++) {
        const Tenant *tenant = &tenants->items[i];
        sha256_update(hash, tenant->database, strlen(tenant->database) + 1);
        sha256_update(hash, tenant->id, strlen(tenant->id) + 1);
        sha256_update(hash, tenant->schema, strlen(tenant->schema) + 1);
    }
    bool good = sha256_final(hash, digest, error);
    sha256_free(hash);
    if (good)
        hex_encode(digest, sizeof digest, ret_digest);
    return good;
}
