#include "worker/ops/attempt.h"
#include "worker/ops/run_defaults.h"
#include "worker/pg/session.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE_MS = 50 }; /* how late a sleeper may notice a cancellation */

Outcome op_outcome(const Error *error)
{
    return error->code == ERROR_CANCELLED   ? OUTCOME_CANCELLED
           : error->code == ERROR_NO_SCHEMA ? OUTCOME_NO_SCHEMA
                                            : OUTCOME_ERROR;
}

void op_append_begin_read(Buffer *sql, const RunOptions *options)
{
    buffer_appendf(sql,
                   "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;"
                   "SELECT pg_catalog.set_config('lock_timeout', '%lld', true),"
                   " pg_catalog.set_config('statement_timeout', '%lld', true);",
                   (long long)run_defaults(options).set_lock_timeout_ms,
                   (long long)options->statement_timeout_ms);
}

void op_take_error(Error *error, char **ret_error, char **ret_sqlstate, char **ret_detail, char **ret_hint)
{
    *ret_error = error->message;
    *ret_sqlstate = error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL;
    *ret_detail = error->detail;
    *ret_hint = error->hint;
    error->message = error->detail = error->hint = NULL;
    error_clear(error);
}

static bool is_cancelled(const OpContext *context, Error *error)
{
    if (context->cancelled == NULL || !atomic_load(context->cancelled))
        return false;
    error_set(error, ERROR_CANCELLED, "cancelled");
    return true;
}

/* False when cancelled meanwhile. */
static bool wait_before_retry(const OpContext *context, int64_t delay_ms, Error *error)
{
    for (int64_t left = delay_ms; left > 0; left -= SLICE_MS) {
        if (is_cancelled(context, error))
            return false;
        int64_t slice = left < SLICE_MS ? left : SLICE_MS;
        nanosleep(&(struct timespec){.tv_nsec = slice * 1000000}, NULL);
    }
    return !is_cancelled(context, error);
}

/* A transaction that failed half-way ends here; when even that fails, the reservoir closes the connection. */
static void clean_session(Connection *connection)
{
    ERROR_CLEANUP Error ignored = {0};
    BUFFER_CLEANUP Buffer sql = {0};
    if (PQtransactionStatus(connection_pg(connection)) == PQTRANS_IDLE)
        return;
    buffer_appendf(&sql, "ROLLBACK; %s", SESSION_TAIL);
    if (!buffer_failed(&sql) && !connection_exec(connection, buffer_text(&sql), NULL, &ignored))
        error_clear(&ignored);
}

/* A retry asks the server again even where a first attempt would be told of the last refusal. */
static bool attempt_once(const OpContext *context, OpStep *step, void *state, int64_t served, bool retry,
                         Error *error)
{
    ReservoirRequest request = {.application_name = context->application_name, .try_anyway = retry};
    Connection *connection = reservoir_acquire_for(context->reservoir, &request, error);
    if (connection == NULL)
        return false;
    bool good = step(connection, state, error);
    if (!good)
        clean_session(connection);
    reservoir_release(context->reservoir, connection, served);
    return good;
}

bool op_attempt(const OpContext *context, OpStep *step, void *state, int64_t served, Error *error)
{
    const RunDefaults run = run_defaults(context->options);
    uint64_t seed = (uint64_t)clock_now_ms(context->clock) ^ (uint64_t)(uintptr_t)state;
    for (int64_t attempt = 1;; attempt++) {
        if (is_cancelled(context, error))
            return false;
        error_clear(error);
        if (attempt_once(context, step, state, served, attempt > 1, error))
            return true;
        if (attempt >= run.retry_attempts || error_retry_class(error) != RETRY_TRANSIENT)
            return false;
        int64_t delay_ms = retry_delay_ms(attempt + 1, run.retry_initial_ms, run.retry_max_ms, &seed);
        if (!wait_before_retry(context, delay_ms, error))
            return false;
    }
}
