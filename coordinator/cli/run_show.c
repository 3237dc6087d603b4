/* run:show: what a run did, from its journal alone. */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/cli/run_name.h"
#include "coordinator/report.h"
#include "coordinator/report_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static TenantState state_of(const char *name)
{
    return strcmp(name, "succeeded") == 0 ? TENANT_SUCCEEDED
           : strcmp(name, "failed") == 0  ? TENANT_FAILED
                                          : TENANT_SKIPPED;
}

/* A report of the tenants that the journal names; its texts belong to the content. */
static bool make_report(const JournalContent *content, RunReport *report, Tenant **ret_tenants, Error *error)
{
    Tenant *tenants = calloc((size_t)content->run.tenants + 1, sizeof *tenants);
    RunEntry *entries = calloc((size_t)content->run.tenants + 1, sizeof *entries);
    if (tenants == NULL || entries == NULL) {
        free(tenants);
        free(entries);
        return error_memory(error);
    }
    for (int64_t i = 0; i < content->run.tenants; i++) {
        const JournalTenant *tenant = &content->tenants[i];
        if (tenant->state == NULL)
            continue;
        tenants[report->count] = (Tenant){.database = tenant->database,
                                          .id = tenant->result.tenant_id,
                                          .schema = tenant->result.schema_name};
        entries[report->count] = (RunEntry){.tenant = &tenants[report->count],
                                            .state = state_of(tenant->state),
                                            .duration_ms = (uint32_t)tenant->result.duration_ms,
                                            .result = &tenant->result};
        report->count++;
    }
    report->entries = entries;
    *ret_tenants = tenants;
    return true;
}

static json_t *row(const void *report, size_t index)
{
    return record_to_json(&TENANT_MIGRATION_RESULT_CLI, ((const RunReport *)report)->entries[index].result);
}

static bool print_json(const JournalContent *content, const RunReport *report, Error *error)
{
    JournalEnd totals = cli_run_totals(content);
    json_t *run = record_to_json(&JOURNAL_RUN, &content->run);
    json_object_set_new(run, "state", json_string(cli_run_state(content)));
    json_object_set_new(run, "resumed", json_integer((json_int_t)content->resumed));
    const ReportRows rows = {"results", report->count, report, row};
    return report_print_rows(
        stdout, json_pack("{s:o}", "run", run), &rows,
        json_pack("{s:{s:I,s:I,s:I,s:I,s:I}}", "summary", "total", (json_int_t)totals.total, "succeeded",
                  (json_int_t)totals.succeeded, "failed", (json_int_t)totals.failed, "skipped",
                  (json_int_t)totals.skipped, "durationMs", (json_int_t)totals.duration_ms),
        error);
}

static bool print_text(const JournalContent *content, const RunReport *report, bool details, Error *error)
{
    JournalEnd totals = cli_run_totals(content);
    printf("run %s, %s, begun %s: %s\n", content->run.run, content->run.command, content->run.started_at,
           cli_run_state(content));
    if (content->torn)
        puts("the journal's last line is torn; what it said is not known");
    if (report->count > 0 && !report_migrate_text(stdout, report, false, details, error))
        return false;
    printf("total %lld: %lld succeeded, %lld failed, %lld skipped", (long long)totals.total,
           (long long)totals.succeeded, (long long)totals.failed, (long long)totals.skipped);
    int64_t unknown = totals.total - totals.succeeded - totals.failed - totals.skipped;
    if (unknown > 0)
        printf(", %lld not told of (up to date, or not reached)", (long long)unknown);
    puts("");
    return true;
}

int cli_run_show(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    JournalContent content = {0};
    RunReport report = {0};
    Tenant *tenants = NULL;
    bool good =
        cli_named_run(arguments, &content, &error) && make_report(&content, &report, &tenants, &error);
    if (good)
        good = option_given(arguments, "json")
                   ? print_json(&content, &report, &error)
                   : print_text(&content, &report, option_given(arguments, "verbose"), &error);
    free(tenants);
    free(report.entries);
    run_journal_content_clear(&content);
    return good ? EXIT_DONE : cli_failed(arguments, &error);
}
