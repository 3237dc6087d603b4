/* tenant:clone */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/clone.h"
#include "coordinator/report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --exclude-tables A,B, which may be given several times. */
static bool take_excluded(const CliArguments *arguments, TextList *ret_list, Error *error)
{
    const TextList *given = option_values(arguments, "exclude-tables");
    for (size_t i = 0; i < given->count; i++) {
        char *copy = strdup(given->items[i]), *rest = copy, *name;
        bool ok = copy != NULL;
        while (ok && (name = strsep(&rest, ",")) != NULL)
            ok = name[0] == '\0' || text_list_add(ret_list, name);
        free(copy);
        if (!ok)
            return error_memory(error);
    }
    return true;
}

/* TABLE.COLUMN=VALUE, or TABLE.COLUMN for null. */
static bool take_rule(const char *text, RecordList *ret_rules, Error *error)
{
    size_t names = strcspn(text, "=");
    const char *dot = memchr(text, '.', names);
    if (dot == NULL || dot == text || dot + 1 == text + names) {
        error_set(error, ERROR_USAGE, "\"%.*s\" is not TABLE.COLUMN or TABLE.COLUMN=VALUE", (int)names, text);
        error_set_hint(error, "name one column for each --anonymize, such as users.email=hidden@example.com");
        return false;
    }
    AnonymizeRule *rule = record_list_add(&ANONYMIZE_RULE, ret_rules);
    if (rule == NULL)
        return error_memory(error);
    bool has_value = text[names] == '=';
    rule->table = strndup(text, (size_t)(dot - text));
    rule->column = strndup(dot + 1, (size_t)(text + names - dot - 1));
    rule->value = has_value ? strdup(text + names + 1) : NULL;
    return (rule->table != NULL && rule->column != NULL && (!has_value || rule->value != NULL)) ||
           error_memory(error);
}

static bool prepare(CliContext *context, CloneRequest *request, const CliArguments *arguments, Error *error)
{
    const TextList *rules = option_values(arguments, "anonymize");
    request->fleet = context->request;
    request->from = option_value(arguments, "from");
    request->to = option_value(arguments, "to");
    request->with_data = option_given(arguments, "include-data");
    request->strict = true;
    if (request->from == NULL || request->to == NULL) {
        error_set(error, ERROR_USAGE, "a clone needs two tenants");
        error_set_hint(error, "say --from ID --to ID");
        return false;
    }
    if (rules->count > 0 && !request->with_data) {
        error_set(error, ERROR_USAGE, "--anonymize says what becomes of data, and none is copied");
        error_set_hint(error, "add --include-data, or leave --anonymize out");
        return false;
    }
    for (size_t i = 0; i < rules->count; i++)
        if (!take_rule(rules->items[i], &request->anonymize, error))
            return false;
    return take_excluded(arguments, &request->exclude_tables, error);
}

static void clear_request(CloneRequest *request)
{
    AnonymizeRule *rules = request->anonymize.items;
    for (size_t i = 0; i < request->anonymize.count; i++)
        record_clear(&ANONYMIZE_RULE, &rules[i]);
    free(rules);
    text_list_clear(&request->exclude_tables);
}

static void print_success(const CloneResult *result)
{
    printf("tenant \"%s\" cloned to \"%s\": schema \"%s\", %zu table%s", result->source_tenant,
           result->target_tenant, result->target_schema, result->tables.count,
           result->tables.count == 1 ? "" : "s");
    if (result->rows_copied >= 0)
        printf(", %lld row%s", (long long)result->rows_copied, result->rows_copied == 1 ? "" : "s");
    putchar('\n');
    fflush(stdout);
    for (size_t i = 0; i < result->warnings.count; i++)
        fprintf(stderr, "warning: %s\n", result->warnings.items[i]);
}

static void print_failure(const CloneResult *result)
{
    ERROR_CLEANUP Error error = {0};
    error_set(&error, ERROR_SERVER, "tenant \"%s\" was not cloned to \"%s\": %s", result->source_tenant,
              result->target_tenant, result->error);
    if (result->detail != NULL)
        error_set_detail(&error, "%s", result->detail);
    if (result->hint != NULL)
        error_set_hint(&error, "%s", result->hint);
    cli_print_error(&error);
}

static int exit_code(const CloneRun *run)
{
    if (run->state == TENANT_SUCCEEDED)
        return EXIT_DONE;
    if (run->stopped)
        return run->past_deadline ? EXIT_ABORTED : EXIT_INTERRUPTED;
    return run->outcome == OUTCOME_BUSY ? EXIT_UNAVAILABLE : EXIT_FAILED;
}

int cli_tenant_clone(const CliArguments *arguments)
{
    CliContext context;
    CloneRequest request = {0};
    CloneRun run = {0};
    ERROR_CLEANUP Error error = {0};
    bool ok = cli_context_open(&context, arguments, &error) &&
              prepare(&context, &request, arguments, &error) && clone_run(&request, &run, &error);
    progress_clear(&context.progress);
    if (ok && option_given(arguments, "json"))
        ok = report_record_json(stdout, &CLONE_RESULT, &run.result, &error);
    else if (ok)
        (run.state == TENANT_SUCCEEDED ? print_success : print_failure)(&run.result);
    int code = ok ? exit_code(&run) : cli_failed(arguments, &error);
    clone_run_clear(&run);
    clear_request(&request);
    cli_context_close(&context);
    return code;
}
