#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/report_doctor.h"

int cli_doctor(const CliArguments *arguments)
{
    CliContext context;
    ERROR_CLEANUP Error error = {0};
    DoctorReport report = {0};
    bool ok = cli_context_open(&context, arguments, &error) && doctor_run(&context.request, &report, &error);
    progress_clear(&context.progress);
    if (ok && option_given(arguments, "json"))
        ok = report_doctor_json(stdout, &report, &error);
    else if (ok)
        report_doctor_text(stdout, &report);
    int code = !ok ? cli_failed(arguments, &error) : report.healthy ? EXIT_DONE : EXIT_FAILED;
    doctor_report_clear(&report);
    cli_context_close(&context);
    return code;
}
