#include "worker/ops/tenant_migration.h"
#include "worker/ops/block_exchange.h"
#include "worker/ops/migration_plan.h"
#include "worker/ops/run_defaults.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BUSY_PATIENCE_MS = 1000, /* afterwards the engine gives the tenant another turn */
    BUSY_FIRST_MS = 20,
    BUSY_MOST_MS = 250,
    UNKNOWN_PATIENCE_MS = 10 * 60 * 1000,
    UNKNOWN_MOST_MS = 5000,
    PAUSE_STEP_MS = 20, /* how soon a pause notices a cancellation */
};

/* One tenant's turn. */
typedef struct Turn {
    const OpContext *context;
    const OpTenant *tenant;
    BlockMode mode;
    RunDefaults run;
    TenantMigrationResult *result;
    Connection *connection; /* NULL while there is none */
    MigrationPlan plan;
    Error error;
    uint64_t seed;
} Turn;

/* Attempts at one step. */
typedef struct Tries {
    int64_t transient, lock;
} Tries;

/* One migration's way to its end. */
typedef struct Step {
    const Migration *migration;
    int64_t ordinal;
    MigrationScript script;
    Tries tries;
    int64_t busy_since_ms, busy_waits;
    int64_t lost_since_ms; /* -1 unless an attempt's COMMIT is in doubt */
    Error lost;            /* what broke it */
} Step;

static const Outcome OUTCOMES[ERROR_CODE_COUNT] = {
    [ERROR_NO_SCHEMA] = OUTCOME_NO_SCHEMA,
    [ERROR_BUSY] = OUTCOME_BUSY,
    [ERROR_UNKNOWN] = OUTCOME_UNKNOWN,
    [ERROR_CANCELLED] = OUTCOME_CANCELLED,
};

static Outcome outcome_of(const Error *error)
{
    return OUTCOMES[error->code] != OUTCOME_NOT_STARTED ? OUTCOMES[error->code] : OUTCOME_ERROR;
}

static int64_t now_ms(const Turn *turn)
{
    return clock_now_ms(turn->context->clock);
}

static bool is_cancelled(const Turn *turn)
{
    return turn->context->cancelled != NULL && atomic_load(turn->context->cancelled);
}

static void pause_for(const Turn *turn, int64_t ms)
{
    for (; ms > 0 && !is_cancelled(turn); ms -= PAUSE_STEP_MS) {
        int64_t part = ms < PAUSE_STEP_MS ? ms : PAUSE_STEP_MS;
        nanosleep(&(struct timespec){.tv_nsec = part * 1000000}, NULL);
    }
}

/* Waits before the next attempt; false when the error in turn->error deserves none. */
static bool may_try_again(Turn *turn, Tries *tries)
{
    RetryClass class = error_retry_class(&turn->error);
    if (class == RETRY_NEVER || is_cancelled(turn))
        return false;
    int64_t *count = class == RETRY_LOCK ? &tries->lock : &tries->transient;
    int64_t limit = class == RETRY_LOCK ? turn->run.lock_attempts : turn->run.retry_attempts;
    if (++*count >= limit)
        return false;
    pause_for(turn,
              retry_delay_ms(*count + 1, turn->run.retry_initial_ms, turn->run.retry_max_ms, &turn->seed));
    return true;
}

static bool ensure_connection(Turn *turn, bool try_anyway)
{
    if (turn->connection != NULL && PQstatus(connection_pg(turn->connection)) == CONNECTION_OK)
        return true;
    reservoir_release(turn->context->reservoir, turn->connection, 0);
    ReservoirRequest request = {.application_name = turn->context->application_name,
                                .try_anyway = try_anyway};
    turn->connection = reservoir_acquire_for(turn->context->reservoir, &request, &turn->error);
    return turn->connection != NULL;
}

static bool read_plan(Turn *turn)
{
    Tries tries = {0};
    do {
        if (is_cancelled(turn))
            return error_set(&turn->error, ERROR_CANCELLED, "cancelled before the first migration");
        if (ensure_connection(turn, tries.transient > 0) &&
            migration_plan_read(&turn->plan, turn->connection, turn->tenant->schema, turn->context->options,
                                turn->context->bundle, &turn->error))
            return true;
    } while (may_try_again(turn, &tries));
    return false;
}

static bool check_unchanged(Turn *turn)
{
    const Bundle *bundle = turn->context->bundle;
    for (size_t i = 0; turn->context->options->strict && i < bundle->count; i++) {
        if (!recorded_changed(turn->plan.recorded, i))
            continue;
        error_set(&turn->error, ERROR_MIGRATIONS, "migration \"%s\" was changed after it was applied",
                  bundle->items[i].name);
        error_set_hint(&turn->error, "restore the file and put the change into a new migration");
        turn->result->migration = strdup(bundle->items[i].name);
        return false;
    }
    return true;
}

static bool add_name(Turn *turn, TextList *list, const char *name)
{
    return text_list_add(list, name) || error_memory(&turn->error);
}

/* Which of the plan's migrations an earlier attempt of this run may have committed is the coordinator's to
 * decide. */
static bool list_recorded(Turn *turn)
{
    const Bundle *bundle = turn->context->bundle;
    for (size_t i = 0; turn->tenant->recovering && i < bundle->count; i++)
        if (!migration_plan_is_pending(&turn->plan, i) &&
            !add_name(turn, &turn->result->already, bundle->items[i].name))
            return false;
    return true;
}

static bool list_pending(Turn *turn)
{
    const Bundle *bundle = turn->context->bundle;
    for (size_t i = 0; i < bundle->count; i++)
        if (migration_plan_is_pending(&turn->plan, i) &&
            !add_name(turn, &turn->result->applied_migrations, bundle->items[i].name))
            return false;
    return true;
}

static bool in_doubt(const Step *step)
{
    return step->lost_since_ms >= 0;
}

static bool give_up_unknown(Turn *turn, const Step *step)
{
    error_set(&turn->error, ERROR_UNKNOWN,
              "the connection was lost and whether migration \"%s\" was "
              "committed could not be learned",
              step->migration->name);
    error_set_detail(&turn->error, "%s", step->lost.message != NULL ? step->lost.message : "connection lost");
    error_set_hint(&turn->error, "run the same command again: the tracking table decides");
    return false;
}

static bool give_up_busy(Turn *turn)
{
    error_set(&turn->error, ERROR_BUSY, "schema \"%s\" is locked by another run", turn->tenant->schema);
    error_set_hint(&turn->error, "wait until the other run has finished with this tenant");
    return false;
}

/* Somebody holds the tenant's lock: another run, or our own lost attempt that the server has not ended. */
static bool wait_while_busy(Turn *turn, Step *step)
{
    int64_t now = now_ms(turn);
    if (step->busy_waits++ == 0)
        step->busy_since_ms = now;
    if (!in_doubt(step) && now - step->busy_since_ms >= BUSY_PATIENCE_MS)
        return give_up_busy(turn);
    int64_t most = in_doubt(step) ? UNKNOWN_MOST_MS : BUSY_MOST_MS;
    pause_for(turn, retry_delay_ms(step->busy_waits + 1, BUSY_FIRST_MS, most, &turn->seed));
    return true;
}

static bool finish_step(Turn *turn, const Step *step, int64_t started_ms, bool ours)
{
    const char *name = step->migration->name;
    if (!ours)
        return add_name(turn, &turn->result->already, name);
    if (!add_name(turn, &turn->result->applied_migrations, name))
        return false;
    if (turn->context->on_migration != NULL)
        turn->context->on_migration(turn->context->observer, turn->tenant, name, now_ms(turn) - started_ms);
    return true;
}

static ExchangeVerdict send_block(Turn *turn, const Step *step, BlockMode mode, BlockOutcome *ret_outcome)
{
    BlockRequest request = {
        .mode = mode,
        .schema = turn->tenant->schema,
        .table = turn->run.migrations_table,
        .tracking = turn->plan.tracking,
        .create = turn->plan.create,
        .migration = step->migration,
        .ordinal = step->ordinal,
        .script = &step->script,
        .lock_timeout_ms = turn->run.lock_timeout_ms,
        .statement_timeout_ms = turn->context->options->statement_timeout_ms,
        .server_version = connection_server_version(turn->connection),
    };
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {0};
    if (!migration_block_build(&request, &block, &turn->error))
        return EXCHANGE_REFUSED;
    const MigrationScript *script = request.mode == BLOCK_APPLY ? request.script : NULL;
    return block_exchange(turn->connection, &block, script, ret_outcome, &turn->error);
}

typedef enum StepEnd { STEP_AGAIN, STEP_APPLIED, STEP_PRESENT, STEP_FAILED } StepEnd;

static StepEnd after_decision(Turn *turn, Step *step, BlockOutcome outcome)
{
    switch (outcome) {
    case BLOCK_DONE:
        turn->plan.create = false;
        return STEP_APPLIED;
    case BLOCK_PRESENT: /* pending when we looked: if an attempt of ours was lost since, it is its work */
        return in_doubt(step) ? STEP_APPLIED : STEP_PRESENT;
    case BLOCK_STALE:
        if (migration_plan_find_table(&turn->plan, turn->connection, turn->tenant->schema,
                                      turn->context->options, &turn->error) ||
            may_try_again(turn, &step->tries))
            return STEP_AGAIN;
        return STEP_FAILED;
    case BLOCK_BUSY:
        return wait_while_busy(turn, step) ? STEP_AGAIN : STEP_FAILED;
    case BLOCK_NO_SCHEMA:
        error_set(&turn->error, ERROR_NO_SCHEMA, "schema \"%s\" does not exist", turn->tenant->schema);
        return STEP_FAILED;
    default: /* BLOCK_ABSENT: the probe has found that none of the lost attempts committed */
        error_move(&turn->error, &step->lost);
        return STEP_FAILED;
    }
}

static StepEnd after_loss(Turn *turn, Step *step)
{
    if (!in_doubt(step))
        step->lost_since_ms = now_ms(turn);
    step->tries.transient++;
    pause_for(turn, retry_delay_ms(step->tries.transient + 1, turn->run.retry_initial_ms, UNKNOWN_MOST_MS,
                                   &turn->seed));
    error_move(&step->lost, &turn->error);
    return STEP_AGAIN;
}

static StepEnd after_refusal(Turn *turn, Step *step)
{
    if (strcmp(turn->error.sqlstate, "57014") == 0 && is_cancelled(turn))
        turn->error.code = ERROR_CANCELLED;
    else if (strcmp(turn->error.sqlstate, "57014") == 0 && turn->error.hint == NULL)
        error_set_hint(&turn->error, "if a timeout ended it, raise run.statement_timeout_ms or set "
                                     "statement_timeout at the head of the file");
    return may_try_again(turn, &step->tries) ? STEP_AGAIN : STEP_FAILED;
}

static StepEnd after_no_connection(Turn *turn, Step *step)
{
    if (!in_doubt(step))
        return may_try_again(turn, &step->tries) ? STEP_AGAIN : STEP_FAILED;
    if (turn->error.code == ERROR_CANCELLED) { /* the reservoir closes: there will be none */
        give_up_unknown(turn, step);
        return STEP_FAILED;
    }
    pause_for(turn, UNKNOWN_MOST_MS / 5);
    return STEP_AGAIN;
}

/* After too many lost attempts a block only looks what became of them: a file that brings its server process
 * down must not do so for ten minutes. */
static BlockMode next_mode(const Turn *turn, const Step *step)
{
    bool exhausted = in_doubt(step) && step->tries.transient >= turn->run.retry_attempts;
    return exhausted ? BLOCK_PROBE : turn->mode;
}

static StepEnd attempt_step(Turn *turn, Step *step)
{
    if (in_doubt(step) && (is_cancelled(turn) || now_ms(turn) - step->lost_since_ms >= UNKNOWN_PATIENCE_MS)) {
        give_up_unknown(turn, step);
        return STEP_FAILED;
    }
    if (is_cancelled(turn)) {
        error_set(&turn->error, ERROR_CANCELLED, "cancelled before migration \"%s\" began",
                  step->migration->name);
        return STEP_FAILED;
    }
    if (!ensure_connection(turn, in_doubt(step) || step->tries.transient > 0))
        return after_no_connection(turn, step);
    BlockOutcome outcome = BLOCK_BUSY;
    switch (send_block(turn, step, next_mode(turn, step), &outcome)) {
    case EXCHANGE_DECIDED:
        return after_decision(turn, step, outcome);
    case EXCHANGE_LOST:
        return after_loss(turn, step);
    default:
        return after_refusal(turn, step);
    }
}

static bool read_script(Turn *turn, Step *step)
{
    if (turn->mode != BLOCK_APPLY)
        return true;
    if (!migration_script_read(step->migration, &step->script, &turn->error))
        return false;
    if (step->script.no_transaction_line == 0)
        return true;
    error_set(&turn->error, ERROR_MIGRATIONS, "migration \"%s\" asks to run without a transaction",
              step->migration->name);
    error_set_hint(&turn->error,
                   "the directive \"-- pgconvoy:transaction off\" is not available yet; run the "
                   "file by hand and record it with --mark-applied");
    turn->error.line = step->script.no_transaction_line;
    return false;
}

/* The npm package makes the table before it runs anything, so a tenant whose first migration failed has an
 * empty one with it, and here as well; only a file that may not run at all leaves nothing. Whether that works
 * is not this tenant's error. */
static void leave_tracking_table(Turn *turn, const Step *step)
{
    bool ran = turn->error.code == ERROR_SERVER && strcmp(turn->error.sqlstate, "0A000") != 0;
    if (!ran || !turn->plan.create || is_cancelled(turn) || turn->connection == NULL)
        return;
    Error error = turn->error;
    turn->error = (Error){0};
    BlockOutcome outcome;
    if (send_block(turn, step, BLOCK_ENSURE, &outcome) == EXCHANGE_DECIDED)
        turn->plan.create = false;
    error_move(&turn->error, &error);
}

static bool migrate_one(Turn *turn, size_t index)
{
    const Bundle *bundle = turn->context->bundle;
    Step step = {
        .migration = &bundle->items[index], .ordinal = tracking_ordinal(bundle, index), .lost_since_ms = -1};
    int64_t started_ms = now_ms(turn);
    bool good = read_script(turn, &step);
    if (good) {
        StepEnd end;
        while ((end = attempt_step(turn, &step)) == STEP_AGAIN)
            ;
        good = end != STEP_FAILED && finish_step(turn, &step, started_ms, end == STEP_APPLIED);
    }
    if (!good) {
        turn->result->migration = strdup(step.migration->name);
        leave_tracking_table(turn, &step);
    }
    migration_script_clear(&step.script);
    error_clear(&step.lost);
    return good;
}

static bool migrate_pending(Turn *turn)
{
    if (!read_plan(turn) || !list_recorded(turn) || !check_unchanged(turn))
        return false;
    if (turn->context->options->dry_run)
        return list_pending(turn);
    for (size_t i = 0; i < turn->context->bundle->count; i++)
        if (migration_plan_is_pending(&turn->plan, i) && !migrate_one(turn, i))
            return false;
    return true;
}

static char *copy_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

static void report_error(Turn *turn)
{
    TenantMigrationResult *result = turn->result;
    Error *error = &turn->error;
    if (error->code == ERROR_NO_SCHEMA && error->sqlstate[0] == '\0')
        strcpy(error->sqlstate, "3F000");
    result->error = error->message != NULL ? error->message : strdup(error_class(error->code)->doc);
    result->detail = error->detail;
    result->hint = error->hint;
    error->message = error->detail = error->hint = NULL;
    result->sqlstate = copy_or_null(error->sqlstate);
    result->line = error->line;
    result->column = error->column;
}

void tenant_migrate(const OpContext *context, const OpTenant *tenant, BlockMode mode,
                    TenantMigrationResult *ret_result, Outcome *ret_outcome)
{
    Turn turn = {.context = context,
                 .tenant = tenant,
                 .mode = mode,
                 .run = run_defaults(context->options),
                 .result = ret_result};
    int64_t started_ms = now_ms(&turn);
    turn.seed = (uint64_t)started_ms ^ (uint64_t)(uintptr_t)&turn;
    ret_result->tenant_id = strdup(tenant->id);
    ret_result->schema_name = strdup(tenant->schema);
    ret_result->attempts = tenant->attempt;
    ret_result->success = migrate_pending(&turn);
    if (ret_result->success) {
        bool wrote = ret_result->applied_migrations.count > 0 && !context->options->dry_run;
        *ret_outcome = wrote ? OUTCOME_APPLIED : OUTCOME_ALREADY;
        ret_result->format = copy_or_null(tracking_format_name(turn.plan.tracking.format));
    } else {
        *ret_outcome = outcome_of(&turn.error);
        report_error(&turn);
    }
    ret_result->outcome = strdup(outcome_name(*ret_outcome));
    ret_result->duration_ms = now_ms(&turn) - started_ms;
    reservoir_release(context->reservoir, turn.connection, 1);
    migration_plan_clear(&turn.plan);
    error_clear(&turn.error);
}
