#include "worker/ops/turn.h"
#include <string.h>
#include <time.h>

enum {
    BUSY_PATIENCE_MS = 1000, /* afterwards the engine gives the tenant another turn */
    BUSY_FIRST_MS = 20,
    BUSY_MOST_MS = 250,
    UNKNOWN_PATIENCE_MS = 10 * 60 * 1000,
    UNKNOWN_MOST_MS = 5000,
    UNKNOWN_RECONNECT_MS = 1000,
    PAUSE_STEP_MS = 20, /* how soon a pause notices a cancellation */
};

static const Outcome OUTCOMES[ERROR_CODE_COUNT] = {
    [ERROR_NO_SCHEMA] = OUTCOME_NO_SCHEMA,
    [ERROR_BUSY] = OUTCOME_BUSY,
    [ERROR_UNKNOWN] = OUTCOME_UNKNOWN,
    [ERROR_CANCELLED] = OUTCOME_CANCELLED,
};

Outcome turn_outcome(const Turn *turn)
{
    Outcome outcome = OUTCOMES[turn->error.code];
    return outcome != OUTCOME_NOT_STARTED ? outcome : OUTCOME_ERROR;
}

static int64_t now_ms(const Turn *turn)
{
    return clock_now_ms(turn->context->clock);
}

void turn_begin(Turn *turn, const OpContext *context, const OpTenant *tenant)
{
    *turn = (Turn){.context = context, .tenant = tenant, .run = run_defaults(context->options)};
    turn->started_ms = now_ms(turn);
    turn->seed = (uint64_t)turn->started_ms ^ (uint64_t)(uintptr_t)turn;
}

void turn_pause(Turn *turn)
{
    reservoir_release(turn->context->reservoir, turn->connection, turn->counted ? 0 : 1);
    turn->counted |= turn->connection != NULL;
    turn->connection = NULL;
}

void turn_end(Turn *turn)
{
    turn_pause(turn);
    error_clear(&turn->error);
}

void turn_step_clear(TurnStep *step)
{
    error_clear(&step->lost);
}

int64_t turn_elapsed_ms(const Turn *turn)
{
    return now_ms(turn) - turn->started_ms;
}

bool turn_is_cancelled(const Turn *turn)
{
    return turn->context->cancelled != NULL && atomic_load(turn->context->cancelled);
}

static void pause_for(const Turn *turn, int64_t ms)
{
    for (; ms > 0 && !turn_is_cancelled(turn); ms -= PAUSE_STEP_MS) {
        int64_t part = ms < PAUSE_STEP_MS ? ms : PAUSE_STEP_MS;
        nanosleep(&(struct timespec){.tv_nsec = part * 1000000}, NULL);
    }
}

static bool try_again(Turn *turn, int64_t *count, int64_t limit)
{
    if (turn_is_cancelled(turn) || ++*count >= limit)
        return false;
    pause_for(turn,
              retry_delay_ms(*count + 1, turn->run.retry_initial_ms, turn->run.retry_max_ms, &turn->seed));
    return true;
}

bool turn_after_passing(Turn *turn, TurnStep *step)
{
    return try_again(turn, &step->transient, turn->run.retry_attempts);
}

bool turn_after_refusal(Turn *turn, TurnStep *step)
{
    if (strcmp(turn->error.sqlstate, "57014") == 0 && turn_is_cancelled(turn))
        turn->error.code = ERROR_CANCELLED;
    switch (error_retry_class(&turn->error)) {
    case RETRY_TRANSIENT:
        return turn_after_passing(turn, step);
    case RETRY_LOCK:
        return try_again(turn, &step->lock_timeouts, turn->run.lock_attempts);
    default:
        return false;
    }
}

void turn_after_loss(Turn *turn, TurnStep *step)
{
    if (!step->in_doubt)
        step->lost_since_ms = now_ms(turn);
    step->in_doubt = true;
    step->transient++;
    pause_for(turn,
              retry_delay_ms(step->transient + 1, turn->run.retry_initial_ms, UNKNOWN_MOST_MS, &turn->seed));
    error_move(&step->lost, &turn->error);
}

static bool give_up_busy(Turn *turn)
{
    error_set(&turn->error, ERROR_BUSY, "schema \"%s\" is locked by another run", turn->tenant->schema);
    error_set_hint(&turn->error, "wait until the other run has finished with this tenant");
    return false;
}

bool turn_after_busy(Turn *turn, TurnStep *step)
{
    int64_t now = now_ms(turn);
    if (step->busy_waits++ == 0)
        step->busy_since_ms = now;
    if (!step->in_doubt && now - step->busy_since_ms >= BUSY_PATIENCE_MS)
        return give_up_busy(turn);
    int64_t most = step->in_doubt ? UNKNOWN_MOST_MS : BUSY_MOST_MS;
    pause_for(turn, retry_delay_ms(step->busy_waits + 1, BUSY_FIRST_MS, most, &turn->seed));
    return true;
}

bool turn_should_probe(const Turn *turn, const TurnStep *step)
{
    return step->in_doubt && step->transient >= turn->run.retry_attempts;
}

void turn_after_probe(Turn *turn, TurnStep *step)
{
    error_move(&turn->error, &step->lost);
}

static bool give_up_unknown(Turn *turn, const TurnStep *step)
{
    error_set(&turn->error, ERROR_UNKNOWN, "the connection was lost and whether %s could not be learned",
              step->claim);
    error_set_detail(&turn->error, "%s", step->lost.message != NULL ? step->lost.message : "connection lost");
    error_set_hint(&turn->error, "run the same command again: it looks at the database first");
    return false;
}

/* A connection that broke is replaced; one that failed a moment ago is asked for again by whom has paused. */
static bool ensure_connection(Turn *turn, const TurnStep *step)
{
    if (turn->connection != NULL && PQstatus(connection_pg(turn->connection)) == CONNECTION_OK)
        return true;
    reservoir_release(turn->context->reservoir, turn->connection, 0);
    ReservoirRequest request = {.application_name = turn->context->application_name,
                                .try_anyway = step->in_doubt || step->transient > 0};
    turn->connection = reservoir_acquire_for(turn->context->reservoir, &request, &turn->error);
    return turn->connection != NULL;
}

static bool after_no_connection(Turn *turn, TurnStep *step)
{
    if (!step->in_doubt)
        return turn_after_refusal(turn, step);
    if (turn->error.code == ERROR_CANCELLED) /* the reservoir closes: there will be none */
        return give_up_unknown(turn, step);
    pause_for(turn, UNKNOWN_RECONNECT_MS);
    return true;
}

bool turn_prepare(Turn *turn, TurnStep *step, bool *ret_again)
{
    *ret_again = false;
    if (step->in_doubt &&
        (turn_is_cancelled(turn) || now_ms(turn) - step->lost_since_ms >= UNKNOWN_PATIENCE_MS))
        return give_up_unknown(turn, step);
    if (turn_is_cancelled(turn))
        return error_set(&turn->error, ERROR_CANCELLED, "cancelled before anything was written");
    if (ensure_connection(turn, step))
        return true;
    *ret_again = after_no_connection(turn, step);
    return false;
}
