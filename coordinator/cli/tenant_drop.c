/* tenant:drop */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/tenant_run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_options(const CliArguments *arguments, RunOptions *options)
{
    options->no_cascade = option_given(arguments, "no-cascade");
    options->cascade_foreign = option_given(arguments, "cascade-foreign");
}

/* Nobody drops a tenant by a slip of the hand, and no script without saying so. */
static bool confirm(const CliArguments *arguments, Error *error)
{
    const char *id = option_value(arguments, "id");
    if (!tenant_id_check(id, error)) /* also keeps control characters from the terminal */
        return false;
    if (option_given(arguments, "force"))
        return true;
    if (!isatty(STDIN_FILENO)) {
        error_set(error, ERROR_USAGE, "tenant \"%s\" was not dropped: stdin is no terminal to ask on", id);
        error_set_hint(error, "say --force to drop it without being asked");
        return false;
    }
    fprintf(stderr,
            "tenant \"%s\" loses its schema and everything in it\ntype the tenant id to drop it: ", id);
    fflush(stderr);
    char *line = NULL;
    size_t size = 0;
    ssize_t length = getline(&line, &size, stdin);
    if (length > 0 && line[length - 1] == '\n')
        line[length - 1] = '\0';
    bool same = length > 0 && strcmp(line, id) == 0;
    free(line);
    return same || error_set(error, ERROR_USAGE, "tenant \"%s\" was not dropped: this is not its id", id);
}

static void print_success(const TenantRun *run, const TenantDropResult *result)
{
    if (result->dropped)
        printf("tenant \"%s\" dropped: schema \"%s\"\n", tenant_run_id(run), tenant_run_schema(run));
    else
        printf("tenant \"%s\" has no schema \"%s\": nothing to drop\n", tenant_run_id(run),
               tenant_run_schema(run));
}

static void print_failure(const TenantRun *run, const TenantDropResult *result)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer names = {0};
    for (size_t i = 0; i < result->dependents.count; i++)
        buffer_appendf(&names, "%s%s", i > 0 ? "\n        " : "", result->dependents.items[i]);
    error_set(&error, ERROR_SERVER, "tenant \"%s\" was not dropped: %s", tenant_run_id(run), result->error);
    if (result->dependents.count > 0)
        error_set_detail(&error, "%s", buffer_text(&names));
    else if (result->detail != NULL)
        error_set_detail(&error, "%s", result->detail);
    if (result->hint != NULL)
        error_set_hint(&error, "%s", result->hint);
    cli_print_error(&error);
}

int cli_tenant_drop(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    if (!confirm(arguments, &error))
        return cli_failed(arguments, &error);
    TenantRun run = {0};
    bool ok = tenant_run(&run, arguments, OPERATION_DROP, set_options, &error);
    if (ok && option_given(arguments, "json"))
        ok = tenant_run_print_json(&run, &error);
    else if (ok)
        (run.state == TENANT_SUCCEEDED ? print_success : print_failure)(&run, run.result);
    int code = ok ? tenant_run_exit_code(&run) : cli_failed(arguments, &error);
    tenant_run_close(&run);
    return code;
}
