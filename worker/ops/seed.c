/* seed: fills one tenant with data, by a file's text or by a callback of the hosting program.
 *
 * BLOCK_OPEN begins the transaction, looks whether there is anything to do, and tells the transaction's id;
 * then the file runs and is committed by one message, or the callback works and another message commits. When
 * COMMIT's answer is lost, the server still knows what became of a transaction id, so that the seed runs
 * again only if it left nothing. What a worker that died has committed nobody can ask for: only a seed that
 * is recorded (`once`) runs again after one.
 */
#include "common/tenant.h"
#include "worker/ops/attempt.h"
#include "worker/ops/block_exchange.h"
#include "worker/ops/turn.h"
#include "worker/pg/session.h"
#include <stdio.h>
#include <string.h>

/* A transaction, and the life of the server in which its id means this one. */
typedef struct Transaction {
    char xid[24];
    char incarnation[96];
} Transaction;

/* One tenant's seed. */
typedef struct Seeding {
    Turn turn;
    TurnStep tries;
    const Migration *file;         /* NULL: by callback */
    const MigrationScript *script; /* lent; `own` when nobody keeps it for us */
    MigrationScript own;
    StateRow state;          /* once: what is recorded */
    Transaction transaction; /* of the last attempt that was begun */
    bool told_beginning;
} Seeding;

typedef enum SeedEnd { SEED_AGAIN, SEED_APPLIED, SEED_PRESENT, SEED_FAILED } SeedEnd;

static SeedEnd again_if(bool again)
{
    return again ? SEED_AGAIN : SEED_FAILED;
}

static bool build_block(Seeding *seeding, BlockMode mode, MigrationBlock *ret_block)
{
    Turn *turn = &seeding->turn;
    const RunOptions *options = turn->context->options;
    BlockRequest request = {
        .mode = mode,
        .schema = turn->tenant->schema,
        .script = seeding->script,
        .state = options->once ? &seeding->state : NULL,
        .patient = options->by_callback,
        .xid = seeding->transaction.xid,
        .lock_timeout_ms = turn->run.lock_timeout_ms,
        .statement_timeout_ms = options->statement_timeout_ms,
        .server_version = connection_server_version(turn->connection),
    };
    return migration_block_build(&request, ret_block, &turn->error);
}

/* What a seed does again when it is run again is not undone by looking. */
static void advise_on_doubt(Turn *turn)
{
    if (turn->error.code == ERROR_UNKNOWN && !turn->context->options->once)
        error_set_hint(&turn->error,
                       "look at the tenant's data before you run the seed again; a seed that runs "
                       "with --once is recorded and does nothing twice");
}

static SeedEnd after_refusal(Seeding *seeding)
{
    Turn *turn = &seeding->turn;
    if (PQtransactionStatus(connection_pg(turn->connection)) != PQTRANS_IDLE)
        session_roll_back(turn->connection);
    /* As long as a lost attempt is in question, a broken connection is no answer. */
    if (seeding->tries.in_doubt && turn->error.code == ERROR_CONNECT) {
        turn_after_loss(turn, &seeding->tries);
        return SEED_AGAIN;
    }
    if (turn_after_refusal(turn, &seeding->tries))
        return SEED_AGAIN;
    bool timed_out = strcmp(turn->error.sqlstate, "57014") == 0 && turn->error.code != ERROR_CANCELLED;
    if (timed_out && turn->error.hint == NULL)
        error_set_hint(&turn->error, "if a timeout ended it, raise run.statement_timeout_ms or set "
                                     "statement_timeout at the head of the file");
    return SEED_FAILED;
}

/* What the look under the lock, or the work after it, has decided. */
static SeedEnd after_decision(Seeding *seeding, BlockOutcome outcome)
{
    Turn *turn = &seeding->turn;
    switch (outcome) {
    case BLOCK_DONE:
        return SEED_APPLIED;
    case BLOCK_PRESENT: /* if an attempt of ours was lost before, it is its work */
        return seeding->tries.in_doubt ? SEED_APPLIED : SEED_PRESENT;
    case BLOCK_CHANGED:
        error_set(&turn->error, ERROR_MIGRATIONS, "seed \"%s\" was run on schema \"%s\" with another content",
                  seeding->file->name, turn->tenant->schema);
        error_set_hint(&turn->error, "give the changed file a new name to run it as a seed of its own, or "
                                     "leave --once out to run it again");
        return SEED_FAILED;
    case BLOCK_BUSY:
        return again_if(turn_after_busy(turn, &seeding->tries));
    default:
        error_set(&turn->error, ERROR_NO_SCHEMA, "schema \"%s\" does not exist", turn->tenant->schema);
        return SEED_FAILED;
    }
}

/* Begins the transaction; true when there is something to do in it, else *ret_end says what follows. */
static bool open_transaction(Seeding *seeding, Transaction *ret_transaction, SeedEnd *ret_end)
{
    Turn *turn = &seeding->turn;
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {0};
    PGresult *row = NULL;
    if (!build_block(seeding, BLOCK_OPEN, &block) ||
        !connection_exec(turn->connection, block.sql, &row, &turn->error)) {
        *ret_end = after_refusal(seeding);
        return false;
    }
    BlockOutcome outcome = BLOCK_NO_SCHEMA;
    bool open = block_outcome_from_word(PQgetvalue(row, 0, 0), &outcome) && outcome == BLOCK_DONE;
    snprintf(ret_transaction->xid, sizeof ret_transaction->xid, "%s", PQgetvalue(row, 0, 1));
    snprintf(ret_transaction->incarnation, sizeof ret_transaction->incarnation, "%s", PQgetvalue(row, 0, 2));
    PQclear(row);
    if (open && !turn->context->options->dry_run)
        return true;
    session_roll_back(turn->connection);
    *ret_end = after_decision(seeding, outcome);
    return false;
}

typedef enum Fate { FATE_COMMITTED, FATE_ABORTED, FATE_UNKNOWN } Fate;

/* Ids that are not given out yet are those of transactions that a crash has taken back. */
static const char ASK_FATE[] =
    "SELECT CASE WHEN $1::pg_catalog.xid8 OPERATOR(pg_catalog.>=) pg_catalog.pg_current_xact_id()"
    " THEN 'aborted' ELSE pg_catalog.pg_xact_status($1::pg_catalog.xid8) END";

/* What became of the transaction whose COMMIT was lost; its session is over because we hold its lock. */
static bool ask_fate(Seeding *seeding, const Transaction *now, Fate *ret_fate)
{
    const Transaction *lost = &seeding->transaction;
    const char *xid = lost->xid;
    PGresult *rows = NULL;
    *ret_fate = FATE_ABORTED;
    if (seeding->turn.context->options->once) /* it would be recorded */
        return true;
    if (!connection_query(seeding->turn.connection, ASK_FATE, 1, &xid, &rows, &seeding->turn.error))
        return false;
    bool same_server = strcmp(now->incarnation, lost->incarnation) == 0;
    if (strcmp(PQgetvalue(rows, 0, 0), "aborted") != 0)
        *ret_fate =
            same_server && strcmp(PQgetvalue(rows, 0, 0), "committed") == 0 ? FATE_COMMITTED : FATE_UNKNOWN;
    PQclear(rows);
    return true;
}

/* True when the lost attempt has left nothing, and the seed is to be run; else *ret_end says what follows. */
static bool settle_doubt(Seeding *seeding, const Transaction *now, SeedEnd *ret_end)
{
    Turn *turn = &seeding->turn;
    TurnStep *tries = &seeding->tries;
    Fate fate;
    if (!ask_fate(seeding, now, &fate)) {
        *ret_end = after_refusal(seeding);
        return false;
    }
    bool tired = turn_should_probe(turn, tries);
    tries->in_doubt = fate != FATE_ABORTED;
    if (fate == FATE_ABORTED && !tired)
        return true;
    session_roll_back(turn->connection);
    *ret_end = fate == FATE_COMMITTED ? SEED_APPLIED : SEED_FAILED;
    if (fate == FATE_ABORTED)
        turn_after_probe(turn, tries);
    else if (fate == FATE_UNKNOWN)
        error_set(&turn->error, ERROR_UNKNOWN, "the connection was lost and whether %s could not be learned",
                  tries->claim);
    return false;
}

/* What the callback did to the connection must not hurt whoever has it next. */
static bool call_back(Seeding *seeding)
{
    Turn *turn = &seeding->turn;
    Error left ERROR_CLEANUP = {0};
    PGconn *pg = connection_pg(turn->connection);
    bool good =
        hook_seed(turn->context->hooks, op_callback_id(turn->context, turn->tenant), pg, &turn->error);
    bool whole = connection_take_back(turn->connection, &left);
    PGTransactionStatusType status = PQtransactionStatus(pg);
    if (!good) {
        turn->error.code = turn_is_cancelled(turn)                ? ERROR_CANCELLED
                           : !whole && left.code == ERROR_CONNECT ? ERROR_CONNECT
                                                                  : ERROR_CALLBACK;
        return false;
    }
    if (!whole) {
        error_move(&turn->error, &left);
        error_prefix(&turn->error, "seed callback");
        return false;
    }
    if (status == PQTRANS_INERROR)
        return error_set(&turn->error, ERROR_CALLBACK,
                         "the seed callback succeeded, but a statement of its transaction has failed");
    if (status != PQTRANS_INTRANS) {
        error_set(&turn->error, ERROR_CALLBACK, "the seed callback ended the transaction it was given");
        error_set_hint(&turn->error,
                       "leave BEGIN, COMMIT and ROLLBACK out of the callback; what it committed "
                       "has stayed");
        return false;
    }
    return true;
}

static bool tell(Seeding *seeding, const char *status)
{
    Turn *turn = &seeding->turn;
    bool heard = hook_progress(turn->context->hooks, op_callback_id(turn->context, turn->tenant), status,
                               NULL, &turn->error);
    if (!heard)
        turn->error.code = ERROR_CALLBACK;
    return heard;
}

static bool tell_beginning(Seeding *seeding)
{
    if (seeding->told_beginning)
        return true;
    seeding->told_beginning = true;
    return tell(seeding, "starting") && tell(seeding, "seeding");
}

/* Does the work in the open transaction and commits it. */
static ExchangeVerdict run_seed(Seeding *seeding, BlockOutcome *ret_outcome)
{
    Turn *turn = &seeding->turn;
    bool by_file = seeding->file != NULL;
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {0};
    if (!build_block(seeding, by_file ? BLOCK_SEED : BLOCK_CLOSE, &block) ||
        (!by_file && !call_back(seeding)))
        return EXCHANGE_REFUSED;
    return block_exchange(turn->connection, &block, by_file ? seeding->script : NULL, ret_outcome,
                          &turn->error);
}

static SeedEnd attempt(Seeding *seeding)
{
    Turn *turn = &seeding->turn;
    bool again;
    if (!turn_prepare(turn, &seeding->tries, &again))
        return again_if(again);
    Transaction now = {0};
    SeedEnd end;
    if (!open_transaction(seeding, &now, &end) ||
        (seeding->tries.in_doubt && !settle_doubt(seeding, &now, &end)))
        return end;
    seeding->transaction = now;
    if (!tell_beginning(seeding))
        return after_refusal(seeding);
    BlockOutcome outcome = BLOCK_BUSY;
    switch (run_seed(seeding, &outcome)) {
    case EXCHANGE_DECIDED:
        return after_decision(seeding, outcome);
    case EXCHANGE_LOST:
        turn_after_loss(turn, &seeding->tries);
        return SEED_AGAIN;
    default:
        return after_refusal(seeding);
    }
}

static bool read_file(Seeding *seeding)
{
    Error *error = &seeding->turn.error;
    const Bundle *bundle = seeding->turn.context->bundle;
    if (bundle == NULL || bundle->count != 1)
        return error_set(error, ERROR_PROTOCOL, "a seed has one file, not %zu",
                         bundle != NULL ? bundle->count : 0);
    seeding->file = &bundle->items[0];
    seeding->state = (StateRow){"seed", seeding->file->name, seeding->file->hash};
    seeding->script = script_cache_get(seeding->turn.context->scripts, seeding->file, &seeding->own, error);
    if (seeding->script == NULL)
        return false;
    if (seeding->script->no_transaction_line == 0)
        return true;
    error_set(error, ERROR_MIGRATIONS, "seed \"%s\" asks to run without a transaction", seeding->file->name);
    error_set_hint(error, "a seed runs in one transaction; take the directive out of the file");
    error->line = seeding->script->no_transaction_line;
    return false;
}

/* Refuses what cannot be done before a connection is asked for. */
static bool prepare(Seeding *seeding)
{
    const Turn *turn = &seeding->turn;
    const OpContext *context = turn->context;
    Error *error = &seeding->turn.error;
    if (!op_schema_check(context->options, turn->tenant->schema, error))
        return false;
    if (turn->tenant->recovering && !context->options->once && !context->options->dry_run)
        return error_set(error, ERROR_UNKNOWN,
                         "a worker was lost while it seeded this tenant, and what it committed is not known");
    if (!context->options->by_callback)
        return read_file(seeding);
    if (context->options->once)
        return error_set(error, ERROR_USAGE, "what a callback does has no content by which to run it once");
    if (hook_set_can_seed(context->hooks))
        return true;
    error_set(error, ERROR_USAGE, "this worker has no seed callback");
    error_set_hint(error,
                   "run seeds by callback in the process that has the callback, without remote workers");
    return false;
}

static SeedEnd seed(Seeding *seeding)
{
    if (!prepare(seeding))
        return SEED_FAILED;
    BUFFER_CLEANUP Buffer claim = {0};
    buffer_appendf(&claim, "the seed of schema \"%s\" was committed", seeding->turn.tenant->schema);
    seeding->tries.claim = buffer_text(&claim);
    SeedEnd end;
    while ((end = attempt(seeding)) == SEED_AGAIN)
        error_clear(&seeding->turn.error);
    Error *error = &seeding->turn.error;
    if (end == SEED_FAILED && seeding->tries.in_doubt && error->code != ERROR_UNKNOWN) {
        error_prefix(error, "the connection was lost and whether %s could not be learned",
                     seeding->tries.claim);
        error->code = ERROR_UNKNOWN;
    }
    return end;
}

/* Nobody hears the last word of a tenant that the engine sends again. */
static SeedEnd tell_end(Seeding *seeding, SeedEnd end)
{
    Turn *turn = &seeding->turn;
    if (end == SEED_FAILED && turn->error.code == ERROR_BUSY)
        return end;
    Error said = turn->error;
    turn->error = (Error){0};
    bool heard = (seeding->told_beginning || tell(seeding, "starting")) &&
                 tell(seeding, end == SEED_FAILED ? "failed" : "completed");
    if (end != SEED_FAILED && !heard) {
        error_set_hint(&turn->error, "the seed itself was committed");
        error_clear(&said);
        return SEED_FAILED;
    }
    error_move(&turn->error, &said);
    return end;
}

static void report_error(Turn *turn, TenantSeedResult *result)
{
    Error *error = &turn->error;
    if (error->code == ERROR_NO_SCHEMA && error->sqlstate[0] == '\0')
        strcpy(error->sqlstate, "3F000");
    result->line = error->line;
    result->column = error->column;
    op_take_error(error, &result->error, &result->sqlstate, &result->detail, &result->hint);
    if (result->error == NULL)
        result->error = strdup("failed");
}

static void seed_tenant(const OpContext *context, const OpTenant *tenant, TenantSeedResult *ret_result,
                        Outcome *ret_outcome)
{
    Seeding seeding = {0};
    Turn *turn = &seeding.turn;
    turn_begin(turn, context, tenant);
    ret_result->tenant_id = strdup(tenant->id);
    ret_result->schema_name = strdup(tenant->schema);
    ret_result->attempts = tenant->attempt;
    SeedEnd end = tell_end(&seeding, seed(&seeding));
    ret_result->success = end != SEED_FAILED;
    *ret_outcome = end == SEED_APPLIED ? OUTCOME_APPLIED : OUTCOME_ALREADY;
    if (!ret_result->success) {
        *ret_outcome = turn_outcome(turn);
        advise_on_doubt(turn);
        report_error(turn, ret_result);
    }
    ret_result->outcome = strdup(outcome_name(*ret_outcome));
    ret_result->duration_ms = turn_elapsed_ms(turn);
    migration_script_clear(&seeding.own);
    turn_step_clear(&seeding.tries);
    turn_end(turn);
}

void op_seed(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
             Outcome *ret_outcomes)
{
    TenantSeedResult *results = ret_results;
    for (size_t i = 0; i < count; i++)
        seed_tenant(context, &tenants[i], &results[i], &ret_outcomes[i]);
}
