#include "worker/ops/tenant_write.h"
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
    BUFFER_CLEANUP Buffer path = {0}, literal = {0};
    if (!tenant_lock_key(turn->tenant->schema, &key, error))
        return false;
    sql_append_identifier(&path, turn->tenant->schema);
    buffer_append_text(&path, ", public");
    sql_append_literal(&literal, buffer_text(&path));
    session_append_begin_write(
        sql, &(SessionSettings){.search_path = buffer_text(&literal),
                                .lock_timeout_ms = turn->run.lock_timeout_ms,
                                .statement_timeout_ms = turn->context->options->statement_timeout_ms,
                                .server_version = connection_server_version(turn->connection)});
    buffer_appendf(sql, "SELECT pg_catalog.pg_try_advisory_xact_lock(%lld)", (long long)key);
    return !(path.failed || literal.failed || sql->failed) || error_memory(error);
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
static bool settle_doubt(const Writing *writing, Tries *tries, const Buffer *sql)
{
    Turn *turn = writing->turn;
    bool tired = tries->in_doubt && tries->transient >= turn->run.retry_attempts;
    tries->in_doubt = false;
    if (tired && sql->length > 0)
        error_move(&turn->error, &tries->lost);
    return !tired || sql->length == 0;
}

static bool decide(Writing *writing, Tries *tries, Buffer *sql)
{
    Turn *turn = writing->turn;
    const OpContext *context = turn->context;
    const TenantWrite *write = writing->write;
    return migration_plan_read(&writing->plan, turn->connection, turn->tenant->schema, context->options,
                               context->bundle, &turn->error) &&
           turn_may_attempt(turn, tries) &&
           write->decide(write->operation, &writing->plan, tries->in_doubt, sql, &turn->error) &&
           (!buffer_failed(sql) || error_memory(&turn->error)) && settle_doubt(writing, tries, sql);
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

static AttemptEnd attempt(Writing *writing, Tries *tries)
{
    BUFFER_CLEANUP Buffer sql = {0};
    bool locked = false;
    AttemptEnd end = ATTEMPT_REFUSED;
    if (begin(writing, &locked) && !locked)
        end = ATTEMPT_BUSY;
    else if (locked && decide(writing, tries, &sql))
        end = commit(writing, &sql);
    if (end == ATTEMPT_BUSY || end == ATTEMPT_REFUSED)
        session_roll_back(writing->turn->connection);
    return end;
}

static void explain_timeout(Turn *turn)
{
    if (strcmp(turn->error.sqlstate, "57014") != 0)
        return;
    if (turn_is_cancelled(turn))
        turn->error.code = ERROR_CANCELLED;
    else if (turn->error.hint == NULL)
        error_set_hint(&turn->error, "if a timeout ended it, raise run.statement_timeout_ms");
}

/* Whether another attempt follows. */
static bool goes_on(Turn *turn, Tries *tries, AttemptEnd end)
{
    switch (end) {
    case ATTEMPT_BUSY:
        return turn_wait_while_busy(turn, tries);
    case ATTEMPT_LOST:
        turn_after_loss(turn, tries);
        return true;
    case ATTEMPT_REFUSED:
        explain_timeout(turn);
        return turn_may_try_again(turn, tries);
    default:
        return false;
    }
}

bool tenant_write(Turn *turn, const TenantWrite *write)
{
    Writing writing = {.turn = turn, .write = write};
    Tries tries = {.what = write->what};
    AttemptEnd end = ATTEMPT_REFUSED;
    bool again = true;
    while (again && turn_may_attempt(turn, &tries)) {
        error_clear(&turn->error);
        if (!turn_connect(turn, &tries)) {
            again = turn_after_no_connection(turn, &tries);
            continue;
        }
        end = attempt(&writing, &tries);
        again = goes_on(turn, &tries, end);
    }
    if (end != ATTEMPT_DONE && tries.in_doubt && turn->error.code != ERROR_UNKNOWN)
        turn_give_up_unknown(turn, &tries);
    migration_plan_clear(&writing.plan);
    tries_clear(&tries);
    return end == ATTEMPT_DONE;
}
