#include "coordinator/fleet_tenants.h"
#include "common/tenant_index.h"
#include "coordinator/fleet_named.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A discover phase's host: where the ids go, and the first thing that went wrong. */
typedef struct Discovery {
    const TextList *databases; /* phase index -> name */
    bool *done;                /* by phase index: its ids were found, and are ... */
    TextList *found;           /* ... here */
    Error error;               /* what went wrong last, while an attempt at ... */
    uint32_t failed;           /* ... this phase index */
} Discovery;

/* No SQLSTATE (the server was not reached), or one about connecting: not the query's fault. */
static bool is_connection_trouble(const char *sqlstate)
{
    static const char *const CLASSES[] = {"08", "28", "3D", "53", "57"};
    for (size_t i = 0; sqlstate != NULL && i < sizeof CLASSES / sizeof CLASSES[0]; i++)
        if (strncmp(sqlstate, CLASSES[i], 2) == 0)
            return true;
    return sqlstate == NULL;
}

static uint64_t keep_discovered(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    (void)attempt;
    Discovery *discovery = host;
    DiscoverResult *result = record;
    const char *database = discovery->databases->items[index];
    if (outcome == OUTCOME_NOT_STARTED || discovery->done[index])
        return 0; /* a draining worker gave it back, or the result of another attempt came late */
    if (outcome_state(outcome) != TENANT_SUCCEEDED) {
        discovery->failed = index;
        error_set(&discovery->error, is_connection_trouble(result->sqlstate) ? ERROR_CONNECT : ERROR_TENANTS,
                  "tenant discovery on database \"%s\" failed: %s", database,
                  result->error != NULL ? result->error : outcome_name(outcome));
        if (result->sqlstate != NULL)
            strncpy(discovery->error.sqlstate, result->sqlstate, sizeof discovery->error.sqlstate - 1);
        if (result->detail != NULL)
            error_set_detail(&discovery->error, "%s", result->detail);
        error_set_hint(&discovery->error, "%s",
                       result->hint != NULL ? result->hint
                                            : "check `tenants.query` and the worker's database role");
        return 0;
    }
    discovery->done[index] = true;
    discovery->found[index] = result->ids;
    result->ids = (TextList){0};
    return 0;
}

/* What the phase as a whole came to: one attempt's failure counts only where no other attempt did better. */
static bool judge_discovery(Discovery *discovery, const PhaseOutcome *outcome, Error *error)
{
    if (outcome->totals.succeeded == outcome->totals.total)
        return true;
    if (outcome->aborted)
        return error_set(error, ERROR_CANCELLED, "stopped during tenant discovery; no tenant was changed");
    if (discovery->error.code != ERROR_NONE && outcome->states[discovery->failed] != TENANT_SUCCEEDED) {
        error_move(error, &discovery->error);
        return false;
    }
    size_t i = 0;
    while (outcome->states[i] == TENANT_SUCCEEDED)
        i++;
    return error_set(error, ERROR_TENANTS, "tenant discovery on database \"%s\" failed: %s",
                     discovery->databases->items[i], outcome_name(outcome->outcomes[i]));
}

/* In the order of the databases, whoever answered first. */
static bool list_discovered(const Discovery *discovery, size_t databases, TenantList *list, Error *error)
{
    for (size_t d = 0; d < databases; d++) {
        const char *database = discovery->databases->items[d];
        const TextList *ids = &discovery->found[d];
        for (size_t i = 0; i < ids->count; i++)
            if (!tenant_list_add(list, database, ids->items[i], error)) {
                error_prefix(error, "tenant discovery on database \"%s\"", database);
                return false;
            }
    }
    return true;
}

static void discovery_clear(Discovery *discovery, size_t databases)
{
    for (size_t d = 0; discovery->found != NULL && d < databases; d++)
        text_list_clear(&discovery->found[d]);
    free(discovery->found);
    free(discovery->done);
    error_clear(&discovery->error);
}

/* Runs the configured discovery once on every database. */
static bool discover(Fleet *fleet, TenantList *list, Error *error)
{
    const Config *config = fleet->request->config;
    const char *query = config_text(config, SETTING_TENANTS_QUERY);
    RunOptions options = fleet->options;
    options.discover_query = query[0] != '\0' ? (char *)query : NULL;
    options.schema_template = (char *)config_text(config, SETTING_TENANTS_SCHEMA);
    const TextList *databases = fleet_databases(fleet);
    size_t count = databases->count; /* a worker that comes late may bring another one */
    Discovery discovery = {
        .databases = databases,
        .done = calloc(count + 1, sizeof *discovery.done),
        .found = calloc(count + 1, sizeof *discovery.found),
    };
    if (discovery.done == NULL || discovery.found == NULL) {
        discovery_clear(&discovery, count);
        return error_memory(error);
    }
    Phase phase = {
        .operation = OPERATION_DISCOVER,
        .options = &options,
        .max_failures = -1,
        .on_result = keep_discovered,
        .host = &discovery,
    };
    PhaseOutcome outcome = {0};
    bool ok = fleet_run_databases(fleet, &phase, &outcome, error) &&
              judge_discovery(&discovery, &outcome, error) && list_discovered(&discovery, count, list, error);
    phase_outcome_clear(&outcome);
    discovery_clear(&discovery, count);
    return ok;
}

/* tenants.ids, tenants.file or tenants.command. */
static bool configured_list(const FleetRequest *request, const TextList *databases, TenantList *list,
                            Error *error)
{
    const TextList *ids = config_tenant_ids(request->config);
    for (size_t i = 0; i < ids->count; i++)
        if (!tenant_list_add_named(list, ids->items[i], databases, error))
            return false;
    if (ids->count > 0)
        return true;
    const TextList *command = config_tenant_command(request->config);
    if (command->count == 0)
        return tenant_list_read_file(list, config_text(request->config, SETTING_TENANTS_FILE), error);
    char **argv = calloc(command->count + 1, sizeof *argv);
    if (argv == NULL)
        return error_memory(error);
    memcpy(argv, command->items, command->count * sizeof *argv);
    bool ok = tenant_list_read_command(list, argv, error);
    free(argv);
    return ok;
}

static bool refuse_database(const Tenant *tenant, size_t databases, Error *error)
{
    if (tenant->database[0] != '\0') {
        error_set(error, ERROR_TENANTS, "tenant \"%s\": no worker reaches a database named \"%s\"",
                  tenant->id, tenant->database);
        error_set_hint(error, "name a database of the workers' configuration");
    } else {
        error_set(error, ERROR_TENANTS, "tenant \"%s\" is ambiguous: there are %zu databases", tenant->id,
                  databases);
        error_set_hint(error, "write it as database/id, in list files as database<TAB>id");
    }
    return false;
}

/* Gives every tenant without a database the only one there is; one that is refused needs one too. */
static bool assign_databases(const TextList *databases, bool refuse_alone, TenantList *list, Error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        Tenant *tenant = &list->items[i];
        bool known = false;
        for (size_t d = 0; d < databases->count && !known; d++)
            known = strcmp(databases->items[d], tenant->database) == 0;
        if (known)
            continue;
        if (tenant->refusal == NULL && (tenant->database[0] != '\0' || databases->count != 1)) {
            ERROR_CLEANUP Error refused = {0};
            if (!refuse_alone || databases->count == 0)
                return refuse_database(tenant, databases->count, error);
            refuse_database(tenant, databases->count, &refused);
            if (!fleet_refuse(list, tenant, error, "%s", refused.message))
                return false;
        }
        if (!tenant_list_set_database(list, i, databases->items[0], error))
            return false;
    }
    return true;
}

static bool exclude(const FleetRequest *request, const TextList *databases, TenantList *list, Error *error)
{
    TenantList excluded = {0};
    bool ok =
        (request->exclude == NULL || tenant_list_parse(&excluded, request->exclude, databases, error)) &&
        (request->exclude_file == NULL || tenant_list_read_file(&excluded, request->exclude_file, error));
    ok = ok && tenant_list_exclude(list, &excluded, error);
    tenant_list_clear(&excluded);
    return ok;
}

static bool list_shared(const TextList *databases, TenantList *list, Error *error)
{
    for (size_t i = 0; i < databases->count; i++) {
        if (!tenant_list_add(list, databases->items[i], SHARED_ID, error))
            return false;
        list->items[list->count - 1].schema = (char *)SHARED_SCHEMA;
    }
    return true;
}

static bool is_explicit(const FleetRequest *request)
{
    return request->ids != NULL || request->tenant != NULL || request->tenants != NULL ||
           request->tenants_file != NULL;
}

static bool is_list_configured(const Config *config)
{
    return config_tenant_ids(config)->count > 0 || config_tenant_command(config)->count > 0 ||
           config_text(config, SETTING_TENANTS_FILE)[0] != '\0';
}

static bool is_discovery_configured(const Config *config)
{
    return config_text(config, SETTING_TENANTS_QUERY)[0] != '\0' ||
           config_bool(config, SETTING_TENANTS_SCHEMAS);
}

bool fleet_discovers(const FleetRequest *request)
{
    if (is_explicit(request) || request->discover != NULL)
        return !is_explicit(request);
    return !is_list_configured(request->config) && is_discovery_configured(request->config);
}

static bool resolve(const FleetRequest *request, TenantList *list, Error *error)
{
    return request->refuse_alone
               ? fleet_named_resolve(request, list, error)
               : tenant_list_resolve(list, config_text(request->config, SETTING_TENANTS_SCHEMA), error);
}

/* The last thing, so that results name schemas all the same. */
static bool refuse_all(const Fleet *fleet, TenantList *list, Error *error)
{
    char *reason = NULL;
    if (fleet->refusal == NULL)
        return true;
    if (!tenant_list_set_text(list, &reason, fleet->refusal, error))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].refusal == NULL)
            list->items[i].refusal = reason;
    return true;
}

/* Everybody whom the request or the configuration names, or who is found. */
static bool list_all(Fleet *fleet, TenantList *list, Error *error)
{
    const FleetRequest *request = fleet->request;
    const Config *config = request->config;
    const TextList *databases = fleet_databases(fleet);
    bool explicit_list = is_explicit(request);
    bool by_worker = is_discovery_configured(config);
    bool by_list = is_list_configured(config);
    if (request->tenant != NULL && !tenant_list_add_named(list, request->tenant, databases, error))
        return false;
    if (request->tenants != NULL && !tenant_list_parse(list, request->tenants, databases, error))
        return false;
    if (request->tenants_file != NULL && !tenant_list_read_file(list, request->tenants_file, error))
        return false;
    if (!explicit_list && !by_worker && !by_list) {
        error_set(error, ERROR_CONFIG, "no source of tenants is configured");
        error_set_hint(
            error, "set one of tenants.query, tenants.schemas, tenants.ids, tenants.file or tenants.command "
                   "in pgconvoy.yaml, or name tenants with --tenant, --tenants or --tenants-file");
        return false;
    }
    if (!explicit_list && by_list)
        return configured_list(request, databases, list, error);
    return explicit_list || discover(fleet, list, error);
}

bool fleet_list(Fleet *fleet, TenantList *list, Error *error)
{
    const FleetRequest *request = fleet->request;
    const TextList *databases = fleet_databases(fleet);
    bool named = request->ids != NULL || request->discover != NULL ||
                 (request->refuse_alone && request->tenant != NULL);
    bool explicit_list = is_explicit(request);
    if (fleet->shared)
        return list_shared(databases, list, error) && refuse_all(fleet, list, error);
    bool listed = named ? fleet_named_list(request, databases, list, error) : list_all(fleet, list, error);
    if (!listed || !assign_databases(databases, request->refuse_alone, list, error))
        return false;
    if (!explicit_list && !named) {
        size_t dropped = tenant_list_unique(list);
        char text[80];
        snprintf(text, sizeof text, "%zu duplicate tenants were dropped from the discovered list", dropped);
        if (dropped > 0)
            fleet_warn(request, text);
    }
    if (!exclude(request, databases, list, error))
        return false;
    if (request->limit > 0)
        tenant_list_truncate(list, request->limit);
    return resolve(request, list, error) && refuse_all(fleet, list, error);
}

uint32_t *fleet_tenants_predecessors(const TenantList *list, Error *error)
{
    TENANT_INDEX_CLEANUP TenantIndex *firsts = tenant_index_new(list->count + 1, error);
    uint32_t *predecessors = calloc(list->count + 1, sizeof *predecessors);
    uint32_t *last = calloc(list->count + 1, sizeof *last); /* by first occurrence: the latest one so far */
    bool ok = firsts != NULL && predecessors != NULL && last != NULL;
    for (size_t i = 0; ok && i < list->count; i++) {
        const Tenant *tenant = &list->items[i];
        size_t first = tenant_index_find(firsts, tenant->database, tenant->schema);
        predecessors[i] = ENGINE_NONE;
        if (first == TENANT_INDEX_NONE) {
            ok = tenant_index_add(firsts, tenant->database, tenant->schema, i, error);
            first = i;
        } else
            predecessors[i] = last[first];
        last[first] = (uint32_t)i;
    }
    free(last);
    if (ok)
        return predecessors;
    free(predecessors);
    if (error->code == ERROR_NONE)
        error_memory(error);
    return NULL;
}
