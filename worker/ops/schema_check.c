#include "common/tenant.h"
#include "worker/ops/op.h"
#include <string.h>

bool op_schema_check(const RunOptions *options, const char *schema, Error *error)
{
    if (!options->shared)
        return schema_name_check(schema, error);
    if (strcmp(schema, SHARED_SCHEMA) == 0)
        return true;
    ERROR_CLEANUP Error ignored = {0};
    bool proper = schema_name_check(schema, &ignored); /* else not fit to be shown */
    return error_set(error, ERROR_TENANTS, "%s%s%s is not the shared schema", proper ? "schema \"" : "that",
                     proper ? schema : "", proper ? "\"" : "");
}

const char *op_callback_id(const OpContext *context, const OpTenant *tenant)
{
    return context->options->shared ? NULL : tenant->id;
}
