#include "coordinator/run_table.h"
#include "common/hash.h"
#include "common/record_set.h"
#include <stdlib.h>
#include <string.h>

enum { PLAN_WORD_MAX = 32 };

bool run_table_new(RunReport *report, Error *error)
{
    report->count = report->tenants.count;
    report->entries = calloc(report->count + 1, sizeof *report->entries);
    if (report->entries == NULL)
        return error_memory(error);
    for (size_t i = 0; i < report->count; i++)
        report->entries[i].tenant = &report->tenants.items[i];
    return (report->plans = record_set_new(&TENANT_MIGRATION_STATUS, error)) != NULL &&
           (report->results = record_set_new(&TENANT_MIGRATION_RESULT, error)) != NULL;
}

void run_report_clear(RunReport *report)
{
    free(report->entries);
    record_set_free(report->plans);
    record_set_free(report->results);
    ParseFailure *failures = report->refused_files.items;
    for (size_t i = 0; i < report->refused_files.count; i++)
        record_clear(&PARSE_FAILURE, &failures[i]);
    free(failures);
    tenant_list_clear(&report->tenants);
    if (report->shared != NULL)
        run_report_clear(report->shared);
    free(report->shared);
    *report = (RunReport){0};
}

TenantMigrationStatus run_report_status(const RunReport *report, size_t index)
{
    const RunEntry *entry = &report->entries[index];
    TenantMigrationStatus status = entry->plan != NULL ? *entry->plan : (TenantMigrationStatus){0};
    status.tenant_id = entry->tenant->id;
    status.schema_name = entry->tenant->schema;
    status.plan = NULL; /* between workers */
    if (report->several_databases)
        status.database = entry->tenant->database;
    return status;
}

TenantMigrationResult run_report_result(const RunReport *report, size_t index)
{
    const RunEntry *entry = &report->entries[index];
    TenantMigrationResult result = entry->result != NULL ? *entry->result : (TenantMigrationResult){0};
    result.tenant_id = entry->tenant->id;
    result.schema_name = entry->tenant->schema;
    result.duration_ms = entry->duration_ms;
    if (report->several_databases)
        result.database = entry->tenant->database;
    return result;
}

static void drop_text(char **text)
{
    free(*text);
    *text = NULL;
}

/* Makes this the entry's plan, but for what is the tenant's alone. */
static bool keep_plan(RunReport *report, RunEntry *entry, TenantMigrationStatus *status, Error *error)
{
    drop_text(&status->tenant_id);
    drop_text(&status->schema_name);
    drop_text(&status->database);
    const TenantMigrationStatus *kept = record_set_keep(report->plans, status);
    if (kept == NULL)
        return error_memory(error);
    record_set_drop(report->plans, entry->plan);
    entry->plan = kept;
    return true;
}

/* Makes this the entry's result likewise. */
static bool keep_result(RunReport *report, RunEntry *entry, TenantMigrationResult *result, Error *error)
{
    drop_text(&result->tenant_id);
    drop_text(&result->schema_name);
    drop_text(&result->database);
    text_list_clear(&result->already);
    result->duration_ms = 0;
    const TenantMigrationResult *kept = record_set_keep(report->results, result);
    if (kept == NULL) {
        record_clear(&TENANT_MIGRATION_RESULT, result);
        return error_memory(error);
    }
    record_set_drop(report->results, entry->result);
    entry->result = kept;
    return true;
}

/* The entry's result to be changed, for keep_result(). */
static bool known_result(const RunEntry *entry, TenantMigrationResult *ret_known, Error *error)
{
    *ret_known = (TenantMigrationResult){0};
    return entry->result == NULL || record_copy(&TENANT_MIGRATION_RESULT, ret_known, entry->result, error);
}

bool run_entry_plan(RunReport *report, size_t index, Outcome outcome, TenantMigrationStatus *status,
                    Error *error)
{
    RunEntry *entry = &report->entries[index];
    if (outcome_state(outcome) != TENANT_SUCCEEDED && entry->plan != NULL)
        return true; /* a later attempt's failure says less than what is known */
    if (status->status == NULL)
        return true; /* nothing is said */
    if (status->plan != NULL && strlen(status->plan) > PLAN_WORD_MAX)
        drop_text(&status->plan); /* it will go to other workers, unread */
    return keep_plan(report, entry, status, error);
}

bool run_entry_needs_work(const RunEntry *entry, bool strict)
{
    return entry->plan == NULL || strcmp(entry->plan->status, "ok") != 0 ||
           (strict && entry->plan->changed.count > 0);
}

/* Of SQLSTATE and migration: equal failures get equal keys. */
static uint64_t failure_key(const TenantMigrationResult *result)
{
    if (result->sqlstate == NULL || result->migration == NULL)
        return 0;
    return fnv_add_text(fnv_add_text(FNV_START, result->sqlstate), result->migration) | 1;
}

static const TextList *planned(const RunEntry *entry)
{
    static const TextList NOTHING;
    return entry->plan != NULL ? &entry->plan->pending_migrations : &NOTHING;
}

static bool add_new(TextList *list, const char *name)
{
    return text_list_has(list, name) || text_list_add(list, name);
}

/* Adds what an attempt says it committed, and what it found committed by an attempt of ours whose result was
 * lost: what a first attempt finds is somebody else's. */
static bool merge_applied(const RunEntry *entry, TenantMigrationResult *known, uint32_t attempt,
                          const TenantMigrationResult *news)
{
    for (size_t i = 0; i < news->applied_migrations.count; i++)
        if (!add_new(&known->applied_migrations, news->applied_migrations.items[i]))
            return false;
    for (size_t i = 0; attempt > 1 && i < news->already.count; i++) {
        const char *name = news->already.items[i];
        if (!text_list_has(planned(entry), name) || text_list_has(&known->applied_migrations, name))
            continue;
        if (!text_list_add(&known->applied_migrations, name) || !text_list_add(&known->recovered, name))
            return false;
    }
    return true;
}

/* Recovered names come in late: puts the applied ones back into the plan's order. */
static void sort_applied(const TextList *plan, TextList *applied)
{
    size_t placed = 0;
    for (size_t p = 0; p < plan->count; p++)
        for (size_t i = placed; i < applied->count; i++)
            if (strcmp(applied->items[i], plan->items[p]) == 0) {
                char *name = applied->items[i];
                memmove(&applied->items[placed + 1], &applied->items[placed], (i - placed) * sizeof name);
                applied->items[placed++] = name;
                break;
            }
}

/* Durations of a tenant end at 49 days. */
static uint32_t short_duration(int64_t duration_ms)
{
    return duration_ms < 0 ? 0 : duration_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)duration_ms;
}

/* This attempt's words replace the earlier ones'; what was applied stays. */
static void take_words(TenantMigrationResult *known, TenantMigrationResult *news, uint32_t attempt)
{
    TextList applied = known->applied_migrations, recovered = known->recovered;
    known->applied_migrations = (TextList){0};
    known->recovered = (TextList){0};
    record_clear(&TENANT_MIGRATION_RESULT, known);
    text_list_clear(&news->applied_migrations);
    text_list_clear(&news->recovered);
    *known = *news;
    known->applied_migrations = applied;
    known->recovered = recovered;
    known->attempts = attempt;
    *news = (TenantMigrationResult){0};
}

bool run_entry_merge(RunReport *report, size_t index, Outcome outcome, uint32_t attempt,
                     TenantMigrationResult *result, uint64_t *ret_failure_key, Error *error)
{
    RunEntry *entry = &report->entries[index];
    TenantMigrationResult known;
    *ret_failure_key = failure_key(result);
    if (!known_result(entry, &known, error))
        return false;
    if (!merge_applied(entry, &known, attempt, result)) {
        record_clear(&TENANT_MIGRATION_RESULT, &known);
        return error_memory(error);
    }
    sort_applied(planned(entry), &known.applied_migrations);
    TenantState learned = outcome_state(outcome);
    bool older = learned == entry->state && attempt < known.attempts;
    if (learned != TENANT_SKIPPED && tenant_state_merge(entry->state, learned) == learned && !older) {
        entry->duration_ms = short_duration(result->duration_ms);
        entry->state = learned;
        take_words(&known, result, attempt);
    }
    return keep_result(report, entry, &known, error);
}

bool run_entry_recall(RunReport *report, size_t index, const TenantMigrationResult *before, Error *error)
{
    RunEntry *entry = &report->entries[index];
    TenantMigrationResult known = {0};
    entry->duration_ms = short_duration(before->duration_ms);
    const TenantMigrationResult done = {.applied_migrations = before->applied_migrations,
                                        .recovered = before->recovered};
    return record_copy(&TENANT_MIGRATION_RESULT, &known, &done, error) &&
           keep_result(report, entry, &known, error);
}

static const char *final_error(const RunEntry *entry, const char *known, TenantState state, Outcome outcome)
{
    if (state == TENANT_FAILED && known == NULL && entry->plan != NULL && entry->plan->error != NULL)
        return entry->plan->error;
    return fleet_outcome_text(state, outcome);
}

/* Takes `known` over; `reason`, unless NULL, stands for the usual one. */
static bool finish(RunReport *report, RunEntry *entry, TenantMigrationResult *known, TenantState state,
                   Outcome outcome, uint32_t attempts, const char *reason, Error *error)
{
    entry->state = state == TENANT_PENDING ? TENANT_SKIPPED : state;
    known->success = entry->state == TENANT_SUCCEEDED;
    known->attempts = attempts;
    if (outcome == OUTCOME_ALREADY && known->applied_migrations.count > 0)
        outcome = OUTCOME_APPLIED; /* an earlier attempt of this run did it */
    drop_text(&known->outcome);
    if (known->success || entry->state == TENANT_SKIPPED)
        drop_text(&known->error); /* a failure that a later attempt put right leaves no trace */
    if (!known->success)
        drop_text(&known->format);
    if (reason == NULL)
        reason = final_error(entry, known->error, entry->state, outcome);
    const char *format = known->success && entry->plan != NULL ? entry->plan->format : NULL;
    if (text_fill(&known->outcome, outcome_name(outcome)) && text_fill(&known->error, reason) &&
        text_fill(&known->format, format))
        return keep_result(report, entry, known, error);
    record_clear(&TENANT_MIGRATION_RESULT, known);
    return error_memory(error);
}

bool run_entry_finish(RunReport *report, size_t index, TenantState state, Outcome outcome, uint32_t attempts,
                      Error *error)
{
    RunEntry *entry = &report->entries[index];
    TenantMigrationResult known;
    return known_result(entry, &known, error) &&
           finish(report, entry, &known, state, outcome, attempts, NULL, error);
}

bool run_entry_finish_planned(RunReport *report, size_t index, Error *error)
{
    RunEntry *entry = &report->entries[index];
    const TenantMigrationStatus *plan = entry->plan;
    bool stopped = plan == NULL, readable = plan != NULL && strcmp(plan->status, "error") != 0;
    TenantState state = readable ? TENANT_SUCCEEDED : stopped ? TENANT_SKIPPED : TENANT_FAILED;
    Outcome outcome = readable ? OUTCOME_ALREADY : stopped ? OUTCOME_NOT_STARTED : OUTCOME_ERROR;
    if (plan != NULL && plan->outcome != NULL && !readable)
        outcome_from_name(plan->outcome, &outcome);
    TenantMigrationResult known;
    if (!known_result(entry, &known, error))
        return false;
    bool enough = plan == NULL || text_fill(&known.sqlstate, plan->sqlstate);
    for (size_t i = 0; enough && readable && i < planned(entry)->count; i++)
        enough = text_list_add(&known.applied_migrations, planned(entry)->items[i]);
    if (enough)
        return finish(report, entry, &known, state, outcome, 0, NULL, error);
    record_clear(&TENANT_MIGRATION_RESULT, &known);
    return error_memory(error);
}

bool run_entry_fill_status(RunReport *report, size_t index, Outcome outcome, Error *error)
{
    RunEntry *entry = &report->entries[index];
    if (entry->plan != NULL)
        return true;
    TenantState state = outcome_state(outcome) == TENANT_SUCCEEDED ? TENANT_FAILED : outcome_state(outcome);
    TenantMigrationStatus status = {0};
    if (text_fill(&status.status, "error") &&
        text_fill(&status.error, final_error(entry, NULL, state, outcome)) &&
        keep_plan(report, entry, &status, error))
        return true;
    record_clear(&TENANT_MIGRATION_STATUS, &status);
    return error->code != ERROR_NONE ? false : error_memory(error);
}

bool run_table_skip(RunReport *report, const char *reason, Error *error)
{
    for (size_t i = 0; i < report->count; i++) {
        RunEntry *entry = &report->entries[i];
        TenantMigrationResult known;
        if (!known_result(entry, &known, error) ||
            !finish(report, entry, &known, TENANT_SKIPPED, OUTCOME_NOT_STARTED, 0, reason, error))
            return false;
    }
    return true;
}

size_t run_table_bytes(const RunReport *report)
{
    return report->count * (sizeof *report->entries + sizeof *report->tenants.items) +
           report->tenants.texts.bytes + record_set_count(report->plans) * sizeof(TenantMigrationStatus) +
           record_set_count(report->results) * sizeof(TenantMigrationResult);
}

EngineTotals run_table_totals(const RunReport *report)
{
    EngineTotals totals = {.total = report->count};
    size_t *const counter[] = {
        [TENANT_PENDING] = &totals.pending,
        [TENANT_SKIPPED] = &totals.skipped,
        [TENANT_FAILED] = &totals.failed,
        [TENANT_SUCCEEDED] = &totals.succeeded,
    };
    for (size_t i = 0; i < report->count; i++)
        ++*counter[report->entries[i].state];
    return totals;
}
