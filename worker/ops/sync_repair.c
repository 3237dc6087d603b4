#include "worker/ops/sync_repair.h"
#include "worker/ops/tenant_write.h"
#include "worker/pg/sql.h"
#include <string.h>

/* One tenant's repair. */
typedef struct Work {
    Turn turn;
    const Repair *repair;
    TextList *done;    /* committed */
    TextList intended; /* by the latest attempt */
} Work;

static bool move_all(TextList *target, TextList *source)
{
    for (size_t i = 0; i < source->count; i++)
        if (!text_list_add(target, source->items[i]))
            return false;
    text_list_clear(source);
    return true;
}

/* An attempt is one transaction: when the first thing that it was to do is not to be done any more, it did
 * everything. The lock keeps others from having done it. */
static bool credit_lost_attempt(Work *work, const TextList *left)
{
    if (work->intended.count == 0 || text_list_has(left, work->intended.items[0]))
        return true;
    return move_all(work->done, &work->intended);
}

static bool decide(void *operation, const MigrationPlan *plan, bool in_doubt, Buffer *sql, Error *error)
{
    Work *work = operation;
    const OpContext *context = work->turn.context;
    TextList left = {0};
    if (!work->repair->list(plan, context->bundle, &left) ||
        (in_doubt && !credit_lost_attempt(work, &left))) {
        text_list_clear(&left);
        return error_memory(error);
    }
    text_list_clear(&work->intended);
    work->intended = left;
    if (left.count == 0 || context->options->dry_run)
        return true;
    BUFFER_CLEANUP Buffer qualified = {0};
    sql_append_qualified(&qualified, work->turn.tenant->schema, work->turn.run.migrations_table);
    work->repair->append(sql, plan, context->bundle, buffer_text(&qualified));
    return !buffer_failed(&qualified) || error_memory(error);
}

/* When memory runs out the intention stands for the deed. */
static void see(void *operation, const PGresult *result)
{
    Work *work = operation;
    TextList told = {0};
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    for (int i = 0; good && i < PQntuples(result); i++)
        good = recorded_add_identifier(&told, PQgetisnull(result, i, 0) ? NULL : PQgetvalue(result, i, 0));
    if (good) {
        text_list_clear(&work->intended);
        work->intended = told;
    } else {
        text_list_clear(&told);
    }
}

static void report_error(Turn *turn, TenantSyncResult *result)
{
    Error *error = &turn->error;
    if (error->code == ERROR_NO_SCHEMA && error->sqlstate[0] == '\0')
        strcpy(error->sqlstate, "3F000");
    result->error = strdup(error->message != NULL ? error->message : error_class(error->code)->doc);
    result->sqlstate = error->sqlstate[0] != '\0' ? strdup(error->sqlstate) : NULL;
    result->detail = error->detail;
    result->hint = error->hint;
    error->detail = error->hint = NULL;
}

/* Nobody hears of a dry run. */
static bool tell(Turn *turn, const char *status)
{
    return turn->context->options->dry_run ||
           hook_progress(turn->context->hooks, turn->tenant->id, status, NULL, &turn->error);
}

void sync_repair(const OpContext *context, const OpTenant *tenant, const Repair *repair, TextList *ret_done,
                 TenantSyncResult *ret_result, Outcome *ret_outcome)
{
    Work work = {.repair = repair, .done = ret_done};
    TenantWrite write = {
        .claim = "the tracking table was repaired", .decide = decide, .see = see, .operation = &work};
    turn_begin(&work.turn, context, tenant);
    bool good = tell(&work.turn, "starting") && tenant_write(&work.turn, &write);
    if (good && !move_all(ret_done, &work.intended))
        good = error_memory(&work.turn.error);
    turn_pause(&work.turn);
    good = good && tell(&work.turn, "completed");
    ret_result->tenant_id = strdup(tenant->id);
    ret_result->schema_name = strdup(tenant->schema);
    ret_result->attempts = tenant->attempt;
    ret_result->after_loss = tenant->recovering;
    ret_result->success = good;
    if (good) {
        bool wrote = ret_done->count > 0 && !context->options->dry_run;
        *ret_outcome = wrote ? OUTCOME_APPLIED : OUTCOME_ALREADY;
    } else {
        *ret_outcome = turn_outcome(&work.turn);
        report_error(&work.turn, ret_result);
    }
    ret_result->outcome = strdup(outcome_name(*ret_outcome));
    ret_result->duration_ms = turn_elapsed_ms(&work.turn);
    if (!good && !tell(&work.turn, "failed"))
        error_clear(&work.turn.error); /* there is nothing left that could fail */
    text_list_clear(&work.intended);
    turn_end(&work.turn);
}
