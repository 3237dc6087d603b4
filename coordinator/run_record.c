#include "coordinator/run_record.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/json.h"
#include "coordinator/run_table.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct RunRecord {
    const RunRequest *request;
    const RunReport *report;
    RunJournal *journal;
    TenantState *written; /* by entry: the state that stands in the journal, TENANT_PENDING = none */
};

static const char *const STATES[] = {[TENANT_PENDING] = "pending",
                                     [TENANT_SKIPPED] = "skipped",
                                     [TENANT_FAILED] = "failed",
                                     [TENANT_SUCCEEDED] = "succeeded"};

static char *const COMMANDS[] = {
    [RUN_MIGRATE] = "migrate", [RUN_MARK_APPLIED] = "mark-applied", [RUN_REHEARSE] = "rehearse"};

static bool digest_options(const RunRequest *request, const RunOptions *options, char ret_digest[65],
                           Error *error)
{
    json_t *record = record_to_json(&RUN_OPTIONS, options);
    if (record == NULL ||
        json_object_set_new(record, "action", json_integer((json_int_t)request->action)) != 0) {
        json_decref(record);
        return error_memory(error);
    }
    char *json = json_text(record, JSON_COMPACT);
    json_decref(record);
    unsigned char digest[32];
    bool good = json != NULL ? sha256_bytes(json, strlen(json), digest, error) : error_memory(error);
    free(json);
    if (good)
        hex_encode(digest, sizeof digest, ret_digest);
    return good;
}

/* What must be the same when a run is resumed. */
static bool check_same(const JournalRun *before, const JournalRun *now, Error *error)
{
    const struct {
        const char *what, *before, *now;
    } PARTS[] = {
        {"tenants", before->targets, now->targets},
        {"migration files", before->migrations, now->migrations},
        {"options", before->options, now->options},
    };
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        if (strcmp(PARTS[i].before, PARTS[i].now) == 0)
            continue;
        error_set(error, ERROR_USAGE, "run %.8s cannot be resumed: its %s were others", before->run,
                  PARTS[i].what);
        error_set_hint(error, "start a new run; tenants that are up to date are left alone.");
        return false;
    }
    return true;
}

/* What an earlier part of this run did for a tenant counts as this run's. */
static bool recall(RunReport *report, const JournalContent *content, Error *error)
{
    for (size_t i = 0; i < report->count; i++) {
        const JournalTenant *before = &content->tenants[i];
        if (before->state != NULL && !run_entry_recall(report, i, &before->result, error))
            return false;
    }
    return true;
}

/* The journal's first record; texts belong to others but the digests. */
static bool describe(const RunRequest *request, const RunReport *report, const RunOptions *options,
                     char targets[65], char option_digest[65], Error *error)
{
    return run_journal_digest_targets(&report->tenants, targets, error) &&
           digest_options(request, options, option_digest, error);
}

static RunJournal *open_journal(const RunRequest *request, RunReport *report, const JournalRun *run,
                                Error *error)
{
    const RunRecording *recording = request->recording;
    if (recording->resumed == NULL)
        return run_journal_create(recording->path, run, error);
    if (!check_same(&recording->resumed->run, run, error) || !recall(report, recording->resumed, error))
        return NULL;
    return run_journal_resume(recording->resumed, error);
}

bool run_record_open(const RunRequest *request, RunReport *report, const char *run_id, const Bundle *bundle,
                     const RunOptions *options, RunRecord **ret_record, Error *error)
{
    const RunRecording *recording = request->recording;
    char targets[65], option_digest[65], now[32], folder[4096];
    if (!describe(request, report, options, targets, option_digest, error))
        return false;
    clock_timestamp(now);
    JournalRun run = {
        .run = (char *)run_id,
        .command = COMMANDS[request->action],
        .words = *recording->words,
        .folder = getcwd(folder, sizeof folder) != NULL ? folder : "",
        .started_at = now,
        .version = PGCONVOY_VERSION,
        .targets = targets,
        .migrations = (char *)bundle->digest,
        .options = option_digest,
        .tenants = (int64_t)report->count,
    };
    RunRecord *record = calloc(1, sizeof *record);
    if (record == NULL || (record->written = calloc(report->count + 1, sizeof *record->written)) == NULL) {
        free(record);
        return error_memory(error);
    }
    record->request = request;
    record->report = report;
    record->journal = open_journal(request, report, &run, error);
    if (record->journal != NULL) {
        *ret_record = record;
        return true;
    }
    free(record->written);
    free(record);
    if (recording->path != NULL || recording->resumed != NULL || error->code != ERROR_CONFIG)
        return false;
    error_prefix(error, "this run keeps no journal");
    fleet_warn(&request->fleet, error->message);
    error_clear(error);
    return true;
}

void run_record_tenant(RunRecord *record, size_t index)
{
    if (record == NULL)
        return;
    const RunEntry *entry = &record->report->entries[index];
    bool useless = entry->state == TENANT_PENDING || entry->state == record->written[index];
    if (!useless) {
        JournalTenant tenant = {.index = (int64_t)index,
                                .database = entry->tenant->database,
                                .state = (char *)STATES[entry->state],
                                .result = run_report_result(record->report, index)};
        run_journal_add_tenant(record->journal, &tenant);
        record->written[index] = entry->state;
    }
    run_journal_sync(record->journal, clock_now_ms(&SYSTEM_CLOCK));
}

void run_record_close(RunRecord *record, int exit_code, int64_t duration_ms)
{
    if (record == NULL)
        return;
    EngineTotals totals = run_table_totals(record->report);
    char now[32];
    clock_timestamp(now);
    run_journal_add_end(record->journal, &(JournalEnd){.total = (int64_t)totals.total,
                                                       .succeeded = (int64_t)totals.succeeded,
                                                       .failed = (int64_t)totals.failed,
                                                       .skipped = (int64_t)(totals.skipped + totals.pending),
                                                       .exit_code = exit_code,
                                                       .duration_ms = duration_ms,
                                                       .ended_at = now});
    const Error *failed = run_journal_failed(record->journal);
    if (failed != NULL)
        fleet_warn(&record->request->fleet, failed->message);
    run_journal_close(record->journal);
    free(record->written);
    free(record);
}
