#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/drift_report.h"
#include <stdlib.h>
#include <string.h>

/* --exclude-tables A,B, which may be given several times. */
static bool excluded_tables(const CliArguments *arguments, TextList *ret_list, Error *error)
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

static bool prepare(CliContext *context, DriftRequest *request, const CliArguments *arguments, Error *error)
{
    if (option_given(arguments, "tenant") && !option_given(arguments, "reference")) {
        error_set(error, ERROR_USAGE, "one tenant alone differs from nobody");
        error_set_hint(error, "add --reference ID");
        return false;
    }
    if (!cli_context_select(context, error) || !excluded_tables(arguments, &request->exclude_tables, error))
        return false;
    request->fleet = context->request;
    request->reference = option_value(arguments, "reference");
    request->no_indexes = option_given(arguments, "no-indexes");
    request->no_constraints = option_given(arguments, "no-constraints");
    request->every_tenant = option_given(arguments, "json");
    return true;
}

static int exit_code(const DriftReport *report)
{
    if (report->aborted || report->cancelled)
        return report->past_deadline ? EXIT_ABORTED : EXIT_INTERRUPTED;
    if (report->errors > 0)
        return EXIT_FAILED;
    return report->with_drift > 0 ? EXIT_DRIFT : EXIT_DONE;
}

int cli_diff(const CliArguments *arguments)
{
    CliContext context;
    DriftRequest request = {0};
    DriftReport report = {0};
    ERROR_CLEANUP Error error = {0};
    bool ok = cli_context_open(&context, arguments, &error) &&
              prepare(&context, &request, arguments, &error) && drift_run(&request, &report, &error);
    progress_clear(&context.progress);
    if (ok && option_given(arguments, "json"))
        ok = drift_report_json(stdout, &report, &error);
    else if (ok)
        drift_report_text(stdout, &report, option_given(arguments, "verbose"));
    int code = ok ? exit_code(&report) : cli_failed(arguments, &error);
    drift_report_clear(&report);
    text_list_clear(&request.exclude_tables);
    cli_context_close(&context);
    return code;
}
