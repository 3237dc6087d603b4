/* Schemas compared, and looked at. */
#include "coordinator/drift.h"
#include "common/results_lists.h"
#include "coordinator/library/single.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool tell(void *host, const char *tenant_id, const char *status, Error *error)
{
    return call_progress(host, tenant_id, status, error);
}

static pgconvoy_run_options run_options(const pgconvoy_drift_options *options)
{
    return (pgconvoy_run_options){.concurrency = options->concurrency,
                                  .on_progress = options->on_progress,
                                  .context = options->context};
}

static bool check_texts(const char *const *texts, size_t count, const char *what, Error *error)
{
    for (size_t i = 0; i < count; i++)
        if (texts == NULL || texts[i] == NULL)
            return error_set(error, ERROR_USAGE, "%s %zu is NULL", what, i);
    return true;
}

/* Without a reference everybody has the contract's words; only here is there a cause. */
static bool name_lack_of_reference(DriftReport *report, Error *error)
{
    TenantSchemaDrift *drift = report->count > 0 ? &report->entries[0].drift : NULL;
    if (drift == NULL || drift->error == NULL)
        return true;
    drift->detail = drift->error;
    drift->error = strdup(DRIFT_NO_REFERENCE);
    return drift->error != NULL || error_memory(error);
}

static bool run(Call *call, const pgconvoy_drift_options *options, const char *reference,
                DriftReport *ret_report)
{
    DriftRequest request = {.fleet = call->fleet,
                            .reference = reference,
                            .no_indexes = options->no_indexes,
                            .no_constraints = options->no_constraints,
                            .exclude_tables = {(char **)options->exclude_tables, options->exclude_count},
                            .every_tenant = true,
                            .on_tenant = tell};
    request.fleet.hooks = NULL; /* nothing is done to anybody */
    return check_texts(options->exclude_tables, options->exclude_count, "excluded table", call->error) &&
           drift_run(&request, ret_report, call->error) && name_lack_of_reference(ret_report, call->error);
}

static char *now(void)
{
    struct timespec time;
    struct tm parts;
    char text[32], whole[48];
    clock_gettime(CLOCK_REALTIME, &time);
    gmtime_r(&time.tv_sec, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(whole, sizeof whole, "%s.%03ldZ", text, time.tv_nsec / 1000000);
    return strdup(whole);
}

static bool take_report(DriftReport *report, pgconvoy_schema_drift_status *status, Error *error)
{
    *status = (pgconvoy_schema_drift_status){
        .reference_tenant = strdup(report->count > 0 ? report->entries[0].tenant->id : ""),
        .total = (int64_t)report->count,
        .no_drift = (int64_t)(report->count - report->with_drift - report->errors),
        .with_drift = (int64_t)report->with_drift,
        .error = (int64_t)report->errors,
        .timestamp = now(),
        .duration_ms = report->duration_ms,
    };
    if (status->reference_tenant == NULL || status->timestamp == NULL)
        return error_memory(error);
    for (size_t i = 0; i < report->count; i++) {
        TenantSchemaDrift *detail = record_list_add(&TENANT_SCHEMA_DRIFT, &status->details);
        if (detail == NULL)
            return error_memory(error);
        *detail = report->entries[i].drift;
        report->entries[i].drift = (TenantSchemaDrift){0};
    }
    return true;
}

bool pgconvoy_get_schema_drift(pgconvoy_migrator *migrator, const pgconvoy_drift_options *options,
                               pgconvoy_schema_drift_status *ret_status, pgconvoy_error *error)
{
    static const pgconvoy_drift_options DEFAULTS = {0};
    options = options != NULL ? options : &DEFAULTS;
    pgconvoy_run_options run_as = run_options(options);
    Call call;
    DriftReport report = {0};
    pgconvoy_schema_drift_status status = {0};
    bool ok = call_begin(&call, migrator, &run_as, error);
    if (ok && (options->tenant_ids != NULL || options->tenant_count > 0))
        ok = call_name(&call, options->tenant_ids, options->tenant_count);
    ok = ok && run(&call, options, options->reference, &report) && take_report(&report, &status, call.error);
    if (ok && ret_status != NULL)
        *ret_status = status;
    else
        record_clear(&SCHEMA_DRIFT_STATUS, &status);
    drift_report_clear(&report);
    return call_end(&call, ok);
}

bool pgconvoy_get_tenant_schema_drift(pgconvoy_migrator *migrator, const char *tenant_id,
                                      const char *reference_id, const pgconvoy_drift_options *options,
                                      pgconvoy_tenant_schema_drift *ret_drift, pgconvoy_error *error)
{
    static const pgconvoy_drift_options DEFAULTS = {0};
    options = options != NULL ? options : &DEFAULTS;
    const char *reference = reference_id != NULL ? reference_id : options->reference;
    pgconvoy_run_options run_as = run_options(options);
    Call call;
    DriftReport report = {0};
    bool ok = call_begin(&call, migrator, &run_as, error) && call_name_one(&call, tenant_id);
    if (ok && reference == NULL)
        ok = error_set(call.error, ERROR_USAGE, "no reference was named");
    ok = ok && run(&call, options, reference, &report);
    if (ok && ret_drift != NULL) {
        DriftEntry *entry = &report.entries[report.count - 1]; /* the reference stands before it */
        *ret_drift = entry->drift;
        entry->drift = (TenantSchemaDrift){0};
    }
    drift_report_clear(&report);
    return call_end(&call, ok);
}

static void set_introspect(const void *wishes, RunOptions *options)
{
    options->exclude_tables = *(const TextList *)wishes;
}

bool pgconvoy_introspect_tenant_schema(pgconvoy_migrator *migrator, const char *tenant_id,
                                       const char *const *exclude_tables, size_t exclude_count,
                                       pgconvoy_tenant_schema *ret_schema, pgconvoy_error *error)
{
    const TextList exclude = {(char **)exclude_tables, exclude_count};
    Single single = {OPERATION_INTROSPECT, false, set_introspect, &exclude};
    TenantSchema schema = {0};
    Outcome outcome = OUTCOME_NOT_STARTED;
    Call call;
    bool ok = call_begin(&call, migrator, NULL, error) && call_name_one(&call, tenant_id) &&
              check_texts(exclude_tables, exclude_count, "excluded table", call.error) &&
              single_run(&call, &single, &schema, &outcome);
    if (ok && ret_schema != NULL)
        *ret_schema = schema;
    else
        record_clear(&TENANT_SCHEMA, &schema);
    return call_end(&call, ok);
}
