#include "tests/conformance/driver.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The case's configuration with changes laid over it. */
static json_t *config_with(const Driver *driver, const json_t *changes)
{
    json_t *config = json_deep_copy(json_object_get(driver->document, "config"));
    if (config == NULL)
        config = json_object();
    must_json(config);
    if (changes != NULL && json_object_update(config, (json_t *)changes) != 0)
        must_json(NULL);
    return config;
}

static const char *url_of(const Driver *driver, const json_t *config)
{
    const char *url = text_of(config, "url");
    return url != NULL ? url : driver->url;
}

static bool discover(void *context, pgconvoy_texts *ret_ids, pgconvoy_error *error)
{
    const Subject *subject = context;
    const char *words = text_of(subject->config, "discoveryThrows");
    if (words != NULL)
        return pgconvoy_error_set(error, "%s", words);
    const json_t *tenants = json_object_get(subject->config, "tenants");
    if (json_holds_nul(tenants))
        return pgconvoy_error_set(error, "a tenant id cannot hold a NUL");
    size_t index;
    json_t *tenant;
    json_array_foreach(tenants, index, tenant)
    {
        if (!pgconvoy_texts_add(ret_ids, json_string_value(tenant)))
            return pgconvoy_error_set(error, "out of memory");
    }
    return true;
}

/* Templates that are functions in the cases. */
static char *schema_with_underscores(void *context, const char *tenant_id, pgconvoy_error *error)
{
    (void)context;
    char *schema = NULL;
    if (asprintf(&schema, "tenant_%s", tenant_id) < 0) {
        pgconvoy_error_set(error, "out of memory");
        return NULL;
    }
    for (char *letter = schema; *letter != '\0'; letter++)
        if (!isalnum((unsigned char)*letter))
            *letter = '_';
    return schema;
}

static char *schema_or_failure(void *context, const char *tenant_id, pgconvoy_error *error)
{
    if (strstr(tenant_id, "bad") == NULL)
        return schema_with_underscores(context, tenant_id, error);
    pgconvoy_error_set(error, "bad tenant id");
    return NULL;
}

typedef char *SchemaName(void *context, const char *tenant_id, pgconvoy_error *error);

static SchemaName *schema_function(const char *template)
{
    if (template != NULL && strcmp(template, "$underscore") == 0)
        return schema_with_underscores;
    if (template != NULL && strcmp(template, "$throwOnBad") == 0)
        return schema_or_failure;
    return NULL;
}

/* The shared schema's formats are those of the tenants unless they are given. */
static const char *text_or(const json_t *config, const char *key, const char *other_key)
{
    const char *text = text_of(config, key);
    return text != NULL ? text : text_of(config, other_key);
}

/* There a schema object says that there is a shared schema, here the folder of its migrations. */
static const char *shared_folder(const Driver *driver, const json_t *config)
{
    const char *folder = text_of(driver->document, "sharedMigrationsFolder");
    if (folder == NULL && json_object_get(config, "sharedSchema") != NULL)
        folder = text_of(driver->document, "migrationsFolder");
    return folder;
}

Subject *subject_new(Driver *driver, const json_t *changes, pgconvoy_error *error)
{
    Subject *subject = calloc(1, sizeof *subject);
    if (subject == NULL)
        must_json(NULL);
    *subject = (Subject){.driver = driver, .config = config_with(driver, changes)};
    const json_t *config = subject->config;
    const char *template = text_of(config, "template");
    SchemaName *schema_name = schema_function(template);
    pgconvoy_database database = {.url = url_of(driver, config)};
    pgconvoy_migrator_options options = {
        .databases = &database,
        .database_count = 1,
        .schema_template = schema_name == NULL ? template : NULL,
        .schema_name = schema_name,
        .discover = discover,
        .migrations_folder = text_of(driver->document, "migrationsFolder"),
        .migrations_table = text_of(config, "migrationsTable"),
        .table_format = text_of(config, "tableFormat"),
        .default_format = text_of(config, "defaultFormat"),
        .shared_folder = shared_folder(driver, config),
        .shared_table = text_of(config, "sharedMigrationsTable"),
        .shared_table_format = text_or(config, "sharedTableFormat", "tableFormat"),
        .shared_default_format = text_or(config, "sharedDefaultFormat", "defaultFormat"),
        .hooks = hooks_of(subject),
        .context = subject,
    };
    subject->migrator = pgconvoy_migrator_new(&options, error);
    if (subject->migrator != NULL)
        return subject;
    subject_free(subject);
    return NULL;
}

void subject_free(Subject *subject)
{
    if (subject == NULL)
        return;
    pgconvoy_migrator_free(subject->migrator);
    json_decref(subject->config);
    free(subject);
}

/* No limit of ours: the other implementation's pools do not share one. */
enum { ROOMY = 1000 };

pgconvoy_pool_manager *pools_new(Driver *driver, const json_t *changes, pgconvoy_error *error)
{
    json_decref(driver->pools_config);
    const json_t *config = driver->pools_config = config_with(driver, changes);
    const json_t *pool = json_object_get(config, "poolConfig"), *retry = json_object_get(config, "retry");
    const char *template = text_of(config, "template");
    SchemaName *schema_name = schema_function(template);
    int64_t ttl_ms = number_of(config, "poolTtlMs", -1);
    const json_t *multiplier = json_object_get(retry, "backoffMultiplier");
    pgconvoy_pool_database database = {.url = url_of(driver, config), .max_connections = ROOMY};
    pgconvoy_pool_options options = {
        .databases = &database,
        .database_count = 1,
        .schema_template = schema_name == NULL ? template : NULL,
        .schema_name = schema_name,
        .application_name = text_of(pool, "application_name"),
        .max_pools = number_of(config, "maxPools", 0),
        .ttl_ms = ttl_ms > 0    ? ttl_ms
                  : ttl_ms == 0 ? -1
                                : 0, /* theirs: 0 = never; ours: negative */
        .max_connections = number_of(pool, "max", 0),
        .idle_timeout_ms = number_of(pool, "idleTimeoutMillis", 0),
        .connect_timeout_ms = number_of(pool, "connectionTimeoutMillis", 0),
        .retry_max_attempts = number_of(retry, "maxAttempts", 0),
        .retry_initial_delay_ms = number_of(retry, "initialDelayMs", 0),
        .retry_max_delay_ms = number_of(retry, "maxDelayMs", 0),
        .retry_multiplier = json_number_value(multiplier),
        .retry_no_jitter = !flag_of(retry, "jitter", true),
        .hooks = pool_hooks_of(driver),
    };
    return pgconvoy_pool_manager_new(&options, error);
}

/* Threads of one step may be the first to need them. */
bool driver_open_pools(Driver *driver, pgconvoy_error *error)
{
    pthread_mutex_lock(&driver->mutex);
    if (driver->pools == NULL)
        driver->pools = pools_new(driver, NULL, error);
    bool ok = driver->pools != NULL;
    pthread_mutex_unlock(&driver->mutex);
    return ok;
}

bool driver_open_migrator(Driver *driver, pgconvoy_error *error)
{
    pthread_mutex_lock(&driver->mutex);
    if (driver->subject == NULL)
        driver->subject = subject_new(driver, NULL, error);
    bool ok = driver->subject != NULL;
    pthread_mutex_unlock(&driver->mutex);
    return ok;
}
