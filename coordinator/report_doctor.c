#include "coordinator/report_doctor.h"
#include "coordinator/report_json.h"
#include <string.h>

static json_t *list_json(const RecordType *type, const RecordList *list)
{
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < list->count; i++) {
        const char *item = (const char *)list->items + i * type->size;
        if (json_array_append_new(array, record_to_json(type, item)) == 0)
            continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

bool report_doctor_json(FILE *file, const DoctorReport *report, Error *error)
{
    json_t *document = json_pack("{s:b,s:o,s:o}", "healthy", report->healthy, "checks",
                                 list_json(&DOCTOR_CHECK, &report->checks), "recommendations",
                                 list_json(&DOCTOR_ADVICE, &report->advice));
    if (document == NULL)
        return error_memory(error);
    if (report->configured)
        json_object_set_new(document, "poolConfig",
                            json_pack("{s:I,s:I}", "maxPools", (json_int_t)report->max_pools, "poolTtlMs",
                                      (json_int_t)report->pool_ttl_ms));
    json_object_set_new(document, "durationMs", json_integer(report->duration_ms));
    if (report->server_version != NULL)
        json_object_set_new(document, "database",
                            json_pack("{s:s,s:I}", "version", report->server_version, "latencyMs",
                                      (json_int_t)report->latency_ms));
    if (report->tenant_count >= 0)
        json_object_set_new(document, "tenantCount", json_integer(report->tenant_count));
    return report_print_json(file, document, error);
}

void report_doctor_text(FILE *file, const DoctorReport *report)
{
    const DoctorCheck *checks = report->checks.items;
    const DoctorAdvice *advice = report->advice.items;
    for (size_t i = 0; i < report->checks.count; i++) {
        fprintf(file, "%-5s  %s: %s\n", checks[i].status, checks[i].name, checks[i].message);
        if (checks[i].details != NULL)
            fprintf(file, "       %s\n", checks[i].details);
    }
    for (size_t i = 0; i < report->advice.count; i++)
        fprintf(file, "%s%s: %s. %s\n", i == 0 ? "\n" : "", advice[i].priority, advice[i].message,
                advice[i].action);
    fprintf(file, "\n%s\n", report->healthy ? "all checks passed" : "something is wrong");
}
