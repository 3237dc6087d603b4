#include "worker/ops/schema_change.h"
#include "common/tenant.h"
#include "worker/ops/block_exchange.h"
#include <stdio.h>
#include <string.h>

typedef struct Change {
    Turn *turn;
    SchemaAction action;
    TurnStep step;
    char oid[16]; /* drop: of the schema that is meant; "" until looked for */
    bool changed;
} Change;

typedef enum ChangeEnd { CHANGE_AGAIN, CHANGE_OVER, CHANGE_FAILED } ChangeEnd;

static ChangeEnd again_if(bool again)
{
    return again ? CHANGE_AGAIN : CHANGE_FAILED;
}

static ChangeEnd over(Change *change, bool changed)
{
    change->changed = changed;
    return CHANGE_OVER;
}

static ChangeEnd find_schema(Change *change)
{
    static const char SCHEMA[] = "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1";
    Turn *turn = change->turn;
    PGresult *rows;
    if (!connection_query(turn->connection, SCHEMA, 1, &turn->tenant->schema, &rows, &turn->error))
        return again_if(turn_after_refusal(turn, &change->step));
    bool found = PQntuples(rows) > 0;
    if (found)
        snprintf(change->oid, sizeof change->oid, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return found ? CHANGE_AGAIN : over(change, false);
}

static ExchangeVerdict send_block(Change *change, BlockOutcome *ret_outcome)
{
    Turn *turn = change->turn;
    const RunOptions *options = turn->context->options;
    SchemaBlockRequest request = {
        .action = change->action,
        .probe = turn_should_probe(turn, &change->step),
        .schema = turn->tenant->schema,
        .oid = change->oid,
        .no_cascade = options->no_cascade,
        .cascade_foreign = options->cascade_foreign,
        .lock_timeout_ms = turn->run.lock_timeout_ms,
        .statement_timeout_ms = options->statement_timeout_ms,
    };
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {0};
    if (!schema_block_build(&request, &block, &turn->error))
        return EXCHANGE_REFUSED;
    return block_exchange(turn->connection, &block, NULL, ret_outcome, &turn->error);
}

static ChangeEnd after_decision(Change *change, BlockOutcome outcome)
{
    switch (outcome) {
    case BLOCK_DONE:
        return over(change, true);
    case BLOCK_PRESENT:
    case BLOCK_NO_SCHEMA: /* not so when we looked: if an attempt of ours was lost since, it is its work */
        return over(change, change->step.in_doubt);
    case BLOCK_STALE: /* the schema that was meant is gone, and a new one has its name */
        if (change->step.in_doubt)
            return over(change, true);
        change->oid[0] = '\0';
        return CHANGE_AGAIN;
    case BLOCK_BUSY:
        return again_if(turn_after_busy(change->turn, &change->step));
    default:
        turn_after_probe(change->turn, &change->step);
        return CHANGE_FAILED;
    }
}

/* Somebody without our lock has created the schema at the same moment: it will be there at the next look. */
static bool met_a_creator(const Change *change)
{
    const char *sqlstate = change->turn->error.sqlstate;
    return change->action == SCHEMA_CREATE &&
           (strcmp(sqlstate, "23505") == 0 || strcmp(sqlstate, "42P06") == 0);
}

static ChangeEnd after_refusal(Change *change)
{
    Turn *turn = change->turn;
    bool again = met_a_creator(change) ? turn_after_passing(turn, &change->step)
                                       : turn_after_refusal(turn, &change->step);
    if (!again && strcmp(turn->error.sqlstate, "55P03") == 0 && turn->error.hint == NULL)
        error_set_hint(&turn->error, "another session uses the tenant's objects; end it, or raise "
                                     "run.lock_timeout_ms");
    return again_if(again);
}

static ChangeEnd attempt(Change *change)
{
    bool again;
    if (!turn_prepare(change->turn, &change->step, &again))
        return again_if(again);
    if (change->action == SCHEMA_DROP && change->oid[0] == '\0')
        return find_schema(change);
    BlockOutcome outcome = BLOCK_BUSY;
    switch (send_block(change, &outcome)) {
    case EXCHANGE_DECIDED:
        return after_decision(change, outcome);
    case EXCHANGE_LOST:
        turn_after_loss(change->turn, &change->step);
        return CHANGE_AGAIN;
    default:
        return after_refusal(change);
    }
}

bool schema_change(Turn *turn, SchemaAction action, bool *ret_changed)
{
    static const char *const DONE[] = {[SCHEMA_CREATE] = "created", [SCHEMA_DROP] = "dropped"};
    if (!schema_name_check(turn->tenant->schema, &turn->error))
        return false;
    if (turn->context->options->dry_run)
        return error_set(&turn->error, ERROR_USAGE, "schema \"%s\" is not %s in a dry run",
                         turn->tenant->schema, DONE[action]);
    BUFFER_CLEANUP Buffer claim = {0};
    buffer_appendf(&claim, "schema \"%s\" was %s", turn->tenant->schema, DONE[action]);
    Change change = {.turn = turn, .action = action, .step = {.claim = buffer_text(&claim)}};
    ChangeEnd end;
    while ((end = attempt(&change)) == CHANGE_AGAIN)
        ;
    turn_step_clear(&change.step);
    if (end == CHANGE_OVER)
        *ret_changed = change.changed;
    return end == CHANGE_OVER;
}
