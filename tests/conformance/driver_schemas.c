/* Calls of the migrator about schemas: a tenant's life, clones, drift. */
#include "tests/conformance/driver.h"
#include <stdlib.h>
#include <string.h>

/* A call without a result of its own. */
static Answer finish_undefined(bool ok, pgconvoy_error *error)
{
    Answer answer = ok ? answer_text("<undefined>") : answer_error(error);
    pgconvoy_error_clear(error);
    return answer;
}

static Answer create_tenant(Subject *subject, const json_t *args)
{
    pgconvoy_create_options options = {.no_migrations = !flag_of(argument_at(args, 1), "migrate", true)};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_create_tenant(subject->migrator, text_argument(args, 0), &options, NULL, &error);
    return finish_undefined(ok, &error);
}

static Answer drop_tenant(Subject *subject, const json_t *args)
{
    pgconvoy_drop_options options = {.no_cascade = !flag_of(argument_at(args, 1), "cascade", true)};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_drop_tenant(subject->migrator, text_argument(args, 0), &options, NULL, &error);
    return finish_undefined(ok, &error);
}

static Answer tenant_exists(Subject *subject, const json_t *args)
{
    bool exists = false;
    pgconvoy_error error = {0};
    bool ok = pgconvoy_tenant_exists(subject->migrator, text_argument(args, 0), &exists, &error);
    Answer answer = ok ? answer_bool(exists) : answer_error(&error);
    pgconvoy_error_clear(&error);
    return answer;
}

/* --- clones --- */

/* The text of a replacement: a string's, a number's; NULL for null. For free(). */
static char *replacement(const json_t *value)
{
    if (json_is_null(value))
        return NULL;
    char *text =
        json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);
    if (text == NULL)
        must_json(NULL);
    return text;
}

/* {table: {column: value}} as a list; its values are for free(). */
static pgconvoy_clone_rule *rules_of(const json_t *tables, size_t *ret_count)
{
    const char *table, *column;
    json_t *columns, *value;
    size_t count = 0;
    pgconvoy_clone_rule *rules = calloc(1, sizeof *rules);
    json_object_foreach((json_t *)tables, table, columns){
        json_object_foreach(columns, column, value){rules = reallocarray(rules, count + 1, sizeof *rules);
    if (rules == NULL)
        must_json(NULL);
    rules[count++] = (pgconvoy_clone_rule){.table = table, .column = column, .value = replacement(value)};
}
}
*ret_count = count;
return rules;
}

static void rules_free(pgconvoy_clone_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)rules[i].value);
    free(rules);
}

static Answer clone_tenant(Subject *subject, const json_t *args)
{
    const json_t *given = argument_at(args, 2), *anonymize = json_object_get(given, "anonymize");
    RunCallbacks callbacks = {.driver = subject->driver, .cloning = text_argument(args, 1)};
    pgconvoy_clone_options options = {.with_data = flag_of(given, "includeData", false),
                                      .context = &callbacks};
    const char **excluded = texts_of(json_object_get(given, "excludeTables"), &options.exclude_count);
    pgconvoy_clone_rule *rules =
        rules_of(flag_of(anonymize, "enabled", false) ? json_object_get(anonymize, "rules") : NULL,
                 &options.anonymize_count);
    options.exclude_tables = excluded;
    options.anonymize = rules;
    if (json_is_true(json_object_get(given, "onProgress")))
        options.on_progress = report_progress;
    pgconvoy_clone_result result = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_clone_tenant(subject->migrator, text_argument(args, 0), text_argument(args, 1),
                                    &options, &result, &error);
    events_add_total(subject->driver, callbacks.cloned);
    Answer answer = answer_result(ok, ok ? pgconvoy_clone_result_json(&result) : NULL, SHAPE_CLONE, &error);
    rules_free(rules, options.anonymize_count);
    free(excluded);
    pgconvoy_clone_result_clear(&result);
    pgconvoy_error_clear(&error);
    return answer;
}

/* --- drift --- */

typedef struct DriftCall {
    RunCallbacks callbacks;
    pgconvoy_drift_options options;
    const char **tenants, **excluded;
} DriftCall;

static void drift_call_open(DriftCall *call, Subject *subject, const json_t *given)
{
    const json_t *progress = json_object_get(given, "onProgress");
    const json_t *width = json_object_get(given, "concurrency");
    *call = (DriftCall){.callbacks = {.driver = subject->driver, .throw_on = text_of(progress, "throwOn")}};
    call->options = (pgconvoy_drift_options){
        .reference = text_of(given, "referenceTenant"),
        .no_indexes = !flag_of(given, "includeIndexes", true),
        .no_constraints = !flag_of(given, "includeConstraints", true),
        .concurrency = width == NULL                                              ? 0
                       : json_is_integer(width) && json_integer_value(width) != 0 ? json_integer_value(width)
                                                                                  : -1,
        .on_progress = progress != NULL && !json_is_false(progress) ? report_progress : NULL,
        .context = &call->callbacks,
    };
    call->tenants = texts_of(json_object_get(given, "tenantIds"), &call->options.tenant_count);
    call->excluded = texts_of(json_object_get(given, "excludeTables"), &call->options.exclude_count);
    call->options.tenant_ids = call->tenants;
    call->options.exclude_tables = call->excluded;
}

static void drift_call_close(DriftCall *call)
{
    free(call->tenants);
    free(call->excluded);
}

static Answer get_schema_drift(Subject *subject, const json_t *args)
{
    DriftCall call;
    drift_call_open(&call, subject, argument_at(args, 0));
    pgconvoy_schema_drift_status status = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_get_schema_drift(subject->migrator, &call.options, &status, &error);
    Answer answer =
        answer_result(ok, ok ? pgconvoy_schema_drift_status_json(&status) : NULL, SHAPE_DRIFTS, &error);
    drift_call_close(&call);
    pgconvoy_schema_drift_status_clear(&status);
    pgconvoy_error_clear(&error);
    return answer;
}

static Answer get_tenant_schema_drift(Subject *subject, const json_t *args)
{
    DriftCall call;
    drift_call_open(&call, subject, argument_at(args, 2));
    pgconvoy_tenant_schema_drift drift = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_get_tenant_schema_drift(subject->migrator, text_argument(args, 0),
                                               text_argument(args, 1), &call.options, &drift, &error);
    Answer answer =
        answer_result(ok, ok ? pgconvoy_tenant_schema_drift_json(&drift) : NULL, SHAPE_DRIFT, &error);
    drift_call_close(&call);
    pgconvoy_tenant_schema_drift_clear(&drift);
    pgconvoy_error_clear(&error);
    return answer;
}

/* A schema that could not be read is null there, with the reason lost. */
static Answer introspect_tenant_schema(Subject *subject, const json_t *args)
{
    size_t count;
    const char **excluded = texts_of(json_object_get(argument_at(args, 1), "excludeTables"), &count);
    pgconvoy_tenant_schema schema = {0};
    pgconvoy_error error = {0};
    bool ok = pgconvoy_introspect_tenant_schema(subject->migrator, text_argument(args, 0), excluded, count,
                                                &schema, &error);
    Answer answer = ok && schema.error == NULL
                        ? answer_result(true, pgconvoy_tenant_schema_json(&schema), SHAPE_SCHEMA, &error)
                        : answer_value(json_null());
    free(excluded);
    pgconvoy_tenant_schema_clear(&schema);
    pgconvoy_error_clear(&error);
    return answer;
}

static const struct {
    const char *name;
    Answer (*function)(Subject *subject, const json_t *args);
} CALLS[] = {
    {"createTenant", create_tenant},
    {"dropTenant", drop_tenant},
    {"tenantExists", tenant_exists},
    {"cloneTenant", clone_tenant},
    {"getSchemaDrift", get_schema_drift},
    {"getTenantSchemaDrift", get_tenant_schema_drift},
    {"introspectTenantSchema", introspect_tenant_schema},
};

Answer schema_call(Subject *subject, const char *name, const json_t *args)
{
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++)
        if (strcmp(CALLS[i].name, name) == 0)
            return CALLS[i].function(subject, args);
    return answer_unsupported();
}
