/* Turn: one tenant's turn at a writing operation, and how its steps are tried again.
 *
 * A step is one message that decides for itself, under the tenant's lock, what is left to do, so that it can
 * be sent again whatever became of it. After each attempt the caller asks one of the turn_after_*()
 * functions whether to try again; they wait as long as they see fit, and leave an error in the turn when they
 * say no.
 */
#pragma once
#include "worker/ops/op.h"
#include "worker/ops/run_defaults.h"

typedef struct Turn {
    const OpContext *context;
    const OpTenant *tenant;
    RunDefaults run;
    Connection *connection; /* NULL while there is none */
    bool counted;           /* a connection knows that it has served this tenant */
    Error error;            /* of the last attempt */
    uint64_t seed;
    int64_t started_ms;
} Turn;

/* Attempts at one step. */
typedef struct TurnStep {
    const char *claim; /* "schema \"t\" was dropped": what is in question when COMMIT's answer is lost */
    int64_t transient, lock_timeouts, busy_waits;
    int64_t busy_since_ms;
    bool in_doubt; /* an attempt's COMMIT was lost */
    int64_t lost_since_ms;
    Error lost; /* what broke it */
} TurnStep;

void turn_step_clear(TurnStep *step);

void turn_begin(Turn *turn, const OpContext *context, const OpTenant *tenant);
void turn_end(Turn *turn);
int64_t turn_elapsed_ms(const Turn *turn);
bool turn_is_cancelled(const Turn *turn);

/* The outcome of a turn that ended with turn->error. */
Outcome turn_outcome(const Turn *turn);

/* Returns the connection, for as long as something else takes its time; the next step gets one again. */
void turn_pause(Turn *turn);

/* True when the step may be attempted now, on turn->connection; else *ret_again says whether to come back. */
bool turn_prepare(Turn *turn, TurnStep *step, bool *ret_again) MUST_CHECK;

/* The server refused it, or a query before it failed: turn->error says why. */
bool turn_after_refusal(Turn *turn, TurnStep *step) MUST_CHECK;
/* Another attempt for an error that the caller knows to be passing. */
bool turn_after_passing(Turn *turn, TurnStep *step) MUST_CHECK;
/* The connection broke without an answer. */
void turn_after_loss(Turn *turn, TurnStep *step);
/* Somebody holds the tenant's lock: another run, or our own lost attempt that the server has not ended. */
bool turn_after_busy(Turn *turn, TurnStep *step) MUST_CHECK;

/* After too many lost attempts the next ones should only look what became of them. */
bool turn_should_probe(const Turn *turn, const TurnStep *step);
/* The look has found that none of them committed: the error is what broke them. */
void turn_after_probe(Turn *turn, TurnStep *step);
