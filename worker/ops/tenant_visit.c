#include "worker/ops/tenant_visit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

HookSite tenant_hook_site(const OpContext *context, const OpTenant *tenant)
{
    return (HookSite){.tenant_id = op_callback_id(context, tenant),
                      .schema = tenant->schema,
                      .database = context->database,
                      .run_id = context->run_id,
                      .cancelled = context->cancelled};
}

static void replace(char **field, char *text)
{
    free(*field);
    *field = text;
}

void tenant_result_fail(TenantMigrationResult *result, Outcome outcome, Error *error)
{
    if (error->code == ERROR_NO_SCHEMA && error->sqlstate[0] == '\0')
        strcpy(error->sqlstate, "3F000");
    result->success = false;
    replace(&result->error, error->message != NULL ? error->message : strdup(error_class(error->code)->doc));
    replace(&result->detail, error->detail);
    replace(&result->hint, error->hint);
    error->message = error->detail = error->hint = NULL;
    replace(&result->sqlstate, error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL);
    replace(&result->outcome, strdup(outcome_name(outcome)));
    replace(&result->format, NULL);
    result->line = error->line;
    result->column = error->column;
}

static Outcome outcome_of(const Error *error)
{
    return error->code == ERROR_CANCELLED ? OUTCOME_CANCELLED : OUTCOME_ERROR;
}

/* The reason that came first is the one that helps. */
static void add_failure(TenantMigrationResult *result, const char *hook, const Error *error)
{
    char *detail = NULL;
    if (asprintf(&detail, "%s%s%s failed too: %s", result->detail != NULL ? result->detail : "",
                 result->detail != NULL ? "\n" : "", hook, error->message != NULL ? error->message : "") >= 0)
        replace(&result->detail, detail);
}

static void take_failure(TenantMigrationResult *result, Outcome *outcome, const char *hook, Error *error)
{
    if (!result->success) {
        add_failure(result, hook, error);
        return;
    }
    *outcome = outcome_of(error);
    tenant_result_fail(result, *outcome, error);
}

bool tenant_visit_begin(TenantVisit *visit, const OpContext *context, const OpTenant *tenant,
                        TenantMigrationResult *ret_result, Outcome *ret_outcome)
{
    *visit = (TenantVisit){.context = context, .tenant = tenant};
    if (context->options->dry_run)
        return true;
    ERROR_CLEANUP Error error = {0};
    HookSite site = tenant_hook_site(context, tenant);
    bool good = hook_progress(context->hooks, site.tenant_id, "starting", NULL, &error);
    if (good) {
        visit->began = true;
        good = hook_before_tenant(context->hooks, &site, &error);
    }
    if (good)
        return true;
    ret_result->tenant_id = strdup(tenant->id);
    ret_result->schema_name = strdup(tenant->schema);
    ret_result->attempts = tenant->attempt;
    *ret_outcome = outcome_of(&error);
    tenant_result_fail(ret_result, *ret_outcome, &error);
    return false;
}

void tenant_visit_end(const TenantVisit *visit, TenantMigrationResult *result, Outcome *outcome)
{
    const OpContext *context = visit->context;
    if (context->options->dry_run)
        return;
    ERROR_CLEANUP Error error = {0};
    HookSite site = tenant_hook_site(context, visit->tenant);
    if (visit->began && !hook_after_tenant(context->hooks, &site, result, &error))
        take_failure(result, outcome, "after_tenant", &error);
    if (result->success && !hook_progress(context->hooks, site.tenant_id, "completed", NULL, &error))
        take_failure(result, outcome, "on_progress", &error);
    if (!result->success && !hook_progress(context->hooks, site.tenant_id, "failed", NULL, &error))
        error_clear(&error); /* there is nothing left that could fail */
}
