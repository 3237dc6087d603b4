/* What every result has: _clear() and _json(). */
#include "common/results.h"
#include "common/json.h"
#include "common/results_lists.h"
#include "common/schema_drift_json.h"
#include "coordinator/pgconvoy/migrator.h"

/* Takes the document over. */
static char *one_line(json_t *document)
{
    char *text = json_text(document, JSON_COMPACT);
    json_decref(document);
    return text;
}

#define CLEAR(type, record)                               \
    void pgconvoy_##type##_clear(pgconvoy_##type *result) \
    {                                                     \
        if (result != NULL)                               \
            record_clear(&(record), result);              \
    }

#define RESULT(type, record)                                    \
    CLEAR(type, record)                                         \
    char *pgconvoy_##type##_json(const pgconvoy_##type *result) \
    {                                                           \
        return one_line(record_to_json(&(record), result));     \
    }

RESULT(migration_results, MIGRATION_RESULTS)
RESULT(tenant_migration_result, TENANT_MIGRATION_RESULT)
RESULT(tenant_migration_status, TENANT_MIGRATION_STATUS)
RESULT(tenant_create_result, TENANT_CREATE_RESULT)
RESULT(tenant_drop_result, TENANT_DROP_RESULT)
RESULT(sync_status, SYNC_STATUSES)
RESULT(tenant_sync_status, TENANT_SYNC_STATUS)
RESULT(sync_results, SYNC_RESULTS)
RESULT(tenant_sync_result, TENANT_SYNC_RESULT)
RESULT(tenant_schema, TENANT_SCHEMA)
RESULT(seed_results, SEED_RESULTS)
RESULT(tenant_seed_result, TENANT_SEED_RESULT)
RESULT(convert_results, CONVERT_RESULTS)
RESULT(clone_result, CLONE_RESULT)
RESULT(shared_seed_result, SHARED_SEED_RESULT)
RESULT(shared_migration_result, SHARED_MIGRATION_RESULT)
RESULT(shared_migration_status, SHARED_MIGRATION_STATUS)
CLEAR(migration_statuses, MIGRATION_STATUSES)
CLEAR(schema_drift_status, SCHEMA_DRIFT_STATUS)
CLEAR(tenant_schema_drift, TENANT_SCHEMA_DRIFT)

/* The array itself. */
char *pgconvoy_migration_statuses_json(const pgconvoy_migration_statuses *result)
{
    json_t *object = record_to_json(&MIGRATION_STATUSES, result);
    json_t *details = json_incref(json_object_get(object, "details"));
    json_decref(object);
    return one_line(details);
}

char *pgconvoy_tenant_schema_drift_json(const pgconvoy_tenant_schema_drift *result)
{
    return one_line(schema_drift_to_json(&TENANT_SCHEMA_DRIFT, result));
}

/* A drift's JSON is more than its record's. */
char *pgconvoy_schema_drift_status_json(const pgconvoy_schema_drift_status *result)
{
    json_t *object = record_to_json(&SCHEMA_DRIFT_STATUS, result);
    json_t *details = json_array();
    const TenantSchemaDrift *drifts = result->details.items;
    bool ok = object != NULL && details != NULL;
    for (size_t i = 0; ok && i < result->details.count; i++)
        ok = json_array_append_new(details, schema_drift_to_json(&TENANT_SCHEMA_DRIFT, &drifts[i])) == 0;
    ok = ok && json_object_set(object, "details", details) == 0;
    json_decref(details);
    if (ok)
        return one_line(object);
    json_decref(object);
    return NULL;
}

/* Two documents as one. */
static char *with_shared(json_t *shared, json_t *tenants)
{
    return one_line(json_pack("{s:o,s:o}", "shared", shared, "tenants", tenants));
}

void pgconvoy_migration_with_shared_clear(pgconvoy_migration_with_shared *result)
{
    if (result == NULL)
        return;
    record_clear(&SHARED_MIGRATION_RESULT, &result->shared);
    record_clear(&MIGRATION_RESULTS, &result->tenants);
}

char *pgconvoy_migration_with_shared_json(const pgconvoy_migration_with_shared *result)
{
    return with_shared(record_to_json(&SHARED_MIGRATION_RESULT, &result->shared),
                       record_to_json(&MIGRATION_RESULTS, &result->tenants));
}

void pgconvoy_seed_with_shared_clear(pgconvoy_seed_with_shared *result)
{
    if (result == NULL)
        return;
    record_clear(&SHARED_SEED_RESULT, &result->shared);
    record_clear(&SEED_RESULTS, &result->tenants);
}

char *pgconvoy_seed_with_shared_json(const pgconvoy_seed_with_shared *result)
{
    return with_shared(record_to_json(&SHARED_SEED_RESULT, &result->shared),
                       record_to_json(&SEED_RESULTS, &result->tenants));
}

bool pgconvoy_texts_add(pgconvoy_texts *texts, const char *text)
{
    return text_list_add(texts, text);
}
