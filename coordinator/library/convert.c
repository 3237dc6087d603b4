/* Tracking tables in another format. */
#include "coordinator/convert.h"
#include "common/results_lists.h"
#include "coordinator/library/call.h"

static bool ask_on_error(void *host, const ConvertResult *result)
{
    return call_says_abort(host, result->tenant_id, result->error);
}

static bool take_results(ConvertReport *report, pgconvoy_convert_results *results, Error *error)
{
    *results = (pgconvoy_convert_results){.total = (int64_t)report->totals.total,
                                          .succeeded = (int64_t)report->totals.succeeded,
                                          .failed = (int64_t)report->totals.failed,
                                          .skipped = (int64_t)report->totals.skipped};
    for (size_t i = 0; i < report->count; i++) {
        ConvertResult *detail = record_list_add(&CONVERT_RESULT, &results->details);
        if (detail == NULL)
            return error_memory(error);
        *detail = report->entries[i].result;
        report->entries[i].result = (ConvertResult){0};
    }
    return true;
}

static bool run(Call *call, const char *to_format, ConvertReport *ret_report)
{
    ConvertRequest request = {
        .fleet = call->fleet, .to = to_format, .dry_run = call->options.dry_run, .on_failed = ask_on_error};
    if (to_format == NULL)
        return error_set(call->error, ERROR_USAGE, "no format was named");
    return convert_check_format(to_format, call->error) &&
           (request.dry_run || call_needs_host(call, false)) &&
           convert_run(&request, ret_report, call->error);
}

bool pgconvoy_convert_format(pgconvoy_migrator *migrator, const char *to_format,
                             const pgconvoy_run_options *options, pgconvoy_convert_results *ret_results,
                             pgconvoy_error *error)
{
    Call call;
    ConvertReport report = {0};
    pgconvoy_convert_results results = {0};
    ERROR_CLEANUP Error second = {0};
    bool ok = call_begin(&call, migrator, options, error) && run(&call, to_format, &report);
    bool known = (ok || report.acting) && take_results(&report, &results, ok ? call.error : &second);
    if (known && ret_results != NULL)
        *ret_results = results;
    else
        record_clear(&CONVERT_RESULTS, &results);
    convert_report_clear(&report);
    return call_end(&call, ok && known);
}
