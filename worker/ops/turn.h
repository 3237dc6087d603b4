/* Turn: one tenant's turn at a connection, and all patience with it: reconnecting, trying again, waiting for
 * locks, giving up.
 *
 * Shared by the operations that write. That nothing is done twice does not depend on any of these decisions:
 * whatever is tried again looks for itself, under the tenant's lock, what is left to do.
 */
#pragma once
#include "worker/ops/op.h"
#include "worker/ops/run_defaults.h"

typedef struct Turn {
    const OpContext *context;
    const OpTenant *tenant;
    RunDefaults run;
    Connection *connection; /* NULL while there is none */
    Error error;            /* of the latest failure */
    int64_t started_ms;
    uint64_t seed;
} Turn;

/* Attempts at one transaction. */
typedef struct Tries {
    const char *what; /* for messages: "migration", */
    const char *name; /* and which one, or NULL */
    int64_t transient, lock;
    int64_t busy_since_ms, busy_waits;
    bool in_doubt; /* the COMMIT of an attempt was sent and not answered */
    int64_t lost_since_ms;
    Error lost; /* what broke it; owned */
} Tries;

Turn turn_begin(const OpContext *context, const OpTenant *tenant);
/* Returns the connection and clears the error. */
void turn_end(Turn *turn);

int64_t turn_now_ms(const Turn *turn);
bool turn_is_cancelled(const Turn *turn);
/* Shorter when cancelled meanwhile. */
void turn_pause(const Turn *turn, int64_t ms);

/* How turn->error counts for the result. */
Outcome turn_outcome(const Turn *turn);

/* Each of these returns false when the turn is over, with the reason in turn->error. */

/* Before an attempt: cancelled, or in doubt for too long? */
bool turn_may_attempt(Turn *turn, const Tries *tries) MUST_CHECK;
/* Has a live connection, or turn->error says why not: turn_after_no_connection() then decides. */
bool turn_connect(Turn *turn, const Tries *tries) MUST_CHECK;
bool turn_after_no_connection(Turn *turn, Tries *tries) MUST_CHECK;
/* After an error that left nothing behind: waits if it deserves another attempt. */
bool turn_may_try_again(Turn *turn, Tries *tries) MUST_CHECK;
/* Somebody holds the tenant's lock: another run, or our own lost attempt that the server has not ended. */
bool turn_wait_while_busy(Turn *turn, Tries *tries) MUST_CHECK;

/* Says in turn->error that the fate of a lost attempt is not known; returns false. */
bool turn_give_up_unknown(Turn *turn, const Tries *tries);

/* The connection broke after COMMIT was sent: moves turn->error to tries->lost and waits. */
void turn_after_loss(Turn *turn, Tries *tries);
void tries_clear(Tries *tries);
