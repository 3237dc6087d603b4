/* Doctor: looks at everything that a run will need, and says what is wrong before a run does.
 *
 * It writes nothing. What PostgreSQL must answer is asked through the workers, one question per database; the
 * rest is read here. A check that is an error makes the whole unhealthy, a warning does not. Later checks
 * still run when earlier ones failed, unless they cannot.
 */
#pragma once
#include "common/results_doctor.h"
#include "coordinator/fleet.h"

typedef struct DoctorReport {
    bool healthy;
    RecordList checks; /* DoctorCheck */
    RecordList advice; /* DoctorAdvice */
    bool configured;   /* false: there was nothing to go on with */
    int64_t max_pools, pool_ttl_ms;
    char *server_version; /* of the first database that answered; NULL when none did */
    int64_t latency_ms;
    int64_t tenant_count; /* negative = not known */
    int64_t duration_ms;
} DoctorReport;

/* False only when memory ran out; the report is to be cleared in any case. */
bool doctor_run(const FleetRequest *request, DoctorReport *ret_report, Error *error) MUST_CHECK;
void doctor_report_clear(DoctorReport *report);
