#include "tests/faults/soak_run.h"
#include "coordinator/migrator.h"

bool soak_run(const Config *config, bool status, size_t *ret_tenants, Error *error)
{
    RunReport report = {0};
    RunRequest request = {
        .fleet = {.config = config, .workers = config_worker_endpoints(config), .interrupt_fd = -1},
        .action = status ? RUN_STATUS : RUN_MIGRATE,
        .judge_files = !status,
    };
    bool good = migrator_run(&request, &report, error);
    if (good)
        *ret_tenants = report.count;
    run_report_clear(&report);
    return good;
}
