#include "worker/ops/turn.h"
#include <time.h>

enum {
    BUSY_PATIENCE_MS = 1000, /* afterwards the engine gives the tenant another turn */
    BUSY_FIRST_MS = 20,
    BUSY_MOST_MS = 250,
    UNKNOWN_PATIENCE_MS = 10 * 60 * 1000,
    UNKNOWN_MOST_MS = 5000,
    PAUSE_STEP_MS = 20, /* how soon a pause notices a cancellation */
};

static const Outcome OUTCOMES[ERROR_CODE_COUNT] = {
    [ERROR_NO_SCHEMA] = OUTCOME_NO_SCHEMA,
    [ERROR_BUSY] = OUTCOME_BUSY,
    [ERROR_UNKNOWN] = OUTCOME_UNKNOWN,
    [ERROR_CANCELLED] = OUTCOME_CANCELLED,
};

Turn turn_begin(const OpContext *context, const OpTenant *tenant)
{
    int64_t now_ms = clock_now_ms(context->clock);
    return (Turn){.context = context,
                  .tenant = tenant,
                  .run = run_defaults(context->options),
                  .started_ms = now_ms,
                  .seed = (uint64_t)now_ms ^ (uint64_t)(uintptr_t)tenant};
}

void turn_end(Turn *turn)
{
    reservoir_release(turn->context->reservoir, turn->connection, 1);
    turn->connection = NULL;
    error_clear(&turn->error);
}

int64_t turn_now_ms(const Turn *turn)
{
    return clock_now_ms(turn->context->clock);
}

bool turn_is_cancelled(const Turn *turn)
{
    return turn->context->cancelled != NULL && atomic_load(turn->context->cancelled);
}

void turn_pause(const Turn *turn, int64_t ms)
{
    for (; ms > 0 && !turn_is_cancelled(turn); ms -= PAUSE_STEP_MS) {
        int64_t part = ms < PAUSE_STEP_MS ? ms : PAUSE_STEP_MS;
        nanosleep(&(struct timespec){.tv_nsec = part * 1000000}, NULL);
    }
}

Outcome turn_outcome(const Turn *turn)
{
    Outcome outcome = OUTCOMES[turn->error.code];
    return outcome != OUTCOME_NOT_STARTED ? outcome : OUTCOME_ERROR;
}

bool turn_give_up_unknown(Turn *turn, const Tries *tries)
{
    const Error *lost = &tries->lost;
    if (tries->name != NULL)
        error_set(&turn->error, ERROR_UNKNOWN,
                  "the connection was lost and whether %s \"%s\" was committed could not be learned",
                  tries->what, tries->name);
    else
        error_set(&turn->error, ERROR_UNKNOWN,
                  "the connection was lost and whether %s was committed could not be learned", tries->what);
    error_set_detail(&turn->error, "%s", lost->message != NULL ? lost->message : "connection lost");
    error_set_hint(&turn->error, "run the same command again: the tracking table decides");
    return false;
}

static bool give_up_busy(Turn *turn)
{
    error_set(&turn->error, ERROR_BUSY, "schema \"%s\" is locked by another run", turn->tenant->schema);
    error_set_hint(&turn->error, "wait until the other run has finished with this tenant");
    return false;
}

static bool give_up_cancelled(Turn *turn, const Tries *tries)
{
    if (tries->name != NULL)
        return error_set(&turn->error, ERROR_CANCELLED, "cancelled before %s \"%s\" began", tries->what,
                         tries->name);
    return error_set(&turn->error, ERROR_CANCELLED, "cancelled before %s began", tries->what);
}

bool turn_may_attempt(Turn *turn, const Tries *tries)
{
    bool cancelled = turn_is_cancelled(turn);
    if (!tries->in_doubt)
        return !cancelled || give_up_cancelled(turn, tries);
    bool too_long = turn_now_ms(turn) - tries->lost_since_ms >= UNKNOWN_PATIENCE_MS;
    return (!cancelled && !too_long) || turn_give_up_unknown(turn, tries);
}

bool turn_connect(Turn *turn, const Tries *tries)
{
    if (turn->connection != NULL && PQstatus(connection_pg(turn->connection)) == CONNECTION_OK)
        return true;
    reservoir_release(turn->context->reservoir, turn->connection, 0);
    ReservoirRequest request = {.application_name = turn->context->application_name,
                                .try_anyway = tries->in_doubt || tries->transient > 0};
    turn->connection = reservoir_acquire_for(turn->context->reservoir, &request, &turn->error);
    return turn->connection != NULL;
}

bool turn_after_no_connection(Turn *turn, Tries *tries)
{
    if (!tries->in_doubt)
        return turn_may_try_again(turn, tries);
    if (turn->error.code == ERROR_CANCELLED) /* the reservoir closes: there will be none */
        return turn_give_up_unknown(turn, tries);
    turn_pause(turn, UNKNOWN_MOST_MS / 5);
    return true;
}

bool turn_may_try_again(Turn *turn, Tries *tries)
{
    RetryClass class = error_retry_class(&turn->error);
    if (class == RETRY_NEVER || turn_is_cancelled(turn))
        return false;
    int64_t *count = class == RETRY_LOCK ? &tries->lock : &tries->transient;
    int64_t limit = class == RETRY_LOCK ? turn->run.lock_attempts : turn->run.retry_attempts;
    if (++*count >= limit)
        return false;
    turn_pause(turn,
               retry_delay_ms(*count + 1, turn->run.retry_initial_ms, turn->run.retry_max_ms, &turn->seed));
    return true;
}

bool turn_wait_while_busy(Turn *turn, Tries *tries)
{
    int64_t now_ms = turn_now_ms(turn);
    if (tries->busy_waits++ == 0)
        tries->busy_since_ms = now_ms;
    if (!tries->in_doubt && now_ms - tries->busy_since_ms >= BUSY_PATIENCE_MS)
        return give_up_busy(turn);
    int64_t most = tries->in_doubt ? UNKNOWN_MOST_MS : BUSY_MOST_MS;
    turn_pause(turn, retry_delay_ms(tries->busy_waits + 1, BUSY_FIRST_MS, most, &turn->seed));
    return true;
}

void turn_after_loss(Turn *turn, Tries *tries)
{
    if (!tries->in_doubt)
        tries->lost_since_ms = turn_now_ms(turn);
    tries->in_doubt = true;
    tries->transient++;
    turn_pause(
        turn, retry_delay_ms(tries->transient + 1, turn->run.retry_initial_ms, UNKNOWN_MOST_MS, &turn->seed));
    error_move(&tries->lost, &turn->error);
}

void tries_clear(Tries *tries)
{
    error_clear(&tries->lost);
    *tries = (Tries){0};
}
