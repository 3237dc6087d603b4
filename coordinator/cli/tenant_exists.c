/* tenant:exists */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/tenant_run.h"
#include <stdio.h>

static void print_failure(const TenantRun *run, const TenantExistsResult *result)
{
    ERROR_CLEANUP Error error = {0};
    error_set(&error, ERROR_SERVER, "whether tenant \"%s\" exists could not be learned: %s",
              tenant_run_id(run), result->error);
    if (result->detail != NULL)
        error_set_detail(&error, "%s", result->detail);
    if (result->hint != NULL)
        error_set_hint(&error, "%s", result->hint);
    cli_print_error(&error);
}

static void print_answer(const TenantRun *run, const TenantExistsResult *result)
{
    if (run->state != TENANT_SUCCEEDED)
        print_failure(run, result);
    else if (result->exists)
        printf("tenant \"%s\" exists: schema \"%s\"\n", tenant_run_id(run), tenant_run_schema(run));
    else
        printf("tenant \"%s\" does not exist: no schema \"%s\"\n", tenant_run_id(run),
               tenant_run_schema(run));
}

/* 1 says "no" and nothing else: a script that creates what is missing must not take a failure for that. */
static int answer_code(const TenantRun *run, const TenantExistsResult *result)
{
    if (run->state == TENANT_SUCCEEDED)
        return result->exists ? EXIT_DONE : EXIT_FAILED;
    int code = tenant_run_exit_code(run);
    return code == EXIT_FAILED ? EXIT_UNAVAILABLE : code;
}

int cli_tenant_exists(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    TenantRun run = {0};
    bool ok = tenant_run(&run, arguments, OPERATION_EXISTS, NULL, &error);
    if (ok && option_given(arguments, "json"))
        ok = tenant_run_print_json(&run, &error);
    else if (ok)
        print_answer(&run, run.result);
    int code = ok ? answer_code(&run, run.result) : cli_failed(arguments, &error);
    tenant_run_close(&run);
    return code == EXIT_FAILED && !ok ? EXIT_UNAVAILABLE : code;
}
