#include "worker/ops/tenant_write.h"
#include "common/tenant.h"
#include "worker/pg/session.h"
#include "worker/pg/sql.h"
#include "worker/pg/tenant_lock.h"
#include <string.h>

typedef enum AttemptEnd {
    ATTEMPT_DONE,
    ATTEMPT_BUSY,    /* the tenant's lock is held */
    ATTEMPT_REFUSED, /* an error, and nothing stays */
    ATTEMPT_LOST,    /* the connection broke, and the writes may or may not have been committed */
} AttemptEnd;

/* One tenant write in progress. */
typedef struct Writing {
    Turn *turn;
    const TenantWrite *write;
    MigrationPlan plan;
    bool committed; /* the answer to the last message says so */
} Writing;

static bool append_begin(const Writing *writing, Buffer *sql, Error *error)
{
    const Turn *turn = writing->turn;
    int64_t key;
    BUFFER_CLEANUP Buffer path = {0};
    if (!tenant_lock_key(turn->tenant->schema, &key, error))
        return false;
    sql_append_search_path(&path, turn->tenant->schema);
    session_append_begin_write(
        sql, &(SessionSettings){.search_path = buffer_text(&path),
                                .lock_timeout_ms = turn->run.lock_timeout_ms,
                                .statement_timeout_ms = turn->context->options->statement_timeout_ms,
                                .server_version = connection_server_version(turn->connection)});
    buffer_appendf(sql, "SELECT pg_catalog.pg_try_advisory_xact_lock(%lld)", (long long)key);
    return !(path.failed || sql->failed) || error_memory(error);
}

/* *ret_locked tells whether the tenant's lock was free. */
static bool begin(const Writing *writing, bool *ret_locked)
{
    Turn *turn = writing->turn;
    BUFFER_CLEANUP Buffer sql = {0};
    PGresult *rows = NULL;
    if (!append_begin(writing, &sql, &turn->error) ||
        !connection_exec(turn->connection, buffer_text(&sql), &rows, &turn->error))
        return false;
    *ret_locked = PQgetvalue(rows, 0, 0)[0] == 't';
    PQclear(rows);
    return true;
}

/* What was read under the lock settles what became of a lost attempt. A write that breaks the connection each
 * time is not sent for ever. */
static bool settle_doubt(const Writing *writing, TurnStep *step, const Buffer *sql)
{
    bool tired = turn_should_probe(writing->turn, step);
    step->in_doubt = false;
    if (!tired || sql->length == 0)
        return true;
    turn_after_probe(writing->turn, step);
    return false;
}

static bool decide(Writing *writing, TurnStep *step, Buffer *sql)
{
    Turn *turn = writing->turn;
    const OpContext *context = turn->context;
    const TenantWrite *write = writing->write;
    if (!migration_plan_read(&writing->plan, turn->connection, turn->tenant->schema, context->options,
                             context->bundle, &turn->error))
        return false;
    if (turn_is_cancelled(turn))
        return error_set(&turn->error, ERROR_CANCELLED, "cancelled before anything was written");
    return write->decide(write->operation, &writing->plan, step->in_doubt, sql, &turn->error) &&
           (!buffer_failed(sql) || error_memory(&turn->error)) && settle_doubt(writing, step, sql);
}

static void see_result(void *context, const PGresult *result)
{
    Writing *writing = context;
    if (strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0)
        writing->committed = true;
    else if (!writing->committed && writing->write->see != NULL)
        writing->write->see(writing->write->operation, result);
}

/* The server spoke of an error of a statement, not of its own end. */
static bool is_plain_error(const PGresult *failure)
{
    const char *severity =
        failure != NULL ? PQresultErrorField(failure, PG_DIAG_SEVERITY_NONLOCALIZED) : NULL;
    return severity != NULL && strcmp(severity, "ERROR") == 0;
}

static AttemptEnd commit(Writing *writing, Buffer *sql)
{
    Turn *turn = writing->turn;
    bool writes = sql->length > 0;
    buffer_appendf(sql, "COMMIT; %s", SESSION_TAIL);
    if (buffer_failed(sql)) {
        error_memory(&turn->error);
        return ATTEMPT_REFUSED;
    }
    writing->committed = false;
    bool good = connection_exec_each(turn->connection, buffer_text(sql), see_result, writing, &turn->error);
    if (writing->committed || !writes) {
        if (!good) /* only the tail failed, or there was nothing to commit */
            session_roll_back(turn->connection);
        return ATTEMPT_DONE;
    }
    if (good)
        error_set(&turn->error, ERROR_SERVER, "the server did not commit the transaction");
    else if (!is_plain_error(connection_failure(turn->connection)) &&
             PQstatus(connection_pg(turn->connection)) != CONNECTION_OK)
        return ATTEMPT_LOST;
    return ATTEMPT_REFUSED;
}

static AttemptEnd attempt(Writing *writing, TurnStep *step)
{
    BUFFER_CLEANUP Buffer sql = {0};
    bool locked = false;
    AttemptEnd end = ATTEMPT_REFUSED;
    if (begin(writing, &locked) && !locked)
        end = ATTEMPT_BUSY;
    else if (locked && decide(writing, step, &sql))
        end = commit(writing, &sql);
    if (end == ATTEMPT_BUSY || end == ATTEMPT_REFUSED)
        session_roll_back(writing->turn->connection);
    return end;
}

/* Somebody without our lock has written the same row or made the table: the next look will show it. */
static bool met_a_writer(const Turn *turn)
{
    return strcmp(turn->error.sqlstate, "23505") == 0;
}

static bool after_refusal(Turn *turn, TurnStep *step)
{
    if (met_a_writer(turn) ? turn_after_passing(turn, step) : turn_after_refusal(turn, step))
        return true;
    if (strcmp(turn->error.sqlstate, "57014") == 0 && turn->error.code != ERROR_CANCELLED &&
        turn->error.hint == NULL)
        error_set_hint(&turn->error, "if a timeout ended it, raise run.statement_timeout_ms");
    return false;
}

/* Whether another attempt follows. */
static bool goes_on(Turn *turn, TurnStep *step, AttemptEnd end)
{
    switch (end) {
    case ATTEMPT_BUSY:
        return turn_after_busy(turn, step);
    case ATTEMPT_LOST:
        turn_after_loss(turn, step);
        return true;
    case ATTEMPT_REFUSED:
        return after_refusal(turn, step);
    default:
        return false;
    }
}

/* Refused before the look that would have told what became of a lost attempt. */
static void admit_doubt(Turn *turn, const TurnStep *step)
{
    if (turn->error.code == ERROR_UNKNOWN)
        return;
    error_prefix(&turn->error, "the connection was lost and whether %s could not be learned", step->claim);
    turn->error.code = ERROR_UNKNOWN;
}

bool tenant_write(Turn *turn, const TenantWrite *write)
{
    Writing writing = {.turn = turn, .write = write, .plan = {.any_shape = write->any_shape}};
    TurnStep step = {.claim = write->claim};
    AttemptEnd end = ATTEMPT_REFUSED;
    bool again = op_schema_check(turn->context->options, turn->tenant->schema, &turn->error);
    while (again) {
        error_clear(&turn->error);
        if (!turn_prepare(turn, &step, &again))
            continue;
        end = attempt(&writing, &step);
        again = goes_on(turn, &step, end);
    }
    if (end != ATTEMPT_DONE && step.in_doubt)
        admit_doubt(turn, &step);
    migration_plan_clear(&writing.plan);
    turn_step_clear(&step);
    return end == ATTEMPT_DONE;
}
