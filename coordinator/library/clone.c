/* One tenant as another. */
#include "coordinator/clone.h"
#include "coordinator/library/call.h"
#include <stdlib.h>

static bool check_names(const pgconvoy_clone_options *options, Error *error)
{
    for (size_t i = 0; i < options->exclude_count; i++)
        if (options->exclude_tables == NULL || options->exclude_tables[i] == NULL)
            return error_set(error, ERROR_USAGE, "excluded table %zu is NULL", i);
    for (size_t i = 0; i < options->anonymize_count; i++)
        if (options->anonymize == NULL || options->anonymize[i].table == NULL ||
            options->anonymize[i].column == NULL)
            return error_set(error, ERROR_USAGE, "rule %zu names no table and column", i);
    return true;
}

/* The rules' texts stay the caller's. */
static AnonymizeRule *borrow_rules(const pgconvoy_clone_options *options, Error *error)
{
    AnonymizeRule *rules = calloc(options->anonymize_count + 1, sizeof *rules);
    if (rules == NULL)
        error_memory(error);
    for (size_t i = 0; rules != NULL && i < options->anonymize_count; i++) {
        const pgconvoy_clone_rule *rule = &options->anonymize[i];
        rules[i] = (AnonymizeRule){(char *)rule->table, (char *)rule->column, (char *)rule->value};
    }
    return rules;
}

static bool clone_as_told(Call *call, const char *source_id, const char *target_id,
                          const pgconvoy_clone_options *options, AnonymizeRule *rules, CloneRun *run)
{
    CloneRequest request = {.fleet = call->fleet,
                            .from = source_id,
                            .to = target_id,
                            .with_data = options->with_data,
                            .exclude_tables = {(char **)options->exclude_tables, options->exclude_count},
                            .anonymize = {rules, options->anonymize_count}};
    if (!call_progress(call, target_id, "starting", call->error) || !clone_run(&request, run, call->error))
        return false;
    ERROR_CLEANUP Error ignored = {0}; /* nothing is left that could fail */
    bool done = run->state == TENANT_SUCCEEDED;
    if (!call_progress(call, target_id, done ? "completed" : "failed", &ignored))
        error_clear(&ignored);
    return true;
}

bool pgconvoy_clone_tenant(pgconvoy_migrator *migrator, const char *source_id, const char *target_id,
                           const pgconvoy_clone_options *options, pgconvoy_clone_result *ret_result,
                           pgconvoy_error *error)
{
    static const pgconvoy_clone_options DEFAULTS = {0};
    options = options != NULL ? options : &DEFAULTS;
    const pgconvoy_run_options run_as = {.on_progress = options->on_progress, .context = options->context};
    Call call;
    CloneRun run = {0};
    AnonymizeRule *rules = NULL;
    bool ok = call_begin(&call, migrator, &run_as, error);
    call.callbacks = (HostCallbacks){.context = &call, .on_progress = call.callbacks.on_progress};
    if (ok && (source_id == NULL || target_id == NULL))
        ok = error_set(call.error, ERROR_USAGE, "a clone needs two tenants");
    ok = ok && check_names(options, call.error) && (rules = borrow_rules(options, call.error)) != NULL &&
         clone_as_told(&call, source_id, target_id, options, rules, &run);
    if (ok && ret_result != NULL) {
        *ret_result = run.result;
        run.result = (CloneResult){0};
    }
    clone_run_clear(&run);
    free(rules);
    return call_end(&call, ok);
}
