/* Attempt: one step of an operation on a lent connection, tried again while its error is transient.
 *
 * A step is one message or one transaction that leaves nothing behind when it fails half-way. Each attempt
 * takes a connection from the reservoir and returns it with its session cleaned. Lock timeouts are not tried
 * again here: who waits for which lock is the operation's business.
 */
#pragma once
#include "common/buffer.h"
#include "worker/ops/op.h"

typedef bool OpStep(Connection *connection, void *state, Error *error);

/* `served` is what the reservoir counts towards retirement. Cancellation ends it between attempts with
 * ERROR_CANCELLED. */
bool op_attempt(const OpContext *context, OpStep *step, void *state, int64_t served, Error *error) MUST_CHECK;

/* The outcome of a tenant or job that ended with this error. */
Outcome op_outcome(const Error *error);

/* "BEGIN READ ONLY" with lock_timeout and statement_timeout for this transaction only, ended by a semicolon.
 */
void op_append_begin_read(Buffer *sql, const RunOptions *options);

/* The four fields in which results of whole-database operations carry a failure; takes the texts over. */
void op_take_error(Error *error, char **ret_error, char **ret_sqlstate, char **ret_detail, char **ret_hint);
