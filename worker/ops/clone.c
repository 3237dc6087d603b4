/* clone: a tenant's whole schema, as another tenant. */
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/ops/clone_attempt.h"
#include "worker/ops/turn.h"
#include <stdlib.h>
#include <string.h>

typedef struct Clone {
    Turn *turn;
    TurnStep step;
    CloneReport report;
} Clone;

typedef enum CloneEnd { CLONE_AGAIN, CLONE_OVER, CLONE_FAILED } CloneEnd;

static CloneEnd again_if(bool again)
{
    return again ? CLONE_AGAIN : CLONE_FAILED;
}

/* Somebody without our lock has created the schema at the same moment: it will be there at the next look. */
static bool met_a_creator(const Turn *turn)
{
    return strcmp(turn->error.sqlstate, "23505") == 0 || strcmp(turn->error.sqlstate, "42P06") == 0;
}

static CloneEnd after_refusal(Clone *clone)
{
    Turn *turn = clone->turn;
    bool again =
        met_a_creator(turn) ? turn_after_passing(turn, &clone->step) : turn_after_refusal(turn, &clone->step);
    if (!again && strcmp(turn->error.sqlstate, "55P03") == 0 && turn->error.hint == NULL)
        error_set_hint(&turn->error, "another session uses the source's objects; end it, or raise "
                                     "run.lock_timeout_ms");
    return again_if(again);
}

/* The lock that is held may be the source's. */
static CloneEnd after_busy(Clone *clone)
{
    Turn *turn = clone->turn;
    if (turn_after_busy(turn, &clone->step))
        return CLONE_AGAIN;
    error_set(&turn->error, ERROR_BUSY, "schema \"%s\" or \"%s\" is locked by another run",
              turn->context->options->source_schema, turn->tenant->schema);
    error_set_hint(&turn->error, "wait until the other run has finished with these tenants");
    return CLONE_FAILED;
}

/* A worker that died cannot say whether the target is its work, and nobody else can see it. */
static CloneEnd after_taken(Clone *clone)
{
    Turn *turn = clone->turn;
    if (!turn->tenant->recovering)
        return CLONE_FAILED;
    error_set(&turn->error, ERROR_UNKNOWN,
              "tenant \"%s\" exists, and whether a worker that died has cloned it could not be learned",
              turn->tenant->id);
    error_set_hint(&turn->error, "compare it with its source by diff, or drop it and clone again");
    return CLONE_FAILED;
}

static bool tell(void *context, const char *step, const char *table, Error *error)
{
    Turn *turn = context;
    if (hook_progress(turn->context->hooks, turn->tenant->id, step, table, error))
        return true;
    error->code = ERROR_CALLBACK;
    return false;
}

static CloneEnd attempt(Clone *clone)
{
    Turn *turn = clone->turn;
    const RunOptions *options = turn->context->options;
    bool again;
    if (!turn_prepare(turn, &clone->step, &again))
        return again_if(again);
    CloneRequest request = {.options = options,
                            .schemas = {options->source_schema, turn->tenant->schema},
                            .target_id = turn->tenant->id,
                            .earlier = clone->step.in_doubt ? clone->report.transaction : NULL,
                            .probe = turn_should_probe(turn, &clone->step),
                            .lock_timeout_ms = turn->run.lock_timeout_ms,
                            .cancelled = turn->context->cancelled,
                            .progress = {.tell = tell, .context = turn}};
    switch (clone_attempt(&request, turn->connection, &clone->report, &turn->error)) {
    case CLONE_MADE:
    case CLONE_FOUND:
        return CLONE_OVER;
    case CLONE_TAKEN:
        return after_taken(clone);
    case CLONE_BUSY:
        return after_busy(clone);
    case CLONE_LOST:
        turn_after_loss(turn, &clone->step);
        return CLONE_AGAIN;
    case CLONE_ABSENT:
        turn_after_probe(turn, &clone->step);
        return CLONE_FAILED;
    default:
        return after_refusal(clone);
    }
}

static bool check_request(Turn *turn)
{
    const RunOptions *options = turn->context->options;
    Error *error = &turn->error;
    if (options->source_id == NULL || options->source_schema == NULL)
        return error_set(error, ERROR_USAGE, "a clone needs a source");
    if (options->dry_run)
        return error_set(error, ERROR_USAGE, "tenant \"%s\" is not cloned in a dry run", options->source_id);
    return schema_name_check(options->source_schema, error) && schema_name_check(turn->tenant->schema, error);
}

static bool run(Clone *clone)
{
    Turn *turn = clone->turn;
    if (!check_request(turn))
        return false;
    BUFFER_CLEANUP Buffer claim = {0};
    buffer_appendf(&claim, "schema \"%s\" was cloned", turn->tenant->schema);
    clone->step.claim = buffer_text(&claim);
    CloneEnd end;
    while ((end = attempt(clone)) == CLONE_AGAIN)
        ;
    turn_step_clear(&clone->step);
    return end == CLONE_OVER;
}

static void report_success(Clone *clone, CloneResult *result)
{
    result->tables = clone->report.tables;
    result->warnings = clone->report.warnings;
    clone->report.tables = clone->report.warnings = (TextList){0};
    if (clone->turn->context->options->with_data)
        result->rows_copied = clone->report.rows;
}

static void clone_tenant(const OpContext *context, const OpTenant *tenant, CloneResult *ret_result,
                         Outcome *ret_outcome)
{
    Turn turn;
    turn_begin(&turn, context, tenant);
    Clone clone = {.turn = &turn};
    ret_result->rows_copied = -1;
    ret_result->success = run(&clone);
    *ret_outcome = ret_result->success ? OUTCOME_APPLIED : turn_outcome(&turn);
    if (ret_result->success)
        report_success(&clone, ret_result);
    else
        op_take_error(&turn.error, &ret_result->error, &ret_result->sqlstate, &ret_result->detail,
                      &ret_result->hint);
    const char *source = context->options->source_id;
    ret_result->source_tenant = strdup(source != NULL ? source : "");
    ret_result->target_tenant = strdup(tenant->id);
    ret_result->target_schema = strdup(tenant->schema);
    ret_result->outcome = strdup(outcome_name(*ret_outcome));
    ret_result->duration_ms = turn_elapsed_ms(&turn);
    clone_report_clear(&clone.report);
    turn_end(&turn);
}

void op_clone(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
              Outcome *ret_outcomes)
{
    CloneResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        clone_tenant(context, &tenants[i], &results[i], &ret_outcomes[i]);
}
