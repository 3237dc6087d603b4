#include "worker/ops/tenant_migration.h"
#include "worker/ops/block_exchange.h"
#include "worker/ops/migration_plan.h"
#include "worker/ops/tenant_visit.h"
#include "worker/ops/turn.h"
#include <string.h>

/* One tenant's migration. */
typedef struct Migrating {
    Turn turn;
    BlockMode mode;
    TenantMigrationResult *result;
    MigrationPlan plan;
} Migrating;

/* One migration's way to its end. */
typedef struct Step {
    const Migration *migration;
    int64_t ordinal;
    const MigrationScript *script; /* lent; `own` when nobody keeps it for us */
    MigrationScript own;
    Buffer claim;
    bool unplanned; /* a plain message found the tenant otherwise than planned: a block tells how */
    TurnStep tries;
    int64_t started_ms;
} Step;

static const char NO_COLUMN[] = "42703", OTHER_TYPE[] = "42804";

/* The table was converted to another format between the look at its columns and the one at its rows. */
static bool goes_on_reading(Turn *turn, TurnStep *tries)
{
    return strcmp(turn->error.sqlstate, NO_COLUMN) == 0 ? turn_after_passing(turn, tries)
                                                        : turn_after_refusal(turn, tries);
}

/* The run has looked at the tenant a few minutes ago. An earlier attempt may have changed what it saw. */
static bool follow_plan(Migrating *migrating)
{
    const Turn *turn = &migrating->turn;
    const OpTenant *tenant = turn->tenant;
    return tenant->plan != NULL && tenant->attempt == 1 && !turn_is_cancelled(turn) &&
           migration_plan_follow(&migrating->plan, tenant->plan, turn->context->options,
                                 turn->context->bundle);
}

static bool read_plan(Migrating *migrating)
{
    Turn *turn = &migrating->turn;
    TurnStep tries = {.claim = "the tracking table was read"};
    bool again = true;
    if (follow_plan(migrating))
        return true;
    while (again) {
        if (turn_is_cancelled(turn))
            return error_set(&turn->error, ERROR_CANCELLED, "cancelled before the first migration");
        if (!turn_prepare(turn, &tries, &again))
            continue;
        if (migration_plan_read(&migrating->plan, turn->connection, turn->tenant->schema,
                                turn->context->options, turn->context->bundle, &turn->error))
            return true;
        again = goes_on_reading(turn, &tries);
    }
    return false;
}

static bool refuse_file(Migrating *migrating, const char *name, const char *what, const char *hint)
{
    Turn *turn = &migrating->turn;
    error_set(&turn->error, ERROR_MIGRATIONS, "migration \"%s\" %s", name, what);
    error_set_hint(&turn->error, "%s", hint);
    migrating->result->migration = strdup(name);
    return false;
}

/* What a strict run refuses. A hash without a file may be that of a deleted one, too. */
static bool check_unchanged(Migrating *migrating)
{
    const OpContext *context = migrating->turn.context;
    const MigrationPlan *plan = &migrating->plan;
    const RecordedRows rows = migration_plan_rows(plan);
    bool unexplained = context->options->strict && recorded_unexplained(plan->recorded, &rows) > 0;
    for (size_t i = 0; context->options->strict && i < context->bundle->count; i++) {
        const char *name = context->bundle->items[i].name;
        if (recorded_changed(plan->recorded, i))
            return refuse_file(migrating, name, "was changed after it was applied",
                               "restore the file and put the change into a new migration");
        if (unexplained && migration_plan_is_pending(plan, i))
            return refuse_file(
                migrating, name,
                "may have been changed after it was applied: hashes are recorded that no file has",
                "restore the files, or remove what deleted ones have left by sync "
                "--clean-orphans");
    }
    return true;
}

static bool add_name(Turn *turn, TextList *list, const char *name)
{
    return text_list_add(list, name) || error_memory(&turn->error);
}

/* Which of the plan's migrations an earlier attempt of this run may have committed is the coordinator's to
 * decide. */
static bool list_recorded(Migrating *migrating)
{
    Turn *turn = &migrating->turn;
    const Bundle *bundle = turn->context->bundle;
    for (size_t i = 0; turn->tenant->recovering && i < bundle->count; i++)
        if (!migration_plan_is_pending(&migrating->plan, i) &&
            !add_name(turn, &migrating->result->already, bundle->items[i].name))
            return false;
    return true;
}

static bool list_pending(Migrating *migrating)
{
    Turn *turn = &migrating->turn;
    const Bundle *bundle = turn->context->bundle;
    for (size_t i = 0; i < bundle->count; i++)
        if (migration_plan_is_pending(&migrating->plan, i) &&
            !add_name(turn, &migrating->result->applied_migrations, bundle->items[i].name))
            return false;
    return true;
}

/* A hook may take its time, and other tenants wait for connections. */
static void make_room_for_hooks(Turn *turn)
{
    if (hook_set_wants_migrations(turn->context->hooks))
        turn_pause(turn);
}

static bool announce_step(Migrating *migrating, const Step *step)
{
    Turn *turn = &migrating->turn;
    const OpContext *context = turn->context;
    const char *name = step->migration->name;
    HookSite site = tenant_hook_site(context, turn->tenant);
    if (turn_is_cancelled(turn))
        return error_set(&turn->error, ERROR_CANCELLED, "cancelled before migration \"%s\" began", name);
    make_room_for_hooks(turn);
    return hook_progress(context->hooks, site.tenant_id, "migrating", name, &turn->error) &&
           hook_before_migration(context->hooks, &site, name, &turn->error);
}

/* Only what this turn has committed is anybody's news. */
static bool finish_step(Migrating *migrating, const Step *step, bool ours)
{
    Turn *turn = &migrating->turn;
    const OpContext *context = turn->context;
    const char *name = step->migration->name;
    if (!ours)
        return add_name(turn, &migrating->result->already, name);
    if (!add_name(turn, &migrating->result->applied_migrations, name))
        return false;
    int64_t duration_ms = clock_now_ms(context->clock) - step->started_ms;
    make_room_for_hooks(turn);
    HookSite site = tenant_hook_site(context, turn->tenant);
    return hook_after_migration(context->hooks, &site, name, duration_ms, &turn->error);
}

static ExchangeVerdict send_block(Migrating *migrating, const Step *step, BlockMode mode,
                                  BlockOutcome *ret_outcome)
{
    Turn *turn = &migrating->turn;
    BlockRequest request = {
        .mode = mode,
        .schema = turn->tenant->schema,
        .table = turn->run.migrations_table,
        .tracking = migrating->plan.tracking,
        .create = migrating->plan.create,
        .migration = step->migration,
        .ordinal = step->ordinal,
        .script = step->script,
        .lock_timeout_ms = turn->run.lock_timeout_ms,
        .statement_timeout_ms = turn->context->options->statement_timeout_ms,
        .server_version = connection_server_version(turn->connection),
    };
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {0};
    if (!migration_block_build(&request, &block, &turn->error))
        return EXCHANGE_REFUSED;
    bool runs = mode == BLOCK_APPLY || mode == BLOCK_PLAIN;
    const MigrationScript *script = runs ? request.script : NULL;
    return block_exchange(turn->connection, &block, script, ret_outcome, &turn->error);
}

typedef enum StepEnd { STEP_AGAIN, STEP_APPLIED, STEP_PRESENT, STEP_FAILED } StepEnd;

static StepEnd again_if(bool again)
{
    return again ? STEP_AGAIN : STEP_FAILED;
}

static StepEnd after_decision(Migrating *migrating, Step *step, BlockOutcome outcome)
{
    Turn *turn = &migrating->turn;
    switch (outcome) {
    case BLOCK_DONE:
        migrating->plan.create = false;
        return STEP_APPLIED;
    case BLOCK_PRESENT: /* pending when we looked: if an attempt of ours was lost since, it is its work */
        return step->tries.in_doubt ? STEP_APPLIED : STEP_PRESENT;
    case BLOCK_STALE:
        return again_if(migration_plan_find_table(&migrating->plan, turn->connection, turn->tenant->schema,
                                                  turn->context->options, &turn->error) ||
                        turn_after_refusal(turn, &step->tries));
    case BLOCK_BUSY:
        return again_if(turn_after_busy(turn, &step->tries));
    case BLOCK_NO_SCHEMA:
        error_set(&turn->error, ERROR_NO_SCHEMA, "schema \"%s\" does not exist", turn->tenant->schema);
        return STEP_FAILED;
    default: /* BLOCK_ABSENT: the probe has found that none of the lost attempts committed */
        turn_after_probe(turn, &step->tries);
        return STEP_FAILED;
    }
}

static StepEnd after_refusal(Turn *turn, Step *step)
{
    if (turn_after_refusal(turn, &step->tries))
        return STEP_AGAIN;
    bool timed_out = strcmp(turn->error.sqlstate, "57014") == 0 && turn->error.code != ERROR_CANCELLED;
    if (timed_out && turn->error.hint == NULL)
        error_set_hint(&turn->error, "if a timeout ended it, raise run.statement_timeout_ms or set "
                                     "statement_timeout at the head of the file");
    return STEP_FAILED;
}

/* The table may have been converted to another format since we looked: then the server has refused the words
 * for a table that is no more, and the file's effect with them. */
static bool was_converted(Migrating *migrating)
{
    Turn *turn = &migrating->turn;
    ERROR_CLEANUP Error unreadable = {0};
    const TrackingTable before = migrating->plan.tracking;
    if (strcmp(turn->error.sqlstate, NO_COLUMN) != 0 && strcmp(turn->error.sqlstate, OTHER_TYPE) != 0)
        return false;
    return migration_plan_find_table(&migrating->plan, turn->connection, turn->tenant->schema,
                                     turn->context->options, &unreadable) &&
           migrating->plan.tracking.format != before.format;
}

/* Without a block a statement_timeout would hold for each statement alone, and the server reads strings as it
 * is set when the message comes. */
static bool goes_plainly(const Migrating *migrating, const Step *step)
{
    const Turn *turn = &migrating->turn;
    return step->script != NULL && step->script->plain && !step->unplanned &&
           turn->context->options->statement_timeout_ms == 0 &&
           connection_has_standard_strings(turn->connection);
}

static StepEnd attempt_step(Migrating *migrating, Step *step)
{
    Turn *turn = &migrating->turn;
    if (!step->tries.in_doubt && turn_is_cancelled(turn)) {
        error_set(&turn->error, ERROR_CANCELLED, "cancelled before migration \"%s\" began",
                  step->migration->name);
        return STEP_FAILED;
    }
    bool again;
    if (!turn_prepare(turn, &step->tries, &again))
        return again_if(again);
    /* A file that brings its server process down must not do so for ten minutes. */
    BlockMode mode = turn_should_probe(turn, &step->tries) ? BLOCK_PROBE
                     : goes_plainly(migrating, step)       ? BLOCK_PLAIN
                                                           : migrating->mode;
    BlockOutcome outcome = BLOCK_BUSY;
    switch (send_block(migrating, step, mode, &outcome)) {
    case EXCHANGE_DECIDED:
        return after_decision(migrating, step, outcome);
    case EXCHANGE_UNPLANNED:
        step->unplanned = true;
        return STEP_AGAIN;
    case EXCHANGE_LOST:
        turn_after_loss(turn, &step->tries);
        return STEP_AGAIN;
    default:
        return was_converted(migrating) ? STEP_AGAIN : after_refusal(turn, step);
    }
}

static bool read_script(Migrating *migrating, Step *step)
{
    Turn *turn = &migrating->turn;
    if (migrating->mode != BLOCK_APPLY)
        return true;
    step->script = script_cache_get(turn->context->scripts, step->migration, &step->own, &turn->error);
    if (step->script == NULL)
        return false;
    if (step->script->no_transaction_line == 0)
        return true;
    error_set(&turn->error, ERROR_MIGRATIONS, "migration \"%s\" asks to run without a transaction",
              step->migration->name);
    error_set_hint(&turn->error,
                   "the directive \"-- pgconvoy:transaction off\" is not available yet; run the "
                   "file by hand and record it with --mark-applied");
    turn->error.line = step->script->no_transaction_line;
    return false;
}

/* The npm package makes the table before it runs anything, so a tenant whose first migration failed has an
 * empty one with it, and here as well; only a file that may not run at all leaves nothing. Whether that works
 * is not this tenant's error. */
static void leave_tracking_table(Migrating *migrating, const Step *step)
{
    Turn *turn = &migrating->turn;
    bool ran = turn->error.code == ERROR_SERVER && strcmp(turn->error.sqlstate, "0A000") != 0;
    if (!ran || !migrating->plan.create || turn_is_cancelled(turn) || turn->connection == NULL)
        return;
    Error error = turn->error;
    turn->error = (Error){0};
    BlockOutcome outcome;
    if (send_block(migrating, step, BLOCK_ENSURE, &outcome) == EXCHANGE_DECIDED)
        migrating->plan.create = false;
    error_move(&turn->error, &error);
}

static bool walk_step(Migrating *migrating, Step *step)
{
    buffer_appendf(&step->claim, "migration \"%s\" was committed", step->migration->name);
    step->tries.claim = buffer_text(&step->claim);
    if (!announce_step(migrating, step) || !read_script(migrating, step))
        return false;
    step->started_ms = clock_now_ms(migrating->turn.context->clock);
    StepEnd end;
    while ((end = attempt_step(migrating, step)) == STEP_AGAIN)
        ;
    return end != STEP_FAILED && finish_step(migrating, step, end == STEP_APPLIED);
}

static bool migrate_one(Migrating *migrating, size_t index)
{
    const OpContext *context = migrating->turn.context;
    Step step = {.migration = &context->bundle->items[index],
                 .ordinal = tracking_ordinal(context->bundle, index)};
    bool good = walk_step(migrating, &step);
    if (!good) {
        migrating->result->migration = strdup(step.migration->name);
        leave_tracking_table(migrating, &step);
    }
    migration_script_clear(&step.own);
    turn_step_clear(&step.tries);
    buffer_clear(&step.claim);
    return good;
}

static bool migrate_pending(Migrating *migrating)
{
    const OpContext *context = migrating->turn.context;
    Turn *turn = &migrating->turn;
    if (!op_schema_check(context->options, turn->tenant->schema, &turn->error) || !read_plan(migrating) ||
        !list_recorded(migrating) || !check_unchanged(migrating))
        return false;
    if (context->options->dry_run)
        return list_pending(migrating);
    for (size_t i = 0; i < context->bundle->count; i++)
        if (migration_plan_is_pending(&migrating->plan, i) && !migrate_one(migrating, i))
            return false;
    return true;
}

static char *copy_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

void tenant_migrate_unvisited(const OpContext *context, const OpTenant *tenant, BlockMode mode,
                              TenantMigrationResult *ret_result, Outcome *ret_outcome)
{
    Migrating migrating = {.mode = mode, .result = ret_result};
    turn_begin(&migrating.turn, context, tenant);
    ret_result->tenant_id = strdup(tenant->id);
    ret_result->schema_name = strdup(tenant->schema);
    ret_result->attempts = tenant->attempt;
    ret_result->success = migrate_pending(&migrating);
    if (ret_result->success) {
        bool wrote = ret_result->applied_migrations.count > 0 && !context->options->dry_run;
        *ret_outcome = wrote ? OUTCOME_APPLIED : OUTCOME_ALREADY;
        ret_result->format = copy_or_null(tracking_format_name(migrating.plan.tracking.format));
        ret_result->outcome = strdup(outcome_name(*ret_outcome));
    } else {
        *ret_outcome = turn_outcome(&migrating.turn);
        tenant_result_fail(ret_result, *ret_outcome, &migrating.turn.error);
    }
    ret_result->duration_ms = turn_elapsed_ms(&migrating.turn);
    turn_end(&migrating.turn);
    migration_plan_clear(&migrating.plan);
}

void tenant_migrate(const OpContext *context, const OpTenant *tenant, BlockMode mode,
                    TenantMigrationResult *ret_result, Outcome *ret_outcome)
{
    TenantVisit visit;
    if (tenant_visit_begin(&visit, context, tenant, ret_result, ret_outcome))
        tenant_migrate_unvisited(context, tenant, mode, ret_result, ret_outcome);
    tenant_visit_end(&visit, ret_result, ret_outcome);
}
