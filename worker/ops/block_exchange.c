#include "worker/ops/block_exchange.h"
#include "worker/ops/block_error.h"
#include "worker/pg/session.h"
#include <string.h>

/* What the answer to one block says, as far as it came. Of a plain script's COMMIT is all there is to
 * understand, and nothing in the script can be answered by that tag. */
typedef struct Answer {
    const MigrationBlock *block;
    size_t results;
    bool committed;
    bool understood;
    BlockOutcome outcome;
} Answer;

static void read_result(void *context, const PGresult *result)
{
    Answer *answer = context;
    if (PQcmdStatus((PGresult *)result)[0] == '\0')
        return; /* rules have one statement give several results; only the last one has its tag */
    size_t index = answer->results++, lead = answer->block->lead;
    bool plain = answer->block->mode == BLOCK_PLAIN;
    if (!plain && index == lead + 1 && PQntuples(result) == 1)
        answer->understood = block_outcome_from_word(PQgetvalue(result, 0, 0), &answer->outcome);
    else if (plain || index == lead + 2) /* of a failed transaction the tag is ROLLBACK */
        answer->committed = answer->committed || strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0;
}

static const char *severity_of(const PGresult *failure)
{
    return failure != NULL ? PQresultErrorField(failure, PG_DIAG_SEVERITY_NONLOCALIZED) : NULL;
}

/* The server spoke of an error of the statement, not of its own end. */
static bool is_plain_error(const PGresult *failure)
{
    const char *severity = severity_of(failure);
    return severity != NULL && strcmp(severity, "ERROR") == 0;
}

static ExchangeVerdict refused(Connection *connection, const Answer *answer, const MigrationScript *script,
                               Error *error)
{
    const PGresult *failure = connection_failure(connection);
    if (error->code == ERROR_CONNECT)
        error->code = ERROR_SERVER; /* the connection broke, but only after the answer */
    block_error_explain(error, failure, answer->results, answer->block, script);
    session_roll_back(connection);
    bool early = answer->block->mode == BLOCK_PLAIN && answer->results < answer->block->lead;
    bool known = error->code == ERROR_CANCELLED || error_retry_class(error) != RETRY_NEVER;
    return early && !known ? EXCHANGE_UNPLANNED : EXCHANGE_REFUSED;
}

ExchangeVerdict block_exchange(Connection *connection, const MigrationBlock *block,
                               const MigrationScript *script, BlockOutcome *ret_outcome, Error *error)
{
    Answer answer = {.block = block, .understood = block->mode == BLOCK_PLAIN, .outcome = BLOCK_DONE};
    bool good = connection_exec_each(connection, block->sql, read_result, &answer, error);
    if (answer.committed && answer.understood) {
        if (!good) /* the tail failed; the migration is what it is */
            session_roll_back(connection);
        error_clear(error);
        *ret_outcome = answer.outcome;
        return EXCHANGE_DECIDED;
    }
    if (!good && is_plain_error(connection_failure(connection)))
        return refused(connection, &answer, script, error);
    if (!good && PQstatus(connection_pg(connection)) != CONNECTION_OK) {
        if (severity_of(connection_failure(connection)) != NULL) /* its last words tell where it ended */
            block_error_explain(error, connection_failure(connection), answer.results, block, script);
        return EXCHANGE_LOST;
    }
    if (good)
        error_set(error, ERROR_SERVER, "the server did not commit the transaction");
    bool unread = connection_failure(connection) != NULL; /* for want of memory: it may have been COMMIT's */
    session_roll_back(connection);
    return answer.committed || unread ? EXCHANGE_LOST : EXCHANGE_REFUSED;
}
