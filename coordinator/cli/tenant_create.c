/* tenant:create */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/tenant_run.h"
#include <stdio.h>

static void set_options(const CliArguments *arguments, RunOptions *options)
{
    options->create_only = option_given(arguments, "no-migrate");
}

static void print_applied(const TextList *applied)
{
    if (applied->count == 0)
        fputs("no migrations applied", stdout);
    else
        printf("%zu migration%s applied", applied->count, applied->count > 1 ? "s" : "");
}

static void print_success(const TenantRun *run, const TenantCreateResult *result)
{
    printf("tenant \"%s\" %s: schema \"%s\"", tenant_run_id(run),
           result->created ? "created" : "exists already", tenant_run_schema(run));
    if (!option_given(run->context.arguments, "no-migrate")) {
        fputs(", ", stdout);
        print_applied(&result->migration.applied_migrations);
    }
    putchar('\n');
}

/* What stays, on stdout; why it is not all, on stderr. */
static void print_failure(const TenantRun *run, const TenantCreateResult *result)
{
    const TenantMigrationResult *migration = &result->migration;
    const TextList *applied = &migration->applied_migrations;
    if (result->created || applied->count > 0) {
        printf("schema \"%s\" %s, ", tenant_run_schema(run), result->created ? "created" : "exists already");
        print_applied(applied);
        for (size_t i = 0; i < applied->count; i++)
            printf("%s%s", i > 0 ? ", " : ": ", applied->items[i]);
        putchar('\n');
        fflush(stdout);
    }
    ERROR_CLEANUP Error error = {0};
    error_set(&error, ERROR_SERVER, "%s", migration->error);
    if (migration->migration != NULL)
        error_prefix(&error, "migration \"%s\"", migration->migration);
    error_prefix(&error, "tenant \"%s\"", tenant_run_id(run));
    if (migration->detail != NULL)
        error_set_detail(&error, "%s", migration->detail);
    if (migration->hint != NULL)
        error_set_hint(&error, "%s", migration->hint);
    cli_print_error(&error);
}

int cli_tenant_create(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    TenantRun run = {.migrations = !option_given(arguments, "no-migrate")};
    bool ok = tenant_run(&run, arguments, OPERATION_CREATE, set_options, &error);
    if (ok && option_given(arguments, "json"))
        ok = tenant_run_print_json(&run, &error);
    else if (ok)
        (run.state == TENANT_SUCCEEDED ? print_success : print_failure)(&run, run.result);
    int code = ok ? tenant_run_exit_code(&run) : cli_failed(arguments, &error);
    tenant_run_close(&run);
    return code;
}
