/* Outbox: what one coordinator must still hear about its tenants: who began, and how attempts ended.
 *
 * News is collected and goes out together; results are kept until they are acknowledged, and a renewed
 * session hears again of everything that the old one may have lost. Loop thread only.
 */
#pragma once
#include "common/outcome.h"
#include "proto/session.h"

/* A RESULT that the coordinator has not acknowledged yet. */
typedef struct Unacknowledged {
    struct Unacknowledged *prev, *next;
    uint64_t seq; /* in the current session */
    size_t bytes;
    ResultMessage message;
} Unacknowledged;

/* One attempt at one tenant, in one phase of the run. */
typedef struct OutboxLease {
    int64_t phase, index, attempt;
} OutboxLease;

/* A zeroed one is empty. */
typedef struct Outbox {
    StartMessage running;  /* begun and not ended; of one phase, as all work of a coordinator is */
    StartMessage starts;   /* not sent yet */
    ResultMessage results; /* not sent yet */
    size_t result_bytes;
    Unacknowledged *kept;
    size_t kept_bytes;
} Outbox;

bool outbox_add_start(Outbox *outbox, const OutboxLease *lease, Error *error) MUST_CHECK;

/* Takes over *body (may be NULL). A body above the limit of a message is dropped: *ret_too_large says so, and
 * a success becomes OUTCOME_UNKNOWN. `session` may be NULL; full batches go out at once. */
bool outbox_add_result(Outbox *outbox, Session *session, const OutboxLease *lease, Outcome outcome,
                       ByteString *body, bool *ret_too_large, Error *error) MUST_CHECK;

/* Sends what was collected; without a session results are kept and starts forgotten. */
bool outbox_send(Outbox *outbox, Session *session, Error *error) MUST_CHECK;

/* A new session: says again what the old one may have lost. */
bool outbox_renew(Outbox *outbox, Session *session, Error *error) MUST_CHECK;
void outbox_forget(Outbox *outbox, uint64_t acknowledged);

/* Results that nobody has acknowledged. */
size_t outbox_count(const Outbox *outbox);
/* What they take, about. */
size_t outbox_bytes(const Outbox *outbox);
void outbox_clear(Outbox *outbox);
