#include "coordinator/report_rehearsal.h"
#include "coordinator/report_json.h"

bool report_rehearsal_json(FILE *file, const RunReport *report, const Rehearsal *rehearsal,
                           const Error *reason, Error *error)
{
    json_t *figures = json_pack(
        "{s:I,s:I,s:I,s:I,s:I}", "tenantsPerSecond", (json_int_t)rehearsal->tenants_per_second,
        "firstResultMs", (json_int_t)rehearsal->first_result_ms, "starts", (json_int_t)rehearsal->starts,
        "bytesPerTenant", (json_int_t)rehearsal->bytes_per_tenant, "peakKb", (json_int_t)rehearsal->peak_kb);
    return report_migrate_rows(file, report, figures, reason, error);
}

bool report_rehearsal_text(FILE *file, const Rehearsal *rehearsal, Error *error)
{
    fprintf(file,
            "%lld tenants a second, the first result after %lld ms, %lld bytes a tenant, %lld MB of memory "
            "at most\n",
            (long long)rehearsal->tenants_per_second, (long long)rehearsal->first_result_ms,
            (long long)rehearsal->bytes_per_tenant, (long long)(rehearsal->peak_kb / 1024));
    return fflush(file) == 0 || error_set(error, ERROR_SYSTEM, "cannot write the report");
}
