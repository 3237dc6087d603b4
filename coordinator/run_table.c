#include "coordinator/run_table.h"
#include <stdlib.h>
#include <string.h>

bool run_table_new(RunReport *report, Error *error)
{
    report->count = report->tenants.count;
    report->entries = calloc(report->count + 1, sizeof *report->entries);
    if (report->entries == NULL)
        return error_memory(error);
    for (size_t i = 0; i < report->count; i++)
        report->entries[i].tenant = &report->tenants.items[i];
    return true;
}

void run_report_clear(RunReport *report)
{
    for (size_t i = 0; i < report->count && report->entries != NULL; i++) {
        record_clear(&TENANT_MIGRATION_STATUS, &report->entries[i].status);
        record_clear(&TENANT_MIGRATION_RESULT, &report->entries[i].result);
    }
    free(report->entries);
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

void run_entry_plan(RunEntry *entry, Outcome outcome, TenantMigrationStatus *status)
{
    if (outcome_state(outcome) != TENANT_SUCCEEDED && entry->status.status != NULL)
        return; /* a later attempt's failure says less than what is known */
    record_clear(&TENANT_MIGRATION_STATUS, &entry->status);
    entry->status = *status;
    *status = (TenantMigrationStatus){0};
}

bool run_entry_needs_work(const RunEntry *entry, bool strict)
{
    const char *status = entry->status.status;
    return status == NULL || strcmp(status, "ok") != 0 || (strict && entry->status.changed.count > 0);
}

/* FNV-1a over SQLSTATE and migration: equal failures get equal keys. */
static uint64_t failure_key(const TenantMigrationResult *result)
{
    if (result->sqlstate == NULL || result->migration == NULL)
        return 0;
    uint64_t key = 14695981039346656037u;
    for (const char *c = result->sqlstate; *c != '\0'; c++)
        key = (key ^ (unsigned char)*c) * 1099511628211u;
    for (const char *c = result->migration; *c != '\0'; c++)
        key = (key ^ (unsigned char)*c) * 1099511628211u;
    return key | 1;
}

/* Adds what an attempt says it committed, and what it found committed by an attempt of ours whose result was
 * lost: what a first attempt finds is somebody else's. */
static bool merge_applied(RunEntry *entry, uint32_t attempt, const TenantMigrationResult *news)
{
    TenantMigrationResult *known = &entry->result;
    for (size_t i = 0; i < news->applied_migrations.count; i++) {
        const char *name = news->applied_migrations.items[i];
        if (!text_list_has(&known->applied_migrations, name) &&
            !text_list_add(&known->applied_migrations, name))
            return false;
    }
    for (size_t i = 0; attempt > 1 && i < news->already.count; i++) {
        const char *name = news->already.items[i];
        if (!text_list_has(&entry->status.pending_migrations, name) ||
            text_list_has(&known->applied_migrations, name))
            continue;
        if (!text_list_add(&known->applied_migrations, name) || !text_list_add(&known->recovered, name))
            return false;
    }
    return true;
}

/* Recovered names come in late: puts the applied ones back into the plan's order. */
static void sort_applied(RunEntry *entry)
{
    TextList *applied = &entry->result.applied_migrations;
    size_t placed = 0;
    for (size_t p = 0; p < entry->status.pending_migrations.count; p++)
        for (size_t i = placed; i < applied->count; i++)
            if (strcmp(applied->items[i], entry->status.pending_migrations.items[p]) == 0) {
                char *name = applied->items[i];
                memmove(&applied->items[placed + 1], &applied->items[placed], (i - placed) * sizeof name);
                applied->items[placed++] = name;
                break;
            }
}

bool run_entry_merge(RunEntry *entry, Outcome outcome, uint32_t attempt, TenantMigrationResult *result,
                     uint64_t *ret_failure_key)
{
    *ret_failure_key = failure_key(result);
    if (!merge_applied(entry, attempt, result))
        return false;
    sort_applied(entry);
    TenantState learned = outcome_state(outcome);
    bool older = learned == entry->state && attempt < entry->result.attempts;
    if (learned == TENANT_SKIPPED || tenant_state_merge(entry->state, learned) != learned || older)
        return true;
    /* This attempt's words replace the earlier ones'; what was applied stays. */
    TextList applied = entry->result.applied_migrations, recovered = entry->result.recovered;
    entry->result.applied_migrations = (TextList){0};
    entry->result.recovered = (TextList){0};
    record_clear(&TENANT_MIGRATION_RESULT, &entry->result);
    text_list_clear(&result->applied_migrations);
    text_list_clear(&result->recovered);
    text_list_clear(&result->already);
    entry->result = *result;
    entry->result.applied_migrations = applied;
    entry->result.recovered = recovered;
    entry->result.attempts = attempt;
    *result = (TenantMigrationResult){0};
    entry->state = learned;
    return true;
}

static const char *final_error(const RunEntry *entry, TenantState state, Outcome outcome)
{
    if (state == TENANT_FAILED && entry->result.error == NULL && entry->status.error != NULL)
        return entry->status.error;
    return fleet_outcome_text(state, outcome);
}

bool run_entry_finish(RunEntry *entry, TenantState state, Outcome outcome, uint32_t attempts,
                      bool several_databases, Error *error)
{
    TenantMigrationResult *result = &entry->result;
    entry->state = state == TENANT_PENDING ? TENANT_SKIPPED : state;
    result->success = entry->state == TENANT_SUCCEEDED;
    result->attempts = attempts;
    if (outcome == OUTCOME_ALREADY && result->applied_migrations.count > 0)
        outcome = OUTCOME_APPLIED; /* an earlier attempt of this run did it */
    free(result->outcome);
    result->outcome = NULL;
    if (result->success || entry->state == TENANT_SKIPPED) {
        /* A failure that a later attempt put right leaves no trace. */
        free(result->error);
        result->error = NULL;
    }
    bool ok = text_fill(&result->tenant_id, entry->tenant->id) &&
              text_fill(&result->schema_name, entry->tenant->schema) &&
              text_fill(&result->outcome, outcome_name(outcome)) &&
              text_fill(&result->error, final_error(entry, entry->state, outcome)) &&
              (!several_databases || text_fill(&result->database, entry->tenant->database)) &&
              (!result->success || text_fill(&result->format, entry->status.format));
    if (!result->success) {
        free(result->format);
        result->format = NULL;
    }
    return ok || error_memory(error);
}

bool run_entry_fill_status(RunEntry *entry, Outcome outcome, bool several_databases, Error *error)
{
    TenantMigrationStatus *status = &entry->status;
    if (several_databases && !text_fill(&status->database, entry->tenant->database))
        return error_memory(error);
    if (status->status != NULL)
        return true;
    TenantState state = outcome_state(outcome) == TENANT_SUCCEEDED ? TENANT_FAILED : outcome_state(outcome);
    bool ok = text_fill(&status->tenant_id, entry->tenant->id) &&
              text_fill(&status->schema_name, entry->tenant->schema) &&
              text_fill(&status->error, final_error(entry, state, outcome));
    return (ok && text_fill(&status->status, "error")) || error_memory(error);
}

bool run_table_skip(RunReport *report, const char *reason, Error *error)
{
    for (size_t i = 0; i < report->count; i++) {
        RunEntry *entry = &report->entries[i];
        char *text = strdup(reason);
        if (text == NULL)
            return error_memory(error);
        if (!run_entry_finish(entry, TENANT_SKIPPED, OUTCOME_NOT_STARTED, 0, report->several_databases,
                              error)) {
            free(text);
            return false;
        }
        free(entry->result.error);
        entry->result.error = text;
    }
    return true;
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
