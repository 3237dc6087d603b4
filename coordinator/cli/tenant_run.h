/* Tenant run: what the commands about one tenant share: one operation on the tenant of --id, its result and
 * what the command exits with. */
#pragma once
#include "coordinator/cli/context.h"

typedef struct TenantRun {
    bool migrations; /* set by the caller: the operation needs the migrations folder */
    CliContext context;
    Bundle bundle;
    TenantList tenants;
    FleetResults results;
    void *result;      /* the tenant's, of the operation's result type */
    TenantState state; /* what became of the tenant */
    Outcome outcome;
    bool past_deadline;
    bool stopped; /* by the operator or the deadline */
} TenantRun;

/* Runs it; false when nobody heard of the tenant. `set` (may be NULL) changes the run's options. A result of
 * which nothing was heard is filled in as far as is known. *run must not move meanwhile; tenant_run_close()
 * is due even when this fails. */
bool tenant_run(TenantRun *run, const CliArguments *arguments, OperationId operation,
                void (*set)(const CliArguments *arguments, RunOptions *options), Error *error) MUST_CHECK;
void tenant_run_close(TenantRun *run);

/* Of a tenant that did not succeed: interrupted, by policy, busy or failed. */
int tenant_run_exit_code(const TenantRun *run);

/* The result on stdout as JSON. */
bool tenant_run_print_json(const TenantRun *run, Error *error) MUST_CHECK;

/* The id and schema as the result has them. */
const char *tenant_run_id(const TenantRun *run);
const char *tenant_run_schema(const TenantRun *run);
