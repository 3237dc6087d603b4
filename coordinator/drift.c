#include "coordinator/drift.h"
#include "common/clock.h"
#include "common/schema_drift.h"
#include <stdlib.h>
#include <string.h>

enum { SCHEMAS_AT_ONCE = 100 }; /* held in memory */

typedef struct DriftRun {
    const DriftRequest *request;
    DriftReport *report;
    Fleet fleet;
    RunOptions options;
    TenantSchema reference;
} DriftRun;

/* The one tenant that the reference names, whether the list has it or not. */
static bool find_reference(DriftRun *run, TenantList *ret_one, Error *error)
{
    const FleetRequest *request = &run->request->fleet;
    FleetRequest one = {.config = request->config, .tenants = run->request->reference};
    if (request->refuse_alone)
        one = (FleetRequest){.config = request->config,
                             .tenant = run->request->reference,
                             .schema_name = request->schema_name,
                             .refuse_alone = true,
                             .host = request->host};
    run->fleet.request = &one;
    bool ok = fleet_list(&run->fleet, ret_one, error);
    run->fleet.request = request;
    if (ok && ret_one->count != 1)
        ok = error_set(error, ERROR_USAGE, "\"%s\" is not one tenant", run->request->reference);
    return ok;
}

static bool is_tenant(const Tenant *a, const Tenant *b)
{
    return strcmp(a->database, b->database) == 0 && strcmp(a->id, b->id) == 0;
}

/* Puts the reference in front; the list holds it once afterwards, also when it was not there. */
static bool put_first(TenantList *list, const Tenant *reference, Error *error)
{
    if (!tenant_list_add_copy(list, reference, error))
        return false;
    Tenant first = list->items[list->count - 1];
    size_t kept = 0;
    for (size_t i = 0; i < list->count - 1; i++)
        if (!is_tenant(&list->items[i], &first))
            list->items[kept++] = list->items[i];
    memmove(list->items + 1, list->items, kept * sizeof *list->items);
    list->items[0] = first;
    list->count = kept + 1;
    return true;
}

static bool list_tenants(DriftRun *run, Error *error)
{
    TenantList *list = &run->report->tenants;
    TenantList one = {0};
    if (!fleet_list(&run->fleet, list, error))
        return false;
    if (list->count == 0)
        return true;
    bool named = run->request->reference != NULL;
    bool ok = (!named || find_reference(run, &one, error)) &&
              put_first(list, named ? &one.items[0] : &list->items[0], error);
    tenant_list_clear(&one);
    return ok;
}

static bool fail_entry(DriftEntry *entry, const char *message, const char *sqlstate, const char *outcome)
{
    TenantSchemaDrift *drift = &entry->drift;
    drift->error = strdup(message);
    drift->sqlstate = sqlstate != NULL ? strdup(sqlstate) : NULL;
    drift->outcome = outcome != NULL ? strdup(outcome) : NULL;
    return drift->error != NULL;
}

/* Of whom nothing was heard: the run was aborted, no worker was left, its result could not be sent. */
static bool fail_silent(DriftEntry *entry, Outcome outcome)
{
    return fail_entry(entry, "the schema was not looked at", NULL, outcome_name(outcome));
}

static bool take_digest(DriftRun *run, DriftEntry *entry, TenantDigest *digest, Outcome outcome, Error *error)
{
    TenantSchemaDrift *drift = &entry->drift;
    bool ok = true;
    entry->digest = *digest;
    *digest = (TenantDigest){0};
    entry->cluster = SIZE_MAX;
    drift->tenant_id = strdup(entry->tenant->id);
    drift->schema_name = strdup(entry->tenant->schema);
    if (run->report->several_databases)
        drift->database = strdup(entry->tenant->database);
    if (entry->digest.error != NULL)
        ok = fail_entry(entry, entry->digest.error, entry->digest.sqlstate, entry->digest.outcome);
    else if (entry->digest.digest == NULL)
        ok = fail_silent(entry, outcome);
    return (ok && drift->tenant_id != NULL && drift->schema_name != NULL) || error_memory(error);
}

static bool read_digests(DriftRun *run, Error *error)
{
    DriftReport *report = run->report;
    FleetResults results = {0};
    report->entries = calloc(report->count + 1, sizeof *report->entries);
    if (report->entries == NULL)
        return error_memory(error);
    bool ok = fleet_operate(&run->fleet,
                            &(FleetWork){.operation = OPERATION_DIGEST,
                                         .options = &run->options,
                                         .tenants = &report->tenants,
                                         .schedule = ENGINE_ROLLING,
                                         .max_failures = -1},
                            &results, error);
    for (size_t i = 0; i < report->count; i++)
        report->entries[i].tenant = &report->tenants.items[i];
    for (size_t i = 0; ok && i < report->count; i++)
        ok = take_digest(run, &report->entries[i], fleet_result(&results, i), results.outcome.outcomes[i],
                         error);
    fleet_results_clear(&results);
    return ok;
}

static int by_digest(const void *a, const void *b)
{
    const DriftEntry *one = *(DriftEntry *const *)a, *other = *(DriftEntry *const *)b;
    int order = strcmp(one->digest.digest, other->digest.digest);
    return order != 0 ? order : (one > other) - (one < other);
}

/* A cluster and its members, side by side among the entries sorted by digest. */
typedef struct Group {
    DriftCluster cluster;
    DriftEntry **members;
} Group;

/* The reference's first. */
static int by_size(const void *a, const void *b)
{
    const DriftCluster *one = &((const Group *)a)->cluster, *other = &((const Group *)b)->cluster;
    if (one->example == 0 || other->example == 0)
        return one->example == 0 ? -1 : 1;
    if (one->count != other->count)
        return one->count < other->count ? 1 : -1;
    return (one->example > other->example) - (one->example < other->example);
}

static size_t group_sorted(DriftReport *report, DriftEntry **sorted, size_t count, Group *groups)
{
    size_t group_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(sorted[i]->digest.digest, sorted[i - 1]->digest.digest) != 0)
            groups[group_count++] =
                (Group){.cluster.example = (size_t)(sorted[i] - report->entries), .members = &sorted[i]};
        groups[group_count - 1].cluster.count++;
    }
    qsort(groups, group_count, sizeof *groups, by_size);
    for (size_t g = 0; g < group_count; g++) {
        report->clusters[g] = groups[g].cluster;
        for (size_t i = 0; i < groups[g].cluster.count; i++)
            groups[g].members[i]->cluster = g;
    }
    return group_count;
}

static bool make_clusters(DriftReport *report, Error *error)
{
    DriftEntry **sorted = calloc(report->count + 1, sizeof(DriftEntry *));
    Group *groups = calloc(report->count + 1, sizeof *groups);
    report->clusters = calloc(report->count + 1, sizeof *report->clusters);
    bool ok = sorted != NULL && groups != NULL && report->clusters != NULL;
    size_t count = 0;
    for (size_t i = 0; ok && i < report->count; i++)
        if (report->entries[i].drift.error == NULL)
            sorted[count++] = &report->entries[i];
    if (ok && count > 0) {
        qsort(sorted, count, sizeof(DriftEntry *), by_digest);
        report->cluster_count = group_sorted(report, sorted, count, groups);
    }
    free(sorted);
    free(groups);
    return ok || error_memory(error);
}

/* Keeps what identifies the tenant, and what it was told, of a comparison that knows neither. */
static void take_drift(DriftEntry *entry, TenantSchemaDrift *found)
{
    free(found->tenant_id);
    free(found->schema_name);
    found->tenant_id = entry->drift.tenant_id;
    found->schema_name = entry->drift.schema_name;
    found->database = entry->drift.database;
    entry->drift = *found;
}

/* Digests that differ while the contents do not: somebody changed the schema between the two looks, or what
 * differs has no name. Either way it is not the same. */
static bool add_unexplained(TenantSchemaDrift *drift, Error *error)
{
    ObjectDrift *object = record_list_add(&OBJECT_DRIFT, &drift->objects);
    if (object == NULL)
        return error_memory(error);
    *object =
        (ObjectDrift){.object = strdup(drift->schema_name != NULL ? drift->schema_name : ""),
                      .kind = strdup("schema"),
                      .type = strdup("digest_mismatch"),
                      .description = strdup("The digests differed, but a closer look found nothing: the "
                                            "schema may have changed meanwhile")};
    drift->issue_count = 1;
    drift->has_drift = true;
    return true;
}

/* Why a schema cannot be compared, if so. */
static bool is_readable(DriftEntry *entry, const TenantSchema *schema, Outcome outcome, bool *ret_memory)
{
    if (schema->tenant_id != NULL && schema->error == NULL)
        return true;
    *ret_memory = schema->error != NULL ? fail_entry(entry, schema->error, schema->sqlstate, schema->outcome)
                                        : fail_silent(entry, outcome);
    return false;
}

static bool compare_entry(DriftRun *run, DriftEntry *entry, const TenantSchema *schema, Outcome outcome,
                          Error *error)
{
    bool memory = true;
    if (!is_readable(entry, schema, outcome, &memory))
        return memory || error_memory(error);
    TenantSchemaDrift found;
    if (!schema_compare(&run->reference, schema, &found, error))
        return false;
    take_drift(entry, &found);
    return entry->drift.has_drift || add_unexplained(&entry->drift, error);
}

/* Nothing but who it is, and why it failed. */
static bool fail_told(DriftEntry *entry, const char *message)
{
    TenantSchemaDrift *drift = &entry->drift;
    TenantSchemaDrift kept = {
        .tenant_id = drift->tenant_id, .schema_name = drift->schema_name, .database = drift->database};
    drift->tenant_id = drift->schema_name = drift->database = NULL;
    record_clear(&TENANT_SCHEMA_DRIFT, drift);
    *drift = kept;
    return fail_entry(entry, message, NULL, NULL);
}

/* Tells the host how far a tenant is; what it has to say against it becomes the tenant's error. */
static bool tell(DriftRun *run, DriftEntry *entry, const char *status, Error *error)
{
    const DriftRequest *request = run->request;
    ERROR_CLEANUP Error refused = {0};
    bool fine = request->on_tenant == NULL ||
                request->on_tenant(request->fleet.host, entry->tenant->id, status, &refused);
    if (fine || entry->drift.error != NULL)
        return true;
    return fail_told(entry, refused.message) || error_memory(error);
}

static bool tell_begin(DriftRun *run, DriftEntry *entry, Error *error)
{
    return tell(run, entry, "starting", error) && tell(run, entry, "introspecting", error);
}

/* What the host does not like of a completed tenant makes it a failed one. */
static bool tell_end(DriftRun *run, DriftEntry *entry, Error *error)
{
    return (entry->drift.error != NULL || tell(run, entry, "completed", error)) &&
           (entry->drift.error == NULL || tell(run, entry, "failed", error));
}

/* Introspects up to SCHEMAS_AT_ONCE tenants; the results are in the order of `entries`. */
static bool introspect(DriftRun *run, DriftEntry *const *entries, size_t count, FleetResults *ret_results,
                       Error *error)
{
    Tenant tenants[SCHEMAS_AT_ONCE];
    for (size_t i = 0; i < count; i++)
        tenants[i] = *entries[i]->tenant;
    return fleet_operate(&run->fleet,
                         &(FleetWork){.operation = OPERATION_INTROSPECT,
                                      .options = &run->options,
                                      .tenants = &(TenantList){.items = tenants, .count = count},
                                      .schedule = ENGINE_ROLLING,
                                      .max_failures = -1},
                         ret_results, error);
}

static bool compare_some(DriftRun *run, DriftEntry *const *entries, size_t count, Error *error)
{
    FleetResults results = {0};
    bool ok = introspect(run, entries, count, &results, error);
    for (size_t i = 0; ok && i < count; i++) {
        DriftEntry *entry = entries[i];
        ok = tell(run, entry, "comparing", error);
        if (ok && entry->drift.error == NULL)
            ok = compare_entry(run, entry, fleet_result(&results, i), results.outcome.outcomes[i], error);
        ok = ok && tell_end(run, entry, error);
    }
    fleet_results_clear(&results);
    return ok;
}

static bool introspect_reference(DriftRun *run, Error *error)
{
    DriftEntry *first = &run->report->entries[0];
    FleetResults results = {0};
    bool ok = introspect(run, &first, 1, &results, error);
    if (ok) {
        TenantSchema *schema = fleet_result(&results, 0);
        run->reference = *schema;
        *schema = (TenantSchema){0};
        bool memory = true;
        is_readable(first, &run->reference, results.outcome.outcomes[0], &memory);
        ok = memory || error_memory(error);
    }
    fleet_results_clear(&results);
    return ok;
}

/* The contract's words for everybody else when there is nothing to compare with. */
static bool fail_without_reference(DriftReport *report, Error *error)
{
    for (size_t i = 1; i < report->count; i++)
        if (report->entries[i].drift.error == NULL &&
            !fail_entry(&report->entries[i], DRIFT_NO_REFERENCE, NULL, NULL))
            return error_memory(error);
    return true;
}

static bool wants_look(const DriftRun *run, size_t at)
{
    const DriftReport *report = run->report;
    size_t cluster = report->entries[at].cluster;
    return cluster != SIZE_MAX && cluster > 0 &&
           (run->request->every_tenant || report->clusters[cluster].example == at);
}

/* Its digest, or its error, says it all. */
static bool settle(DriftRun *run, DriftEntry *entry, Error *error)
{
    return (entry->drift.error != NULL || tell(run, entry, "comparing", error)) &&
           tell_end(run, entry, error);
}

static bool compare_all(DriftRun *run, Error *error)
{
    DriftReport *report = run->report;
    DriftEntry *some[SCHEMAS_AT_ONCE];
    size_t count = 0;
    for (size_t i = 0; i <= report->count; i++) {
        if (count == SCHEMAS_AT_ONCE || (i == report->count && count > 0)) {
            if (!compare_some(run, some, count, error))
                return false;
            count = 0;
        }
        if (i == 0 || i == report->count)
            continue;
        DriftEntry *entry = &report->entries[i];
        if (!tell_begin(run, entry, error))
            return false;
        if (entry->drift.error == NULL && wants_look(run, i))
            some[count++] = entry;
        else if (!settle(run, entry, error))
            return false;
    }
    return true;
}

/* Members of a cluster that were not looked at share the counts of the one that was. */
static void finish_entries(DriftReport *report)
{
    for (size_t i = 0; i < report->count; i++) {
        DriftEntry *entry = &report->entries[i];
        bool differs = entry->drift.error == NULL && entry->cluster != SIZE_MAX && entry->cluster > 0;
        if (differs && !entry->drift.has_drift) {
            entry->drift.has_drift = true;
            entry->drift.issue_count =
                report->entries[report->clusters[entry->cluster].example].drift.issue_count;
        }
        report->with_drift += entry->drift.has_drift;
        report->errors += entry->drift.error != NULL;
    }
}

static bool find_drift(DriftRun *run, Error *error)
{
    DriftReport *report = run->report;
    report->count = report->tenants.count;
    fleet_say_step(&run->request->fleet, STEP_PLAN, report->count);
    if (report->count == 0)
        return true;
    if (!read_digests(run, error) || !make_clusters(report, error))
        return false;
    DriftEntry *reference = &report->entries[0];
    char *const *trouble = &reference->drift.error;
    if (!tell_begin(run, reference, error))
        return false;
    if (*trouble == NULL && report->cluster_count > 1 && !introspect_reference(run, error))
        return false;
    if (!tell_end(run, reference, error))
        return false;
    bool ok = *trouble == NULL ? compare_all(run, error) : fail_without_reference(report, error);
    finish_entries(report);
    return ok;
}

bool drift_run(const DriftRequest *request, DriftReport *ret_report, Error *error)
{
    *ret_report = (DriftReport){0};
    DriftRun run = {.request = request, .report = ret_report};
    bool ok = fleet_open(&run.fleet, &request->fleet, NULL, error);
    run.options = run.fleet.options;
    run.options.no_indexes = request->no_indexes;
    run.options.no_constraints = request->no_constraints;
    run.options.exclude_tables = request->exclude_tables;
    if (ok) {
        ret_report->several_databases = fleet_databases(&run.fleet)->count > 1;
        fleet_say_step(&request->fleet, STEP_DISCOVER, 0);
        ok = list_tenants(&run, error) && find_drift(&run, error);
    }
    ret_report->aborted = run.fleet.aborted;
    ret_report->cancelled = run.fleet.cancelled;
    ret_report->past_deadline = run.fleet.past_deadline;
    ret_report->duration_ms = clock_now_ms(&SYSTEM_CLOCK) - run.fleet.started_ms;
    record_clear(&TENANT_SCHEMA, &run.reference);
    fleet_close(&run.fleet);
    return ok;
}

void drift_report_clear(DriftReport *report)
{
    for (size_t i = 0; report->entries != NULL && i < report->count; i++) {
        record_clear(&TENANT_DIGEST, &report->entries[i].digest);
        record_clear(&TENANT_SCHEMA_DRIFT, &report->entries[i].drift);
    }
    free(report->entries);
    free(report->clusters);
    tenant_list_clear(&report->tenants);
    *report = (DriftReport){0};
}
