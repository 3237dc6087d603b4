/* convert-format: gives a tenant's tracking table the shape and the values of another format. */
#include "worker/ops/convert_shape.h"
#include "worker/ops/op.h"
#include "worker/ops/tenant_write.h"
#include "worker/pg/sql.h"
#include <string.h>

/* One tenant's conversion. */
typedef struct Work {
    Turn turn;
    TrackingFormat target;
    ConvertShape shape;
    ConvertRows rows;
    Buffer qualified;

    /* What the latest attempt found and was to do. */
    TrackingFormat from;
    bool converts;
    size_t count;
} Work;

static bool look(Work *work, Error *error)
{
    Turn *turn = &work->turn;
    return convert_shape_read(&work->shape, turn->connection, turn->tenant->schema,
                              turn->run.migrations_table, error);
}

/* Somebody who knows nothing of the tenant's lock may write to the table until it has this one. */
static bool lock_table(Work *work, Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", buffer_text(&work->qualified));
    return buffer_failed(&sql) ? error_memory(error)
                               : connection_exec(work->turn.connection, buffer_text(&sql), NULL, error);
}

static bool is_done(const Work *work)
{
    return work->shape.tracking.format == TRACKING_NONE || convert_shape_is(&work->shape, work->target);
}

/* Nobody else converts under our lock, so a table in the target format is what the lost attempt made of it.
 */
static void settle(Work *work, bool in_doubt)
{
    if (in_doubt && work->converts && convert_shape_is(&work->shape, work->target))
        return;
    work->from = work->shape.tracking.format;
    work->converts = false;
    work->count = 0;
}

static bool read_rows(Work *work, const MigrationPlan *plan, Error *error)
{
    convert_rows_clear(&work->rows);
    return convert_rows_read(&work->rows, work->turn.connection, buffer_text(&work->qualified),
                             &work->shape.tracking, plan->recorded, error) &&
           convert_rows_match(&work->rows, work->turn.context->bundle, plan->recorded, work->target, error);
}

static bool decide(void *operation, const MigrationPlan *plan, bool in_doubt, Buffer *sql, Error *error)
{
    Work *work = operation;
    const Turn *turn = &work->turn;
    bool dry_run = turn->context->options->dry_run;
    if (!look(work, error))
        return false;
    if (!is_done(work) && !dry_run && (!lock_table(work, error) || !look(work, error)))
        return false;
    if (is_done(work)) {
        settle(work, in_doubt);
        return true;
    }
    work->from = work->shape.tracking.format;
    if (!read_rows(work, plan, error))
        return false;
    work->converts = true;
    work->count = work->rows.count;
    if (!dry_run)
        convert_shape_append(sql, &work->shape, &work->rows, turn->tenant->schema, turn->run.migrations_table,
                             work->target);
    return true;
}

static char *copy_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

static void report_error(Turn *turn, ConvertResult *result)
{
    Error *error = &turn->error;
    if (error->code == ERROR_NO_SCHEMA && error->sqlstate[0] == '\0')
        strcpy(error->sqlstate, "3F000");
    result->error = strdup(error->message != NULL ? error->message : error_class(error->code)->doc);
    result->sqlstate = copy_or_null(error->sqlstate);
    result->detail = error->detail;
    result->hint = error->hint;
    error->detail = error->hint = NULL;
}

static bool convert(Work *work)
{
    const TenantWrite write = {
        .claim = "the tracking table was converted", .decide = decide, .operation = work, .any_shape = true};
    Turn *turn = &work->turn;
    const char *target = turn->context->options->to_format;
    if (target == NULL || !tracking_format_from_name(target, &work->target))
        return error_set(&turn->error, ERROR_USAGE, "unknown tracking format \"%s\"",
                         target != NULL ? target : "");
    sql_append_qualified(&work->qualified, turn->tenant->schema, turn->run.migrations_table);
    if (buffer_failed(&work->qualified))
        return error_memory(&turn->error);
    return tenant_write(turn, &write);
}

static void report(Work *work, bool good, ConvertResult *result, Outcome *ret_outcome)
{
    Turn *turn = &work->turn;
    bool dry_run = turn->context->options->dry_run;
    result->tenant_id = strdup(turn->tenant->id);
    result->schema_name = strdup(turn->tenant->schema);
    result->attempts = turn->tenant->attempt;
    result->success = good;
    result->from = copy_or_null(tracking_format_name(work->from));
    result->to = copy_or_null(turn->context->options->to_format);
    if (good) {
        *ret_outcome = work->converts && !dry_run ? OUTCOME_APPLIED : OUTCOME_ALREADY;
        result->converted = work->converts ? (int64_t)work->count : 0;
    } else {
        *ret_outcome = turn_outcome(turn);
        report_error(turn, result);
    }
    result->outcome = strdup(outcome_name(*ret_outcome));
    result->duration_ms = turn_elapsed_ms(turn);
}

/* The configured format is what the table has now or is to have, and cannot tell which. */
void op_convert(const OpContext *context, const OpTenant *tenants, size_t count, void *ret_results,
                Outcome *ret_outcomes)
{
    RunOptions options = *context->options;
    OpContext detecting = *context;
    options.format = NULL;
    detecting.options = &options;
    for (size_t i = 0; i < count; i++) {
        Work work = {0};
        turn_begin(&work.turn, &detecting, &tenants[i]);
        bool good = convert(&work);
        report(&work, good, (ConvertResult *)ret_results + i, &ret_outcomes[i]);
        turn_end(&work.turn);
        convert_shape_clear(&work.shape);
        convert_rows_clear(&work.rows);
        buffer_clear(&work.qualified);
    }
}
